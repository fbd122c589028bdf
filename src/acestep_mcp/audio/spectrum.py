"""What all analysis starts from: one channel at 22,050 Hz, a quarter of that rate for notes, and their spectra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio import Sound
from acestep_mcp.audio.resample import blocks_of, resampled, resampled_array
from acestep_mcp.audio.splice import to_float

RATE = 22_050
_NOTES_EVERY = 4
NOTE_RATE = RATE / _NOTES_EVERY
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_MOST_SECONDS = 180.0
_SOME, _INVERSE = 8, -0.5
# Small enough for the processor's cache.
_BATCH = 65_536


def mono(sound: Sound) -> tuple[NDArray[np.float32], float]:
    """One channel at `RATE`, and the second of the song at which it begins: of a long song, the middle three minutes."""
    most = round(_MOST_SECONDS * sound.sample_rate)
    first = max(0, (len(sound.pcm) - most) // 2)
    pcm = sound.pcm[first : first + most]
    some = to_float(replace(sound, pcm=pcm[::_SOME]))
    gains = channel_gains(some)
    offset = np.float32((some @ gains).mean() if len(some) else 0)
    floats = ((to_float(replace(sound, pcm=block)) @ gains - offset)[:, None] for block in blocks_of(pcm))
    parts = resampled(floats, sound.sample_rate, RATE, 1)
    return np.concatenate([np.empty((0, 1), np.float32), *parts])[:, 0], first / sound.sample_rate


def downmixed(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the channels of [frames, channels], one of which may be inverted."""
    if samples.shape[1] == 1:
        return samples[:, 0]
    return np.asarray(samples @ channel_gains(samples[::_SOME]).astype(samples.dtype))


def channel_gains(some: NDArray[np.float32]) -> NDArray[np.float32]:
    """What each channel counts in the mean of all, from some frames: a channel that is the inverse of another one counts inverted.

    Else the two would cancel each other, and nothing would be heard.
    """
    channels = some.shape[1]
    products = some.T @ some
    loudest = int(np.argmax(np.diag(products)))
    levels = np.sqrt(np.diag(products) * products[loudest, loudest])
    is_inverse = products[loudest] < _INVERSE * levels
    return np.asarray(np.where(is_inverse, -1 / channels, 1 / channels), np.float32)


def magnitudes(samples: NDArray[np.float32], window: int, hop: int) -> NDArray[np.float32]:
    """Magnitudes [frames, frequencies] of windows centred on every hop."""
    padded = np.pad(samples, window // 2)
    shape = np.hanning(window).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    found = np.empty((len(views), window // 2 + 1), np.float32)
    batch = max(1, _BATCH // window)
    for first in range(0, len(views), batch):
        np.abs(np.fft.rfft(views[first : first + batch] * shape), out=found[first : first + batch])
    return found


def note_magnitudes(samples: NDArray[np.float32], window: int, hop: int) -> NDArray[np.float32]:
    """`magnitudes` up to 2.5 kHz, where notes are: `samples` are at `RATE`, window and hop count at `NOTE_RATE`."""
    return magnitudes(resampled_array(samples[:, None], _NOTES_EVERY, 1)[:, 0], window, hop)


def note_weights(
    spectra: NDArray[np.float32], window: int, low: float, high: float, *, held: bool = False, lower: bool = False
) -> NDArray[np.float64]:
    """The weight of each of the twelve notes, C first, in every frame [frames, 12], from the peaks from `low` to `high` Hz.

    `spectra` come from `note_magnitudes`. `held`: a median over five frames leaves out drums. `lower`: of notes that are
    equally loud the lower ones weigh more.
    """
    frequencies = np.fft.rfftfreq(window, 1 / NOTE_RATE)
    heard = (frequencies >= low) & (frequencies <= high)
    loud = spectra[:, heard]
    if held:
        loud = _median_of_five(loud)
    if lower:
        loud = loud * (low / frequencies[heard]) ** 0.25
    beside = np.pad(loud, ((0, 0), (1, 1)), mode="edge")
    peaks = np.where((loud >= beside[:, :-2]) & (loud >= beside[:, 2:]), loud, 0)
    pitches = 69 + 12 * np.log2(frequencies[heard] / 440)
    in_tune = np.cos(np.pi * (pitches - np.rint(pitches))) ** 2
    weights = np.zeros((len(pitches), 12))
    weights[np.arange(len(weights)), np.rint(pitches).astype(int) % 12] = in_tune
    return np.asarray(peaks @ weights, np.float64)


def _median_of_five(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The median of each row and the two on either side of it, by comparisons of whole rows; mirrored at the ends."""
    if not len(rows):
        return rows
    padded = np.pad(rows, ((2, 2), (0, 0)), mode="symmetric")
    low, high = np.minimum(padded[:-1], padded[1:]), np.maximum(padded[:-1], padded[1:])
    # Of two pairs, the smallest and the largest of the four cannot be the median of five.
    upper, lower = np.minimum(high[:-3], high[3:]), np.maximum(low[:-3], low[3:])
    return np.asarray(np.maximum(np.minimum(lower, upper), np.minimum(rows, np.maximum(lower, upper))))


def moving_average(rows: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The mean of each row and those around it, `count` in all; mirrored at the ends."""
    before = count // 2
    padded = np.pad(rows, [(before, count - 1 - before), *[(0, 0)] * (rows.ndim - 1)], mode="symmetric")
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, count, axis=0).mean(axis=-1))


def unit_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row with length 1; rows of zeros stay."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))
