"""File names that are readable and valid on every system."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}
_MAX_BYTES = 120


def file_stems(date: str, title: str, seed: int | None) -> Iterator[str]:
    """`2026-11-22 lofi hiphop chill (42)`, then the same followed by 2, 3 and so on, without end."""
    seed_part = "" if seed is None else f" ({seed})"
    stem = f"{date} {safe_name(title)}{seed_part}"
    yield stem
    yield from (f"{stem} {number}" for number in itertools.count(2))


def safe_name(text: str) -> str:
    """Letters, digits, spaces and dashes of any script, at most 120 bytes, safe on Windows; `song` if none is left."""
    text = unicodedata.normalize("NFC", text)
    kept = "".join(c if unicodedata.category(c)[0] in "LNM" or c in "-'" else " " for c in text)
    name = re.sub(r"\s+", " ", kept).strip(" -'")
    while len(name.encode()) > _MAX_BYTES:
        name = name[: len(name) * 3 // 4].rsplit(" ", 1)[0].strip(" -'") or name[:10]
    return f"{name} song" if name.lower() in _RESERVED else name or "song"


def title_of(tags: str, prompt: str = "") -> str:
    """A short title: the start of the prompt, else the first few tags."""
    if prompt.strip():
        return _cut(" ".join(prompt.split()), 60)
    parts = [part.strip() for part in re.split(r"[,\n;|]", tags) if part.strip()]
    return _cut(" ".join(parts[:4]), 60) or "song"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit + 1].rsplit(" ", 1)[0][:limit].rstrip(" ,.;:-")
