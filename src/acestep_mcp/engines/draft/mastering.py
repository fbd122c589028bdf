"""Mastering: brightness and width, compression, soft clipping, and a limiter that keeps the true peak.

The true peak is that of the signal at four times the rate (ITU-R BS.1770-4, annex 2), calculated where a sample is
near the ceiling. Gains are found for steps of half a millisecond, on the peaks and energies of the steps, so that a
song is multiplied only once.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from acestep_mcp.audio.measure import gated_loudness, hop_powers, level, loudness, windows_of
from acestep_mcp.engines.draft.production import PLAIN, Production
from acestep_mcp.engines.draft.score import RATE

Floats = NDArray[np.float32]

_HIGHEST_DBTP = -1.0
_MARGIN = 0.12  # dB between the limiter's ceiling and the highest true peak
_STEP = 24
_HOP = RATE // 10
_TAPS = 16
_REACH = 16  # steps: the gain falls this long before a peak and rises this long after it
_NEAR = 0.55  # of the ceiling: between samples below this share nothing reaches the ceiling
_SOLVING = 6
_CLOSE = 0.4  # dB by which the gain at the end may raise the peaks
_MOST_LIMITED = 12.0
_SIZE, _MARGINS, _BLOCKS = 1 << 14, 1 << 10, 4
_TREBLE_FROM, _WIDE_FROM = 3000.0, 200.0
_BLOCK = 1 << 15
_TOGETHER = 1 << 11  # steps whose true peaks are found at once, in the processor's cache


def mastered(music: Floats, lufs: float, made: Production = PLAIN) -> Floats:
    """The music [frames, 2] at `lufs`, produced as `made`, with a true peak of at most -1 dBTP.

    Spiky sounds stay below the loudness. Silence, and what is shorter than half a second, is only levelled.
    """
    shaped = _toned(music, made)
    powers = hop_powers(shaped, RATE)
    now = gated_loudness(windows_of(powers, 4)) if len(powers) >= 5 else -math.inf
    if now == -math.inf:
        return level(shaped, RATE, lufs, _HIGHEST_DBTP - 2)
    ceiling = min(_HIGHEST_DBTP - _MARGIN, lufs + made.peak_to_loudness)
    steps = _Steps(shaped, made, powers, ceiling, lufs - now)
    wanted = lufs
    for _ in range(2):
        result = steps.applied(shaped, wanted)
        missing = lufs - loudness(result, RATE)
        gain = min(missing, _HIGHEST_DBTP - _MARGIN / 3 - ceiling)
        if missing - gain < 0.1 and missing < _CLOSE:
            break
        wanted += missing
    result *= np.float32(10 ** (gain / 20))
    return result


class _Steps:
    """The peaks, energies and compression of the steps of one song, and the gains that follow from them."""

    def __init__(
        self, music: Floats, made: Production, powers: NDArray[np.float64], ceiling_db: float, gain_db: float
    ) -> None:
        self._powers = powers
        self._ceiling = 10 ** (ceiling_db / 20)
        self._gain = gain_db
        self._clip = 1.12 * self._ceiling if made.saturated else 0.0
        padded = _padded(music)
        rows = _rows(padded)
        self._energies = np.einsum("sn,sn->s", rows, rows).astype(np.float64)
        self._glue = _compression(self._energies, made.glue)
        self._peaks = _peaks(padded, _NEAR * self._ceiling / self._glue / 10 ** ((gain_db + 3) / 20)) * self._glue

    def applied(self, music: Floats, lufs: float) -> Floats:
        """The music with the gains that give it about this loudness."""
        before, after = self._gains(lufs)
        if not self._clip:
            return _multiplied(music, before * after)
        result = _multiplied(music, before)
        _clip_softly(result, self._clip)
        # What is clipped is flat at its top, and higher between the samples than any of them.
        clipped = _peaks(_padded(result), np.full(len(self._glue), _NEAR * self._ceiling))
        return _multiplied(result, _held(self._ceiling / np.maximum(clipped, self._ceiling)))

    def _gains(self, lufs: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The gain of each step before the soft clipper, and the limiter's."""
        gain, most = self._gain, self._gain + _MOST_LIMITED
        for _ in range(_SOLVING):
            before = 10 ** (gain / 20)
            limited = self._limited(before)
            missing = lufs - self._loudness(before * self._glue * limited)
            if abs(missing) < 0.02:
                break
            gain = min(most, gain + missing)
        return before * self._glue, limited

    def _limited(self, before: float) -> NDArray[np.float64]:
        peaks = before * self._peaks
        if self._clip:
            peaks = _soft(np.minimum(peaks / self._clip, 1.5)) * self._clip
        return _held(self._ceiling / np.maximum(peaks, self._ceiling))

    def _loudness(self, gains: NDArray[np.float64]) -> float:
        per_hop, count = _HOP // _STEP, len(self._powers)
        energies = self._energies[: count * per_hop].reshape(count, per_hop)
        squares = np.square(gains[: count * per_hop]).reshape(count, per_hop)
        share = (energies * squares).sum(axis=1) / np.maximum(energies.sum(axis=1), 1e-12)
        return gated_loudness(windows_of(self._powers * share, 4))


