"""Tempo, metre and the first downbeat of a song with a pulse."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio.spectrum import (
    NOTE_RATE,
    RATE,
    magnitudes,
    moving_average,
    note_magnitudes,
    note_weights,
    unit_rows,
)

SLOWEST, FASTEST = 60.0, 200.0

_HOP, _WINDOW = 256, 1024
_FRAMES_PER_SECOND = RATE / _HOP
_BANDS = 40
_ROW = 64
_KICK_BINS = slice(1, 8)  # 20 to 160 Hz
_USUAL_BPM, _SPREAD_OCTAVES = 110.0, 1.2
_UNSURE_BPM = 120.0
_NOTE_WINDOW, _NOTE_HOP = 1024, 256
_NOTES_PER_SECOND = NOTE_RATE / _NOTE_HOP
_CHORDS_HZ, _BASS_HZ = (180.0, 2000.0), (40.0, 200.0)
_FOUND_EARLY = 0.009
"""Seconds by which the rise of a window's energy precedes the onset."""
_AT_ONCE = 0.01
_ON_THE_BEAT = 0.7
"""What a bar's beginning on the strongest onsets is worth, in standard deviations of the accents."""
_QUARTERS = {"4/4": 4, "3/4": 3, "6/8": 3}
_STRESS = 0.2
_A_PULSE = 0.3
"""A tempo below this confidence is no ground for a metre."""
_THIRDS_OVER_HALVES, _THIRDS_BALANCE, _THIRDS_LOUDNESS = 1.3, 0.3, 0.2
"""Onsets at both thirds of the beat, not only at the last as in a shuffle, make a compound metre."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """`tempo` in quarter notes a minute (in 6/8 too) and `alternative`, twice or half of it.

    `metre` is "4/4", "3/4" or "6/8"; `downbeat` the second at which the first whole bar begins; the confidences are 0 to 1.
    """

    tempo: float = _UNSURE_BPM
    alternative: float = _UNSURE_BPM / 2
    tempo_confidence: float = 0.0
    metre: str = "4/4"
    metre_confidence: float = 0.0
    downbeat: float = 0.0
    downbeat_confidence: float = 0.0

    def shifted(self, seconds: float) -> Rhythm:
        """The rhythm of a song whose analysed part begins at that second."""
        if not seconds:
            return self
        bar = _QUARTERS[self.metre] * 60 / self.tempo
        return replace(self, downbeat=round((self.downbeat + seconds) % bar, 3))


def hear_rhythm(samples: NDArray[np.float32]) -> Rhythm:
    """The rhythm of one channel at 22,050 Hz; all confidences are 0 where there is no pulse."""
    spectra = magnitudes(samples, _WINDOW, _HOP)
    onsets = _onsets(spectra)
    longest = min(round(_FRAMES_PER_SECOND * 4 * 60 / SLOWEST) + 1, len(onsets) // 2)
    if longest < _FRAMES_PER_SECOND * 60 / FASTEST or not onsets.any():
        return Rhythm()
    beat, confidence = _beat(onsets, longest)
    grid = _half_beats(onsets, 60 / beat, len(samples) / RATE)
    division = _division(onsets, grid[::2], 60 / beat)
    accents = _accents(samples, spectra, grid, 60 / beat)
    is_compound = division.is_compound
    beats, certainty = (2, division.certainty) if is_compound else _beats_per_bar(accents)
    downbeat, lead = _downbeat(accents, grid, 2 * beats)
    tempo = 1.5 * beat if is_compound else beat
    pulse = min(1.0, confidence / _A_PULSE)
    return Rhythm(
        tempo=round(tempo, 2),
        alternative=round(tempo / 2 if tempo > _USUAL_BPM else tempo * 2, 2),
        tempo_confidence=round(confidence, 2),
        metre="6/8" if is_compound else f"{beats}/4",
        metre_confidence=round(certainty * pulse, 2),
        downbeat=downbeat,
        downbeat_confidence=round(lead * pulse, 2),
    )


def find_downbeat(samples: NDArray[np.float32], tempo: float, quarters: float) -> float:
    """The first downbeat of a song whose tempo and bar length in quarter notes are known."""
    spectra = magnitudes(samples, _WINDOW, _HOP)
    onsets = _onsets(spectra)
    if not onsets.any():
        return 0.0
    grid = _half_beats(onsets, 60 / tempo, len(samples) / RATE)
    return _downbeat(_accents(samples, spectra, grid, 60 / tempo), grid, round(2 * quarters))[0]


def _downbeat(accents: NDArray[np.float64], grid: NDArray[np.float64], steps: int) -> tuple[float, float]:
    """The second at which the first whole bar of `steps` half beats begins, and the confidence."""
    if len(grid) < 2:
        return 0.0, 0.0
    offset, lead = _first_of_bar(accents, steps)
    bar = steps * float(grid[1] - grid[0])
    at = (float(grid[min(offset, len(grid) - 1)]) + _FOUND_EARLY) % bar
    return round(at if at < bar - _AT_ONCE else 0.0, 3), lead


def _onsets(spectra: NDArray[np.float32]) -> NDArray[np.float64]:
    """New energy in each hop, summed over bands that are narrow at low frequencies, as the ear's are."""
    edges = np.unique(np.geomspace(1, spectra.shape[1] - 1, _BANDS + 1).astype(int))
    bands = np.log1p(np.add.reduceat(spectra, edges[:-1], axis=1) / _loudest(spectra))
    rise = np.maximum(np.diff(bands, axis=0, prepend=bands[:1]), 0).sum(axis=1).astype(np.float64)
    usual = moving_average(rise, round(_FRAMES_PER_SECOND))
    return np.asarray(np.maximum(rise - usual, 0))


