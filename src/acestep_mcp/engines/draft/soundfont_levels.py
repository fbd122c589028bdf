"""The loudness of a font's instruments beside the built-in font's, for which the draft's volumes are set."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio.measure import loudness
from acestep_mcp.engines.draft.score import RATE, Note, Part

Play = Callable[[Sequence[Part], float], NDArray[np.float32]]
"""Renders parts to so many seconds with one font."""
Instrument = tuple[int, bool]
"""A General MIDI program, and whether it is a drum kit."""

_SECONDS = 2.0  # between the references of two instruments
_PITCHES, _PIECES = (48, 55, 60, 67), (36, 38, 42, 36, 51, 38)
_CHANNELS = 15
_MOST = 12.0  # dB
_measured: dict[tuple[str, int, int], dict[Instrument, float]] = {}
"""Corrections in dB by the file of a font, its time of change and its size."""


def balanced(parts: Sequence[Part], font: tuple[str, int, int], built_in: Play, other: Play) -> tuple[Part, ...]:
    """The parts with the volumes at which the other font plays them as loud as the built-in one, within 12 dB."""
    known = _measured.setdefault(font, {})
    wanted = {(part.program, part.drums) for part in parts}
    missing = sorted(wanted - set(known))
    for first in range(0, len(missing), _CHANNELS):
        some = missing[first : first + _CHANNELS]
        for instrument, here, there in zip(some, _levels(some, built_in), _levels(some, other), strict=True):
            heard = math.isfinite(here) and math.isfinite(there)
            known[instrument] = max(-_MOST, min(_MOST, here - there)) if heard else 0.0
    return tuple(replace(part, volume=_volume(part.volume, known[part.program, part.drums])) for part in parts)


def _volume(controller: int, decibels: float) -> int:
    """The MIDI volume so many dB louder: its square is the amplitude."""
    return max(1, min(127, round(controller * 10 ** (decibels / 40))))


def _levels(instruments: Sequence[Instrument], play: Play) -> list[float]:
    """The LUFS of a few notes of each instrument at one volume."""
    parts = [_reference(instrument, _SECONDS * number) for number, instrument in enumerate(instruments)]
    sound = play(parts, _SECONDS * len(parts))
    size = round(_SECONDS * RATE)
    return [loudness(sound[number * size : (number + 1) * size], RATE) for number in range(len(parts))]


def _reference(instrument: Instrument, start: float) -> Part:
    program, drums = instrument
    pitches = _PIECES if drums else _PITCHES
    each = 1.5 / len(pitches)
    notes = tuple(
        Note(start + number * each, start + (number + 0.9) * each, pitch, 90) for number, pitch in enumerate(pitches)
    )
    return Part("reference", program, notes, drums=drums, volume=100, reverb=0)
