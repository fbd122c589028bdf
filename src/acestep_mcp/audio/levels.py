"""Levels over time: loudness range, true peak, silence, brightness, stereo width."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from acestep_mcp.audio.measure import peak_dbfs, windows_of

_RANGE_HOPS = 30
_ABSOLUTE_GATE, _RANGE_GATE = -70.0, -20.0
_LOUDNESS_OFFSET = -0.691
_OVERSAMPLING = 4
_PEAK_BLOCK, _PEAK_MARGIN, _PEAK_BLOCKS = 256, 64, 400
SILENT_DBFS = -60.0
"""Below this the music has stopped."""
_SILENCE_HOP = 0.01
_SHORTEST_GAP = 0.5
_MOST_GAPS = 5
_CENTROID_WINDOW, _CENTROID_FRAMES = 4096, 100
_DARK, _WARM, _BRIGHT = 900.0, 1800.0, 3200.0
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
    """The largest value between the samples in dBTP, at four times the rate (ITU-R BS.1770-4, annex 2).

    Only the loudest stretches are oversampled: elsewhere nothing can be as large.
    """
    found = 0.0
    margin, block = _PEAK_MARGIN, _PEAK_BLOCK
    for channel in samples.T:
        blocks = -(-len(channel) // block)
        padded = np.pad(channel, (margin, blocks * block - len(channel) + margin))
        peaks = np.abs(padded[margin : margin + blocks * block]).reshape(blocks, block).max(axis=1)
        loudest = np.argsort(peaks)[-_PEAK_BLOCKS:]
        if len(loudest):
            stretches = np.array([padded[at * block : (at + 1) * block + 2 * margin] for at in loudest])
            between = signal.resample_poly(stretches, _OVERSAMPLING, 1, axis=1)
            # A stretch ends abruptly, so what is near its ends is not the song's.
            found = max(found, float(np.abs(between[:, margin * _OVERSAMPLING : -margin * _OVERSAMPLING]).max()))
    return max(peak_dbfs(samples), 20 * math.log10(found) if found > 0 else -math.inf)


@dataclass(frozen=True, slots=True)
class Silence:
    """Seconds of silence at the start and at the end, and the longest gaps inside (start, end) in seconds, in order."""

    start: float
    end: float
    gaps: tuple[tuple[float, float], ...] = ()


def find_silence(samples: NDArray[Any], rate: int) -> Silence:
    """Where nothing is above -60 dBFS; gaps count from half a second on. A silent song has all of it at its start."""
    hop = max(1, round(_SILENCE_HOP * rate))
    count = -(-len(samples) // hop)
    loudest = np.abs(samples[:, 0])
    for channel in samples.T[1:]:
        loudest = np.maximum(loudest, np.abs(channel))
    peaks = np.pad(loudest, (0, count * hop - len(samples))).reshape(count, hop).max(axis=1)
    sounding = np.flatnonzero(peaks > 10 ** (SILENT_DBFS / 20))
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


def brightness(samples: NDArray[Any], rate: int) -> tuple[float, str]:
    """The spectral centroid in Hz, weighted by loudness, and a word: dark, warm, bright or very bright."""
    mono = samples.mean(axis=1)
    starts = np.linspace(0, max(0, len(mono) - _CENTROID_WINDOW), _CENTROID_FRAMES).astype(int)
    shape = np.hanning(_CENTROID_WINDOW)
    frames = np.array([mono[start : start + _CENTROID_WINDOW] for start in np.unique(starts)])
    if frames.shape[1] < _CENTROID_WINDOW:
        frames = np.pad(frames, ((0, 0), (0, _CENTROID_WINDOW - frames.shape[1])))
    spectrum = np.abs(np.fft.rfft(frames * shape, axis=1)).sum(axis=0)
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
    middle, side = float(np.sqrt(np.mean(np.square(shared)))), float(np.sqrt(np.mean(np.square(differing))))
    width = side / middle if middle > 0 else (1.0 if side > 0 else 0.0)
    words = ((_MONO, "mono"), (_NARROW, "narrow"), (_WIDE, "normal"))
    return round(min(width, 9.99), 2), next((word for limit, word in words if width < limit), "wide")
