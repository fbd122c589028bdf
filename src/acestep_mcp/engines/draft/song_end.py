"""Room for the last words where a song that fades out ends in the middle of a bar, and what is said if they have none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from acestep_mcp.engines.draft.form_section import INTENSITY, FormSection
from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.text_setting import BREATH, line_places

Form = tuple[FormSection, ...]

_MOST_FASTER = 1.1
_AFTER_WORDS = 0.4  # seconds


def with_room_for_words(grid: Grid, form_of: Callable[[Grid], Form], fastest: float) -> tuple[Grid, Form]:
    """The grid and the form, changed if the last line would not end before the song.

    First of all an intro gives room, if no line becomes shorter by that. If it cannot, the tempo rises a little, to `fastest` at
    most; if that is not enough, all lines are set in the whole bars.
    """
    form = form_of(grid)
    over = _over(grid, form)
    if over <= 1 or grid.bars < 2:
        return grid, form
    shorter = form_of(replace(grid, bars=grid.bars - 1))
    name = "fade" if any(section.name == "outro" for section in shorter) else "outro"
    shorter = (*shorter, FormSection(name, "outro", 1, (), INTENSITY["outro"]))
    if _sung(shorter) == _sung(form):
        return grid, shorter
    # If it were any faster, the music would stop before the song's end.
    tempo = min(grid.tempo * over, 60 * grid.bars * grid.beats_per_bar / grid.seconds)
    if tempo <= min(fastest, _MOST_FASTER * grid.tempo):
        return replace(grid, tempo=int(tempo * 10_000) / 10_000), form
    return grid, shorter


def _over(grid: Grid, form: Form) -> float:
    """The time that the words take, as a share of the song's: more than 1 if they do not fit."""
    last = form[-1]
    if not last.lines:
        return 0.0
    length = last.bars * grid.beats_per_bar
    beat, line = line_places(length, len(last.lines), grid.layout)[-1]
    end = grid.time_at(grid.bars * grid.beats_per_bar - length + beat + (1 - BREATH) * line)
    return end / (grid.seconds - _AFTER_WORDS)


def _sung(form: Form) -> list[tuple[int, int]]:
    return [(section.bars, len(section.lines)) for section in form if section.lines]


def unsung_note(lines: Sequence[str], lost: Sequence[str]) -> tuple[str, ...]:
    """What is said of the last syllables, `lost` as they are written, if the song ends before them."""
    letters = sum(character.isalnum() for text in lost for character in text)
    notes: list[str] = []
    for line in reversed(lines):
        words = 0
        for word in reversed(line.split()):
            size = sum(map(str.isalnum, word))
            words += size > 0 and letters > 0
            letters -= size
        if words:
            many = f"last {words} words" if words > 1 else "last word"
            notes.insert(0, f'The song ends before the {many} of "{line}".')
    return tuple(notes)