def _padded(music: Floats) -> Floats:
    """The samples with silence before and after, so that the steps are whole and each has its surroundings."""
    count = -(-len(music) // _STEP) * _STEP
    padded = np.zeros((_TAPS - 1 + count, 2), np.float32)
    padded[_TAPS // 2 - 1 : _TAPS // 2 - 1 + len(music)] = music
    return padded


def _rows(padded: Floats) -> Floats:
    """The samples of each step, both channels: [steps, 2 * frames]."""
    return padded[_TAPS // 2 - 1 : -(_TAPS // 2)].reshape(-1, 2 * _STEP)


def _peaks(padded: Floats, near: NDArray[np.float64]) -> NDArray[np.float64]:
    """The true peak of each step with a sample above `near`, the sample peak of the others."""
    rows = _rows(padded)
    loud = np.maximum(rows.max(axis=1), -rows.min(axis=1)).astype(np.float64)
    chosen = np.flatnonzero(loud > near)
    for channel in padded.T:
        frames = sliding_window_view(channel, _STEP + _TAPS - 1)[::_STEP]
        for first in range(0, len(chosen), _TOGETHER):
            some = chosen[first : first + _TOGETHER]
            between = frames[some] @ _between()
            loud[some] = np.maximum(loud[some], np.maximum(between.max(axis=1), -between.min(axis=1)))
    return np.asarray(np.round(loud, 6))


def _toned(music: Floats, made: Production) -> Floats:
    """The music with its treble and width, filtered by the frequency response without a shift in phase."""
    if not made.treble and not made.width:
        return music.astype(np.float32)
    straight, crossed = _responses(made.treble, made.width)
    result = np.empty((len(music), 2), np.float32)
    step = _SIZE - 2 * _MARGINS
    for first in range(0, len(music), _BLOCKS * step):
        starts = range(first, min(first + _BLOCKS * step, len(music)), step)
        blocks = np.zeros((len(starts), 2, _SIZE), np.float32)
        for block, start in zip(blocks, starts, strict=True):
            before = min(_MARGINS, start)
            part = music[start - before : start + step + _MARGINS]
            block[:, _MARGINS - before : _MARGINS - before + len(part)] = part.T
        spectra = np.fft.rfft(blocks)
        shaped = np.fft.irfft(spectra * straight + spectra[:, ::-1] * crossed)
        for block, start in zip(shaped, starts, strict=True):
            count = min(step, len(music) - start)
            result[start : start + count] = block[:, _MARGINS : _MARGINS + count].T
    return result


@lru_cache(8)
def _responses(treble: float, width: float) -> tuple[Floats, Floats]:
    """What a channel, and the other one, contribute to it at each frequency. Below 100 Hz both become the same."""
    squares = np.square(np.fft.rfftfreq(_SIZE, 1 / RATE))
    shelf = 10 ** (treble / 20 * squares / (squares + _TREBLE_FROM**2))
    wide = 10 ** (width / 20 * squares / (squares + _WIDE_FROM**2)) * squares / (squares + (_WIDE_FROM / 2) ** 2)
    return (shelf * (1 + wide) / 2).astype(np.float32), (shelf * (1 - wide) / 2).astype(np.float32)


def _compression(energies: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """The gain of each step: `share` of what 40 ms are louder than the three seconds around them less 3 dB."""
    if not share:
        return np.ones(len(energies))
    fast, slow = _mean(energies, 80), _mean(energies, 6000)
    excess = 10 * np.log10(np.maximum(fast, 1e-12) / np.maximum(slow, 1e-9)) + 3
    return np.asarray(_mean(10 ** (-share * np.maximum(excess, 0) / 20), 40))


def _held(wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lowest gain within the reach of each step, averaged over it: nowhere above what a peak needs."""
    wide = np.pad(wanted, _REACH + 1, mode="edge")
    size = 1
    while 2 * size <= 2 * _REACH + 3:
        wide = np.minimum(wide[:-size], wide[size:])
        size *= 2
    rest = 2 * _REACH + 3 - size
    wide = np.minimum(wide[: len(wide) - rest], wide[rest:])
    return _mean(wide, 2 * _REACH + 1)


def _mean(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The mean of `count` values around each one."""
    before = count // 2
    total = np.concatenate([[0.0], np.cumsum(np.pad(values, (before, count - 1 - before), mode="edge"))])
    return np.asarray((total[count:] - total[:-count]) / count)


def _multiplied(music: Floats, gains: NDArray[np.float64]) -> Floats:
    """The music times the gain of each step, which changes in straight lines from one middle to the next."""
    result = np.empty_like(music)
    ends = np.pad(gains.astype(np.float32), (1, 1), mode="edge")
    along = ((np.arange(_STEP) + 0.5) / _STEP).astype(np.float32)
    lines = (ends[:-1, None] + np.diff(ends)[:, None] * along).reshape(-1)[_STEP // 2 :]
    for first in range(0, len(music), _BLOCK):
        np.multiply(music[first : first + _BLOCK], lines[first : first + _BLOCK, None][: len(music) - first], out=result[first : first + _BLOCK])  # fmt: skip
    return result


def _clip_softly(music: Floats, top: float) -> None:
    """Clip in place with a cubic curve: small samples stay as they are, 1.5 times the top becomes the top."""
    for first in range(0, len(music), _BLOCK):
        part = music[first : first + _BLOCK]
        np.clip(part * np.float32(1 / top), -1.5, 1.5, out=part)
        part -= np.float32(4 / 27) * part * part * part
        part *= np.float32(top)


def _soft(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values - 4 / 27 * values**3


@cache
def _between() -> Floats:
    """A matrix from a step and the samples around it to the three values between each sample and the next."""
    at = np.arange(_TAPS) - (_TAPS // 2 - 1)
    matrix = np.zeros((_STEP + _TAPS - 1, 3 * _STEP), np.float32)
    for number in range(3):
        distance = at - (number + 1) / 4
        kernel = np.sinc(distance) * np.cos(np.pi * distance / (_TAPS + 1)) ** 2
        for sample in range(_STEP):
            matrix[sample : sample + _TAPS, 3 * sample + number] = kernel / kernel.sum()
    return matrix
