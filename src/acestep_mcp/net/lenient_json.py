"""JSON as hosts write it: what is odd in it costs only itself."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

_DEEPEST = 32
_LONGEST_INTEGER = 20
_SURROGATE = re.compile("[\ud800-\udfff]")
_TOKENS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def read_json(body: bytes, clean: Callable[[str], str] = str) -> Any:
    """The decoded body, or None when it is not JSON. What is odd in it costs only itself.

    Bytes and characters that cannot be encoded are replaced; numbers that are infinite or have more than 20 digits, and
    what is nested more than 32 deep, are None.
    """
    text = body.decode(json.detect_encoding(body), "replace")
    try:
        try:
            value = _loaded(text)
        except RecursionError:
            value = _loaded(_shallow(text))
    except (ValueError, RecursionError):
        return None
    return _usable(value, clean, _DEEPEST)


def _loaded(text: str) -> Any:
    return json.loads(text, strict=False, parse_int=_integer, parse_float=_finite, parse_constant=lambda _: None)


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _LONGEST_INTEGER else None


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _shallow(text: str) -> str:
    """JSON text with `null` for each array and object that is nested too deep."""
    kept, start, depth = [], 0, 0
    for token in _TOKENS.finditer(text):
        if token[0] in "[{":
            if depth == _DEEPEST:
                kept.append(f"{text[start : token.start()]}null")
            depth += 1
        elif token[0] in "]}":
            depth -= 1
            if depth == _DEEPEST:
                start = token.end()
    return "".join([*kept, text[start:]])


def _usable(value: Any, clean: Callable[[str], str], levels: int) -> Any:
    match value:
        case str():
            return clean(_SURROGATE.sub("\ufffd", value))
        case dict() | list() if not levels:
            return None
        case dict():
            return {
                clean(_SURROGATE.sub("\ufffd", name)): _usable(part, clean, levels - 1) for name, part in value.items()
            }
        case list():
            return [_usable(part, clean, levels - 1) for part in value]
    return value
