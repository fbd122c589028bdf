"""What our engine server lists about itself. Another kind of server may answer instead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from acestep_mcp.api.errors import QueueError
from acestep_mcp.client.replies import plain
from acestep_mcp.client.retry import QueueCall
from acestep_mcp.net.http_responses import HttpResponse

MAX_LORAS = 200
MAX_DEVICES = 64
_OF_DEVICE = ("device", "model", "state", "job", "songs", "restarts", "memory", "failure")


async def engine_lists(
    ask: Callable[[QueueCall], Awaitable[HttpResponse]], queue_url: str, seconds: float
) -> dict[str, tuple[Any, ...]]:
    """The `loras` that tags may name there and what its `devices` do; a list that does not come is left out."""
    found: dict[str, tuple[Any, ...]] = {}
    for name, read in {"loras": loras_in, "devices": devices_in}.items():
        with suppress(QueueError):
            found[name] = read(
                await ask(QueueCall(f"Asking for {name}", "GET", f"{queue_url}/{name}", seconds=seconds))
            )
    return found


def loras_in(answer: HttpResponse) -> tuple[str, ...]:
    """The names in a reply that lists LoRA adapters; none in any other."""
    body = answer.json()
    names = body.get("loras") if isinstance(body, Mapping) and answer.status == 200 else None
    return tuple(plain(name, 100) for name in names[:MAX_LORAS] if plain(name)) if isinstance(names, list) else ()


def devices_in(answer: HttpResponse) -> tuple[dict[str, Any], ...]:
    """The short texts and numbers of each device in a reply that lists them; none in any other."""
    body = answer.json()
    listed = body.get("devices") if isinstance(body, Mapping) and answer.status == 200 else None
    found = [each for each in listed[:MAX_DEVICES] if isinstance(each, Mapping)] if isinstance(listed, list) else []
    return tuple({name: shown for name in _OF_DEVICE if (shown := _shown(each.get(name)))} for each in found)


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {plain(name, 20): size for name, size in list(value.items())[:4] if isinstance(size, int)}
    return value if isinstance(value, int) else plain(value, 300)
