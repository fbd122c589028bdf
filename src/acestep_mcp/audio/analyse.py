"""Estimate tempo, beat and key of a song without a stored plan; reliable on music with a pulse and a tonal centre."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from acestep_mcp.audio import Sound
from acestep_mcp.audio.resample import blocks_of, resampled
from acestep_mcp.audio.splice import to_float

NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
SLOWEST, FASTEST = 60.0, 200.0

_RATE = 22_050
_HOP, _WINDOW = 256, 1024
_FRAMES_PER_SECOND = _RATE / _HOP
_BANDS = 40
_MOST_SECONDS = 180.0
_USUAL_BPM, _SPREAD_OCTAVES = 110.0, 1.2
_UNSURE_BPM = 120.0
_FOUND_EARLY, _AT_ONCE = 0.009, 0.01
_KEY_WINDOW, _KEY_HOP = 8192, 4096
_LOWEST_HZ, _HIGHEST_HZ = 55.0, 1300.0
_OVERTONES = 0.3
# How well each degree fits a major and a minor key: probe-tone ratings of Krumhansl and Kessler (1982).
_MAJOR = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
_MINOR = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])


def estimate_tempo(sound: Sound) -> float:
    """Beats per minute, 60 to 200, by the autocorrelation of the onsets; 120 when there is no pulse.

    Of half, single and double speed the best fit wins, with a bias towards 110.
    """
    onsets = _onsets(_mono(sound))
    longest = min(round(_FRAMES_PER_SECOND * 4 * 60 / SLOWEST) + 1, len(onsets) // 2)
    if longest < _FRAMES_PER_SECOND * 60 / FASTEST or not onsets.any():
        return _UNSURE_BPM
    likeness = _autocorrelation(onsets, longest)
    tempos = np.arange(SLOWEST, FASTEST + 0.25, 0.25)
    scores = _comb(likeness, _FRAMES_PER_SECOND * 60 / tempos)
    prior = np.exp(-0.5 * (np.log2(tempos / _USUAL_BPM) / _SPREAD_OCTAVES) ** 2)
    best = int(np.argmax(np.maximum(scores, 0) * prior))
    return _refined(onsets, float(tempos[best]))


def beat_phase(sound: Sound, bpm: float) -> float:
    """Seconds from the start of the song to its first beat at that tempo: 0 or more, less than one beat.

    Accurate to about 10 ms; a beat up to 10 ms before the start counts as 0.
    """
    onsets = _onsets(_mono(sound))
    period = _FRAMES_PER_SECOND * 60 / bpm
    if not onsets.any():
        return 0.0
    phases = np.arange(0, period, 0.25)
    strengths = [_pulse(onsets, period, float(phase)) for phase in phases]
    phase = float(phases[int(np.argmax(strengths))]) / _FRAMES_PER_SECOND + _FOUND_EARLY
    return phase if phase < 60 / bpm - _AT_ONCE else 0.0


def estimate_key(sound: Sound) -> str:
    """Such as "F# minor" or "C major": the key whose profile correlates best with the weights of the twelve notes."""
    chroma = _chroma(_mono(sound))
    fits = {
        f"{NOTES[tonic]} {mode}": _correlation(np.roll(profile, tonic), chroma)
        for mode, profile in (("major", _MAJOR), ("minor", _MINOR))
        for tonic in range(12)
    }
    return max(fits, key=lambda key: fits[key])


def _mono(sound: Sound) -> NDArray[np.float32]:
    """One channel at 22,050 Hz; of a long song the middle three minutes."""
    most = round(_MOST_SECONDS * sound.sample_rate)
    first = max(0, (len(sound.pcm) - most) // 2)
    pcm = sound.pcm[first : first + most]
    floats = (to_float(replace(sound, pcm=block)).mean(axis=1, keepdims=True) for block in blocks_of(pcm))
    return np.concatenate([np.empty((0, 1), np.float32), *resampled(floats, sound.sample_rate, _RATE, 1)])[:, 0]


def _spectra(mono: NDArray[np.float32], window: int, hop: int) -> NDArray[np.float32]:
    """Magnitudes [frames, frequencies] of windows centred on every hop."""
    padded = np.pad(mono, window // 2)
    shape = np.hanning(window).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    parts = [np.abs(np.fft.rfft(views[i : i + 512] * shape, axis=1)) for i in range(0, len(views), 512)]
    return np.concatenate(parts).astype(np.float32)


def _onsets(mono: NDArray[np.float32]) -> NDArray[np.float64]:
    """New energy in each hop, summed over bands that are narrow at low frequencies, as the ear's are."""
    spectra = _spectra(mono, _WINDOW, _HOP)
    edges = np.unique(np.geomspace(1, spectra.shape[1] - 1, _BANDS + 1).astype(int))
    loudest = float(spectra.sum(axis=1).max()) / _BANDS
    bands = np.log1p(np.add.reduceat(spectra, edges[:-1], axis=1) / max(loudest, 1e-9))
    rise = np.maximum(np.diff(bands, axis=0, prepend=bands[:1]), 0).sum(axis=1).astype(np.float64)
    usual = ndimage.uniform_filter1d(rise, round(_FRAMES_PER_SECOND))
    return np.asarray(np.maximum(rise - usual, 0))


