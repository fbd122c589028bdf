"""Mastering: brightness and width, compression, soft clipping, and a limiter that keeps the true peak.

The true peak is that of the signal at four times the rate (ITU-R BS.1770-4, annex 2), calculated where a sample is
near the ceiling. Gains are found for steps of half a millisecond, on the peaks and K-weighted energies of the steps,
so that a song is filtered once and multiplied once or twice.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from acestep_mcp.audio.measure import gated_loudness, level, weighting, windows_of
from acestep_mcp.engines.draft.production import PLAIN, Production
from acestep_mcp.engines.draft.score import RATE

Floats = NDArray[np.float32]
Gains = NDArray[np.float64]

_HIGHEST_DBTP = -1.0
_MARGIN = 0.12  # dB between the limiter's ceiling and the highest true peak
_STEP = 24
_STEPS_PER_HOP = RATE // 10 // _STEP
_TAPS = 16
_BEFORE, _AFTER = _TAPS // 2 - 1, _TAPS // 2
_REACH = 16  # steps: the gain falls this long before a peak and rises this long after it
_NEAR = 0.55  # of the ceiling: between samples below this share nothing reaches the ceiling
_SOLVING = 6
_CLOSE = 0.4  # dB by which the gain at the end may raise the peaks
_MOST_LIMITED = 12.0
_SIZE, _MARGINS, _BLOCKS = 1 << 14, 1016, 4
_TREBLE_FROM, _WIDE_FROM = 3000.0, 200.0
_BLOCK = 1 << 15
_TOGETHER = 1 << 10  # steps whose true peaks are found at once, in the processor's cache
_CREST = 1.5  # the mean fourth power of a sine over the square of its mean square


def mastered(music: Floats, lufs: float, made: Production = PLAIN) -> Floats:
    """The music [frames, 2] at `lufs`, produced as `made`, with a true peak of at most -1 dBTP.

    Spiky sounds stay below the loudness. Silence, and what is shorter than half a second, is only levelled.
    """
    shaped, weighted = _toned(music, made)
    hops = len(music) // _STEP // _STEPS_PER_HOP
    now = _loudness(weighted) if hops >= 5 else -math.inf
    if now == -math.inf:
        return level(shaped[:, _BEFORE : _BEFORE + len(music)].T, RATE, lufs, _HIGHEST_DBTP - 2)
    ceiling = min(_HIGHEST_DBTP - _MARGIN, lufs + made.peak_to_loudness)
    result = _Steps(shaped, weighted, made, ceiling).at(lufs, lufs - now)
    return result[:, : len(music)].T


class _Steps:
    """The peaks, energies and compression of the steps of one song, and the gains that follow from them."""

    def __init__(self, shaped: Floats, weighted: Gains, made: Production, ceiling_db: float) -> None:
        self._shaped, self._weighted = shaped, weighted
        self._ceiling_db, self._ceiling = ceiling_db, 10 ** (ceiling_db / 20)
        self._clip = 1.12 * self._ceiling if made.saturated else 0.0
        self._energies = _energies(shaped)
        self._glue = _compression(self._energies, made.glue)

    def at(self, lufs: float, gain: float) -> Floats:
        """The music at this loudness, which it has after `gain` (dB) if nothing else is done to it."""
        wanted = lufs
        # What is clipped is flat at its top, and higher between the samples than any of them.
        near = np.inf if self._clip else _NEAR * self._ceiling / self._glue / 10 ** ((gain + 3) / 20)
        peaks = _peaks(self._shaped, near) * self._glue
        for _ in range(2):
            before, limited = self._gains(peaks, wanted, gain)
            music, reached = self._shaped, self._weighted * np.square(before)
            if self._clip:
                music, kept = self._clipped(before)
                reached *= kept
                before = np.ones(len(before))
                limited = _held(self._ceiling / np.maximum(_peaks(music, _NEAR * self._ceiling), self._ceiling))
            missing = lufs - _loudness(reached * np.square(limited))
            rest = min(missing, _HIGHEST_DBTP - _MARGIN / 3 - self._ceiling_db)
            if missing - rest < 0.1 and missing < _CLOSE:
                break
            wanted += missing
        _multiply(music, before * limited * 10 ** (rest / 20))
        return music[:, _BEFORE:-_AFTER]

    def _clipped(self, gains: Gains) -> tuple[Floats, Gains]:
        """The music after its gains and the soft clipper, and the share of its energy that each step keeps."""
        music = self._shaped.copy()
        _multiply(music, gains)
        made = music[:, _BEFORE:-_AFTER]
        for first in range(0, made.shape[1], _BLOCK):
            _clip_softly(made[:, first : first + _BLOCK], self._clip)
        kept = _energies(music) / np.maximum(self._energies * np.square(gains), 1e-12)
        return music, kept * _correction(music, self._weighted * np.square(gains) * kept)

    def _gains(self, peaks: Gains, lufs: float, gain: float) -> tuple[Gains, Gains]:
        """The gain of each step before the soft clipper, and the limiter's."""
        most = gain + _MOST_LIMITED
        for _ in range(_SOLVING):
            before = 10 ** (gain / 20)
            limited = self._limited(before * peaks)
            missing = lufs - _loudness(self._weighted * np.square(before * self._glue * self._kept(before) * limited))
            if abs(missing) < 0.02:
                break
            gain = min(most, gain + missing)
        return before * self._glue, limited

    def _kept(self, before: float) -> Gains | float:
        """About what the soft clipper leaves of the amplitude of each step."""
        if not self._clip:
            return 1.0
        squares = self._energies * np.square(before * self._glue / self._clip) / (2 * _STEP)
        return np.asarray(1 - 4 / 27 * np.minimum(_CREST * squares, 1.5))

    def _limited(self, peaks: Gains) -> Gains:
        if self._clip:
            peaks = _soft(np.minimum(peaks / self._clip, 1.5)) * self._clip
        return _held(self._ceiling / np.maximum(peaks, self._ceiling))


