"""What every edit returns besides the sound: its lyrics and its sections."""

from __future__ import annotations

from dataclasses import replace

from acestep_mcp.engines import Section
from acestep_mcp.engines.draft.score import Score
from acestep_mcp.readers.no_vocals import is_instrumental


def sections_of(score: Score) -> tuple[Section, ...]:
    """The score's sections; pieces that a window cut from the same section are joined."""
    found: list[Section] = []
    for section in score.sections:
        if found and found[-1].name == section.name:
            found[-1] = replace(found[-1], end=section.end)
        else:
            found.append(Section(section.name, section.start, section.end))
    return tuple(found)


def answer_lyrics(lyrics: str) -> str:
    """The lyrics as the answer holds them."""
    return "[inst]" if is_instrumental(lyrics) else lyrics
