"""Tags that name a LoRA adapter: `lora:night drive`, `lora:night drive:0.7`, also in angle brackets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.api.requests import Request

TaggedRequest = TypeVar("TaggedRequest", bound=Request)

LARGEST_WEIGHT = 2.0
_TAG = re.compile(r"\s*<?\s*lora\s*:\s*(?P<name>[^:<>]*?)\s*(?::\s*(?P<weight>[^:<>]*?)\s*)?>?\s*", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class LoraTag:
    name: str
    weight: float = 1.0


def without_loras(request: TaggedRequest, offered: Iterable[str]) -> tuple[TaggedRequest, tuple[LoraTag, ...]]:
    """The request without the tags that name adapters, and those adapters, each by its name in `offered`.

    Upper and lower case are the same. Raises InvalidRequest for a name that is not offered, with those that are, and for
    a weight that is no number from -2 to 2.
    """
    kept: list[str] = []
    named: dict[str, LoraTag] = {}
    names = {name.casefold(): name for name in offered}
    given = str(getattr(request, "tags", ""))
    for tag in given.split(","):
        found = _TAG.fullmatch(tag)
        if found is None:
            kept.append(tag)
            continue
        name = names.get(found["name"].casefold())
        if name is None:
            raise InvalidRequest.of(FieldError("tags", _unknown(tag.strip(), names.values()), value=found["name"]))
        named[name] = LoraTag(name, _weight(tag.strip(), found["weight"]))
    if not named:
        return request, ()
    return request.model_copy(update={"tags": ",".join(kept).strip(", ")}), tuple(named.values())


def _unknown(tag: str, names: Iterable[str]) -> str:
    offered = ", ".join(sorted(names))
    if not offered:
        return f"{tag!r} names a LoRA adapter, and none can be chosen here; leave it out"
    return f"{tag!r} names no LoRA adapter that is here; there are: {offered}"


def _weight(tag: str, given: str | None) -> float:
    if given is None:
        return 1.0
    if not _NUMBER.fullmatch(given) or abs(float(given)) > LARGEST_WEIGHT:
        message = (
            f"the weight in {tag!r} is no number from -{LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g}; write lora:name:0.8"
        )
        raise InvalidRequest.of(FieldError("tags", message, value=given))
    return float(given)
