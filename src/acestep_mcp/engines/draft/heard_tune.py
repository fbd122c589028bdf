"""The strongest line of a recording: the pitch that sounds most, with its overtones, in every half of a beat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio import Sound
from acestep_mcp.audio.spectrum import NOTE_RATE, mono, note_magnitudes
from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.melody import MelodyNote

_WINDOW, _HOP = 2048, 256
_PITCHES = np.arange(55, 89)
_OVERTONES = (1.0, 0.6, 0.4, 0.2)
_HIGHER = 0.01
"""How much more each semitone counts: chords lie below a tune."""
_PART = 0.5  # beats
_AUDIBLE = 0.15


def tune_in(sound: Sound, grid: Grid) -> tuple[MelodyNote, ...]:
    """The notes of the strongest line, none where it is quiet. In noise it is any line: chords tell whether there is music."""
    samples, begin = mono(sound)
    spectra = note_magnitudes(samples, _WINDOW, _HOP)
    loud = np.maximum(spectra - 2 * np.median(spectra, axis=1, keepdims=True), 0) ** 0.5
    strength = loud @ _overtones() * (1 + _HIGHER * (_PITCHES - _PITCHES[0]))
    parts = list(_parts(strength, grid, begin))
    most = max((float(part.max()) for part in parts if part is not None), default=0.0)
    found: list[MelodyNote] = []
    for number, part in enumerate(parts):
        if part is None or part.max() <= _AUDIBLE * most:
            continue
        beat, pitch = number * _PART, int(_PITCHES[part.argmax()])
        if found and found[-1].pitch == pitch and found[-1].beat + found[-1].length >= beat:
            found[-1] = found[-1]._replace(length=beat + _PART - found[-1].beat)
        else:
            found.append(MelodyNote(beat, _PART, pitch, 0.5))
    return tuple(found)


def _parts(strength: NDArray[np.float32], grid: Grid, begin: float) -> Iterator[NDArray[np.float32] | None]:
    """The strength of each pitch in every half of a beat, without its edges; None outside what was analysed."""
    for number in range(round(grid.bars * grid.beats_per_bar / _PART)):
        first, last = (
            round((grid.time_at((number + share) * _PART) - begin) * NOTE_RATE / _HOP) for share in (0.2, 0.9)
        )
        frames = strength[max(0, first) : max(0, first) + max(1, last - first)]
        yield frames.mean(axis=0) if first >= 0 and len(frames) else None


def _overtones() -> NDArray[np.float32]:
    """What each frequency adds to each pitch: [frequencies, pitches]."""
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / NOTE_RATE)[:, None]
    fundamentals = 440.0 * 2 ** ((_PITCHES - 69) / 12)
    weights = np.zeros((len(frequencies), len(_PITCHES)))
    for number, share in enumerate(_OVERTONES, 1):
        centres = number * fundamentals
        weights += share * np.exp(-0.5 * ((frequencies - centres) / (2.7 + 0.01 * centres)) ** 2)
    return weights.astype(np.float32)
