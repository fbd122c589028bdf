"""Cymbals that are struck often, which ring for seconds: each is rendered once, and its sound added at every stroke."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from acestep_mcp.engines.draft.score import RATE, Note, Part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Crash, ride, china, bell, splash: no other piece of a kit silences them, as a closed hi-hat does an open one.
_PITCHES = frozenset({49, 51, 52, 53, 55, 57, 59})
_OFTEN = 12
_SECONDS, _FADE = 3.5, 1.5
_STROKE = Note(0.0, 0.12, 0, 100)


def without_cymbals(parts: Sequence[Part]) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The parts without the cymbals that are struck often, and those: a part for each cymbal."""
    rest, cymbals = [], []
    for part in parts:
        strokes = Counter(note.pitch for note in part.notes if part.drums and note.pitch in _PITCHES)
        often = {pitch for pitch, count in strokes.items() if count >= _OFTEN}
        rest.append(
            replace(part, notes=tuple(note for note in part.notes if note.pitch not in often)) if often else part
        )
        cymbals += [
            replace(part, notes=tuple(note for note in part.notes if note.pitch == pitch)) for pitch in sorted(often)
        ]
    return tuple(part for part in rest if part.notes), tuple(cymbals)


def one_stroke(cymbal: Part) -> Part:
    """A single stroke of the cymbal, to be rendered with a tail of `TAIL` seconds."""
    return replace(cymbal, notes=(_STROKE._replace(pitch=cymbal.notes[0].pitch),))


TAIL = _SECONDS - _STROKE.end


def add_strokes(cymbal: Part, stroke: NDArray[np.float32], out: NDArray[np.float32], start: float) -> None:
    """Add the rendered stroke to `out`, which begins at `start` seconds, at each note of the cymbal.

    Loudness follows the square of the velocity, as in a SoundFont.
    """
    import numpy as np

    ringing = stroke.copy()
    faded = round(_FADE * RATE)
    ringing[-faded:] *= np.cos(np.linspace(0, np.pi / 2, faded, dtype=np.float32))[:, None] ** 2
    scaled = np.empty_like(ringing)
    end = start + len(out) / RATE
    for note in cymbal.notes:
        if not start <= note.start < end:
            continue
        first = round((note.start - start) * RATE)
        count = min(len(ringing), len(out) - first)
        np.multiply(ringing[:count], np.float32((note.velocity / _STROKE.velocity) ** 2), out=scaled[:count])
        out[first : first + count] += scaled[:count]