def _loudness(weighted: Gains) -> float:
    """The LUFS of a song from the K-weighted energies of its steps."""
    hops = len(weighted) // _STEPS_PER_HOP
    powers = weighted[: hops * _STEPS_PER_HOP].reshape(hops, _STEPS_PER_HOP).sum(axis=1) / (_STEP * _STEPS_PER_HOP)
    return gated_loudness(windows_of(powers, 4))


def _rows(padded: Floats) -> Floats:
    """The samples of each step: [channels, steps, frames]."""
    return padded[:, _BEFORE:-_AFTER].reshape(2, -1, _STEP)


def _energies(padded: Floats) -> Gains:
    rows = _rows(padded)
    return np.asarray(np.einsum("csn,csn->s", rows, rows), np.float64)


def _peaks(padded: Floats, near: Gains | float) -> Gains:
    """The true peak of each step with a sample above `near`, the sample peak of the others."""
    rows = _rows(padded)
    loud = np.maximum(rows.max(axis=2), -rows.min(axis=2)).max(axis=0)
    chosen = np.flatnonzero(loud > near)
    for channel in padded:
        frames = sliding_window_view(channel, _STEP + _TAPS - 1)[::_STEP]
        for first in range(0, len(chosen), _TOGETHER):
            some = chosen[first : first + _TOGETHER]
            between = _between() @ frames[some].T
            loud[some] = np.maximum(loud[some], np.abs(between, out=between).max(axis=0))
    return np.asarray(np.round(loud.astype(np.float64), 6))


