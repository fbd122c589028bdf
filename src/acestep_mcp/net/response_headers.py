"""Headers that every response of both servers carries, unless its route has stricter ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_DEFAULTS = {
    # Whatever is opened in a browser by its address: nothing in it runs, and nothing frames it.
    b"content-security-policy": b"default-src 'none'; media-src 'self'; frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
    b"x-frame-options": b"DENY",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
}


def protected(send: Send) -> Send:
    """An ASGI `send` that adds the headers which a response lacks."""

    async def send_protected(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            present = {bytes(name).lower() for name, _ in headers}
            message = {**message, "headers": headers + [pair for pair in _DEFAULTS.items() if pair[0] not in present]}
        await send(message)

    return send_protected
