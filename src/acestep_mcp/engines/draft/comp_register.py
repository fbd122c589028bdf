"""Keeps the accompaniment out of the tune's way: below it while it sounds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from acestep_mcp.engines.draft.melody import MelodyNote
from acestep_mcp.engines.draft.players import BeatNote

_LOWEST = 43
"""Below this a chord is a blur: where the tune is so low, the accompaniment stays above it."""
_LONGEST = 24.0
_AHEAD = 0.12  # beats that timing and strums may shift a note


def below_tune(
    notes: Iterable[BeatNote], tune: Sequence[MelodyNote], beats: float, *, may_rest: bool
) -> Iterator[BeatNote]:
    """The notes, those at or above the tune one or more octaves lower, or left out with `may_rest`.

    A note is below all of the tune that sounds with it, and below the tune's lowest note of its bar of `beats` quarter
    notes, so that a chord keeps its place while the tune moves.
    """
    starts = [note.beat for note in tune]
    heard: set[tuple[float, int]] = set()
    for note in notes:
        first = min(note.beat - _AHEAD, note.beat // beats * beats)
        last = note.beat + note.length + _AHEAD
        near = tune[bisect_left(starts, first - _LONGEST) : bisect_left(starts, last)]
        over = [one for one in near if one.beat + one.length > first]
        if not any(one.beat + one.length > note.beat - _AHEAD for one in over):
            yield note
            continue
        pitch = note.pitch
        lowest = min(one.pitch for one in over)
        if may_rest and pitch >= lowest:
            continue
        while pitch >= lowest and pitch - 12 >= _LOWEST:
            pitch -= 12
        moved = note._replace(pitch=pitch if pitch < lowest else note.pitch)
        if (moved.beat, moved.pitch) not in heard:
            heard.add((moved.beat, moved.pitch))
            yield moved
