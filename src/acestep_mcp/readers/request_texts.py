"""The texts of a request, read before an engine gets it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeVar

from acestep_mcp.api.requests import AudioOutpaint, Request, TextToAudio
from acestep_mcp.readers.lora_tags import without_loras
from acestep_mcp.readers.lyric_sheet import read_lyrics

AnyRequest = TypeVar("AnyRequest", bound=Request)

_TOO_MANY = (
    "lyrics: {} lines are too many for {:g} s, where about {} can be sung; the rest is rushed or left out. "
    "Use a longer duration or fewer lines."
)
_USUAL = 5.0
_FASTEST = 1.5  # seconds per line; fast rap takes about 3
_NO_TAGS = "tags: no style is named, so the engine chooses one; name genre, mood and instruments ('lofi, calm, piano')."


def read_texts(request: AnyRequest, loras: Iterable[str] | None = None) -> tuple[AnyRequest, tuple[str, ...]]:
    """The request with plain lyrics, and notes on what was read as something else or cannot be sung.

    A request whose lyrics are plain is returned as it is. Notes begin with the name of the field.
    Raises InvalidRequest for tags that name a LoRA adapter other than `loras`; None leaves that to the engine.
    """
    if loras is not None:
        without_loras(request, loras)
    notes: list[str] = []
    changed: dict[str, Any] = {}
    for field in ("lyrics", "original_lyrics"):
        text = getattr(request, field, "")
        sheet = read_lyrics(text)
        notes += [f"{field}: {note}" for note in sheet.notes]
        if sheet.text != text:
            changed[field] = sheet.text
        if field == "lyrics":
            notes += _too_many(request, len(sheet.lines))
    if not re.search(r"\w", getattr(request, "tags", "x")):
        notes.append(_NO_TAGS)
    return (request.model_copy(update=changed) if changed else request), tuple(notes)


def _too_many(request: Request, lines: int) -> list[str]:
    """A note on more lines than can be sung in the length that is asked for."""
    seconds = 0.0
    if isinstance(request, TextToAudio):
        seconds = request.duration
    elif isinstance(request, AudioOutpaint):
        seconds = request.extend_after_duration or request.extend_before_duration
    if not seconds or lines <= max(2, seconds / _FASTEST):
        return []
    fitting = max(1, round(seconds / _USUAL))
    return [_TOO_MANY.format(lines, seconds, fitting)]
