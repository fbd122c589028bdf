"""Text that comes from files and goes to callers: byte order marks, and halves of surrogate pairs, which UTF-8 cannot encode."""

from __future__ import annotations

import codecs
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


def decode_text(content: bytes) -> str:
    """The text of a file that a person or another program wrote: UTF-8, or UTF-16 with a byte order mark.

    The mark itself is left out. Raises UnicodeDecodeError.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")
