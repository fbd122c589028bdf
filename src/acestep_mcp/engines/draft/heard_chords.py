"""The chord of each bar of a recording, by its notes and its bass."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio import Sound
from acestep_mcp.audio.spectrum import NOTE_RATE, mono, note_magnitudes, note_weights, unit_rows
from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.harmony import NAMES, Chord

_WINDOW, _HOP = 2048, 512
_NOTES_HZ, _BASS_HZ = (110.0, 1300.0), (40.0, 220.0)
_BASS_SHARE, _IN_KEY = 0.35, 0.08
_LIKE_A_CHORD = 0.75
"""The least likeness to a triad: noise and drums reach 0.65."""
_AUDIBLE = 0.05


def chords_in(sound: Sound, grid: Grid) -> tuple[Chord | None, ...]:
    """The triad of every bar of the grid; None where none is heard."""
    samples, begin = mono(sound)
    spectra = note_magnitudes(samples, _WINDOW, _HOP)
    notes = note_weights(spectra, _WINDOW, *_NOTES_HZ, held=True)
    bass = note_weights(spectra, _WINDOW, *_BASS_HZ, held=True, lower=True)
    frames = [_frames(grid, bar, begin, len(notes)) for bar in range(grid.bars)]
    by_bar = np.array([notes[first:last].sum(axis=0) / max(1, last - first) for first, last in frames])
    basses = unit_rows(np.array([bass[first:last].sum(axis=0) for first, last in frames]))
    levels = np.linalg.norm(by_bar, axis=1)
    likeness = unit_rows(by_bar) @ _triads().T
    scores = likeness + _BASS_SHARE * np.tile(basses, 2) + _IN_KEY * _in_key(grid)
    best = scores.argmax(axis=1)
    audible = levels > _AUDIBLE * levels.max(initial=0)
    return tuple(
        _chord(int(one)) if heard and likeness[bar, one] >= _LIKE_A_CHORD else None
        for bar, (one, heard) in enumerate(zip(best, audible, strict=True))
    )


def _frames(grid: Grid, bar: int, begin: float, count: int) -> tuple[int, int]:
    """The frames of a bar; none outside what was analysed."""
    times = (grid.time_at((bar + edge) * grid.beats_per_bar) - begin for edge in (0, 1))
    first, last = (min(count, max(0, round(time * NOTE_RATE / _HOP))) for time in times)
    return first, last


def _chord(number: int) -> Chord:
    minor, root = divmod(number, 12)
    return Chord(NAMES[root] + ("m" if minor else ""), (root, (root + (3 if minor else 4)) % 12, (root + 7) % 12))


def _triads() -> NDArray[np.float64]:
    """The notes of the twelve major and the twelve minor triads, each of length 1."""
    triads = np.zeros((24, 12))
    for number in range(24):
        triads[number, list(_chord(number).tones)] = 3**-0.5
    return triads


def _in_key(grid: Grid) -> NDArray[np.float64]:
    known = set(grid.key.pitch_classes)
    return np.array([float(set(_chord(number).tones) <= known) for number in range(24)])
