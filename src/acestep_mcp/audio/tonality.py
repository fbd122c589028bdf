"""The key of a song: from its notes as a whole, its chords, its bass, and the chord on which it ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio.spectrum import NOTE_RATE, NOTES, moving_average, note_magnitudes, note_weights, unit_rows

_WINDOW, _HOP = 2048, 512
_FRAMES_PER_SECOND = NOTE_RATE / _HOP
_NOTES_HZ, _CHORDS_HZ, _BASS_HZ = (55.0, 1300.0), (110.0, 1300.0), (40.0, 220.0)
_OVERTONES = 0.3
# How well each degree fits a major and a minor key: probe-tone ratings of Krumhansl and Kessler (1982).
_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
# Found on drafts in 33 styles: what the share of the tonic's chord, of its note in the bass, and of its chord in the
# last moments adds to the correlation.
_CHORD_SHARE, _BASS_SHARE, _LAST_SHARE = 0.3, 0.6, 0.2
_LAST_SECONDS = 1.5
_BASS_IN_CHORD = 0.3
_CERTAIN = 0.25
"""The lead over the next key from which the key counts as certain."""
_LAST_ALONE = 0.45 * _CERTAIN
_NO_KEY, _A_KEY = 0.5, 0.62
"""Correlations with the best key: noise, drums and twelve-tone rows reach 0.52, drafts at least 0.59."""
_LEAST_NOTE = 0.03
_LONG_ENOUGH = 3.0
"""Seconds of notes from which on a key is certain."""


@dataclass(frozen=True, slots=True)
class HeardKey:
    """`name` such as "F# minor"; `alternative` is its relative key; `confidence` is 0 to 1."""

    name: str
    alternative: str
    confidence: float


def hear_key(samples: NDArray[np.float32]) -> HeardKey:
    """The key of one channel at 22,050 Hz; the confidence is 0 where nothing has a key, such as noise or a single note.

    What only the last chord says is less than certain: many songs are cut off on any chord.
    """
    heard = _listen(samples)
    scores = heard.scores + _LAST_SHARE * heard.last
    best = int(np.argmax(scores))
    lead = min(_lead(scores, best), _LAST_ALONE + max(0.0, _lead(heard.scores, best)))
    certain = min(1.0, max(0.0, lead / _CERTAIN)) * heard.tonal
    return HeardKey(_name(best), _name(_relative(best)), round(certain, 2))


def _lead(scores: NDArray[np.float64], key: int) -> float:
    return float(scores[key] - np.max(np.delete(scores, key)))


def _name(key: int) -> str:
    return f"{NOTES[key % 12]} {'major' if key < 12 else 'minor'}"


def _relative(key: int) -> int:
    return 12 + (key + 9) % 12 if key < 12 else (key + 3) % 12


@dataclass(frozen=True, slots=True)
class _Heard:
    """`scores`: how well each key fits, the twelve major ones first; `last`: the shares of their chords at the end.

    `tonal`, 0 to 1: whether there are notes of a key at all.
    """

    scores: NDArray[np.float64]
    last: NDArray[np.float64]
    tonal: float


def _listen(samples: NDArray[np.float32]) -> _Heard:
    spectra = note_magnitudes(samples, _WINDOW, _HOP)
    notes = _without_overtones(note_weights(spectra[::2], _WINDOW, *_NOTES_HZ, held=True).sum(axis=0))
    shares = _chord_shares(spectra)
    fits = np.empty(24)
    for mode, profile in enumerate((_MAJOR, _MINOR)):
        for tonic in range(12):
            fits[12 * mode + tonic] = _correlation(np.roll(profile, tonic), notes)
    scores = fits + _CHORD_SHARE * shares.chords + _BASS_SHARE * np.tile(shares.bass, 2)
    different = int(np.count_nonzero(notes > _LEAST_NOTE * notes.sum()))
    tonal = [(float(fits.max()) - _NO_KEY) / (_A_KEY - _NO_KEY), (different - 1) / 2, shares.seconds / _LONG_ENOUGH]
    return _Heard(scores, shares.last, float(np.prod(np.clip(tonal, 0, 1))))


@dataclass(frozen=True, slots=True)
class _Shares:
    """The share of the song's time of each chord [24] and bass note [12], of each chord in its last moments, and its seconds."""

    chords: NDArray[np.float64]
    bass: NDArray[np.float64]
    last: NDArray[np.float64]
    seconds: float


def _chord_shares(spectra: NDArray[np.float32]) -> _Shares:
    notes = _without_overtones(note_weights(spectra, _WINDOW, *_CHORDS_HZ, held=True))
    notes = moving_average(notes, 9)
    loudness = np.linalg.norm(notes, axis=1)
    bass = note_weights(spectra, _WINDOW, *_BASS_HZ, held=True, lower=True)
    bass = unit_rows(moving_average(bass, 5))
    likeness = unit_rows(notes) @ _triads().T + _BASS_IN_CHORD * np.tile(bass, 2)
    sounding = loudness > 0.1 * np.median(loudness)
    heard = np.nonzero(loudness > 0.15 * loudness.max())[0]
    last = int(heard[-1]) if len(heard) else 0
    ending = likeness[max(0, last - int(_LAST_SECONDS * _FRAMES_PER_SECOND)) : last + 1]
    return _Shares(
        _shares(likeness.argmax(axis=1)[sounding], 24),
        _shares(bass.argmax(axis=1)[sounding], 12),
        _shares(ending.argmax(axis=1), 24),
        int(np.count_nonzero(sounding)) / _FRAMES_PER_SECOND,
    )


def _shares(values: NDArray[np.intp], kinds: int) -> NDArray[np.float64]:
    return np.asarray(np.bincount(values, minlength=kinds) / max(1, len(values)))


def _triads() -> NDArray[np.float64]:
    """The notes of the twelve major and the twelve minor triads, each of length 1."""
    triads = np.zeros((24, 12))
    for mode, third in enumerate((4, 3)):
        for root in range(12):
            triads[12 * mode + root, [root, (root + third) % 12, (root + 7) % 12]] = 3**-0.5
    return triads


def _without_overtones(notes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Take from each note a share of the fifth and of the third above it, where its own overtones lie."""
    axis = notes.ndim - 1
    overtones = np.roll(notes, 7, axis=axis) + 0.5 * np.roll(notes, 4, axis=axis)
    return np.asarray(np.maximum(notes - _OVERTONES * overtones, 0))


def _correlation(profile: NDArray[np.float64], notes: NDArray[np.float64]) -> float:
    a, b = profile - profile.mean(), notes - notes.mean()
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-12))
