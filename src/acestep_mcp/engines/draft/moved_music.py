"""Moves what a remix keeps to another grid: sections to other numbers of bars, chords and tune with them, and to another key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from acestep_mcp.engines.draft.compose import ComposeRequest
from acestep_mcp.engines.draft.form_section import FormSection
from acestep_mcp.engines.draft.grid import Grid

_RELATIVE = 3  # semitones from a minor key up to the major key of the same notes


def resized(form: Sequence[FormSection], bars: int) -> tuple[FormSection, ...] | None:
    """The sections in the same proportions in exactly so many bars, even ones in even numbers; None if they are too many."""
    if bars < len(form):
        return None
    share = bars / sum(section.bars for section in form)
    sizes = []
    for section in form:
        unit = 2 if section.bars % 2 == 0 and share * section.bars >= 2 else 1
        sizes.append(max(1, round(share * section.bars / unit) * unit))
    while (left := bars - sum(sizes)) != 0:
        # What is missing goes to the end; what is too much is taken from the longest.
        at = len(sizes) - 1 if left > 0 else max(range(len(sizes)), key=lambda number: (sizes[number], number))
        sizes[at] += 1 if left > 0 else -1
    return tuple(replace(section, bars=size, offset_bars=0) for section, size in zip(form, sizes, strict=True))


def with_moved_music(
    request: ComposeRequest, old: Grid, old_form: Sequence[FormSection], form: Sequence[FormSection]
) -> ComposeRequest:
    """The request with its chords and tune, which are on the bars of `old`, on the bars and in the key of its own grid.

    A section of `form` that is longer than the same one of `old_form` begins again; a shorter one ends sooner.
    """
    grid = request.grid or old
    if grid is old:
        return request
    sources = list(_old_bars(old_form, form))[: grid.bars]
    steps = _semitones(old, grid)
    chords = request.chords and tuple(request.chords[bar] if bar < len(request.chords) else None for bar in sources)
    moved = tuple(
        chord and replace(chord, tones=tuple((tone + steps) % 12 for tone in chord.tones)) for chord in chords
    )
    notes = defaultdict(list)
    beats = old.beats_per_bar
    for note in request.tune:
        notes[int(note.beat // beats)].append(note)
    tune = tuple(
        note._replace(beat=note.beat + (bar - source) * beats, pitch=note.pitch + steps)
        for bar, source in enumerate(sources)
        for note in notes[source]
    )
    return replace(request, chords=moved, tune=tune)


def _old_bars(old_form: Sequence[FormSection], form: Sequence[FormSection]) -> Iterator[int]:
    """The bar of the old song whose chord and tune each bar has."""
    count, wanted = (sum(section.bars for section in sections) for sections in (old_form, form))
    if count == wanted or len(old_form) != len(form):
        yield from (bar % count for bar in range(wanted))
        return
    first = 0
    for old, new in zip(old_form, form, strict=True):
        yield from (first + bar % old.bars for bar in range(new.bars))
        first += old.bars


def _semitones(old: Grid, new: Grid) -> int:
    """How far the notes move, at most half an octave. A major key becomes minor by way of its relative key."""
    steps = new.tonic - old.tonic
    if new.key.minor != old.key.minor:
        steps += _RELATIVE if new.key.minor else -_RELATIVE
    return (steps + 6) % 12 - 6
