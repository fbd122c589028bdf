"""Section marks that the model has tokens for; it spells other text in square brackets as letters, which may be sung."""

from __future__ import annotations

import re

from acestep_mcp.api.requests import INSTRUMENTAL, EngineRequest
from acestep_mcp.readers.lyric_sheet import read_lyrics
from acestep_mcp.readers.section_names import SectionName, read_name

KNOWN = ("start", "intro", "verse", "chorus", "bridge", "outro", "end", "inst", "solo", "hook", "pre-chorus", "break")
_PLAIN = re.compile(rf"\s*\[(?:{'|'.join(KNOWN)})(?: \d+)?\]\s*", re.IGNORECASE)
_SQUARE = re.compile(r"\s*\[([^\[\]]*)\]\s*")
_BY_KIND = {"build": "pre-chorus", "drop": "hook", "solo": "inst"}


def with_known_marks(lyrics: str) -> str:
    """The lyrics as the model reads them best: `[inst]` if nobody sings, else with its own marks and no stage directions.

    Marks that it knows, with or without a number, and all words are as they were.
    """
    sheet = read_lyrics(lyrics)
    if not sheet.lines:
        return INSTRUMENTAL
    lines = [_line(line) for line in sheet.text.split("\n")]
    return "\n".join(line for line in lines if line is not None)


def told_to_model(request: EngineRequest) -> EngineRequest:
    """The request with its lyrics as the model reads them best."""
    fields = [name for name in ("lyrics", "original_lyrics") if hasattr(request, name)]
    return request.model_copy(update={name: with_known_marks(getattr(request, name)) for name in fields})


def mark_notes(lyrics: str) -> tuple[str, ...]:
    """A note on the stage directions that are not told to the model."""
    directions = read_lyrics(lyrics).directions
    if not directions:
        return ()
    shown = ", ".join(f"[{direction}]" for direction in directions[:3])
    return (f"The model has no mark for {shown}; it was left out of the lyrics. Say in the tags how the song is sung.",)


def _line(line: str) -> str | None:
    found = _SQUARE.fullmatch(line)
    if not found or _PLAIN.fullmatch(line):
        return line
    name = read_name(found[1])
    return f"[{_token(name)}]" if name else None


def _token(name: SectionName) -> str:
    said = [word for word in ("hook", "solo", "end") if word in name.name.lower().split()]
    return said[0] if said else _BY_KIND.get(name.kind, name.kind)