def _autocorrelation(onsets: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    size = 1 << (2 * len(onsets) - 1).bit_length()
    spectrum = np.fft.rfft(onsets - onsets.mean(), size)
    raw = np.fft.irfft(np.abs(spectrum) ** 2, size)[: most + 1]
    weights = len(onsets) - np.arange(most + 1)
    return np.asarray(raw / weights / max(raw[0] / len(onsets), 1e-12))


def _comb(likeness: NDArray[np.float64], periods: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean autocorrelation at one to four periods, which favours a tempo whose multiples also fit."""
    at = np.arange(len(likeness))
    values = [np.interp(periods * times, at, likeness, right=0.0) for times in (1, 2, 3, 4)]
    return np.asarray(np.mean(values, axis=0))


def _refined(onsets: NDArray[np.float64], bpm: float) -> float:
    """The tempo within 2 % whose pulses coincide with the most onsets over the whole song."""
    candidates = np.linspace(bpm * 0.98, bpm * 1.02, 161)
    return float(min(max(_best_pulsed(onsets, candidates), SLOWEST), FASTEST))


def _best_pulsed(onsets: NDArray[np.float64], candidates: NDArray[np.float64]) -> float:
    """By the Fourier component of the onsets at each tempo and at twice it."""
    times = np.arange(len(onsets)) / _FRAMES_PER_SECOND
    turns = 2j * np.pi * np.outer(candidates / 60, times)
    strength = np.abs(np.exp(turns) @ onsets) + np.abs(np.exp(2 * turns) @ onsets)
    return float(candidates[int(np.argmax(strength))])


def _pulse(onsets: NDArray[np.float64], period: float, phase: float) -> float:
    at = np.arange(phase, len(onsets) - 1, period)
    return float(np.interp(at, np.arange(len(onsets)), onsets).mean()) if len(at) else 0.0


def _chroma(mono: NDArray[np.float32]) -> NDArray[np.float64]:
    """The weight of each of the twelve notes, C first.

    A median over time leaves out drums; of every note's weight a share is taken from the fifth and the third above
    it, where its own overtones lie.
    """
    frequencies = np.fft.rfftfreq(_KEY_WINDOW, 1 / _RATE)
    heard = (frequencies >= _LOWEST_HZ) & (frequencies <= _HIGHEST_HZ)
    held = ndimage.median_filter(_spectra(mono, _KEY_WINDOW, _KEY_HOP)[:, heard], size=(5, 1))
    peaks = np.where(held == ndimage.maximum_filter1d(held, 3, axis=1), held, 0)
    pitches = 69 + 12 * np.log2(frequencies[heard] / 440)
    in_tune = np.cos(np.pi * (pitches - np.rint(pitches))) ** 2
    weights = np.zeros((len(pitches), 12))
    weights[np.arange(len(weights)), np.rint(pitches).astype(int) % 12] = in_tune
    chroma = peaks.sum(axis=0) @ weights
    return np.asarray(np.maximum(chroma - _OVERTONES * (np.roll(chroma, 7) + 0.5 * np.roll(chroma, 4)), 0))


def _correlation(profile: NDArray[np.float64], chroma: NDArray[np.float64]) -> float:
    a, b = profile - profile.mean(), chroma - chroma.mean()
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-12))