def _toned(music: Floats, made: Production) -> tuple[Floats, Gains]:
    """The music with its treble and width, and the K-weighted energies of its steps.

    Filtered by the frequency response without a shift in phase. The samples are [2, frames], with silence before and
    after, so that the steps are whole and each has its surroundings.
    """
    count = -(-len(music) // _STEP)
    padded = np.zeros((2, _TAPS - 1 + count * _STEP), np.float32)
    result = padded[:, _BEFORE : _BEFORE + len(music)]
    weighted = np.zeros(count, np.float64)
    heard = weighting(RATE, _SIZE)
    step = _SIZE - 2 * _MARGINS
    for first in range(0, len(music), _BLOCKS * step):
        starts = range(first, min(first + _BLOCKS * step, len(music)), step)
        blocks = np.zeros((len(starts), 2, _SIZE), np.float32)
        for block, start in zip(blocks, starts, strict=True):
            before = min(_MARGINS, start)
            part = music[start - before : start + step + _MARGINS]
            block[:, _MARGINS - before : _MARGINS - before + len(part)] = part.T
        spectra = np.fft.rfft(blocks)
        if made.treble or made.width:
            straight, crossed = _responses(made.treble, made.width)
            spectra = spectra * straight + spectra[:, ::-1] * crossed
            blocks = np.asarray(np.fft.irfft(spectra), np.float32)
        spectra *= heard
        for block, energies, start in zip(blocks, _block_energies(spectra), starts, strict=True):
            result[:, start : start + step] = block[:, _MARGINS : _MARGINS + min(step, len(music) - start)]
            steps = weighted[start // _STEP : start // _STEP + len(energies)]
            steps[:] = energies[: len(steps)]
    return padded, weighted


def _block_energies(spectra: NDArray[Any]) -> Gains:
    """The energies of the steps of each block, both channels together."""
    sounds = np.fft.irfft(spectra)[:, :, _MARGINS:-_MARGINS]
    rows = sounds.reshape(len(sounds), 2, -1, _STEP)
    return np.asarray(np.einsum("bcsn,bcsn->bs", rows, rows), np.float64)


@lru_cache(8)
def _responses(treble: float, width: float) -> tuple[Floats, Floats]:
    """What a channel, and the other one, contribute to it at each frequency. Below 100 Hz both become the same."""
    squares = np.square(np.fft.rfftfreq(_SIZE, 1 / RATE))
    shelf = 10 ** (treble / 20 * squares / (squares + _TREBLE_FROM**2))
    wide = 10 ** (width / 20 * squares / (squares + _WIDE_FROM**2)) * squares / (squares + (_WIDE_FROM / 2) ** 2)
    return (shelf * (1 + wide) / 2).astype(np.float32), (shelf * (1 - wide) / 2).astype(np.float32)


def _correction(music: Floats, expected: Gains) -> float:
    """What K-weighted energies are of the expected ones, in every fourth block of the music."""
    first = _BEFORE + -_MARGINS % _STEP  # the steps of a block begin after its margin
    starts = range(first, music.shape[1] - _SIZE, _BLOCKS * (_SIZE - 2 * _MARGINS))
    if not starts:
        return 1.0
    found = _block_energies(
        np.fft.rfft(np.stack([music[:, start : start + _SIZE] for start in starts])) * weighting(RATE, _SIZE)
    )
    at = [(start + _MARGINS - _BEFORE) // _STEP for start in starts]
    wanted = sum(float(expected[step : step + found.shape[1]].sum()) for step in at)
    return float(found.sum()) / wanted if wanted else 1.0


def _compression(energies: Gains, share: float) -> Gains:
    """The gain of each step: `share` of what 40 ms are louder than the three seconds around them less 3 dB."""
    if not share:
        return np.ones(len(energies))
    fast, slow = _mean(energies, 80), _mean(energies, 6000)
    excess = 10 * np.log10(np.maximum(fast, 1e-12) / np.maximum(slow, 1e-9)) + 3
    return np.asarray(_mean(10 ** (-share * np.maximum(excess, 0) / 20), 40))


def _held(wanted: Gains) -> Gains:
    """The lowest gain within the reach of each step, averaged over it: nowhere above what a peak needs."""
    wide = np.pad(wanted, _REACH + 1, mode="edge")
    size = 1
    while 2 * size <= 2 * _REACH + 3:
        wide = np.minimum(wide[:-size], wide[size:])
        size *= 2
    rest = 2 * _REACH + 3 - size
    wide = np.minimum(wide[: len(wide) - rest], wide[rest:])
    return _mean(wide, 2 * _REACH + 1)


def _mean(values: Gains, count: int) -> Gains:
    """The mean of `count` values around each one."""
    before = count // 2
    total = np.concatenate([[0.0], np.cumsum(np.pad(values, (before, count - 1 - before), mode="edge"))])
    return np.asarray((total[count:] - total[:-count]) / count)


def _multiply(padded: Floats, gains: Gains) -> None:
    """Multiply in place by the gain of each step, which changes in straight lines from one middle to the next."""
    music, half = padded[:, _BEFORE:-_AFTER], _STEP // 2
    ends = np.pad(gains.astype(np.float32), (1, 1), mode="edge")
    rises = np.diff(ends)[:, None] * ((np.arange(_STEP, dtype=np.float32) + 0.5) / _STEP)
    rises += ends[:-1, None]
    music *= rises.reshape(-1)[half : half + music.shape[1]]


def _clip_softly(part: Floats, top: float) -> None:
    """Clip in place with a cubic curve: small samples stay as they are, 1.5 times the top becomes the top."""
    np.clip(part * np.float32(1 / top), -1.5, 1.5, out=part)
    part -= np.float32(4 / 27) * part * part * part
    part *= np.float32(top)


def _soft(values: Gains) -> Gains:
    return values - 4 / 27 * values**3


@cache
def _between() -> Floats:
    """A matrix from a step and the samples around it to the three values between each sample and the next."""
    at = np.arange(_TAPS) - (_TAPS // 2 - 1)
    matrix = np.zeros((3 * _STEP, _STEP + _TAPS - 1), np.float32)
    for number in range(3):
        distance = at - (number + 1) / 4
        kernel = np.sinc(distance) * np.cos(np.pi * distance / (_TAPS + 1)) ** 2
        for sample in range(_STEP):
            matrix[3 * sample + number, sample : sample + _TAPS] = kernel / kernel.sum()
    return matrix
