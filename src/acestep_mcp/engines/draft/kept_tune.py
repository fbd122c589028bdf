"""Gives the notes of a melody the pitches of another one that sounds at the same time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from statistics import median

from acestep_mcp.engines.draft.melody import MelodyContext, MelodyNote, grinds

_NEAR, _SOON, _REST = 0.13, 1.0, 1.0
"""Beats: what counts as the same moment, and how long before and after a note its pitch is taken."""
_LONG = 0.9


def with_pitches_of(
    tune: Sequence[MelodyNote], notes: Sequence[MelodyNote], context: MelodyContext
) -> tuple[MelodyNote, ...]:
    """The notes with the pitches of the tune, in octaves that lie in the range. `tune` is in the order of its beats.

    A note keeps its own pitch where the tune rests, or where the tune's would be a long semitone beside the chord.
    """
    if not tune:
        return tuple(notes)
    beats = [note.beat for note in tune]
    middle = (context.low + context.high) / 2
    octaves = 12 * round((middle - median(note.pitch for note in tune)) / 12)
    found = []
    for note in notes:
        kept = _at(note.beat, tune, beats)
        if kept is None:
            found.append(note)
            continue
        pitch = _within(kept.pitch + octaves, context)
        chords = context.chords_during(note.beat, note.length)
        rubs = note.length >= _LONG and any(grinds(chord, pitch % 12) for chord in chords)
        found.append(note if rubs else note._replace(pitch=pitch))
    return tuple(found)


def _at(beat: float, tune: Sequence[MelodyNote], beats: Sequence[float]) -> MelodyNote | None:
    """The note of the tune that sounds, or has just ended, at a beat, or else begins soon after it."""
    number = bisect_right(beats, beat + _NEAR)
    before = tune[number - 1] if number else None
    if before is not None and beat <= before.beat + before.length + _REST:
        return before
    return tune[number] if number < len(tune) and tune[number].beat <= beat + _SOON else None


def _within(pitch: int, context: MelodyContext) -> int:
    while pitch > context.high:
        pitch -= 12
    while pitch < context.low:
        pitch += 12
    return pitch
