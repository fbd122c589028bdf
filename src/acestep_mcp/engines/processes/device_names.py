"""The devices that `--devices` names."""

from __future__ import annotations

import re
import sys

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.model.device import gpu_count

MOST = 64
_NAME = re.compile(r"cpu(?::([1-9]\d?))?|mps|cuda(?::(\d{1,3}))?")


def device_names(given: str, *, computes_on_cpu: bool = False) -> tuple[str, ...]:
    """The devices that `--devices` names: `cuda:0,cuda:1`, `cpu:2` (two processes on the CPU) or `all` that are here.

    An engine that only `computes_on_cpu` has no other. Raises ConfigurationError.
    """
    names: list[str] = []
    for part in (part.strip() for part in given.split(",")):
        found = _all(computes_on_cpu=computes_on_cpu) if part == "all" else _named(part)
        if twice := [name for name in found if name in names]:
            raise ConfigurationError(f"--devices {given!r} names {twice[0]} twice. Name each device once.")
        names += found
    if computes_on_cpu and (others := [name for name in names if not name.startswith("cpu")]):
        raise ConfigurationError(
            f"This engine computes on the CPU, not on {others[0]}. Use --devices cpu:2 or another number."
        )
    if len(names) > MOST:
        raise ConfigurationError(f"--devices {given!r} means {len(names)} processes; {MOST} is the most.")
    return tuple(names)


def _all(*, computes_on_cpu: bool) -> list[str]:
    if computes_on_cpu:
        return ["cpu:0"]
    if count := gpu_count():
        return [f"cuda:{number}" for number in range(count)]
    return ["mps"] if sys.platform == "darwin" else ["cpu:0"]


def _named(part: str) -> list[str]:
    found = _NAME.fullmatch(part)
    if found is None:
        raise ConfigurationError(
            f"--devices cannot be {part!r}. Give all, or names such as cuda:0,cuda:1 or cpu:2 (two processes) or mps."
        )
    if part.startswith("cpu"):
        return [f"cpu:{number}" for number in range(int(found[1] or 1))]
    if part == "mps":
        return [part]
    number, count = int(found[2] or 0), gpu_count()
    if count is not None and number >= count:
        here = ", ".join(f"cuda:{each}" for each in range(count)) or "none"
        raise ConfigurationError(f"--devices names cuda:{number}, which is not here. The GPUs here: {here}.")
    return [f"cuda:{number}"]