def _loudest(spectra: NDArray[np.float32]) -> float:
    return max(float(spectra.sum(axis=1).max()) / _BANDS, 1e-9)


def _beat(onsets: NDArray[np.float64], longest: int) -> tuple[float, float]:
    """Beats a minute, and the confidence: the autocorrelation at one to four beats.

    Of half, single and double speed the best fit wins, with a bias towards 110.
    """
    likeness = _autocorrelation(onsets, longest)
    tempos = np.arange(SLOWEST, FASTEST + 0.25, 0.25)
    at = np.arange(len(likeness))
    periods = _FRAMES_PER_SECOND * 60 / tempos
    scores = np.mean([np.interp(periods * times, at, likeness, right=0.0) for times in (1, 2, 3, 4)], axis=0)
    prior = np.exp(-0.5 * (np.log2(tempos / _USUAL_BPM) / _SPREAD_OCTAVES) ** 2)
    best = int(np.argmax(np.maximum(scores, 0) * prior))
    return _refined(onsets, float(tempos[best])), float(min(1.0, max(0.0, scores[best])))


def _autocorrelation(onsets: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    size = 1 << (2 * len(onsets) - 1).bit_length()
    spectrum = np.fft.rfft(onsets - onsets.mean(), size)
    raw = np.fft.irfft(np.abs(spectrum) ** 2, size)[: most + 1]
    weights = len(onsets) - np.arange(most + 1)
    return np.asarray(raw / weights / max(raw[0] / len(onsets), 1e-12))


def _refined(onsets: NDArray[np.float64], bpm: float) -> float:
    """The tempo within 2 % at which the onsets and their doubles have the largest Fourier components."""
    candidates = np.linspace(bpm * 0.98, bpm * 1.02, 161)
    turn = 2j * np.pi * candidates / 60 / _FRAMES_PER_SECOND
    # The turns to a frame are those to its row times those inside the row: few exponentials, and matrix products.
    rows = np.pad(onsets, (0, -len(onsets) % _ROW)).reshape(-1, _ROW)
    inside, before = np.exp(np.outer(turn, np.arange(_ROW))), np.exp(np.outer(turn, _ROW * np.arange(len(rows))))
    strength = sum(np.abs(((inside**times @ rows.T) * before**times).sum(axis=1)) for times in (1, 2))
    return float(min(max(candidates[int(np.argmax(strength))], SLOWEST), FASTEST))


def _half_beats(onsets: NDArray[np.float64], beat_seconds: float, seconds: float) -> NDArray[np.float64]:
    """The times of all half beats; the even ones fall on the strongest onsets."""
    period = _FRAMES_PER_SECOND * beat_seconds
    phases = np.arange(0, period, 0.25)
    frames = np.arange(len(onsets))
    pulses = np.arange(0, max(len(onsets) - 1 - period, 1), period)
    strengths = np.interp(np.add.outer(phases, pulses), frames, onsets).mean(axis=1)
    phase = float(phases[int(np.argmax(strengths))]) / _FRAMES_PER_SECOND
    step = beat_seconds / 2
    return np.asarray(phase + step * np.arange(max(0, int((seconds - phase) / step))), np.float64)


@dataclass(frozen=True, slots=True)
class _Division:
    """Whether the beat divides into three, and how sure that is."""

    is_compound: bool
    certainty: float


def _division(onsets: NDArray[np.float64], beats: NDArray[np.float64], beat_seconds: float) -> _Division:
    def mean_at(share: float) -> float:
        return float(_at(onsets, beats + share * beat_seconds).mean()) if len(beats) else 0.0

    whole, halves, first, second = mean_at(0), mean_at(1 / 2), mean_at(1 / 3), mean_at(2 / 3)
    thirds = min(first, second)
    is_even = thirds > _THIRDS_BALANCE * max(first, second) and thirds > _THIRDS_LOUDNESS * whole
    # Where the beat is as weak as its thirds, nothing says which of them it is.
    stress = min(1.0, max(0.0, whole / max(thirds, 1e-9) - 1) / _STRESS)
    certainty = min(1.0, thirds / (thirds + halves + 1e-9)) * stress
    return _Division(is_even and thirds > _THIRDS_OVER_HALVES * halves, certainty)


def _at(curve: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest value within 25 ms of each time."""
    frames = np.arange(len(curve))
    near = np.lib.stride_tricks.sliding_window_view(np.pad(curve, 2), 5).max(axis=1)
    return np.asarray(np.interp(times * _FRAMES_PER_SECOND, frames, near, left=0, right=0))


def _accents(
    samples: NDArray[np.float32], spectra: NDArray[np.float32], grid: NDArray[np.float64], beat_seconds: float
) -> NDArray[np.float64]:
    """How much begins at each half beat: a kick, another chord, another bass note, each in standard deviations."""
    low = np.log1p(spectra[:, _KICK_BINS] / _loudest(spectra)).sum(axis=1).astype(np.float64)
    kicks = np.log1p(_at(np.maximum(np.diff(low, prepend=low[:1]), 0), grid))
    notes = note_magnitudes(samples, _NOTE_WINDOW, _NOTE_HOP)
    chords = _changes(note_weights(notes, _NOTE_WINDOW, *_CHORDS_HZ), grid, beat_seconds)
    bass = _changes(note_weights(notes, _NOTE_WINDOW, *_BASS_HZ), grid, beat_seconds)
    return np.asarray(_standardised(kicks) + _standardised(chords) + _standardised(bass))


def _changes(notes: NDArray[np.float64], grid: NDArray[np.float64], beat_seconds: float) -> NDArray[np.float64]:
    """How different the notes of the beat after each time are from those of the beat before it, 0 to 1."""
    sums = np.vstack([np.zeros(12), np.cumsum(notes, axis=0)])

    def heard(begin: NDArray[np.float64], end: NDArray[np.float64]) -> NDArray[np.float64]:
        first, last = (np.clip((at * _NOTES_PER_SECOND).astype(int), 0, len(notes)) for at in (begin, end))
        return unit_rows(sums[np.maximum(first, last)] - sums[first])

    before, after = heard(grid - beat_seconds, grid), heard(grid + 0.1 * beat_seconds, grid + beat_seconds)
    changes = 1 - (before * after).sum(axis=1)
    changes[:2] = changes[2:].mean() if len(changes) > 2 else 0.0
    return np.asarray(changes)


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = float(values.std()) if len(values) else 0.0
    return np.asarray((values - values.mean()) / spread if spread > 1e-9 else np.zeros_like(values))


def _beats_per_bar(accents: NDArray[np.float64]) -> tuple[int, float]:
    """3 or 4, by the autocorrelation of the accents at one to three bars, and the confidence."""

    def likeness(beats: int) -> float:
        lags = [2 * beats * bars for bars in (1, 2, 3)]
        found = [float((accents[lag:] * accents[:-lag]).mean()) if len(accents) > lag + 4 else 0.0 for lag in lags]
        return float(np.mean(found)) / max(float(accents.var()), 1e-9) if len(accents) else 0.0

    three, four = likeness(3), likeness(4)
    return (3 if three > four else 4), min(1.0, abs(three - four))


def _first_of_bar(accents: NDArray[np.float64], steps: int) -> tuple[int, float]:
    """The half beat on which bars of `steps` half beats begin, and the confidence: its lead over the next best."""
    means = np.array([accents[first::steps].mean() if len(accents) > first else -9.0 for first in range(steps)])
    means[::2] += _ON_THE_BEAT
    best = int(np.argmax(means))
    lead = float(means[best] - np.max(np.delete(means, best)))
    return best, min(1.0, max(0.0, lead / 2))
