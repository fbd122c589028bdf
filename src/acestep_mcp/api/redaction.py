"""Keys in text that others wrote, such as a host that repeats ours in an error."""

from __future__ import annotations

import re
from collections.abc import Callable


def redaction(*keys: str | None, instead: str = "***", shortest: int = 8, word: int = 0) -> Callable[[str], str]:
    """A function that replaces these keys in a text: in any case, percent-encoded, or escaped as in JSON.

    Of a key with two halves, `id:secret`, the secret alone is replaced too. What is shorter than `shortest`, or than
    `word` if it has letters only, occurs in ordinary text and is not replaced.
    """
    halves = {part.strip() for key in keys if key for part in (key, key.rpartition(":")[2])}
    parts = {part for part in halves if len(part) >= max(shortest, word if part.isalpha() else 0)}
    if not parts:
        return str
    written = ("".join(map(_letter, part)) for part in sorted(parts, key=len, reverse=True))
    pattern = re.compile("|".join(written), re.IGNORECASE)
    return lambda text: pattern.sub(instead, text)


def _letter(letter: str) -> str:
    """A pattern for the ways in which texts write a letter."""
    return rf"(?:\\{{0,4}}{re.escape(letter)}|%{ord(letter):02x}|\\{{1,4}}u{ord(letter):04x})"
