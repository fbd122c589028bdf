"""Levels over time: loudness range, true peak, silence, brightness, stereo width."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from acestep_mcp.audio.measure import windows_of
from acestep_mcp.audio.spectrum import downmixed

_RANGE_HOPS = 30
_ABSOLUTE_GATE, _RANGE_GATE = -70.0, -20.0
_LOUDNESS_OFFSET = -0.691
_OVERSAMPLING, _PEAK_TAPS, _PEAK_WINDOW = 8, 20, 5.0
_PEAK_BLOCK, _PEAK_BLOCKS, _PEAK_BATCH = 64, 1600, 100
SILENT_DBFS = -60.0
"""Below this the music has stopped."""
_SILENCE_HOP = 0.01
_SHORTEST_GAP = 0.5
_MOST_GAPS = 5
_CENTROID_WINDOW, _CENTROID_FRAMES = 4096, 100
_DARK, _WARM, _BRIGHT = 900.0, 1800.0, 3200.0
_MOST_BALANCE = 60.0
_MONO, _NARROW, _WIDE = 0.02, 0.15, 0.5


def loudness_range(powers: NDArray[np.float64]) -> float:
    """LRA in LU (EBU Tech 3342): the spread of the loudness of 3 s windows; 0 for a song shorter than that.

    `powers` come from `measure.hop_powers`.
    """
    power = windows_of(powers, _RANGE_HOPS)
    loudness = _LOUDNESS_OFFSET + 10 * np.log10(np.maximum(power, 1e-12))
    loudness = loudness[loudness > _ABSOLUTE_GATE]
    if not len(loudness):
        return 0.0
    mean = 10 * math.log10(float(np.mean(10 ** (loudness / 10))))
    low, high = np.percentile(loudness[loudness > mean + _RANGE_GATE], [10, 95])
    return float(high - low)


def true_peak(samples: NDArray[Any]) -> float:
    """The largest value between the samples in dBTP, at eight times the rate (ITU-R BS.1770-4, annex 2).

    Only the loudest stretches are oversampled: elsewhere nothing can be as large.
    """
    margin, block = _PEAK_TAPS // 2, _PEAK_BLOCK
    peaks = _peaks(samples, block)
    if not peaks.any():
        return -math.inf
    padded = np.pad(samples, ((margin, len(peaks) * block - len(samples) + margin), (0, 0)))
    stretches = sliding_window_view(padded, block + 2 * margin, axis=0)[::block]
    loudest = np.argpartition(peaks, -min(len(peaks), _PEAK_BLOCKS))[-_PEAK_BLOCKS:]
    found = float(peaks.max())
    for first in range(0, len(loudest), _PEAK_BATCH):
        between = stretches[loudest[first : first + _PEAK_BATCH]].astype(np.float32, copy=False) @ _between_samples()
        found = max(found, float(between.max()), -float(between.min()))
    return 20 * math.log10(found)


def _peaks(samples: NDArray[Any], block: int) -> NDArray[Any]:
    """The largest absolute sample of every block of frames, the last of which may be shorter."""
    whole = len(samples) // block
    inner = samples[: whole * block].reshape(whole, -1) if whole else np.zeros((0, 1))
    rest = np.abs(samples[whole * block :])
    return np.append(np.maximum(inner.max(axis=1), -inner.min(axis=1)), [rest.max()] if rest.size else [])


@lru_cache(1)
def _between_samples() -> NDArray[np.float32]:
    """What turns a block with its margins into the values between its samples: a sinc under a Kaiser window."""
    margin = _PEAK_TAPS // 2
    at = np.arange(_PEAK_BLOCK)[:, None] + np.arange(1, _OVERSAMPLING) / _OVERSAMPLING
    away = (at.ravel() - np.arange(-margin, _PEAK_BLOCK + margin)[:, None]) / margin
    window = np.i0(_PEAK_WINDOW * np.sqrt(np.maximum(0, 1 - np.square(away)))) / np.i0(_PEAK_WINDOW)
    weights = np.where(np.abs(away) < 1, np.sinc(away * margin) * window, 0)
    return np.asarray(weights / weights.sum(axis=0), np.float32)


@dataclass(frozen=True, slots=True)
class Silence:
    """Seconds of silence at the start and at the end, and the longest gaps inside (start, end) in seconds, in order."""

    start: float
    end: float
    gaps: tuple[tuple[float, float], ...] = ()


def find_silence(samples: NDArray[Any], rate: int) -> Silence:
    """Where nothing is above -60 dBFS; gaps count from half a second on. A silent song has all of it at its start."""
    hop = max(1, round(_SILENCE_HOP * rate))
    sounding = np.flatnonzero(_swings(samples, hop) > 10 ** (SILENT_DBFS / 20))
    total = len(samples) / rate
    if not len(sounding):
        return Silence(round(total, 2), 0.0)
    seconds = hop / rate
    last = min(total, (sounding[-1] + 1) * seconds)
    breaks = np.flatnonzero(np.diff(sounding) * seconds > _SHORTEST_GAP)
    gaps = [((sounding[at] + 1) * seconds, sounding[at + 1] * seconds) for at in breaks]
    longest = sorted(sorted(gaps, key=lambda gap: gap[0] - gap[1])[:_MOST_GAPS])
    return Silence(
        round(float(sounding[0] * seconds), 2),
        round(float(total - last), 2),
        tuple((round(float(begin), 2), round(float(end), 2)) for begin, end in longest),
    )


def _swings(samples: NDArray[Any], block: int) -> NDArray[Any]:
    """Half the way from the lowest to the highest sample of every block: a constant offset is no sound."""
    rest = -len(samples) % block
    padded = np.pad(samples, ((0, rest), (0, 0)), mode="edge") if rest and len(samples) else samples
    found = np.zeros(len(padded) // block)
    for channel in padded.T:
        blocks = np.ascontiguousarray(channel).reshape(-1, block)
        found = np.maximum(found, (blocks.max(axis=1) - blocks.min(axis=1)) / 2)
    return found


def offset(samples: NDArray[Any]) -> float:
    """The mean of the samples of the channel where it is farthest from 0, of full scale."""
    means = np.full(len(samples), 1 / max(1, len(samples)), samples.dtype) @ samples
    return round(float(means[np.argmax(np.abs(means))]), 3)


def channel_facts(samples: NDArray[Any]) -> tuple[float, float]:
    """How much louder the right channel is than the left one, in dB up to 60, and their correlation, -1 to 1."""
    if samples.shape[1] < 2:
        return 0.0, 1.0
    left, right = samples[:, 0], samples[:, 1]
    energies = [float(np.dot(part, part)) for part in (left, right)]
    if not all(energies):
        return _MOST_BALANCE * (bool(energies[1]) - bool(energies[0])), float(not any(energies))
    balance = 10 * math.log10(energies[1] / energies[0])
    together = float(np.dot(left, right)) / math.sqrt(energies[0] * energies[1])
    return round(min(max(balance, -_MOST_BALANCE), _MOST_BALANCE), 1), round(together, 2)


def brightness(samples: NDArray[Any], rate: int) -> tuple[float, str]:
    """The spectral centroid in Hz, weighted by loudness, and a word: dark, warm, bright or very bright."""
    starts = np.linspace(0, max(0, len(samples) - _CENTROID_WINDOW), _CENTROID_FRAMES).astype(int)
    shape = np.hanning(_CENTROID_WINDOW).astype(np.float32)
    frames = np.array([downmixed(samples[start : start + _CENTROID_WINDOW]) for start in np.unique(starts)])
    frames = frames - frames.mean(axis=1, keepdims=True) if frames.shape[1] else frames
    if frames.shape[1] < _CENTROID_WINDOW:
        frames = np.pad(frames, ((0, 0), (0, _CENTROID_WINDOW - frames.shape[1])))
    spectrum = np.abs(np.fft.rfft(frames * shape)).sum(axis=0, dtype=np.float64)
    frequencies = np.fft.rfftfreq(_CENTROID_WINDOW, 1 / rate)
    total = float(spectrum.sum())
    centroid = float(spectrum @ frequencies) / total if total > 0 else 0.0
    words = ((_DARK, "dark"), (_WARM, "warm"), (_BRIGHT, "bright"))
    return round(centroid, 0), next((word for limit, word in words if centroid < limit), "very bright")


def stereo_width(samples: NDArray[Any]) -> tuple[float, str]:
    """The level of what differs between left and right over the level of what they share, and a word."""
    if samples.shape[1] < 2:
        return 0.0, "mono"
    shared, differing = samples[:, 0] + samples[:, 1], samples[:, 0] - samples[:, 1]
    middle, side = (math.sqrt(np.dot(part, part)) for part in (shared, differing))
    width = side / middle if middle > 0 else (1.0 if side > 0 else 0.0)
    words = ((_MONO, "mono"), (_NARROW, "narrow"), (_WIDE, "normal"))
    return round(min(width, 9.99), 2), next((word for limit, word in words if width < limit), "wide")
