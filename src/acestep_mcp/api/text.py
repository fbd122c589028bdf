"""Text that can be sent: file names and hosts' replies may hold half of a surrogate pair, which UTF-8 cannot encode."""

from __future__ import annotations

from typing import Any


def encodable(text: str) -> str:
    """The text with `?` for each character that UTF-8 cannot encode."""
    return str(text) if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def all_encodable(value: Any) -> Any:
    """JSON-like data with every string in it made encodable, keys too."""
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, dict):
        return {all_encodable(key): all_encodable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(all_encodable(part) for part in value)
    return value
