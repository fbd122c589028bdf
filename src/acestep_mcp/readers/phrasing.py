"""What the readers of numbers have in common: plain characters, what a text refuses, and the parts of a list."""

from __future__ import annotations

import re
import unicodedata

_REFUSAL = re.compile(
    r"(?i)\b(?:no|not|never|without|avoid|except|isn't|don't|do not|instead of|rather than|other than|anything but|"
    r"nicht|keine?n?|sans|pas|sin|не|без)"
    r"(?:\s+(?:use|play|set|be|do|go|to|in|at|a|an|the|any|of|key|tempo|bpm|im|en|à|de))*\s+$"
)
_SEPARATOR = re.compile(r"[,;|\n()\[\]{}!?\u3001\u3002]|\.(?=\s|$)|\s/\s")
_MAX_TAG_WORDS = 5


def folded(text: str) -> str:
    """The text with full-width and other variants as plain characters, each at its place."""
    return text if text.isascii() else "".join(_plain(letter) for letter in text)


def _plain(letter: str) -> str:
    plain = unicodedata.normalize("NFKC", letter)
    return plain if len(plain) == 1 else letter


def is_refused(text: str, start: int) -> bool:
    """Whether the words before `start` refuse what begins there: "not 120 bpm", "anything but C minor"."""
    return bool(_REFUSAL.search(text, max(0, start - 60), start))


def around(text: str, start: int, end: int) -> tuple[str, str]:
    """The words before and after a place, up to the next comma, bracket or end of a sentence."""
    before = [*_SEPARATOR.finditer(text, 0, start)]
    after = _SEPARATOR.search(text, end)
    return text[before[-1].end() if before else 0 : start], text[end : after.start() if after else len(text)]


def is_tag_list(text: str) -> bool:
    """Whether a text is a list of tags and not sentences: no part of it has more than five words."""
    return all(len(part.split()) <= _MAX_TAG_WORDS for part in _SEPARATOR.split(text))
