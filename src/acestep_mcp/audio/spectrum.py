"""What all analysis starts from: one channel at 22,050 Hz, and its spectra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from acestep_mcp.audio import Sound
from acestep_mcp.audio.resample import blocks_of, resampled
from acestep_mcp.audio.splice import to_float

RATE = 22_050
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_MOST_SECONDS = 180.0
_BATCH = 512


def mono(sound: Sound) -> tuple[NDArray[np.float32], float]:
    """One channel at `RATE`, and the second of the song at which it begins: of a long song, the middle three minutes."""
    most = round(_MOST_SECONDS * sound.sample_rate)
    first = max(0, (len(sound.pcm) - most) // 2)
    pcm = sound.pcm[first : first + most]
    floats = (to_float(replace(sound, pcm=block)).mean(axis=1, keepdims=True) for block in blocks_of(pcm))
    parts = resampled(floats, sound.sample_rate, RATE, 1)
    return np.concatenate([np.empty((0, 1), np.float32), *parts])[:, 0], first / sound.sample_rate


def magnitudes(samples: NDArray[np.float32], window: int, hop: int) -> NDArray[np.float32]:
    """Magnitudes [frames, frequencies] of windows centred on every hop."""
    padded = np.pad(samples, window // 2)
    shape = np.hanning(window).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    parts = [np.abs(np.fft.rfft(views[i : i + _BATCH] * shape, axis=1)) for i in range(0, len(views), _BATCH)]
    return np.concatenate(parts).astype(np.float32)


def note_weights(
    spectra: NDArray[np.float32], window: int, low: float, high: float, *, held_frames: int = 1, lower: bool = False
) -> NDArray[np.float64]:
    """The weight of each of the twelve notes, C first, in every frame [frames, 12], from the peaks from `low` to `high` Hz.

    A median over `held_frames` leaves out drums. `lower`: of notes that are equally loud the lower ones weigh more.
    """
    frequencies = np.fft.rfftfreq(window, 1 / RATE)
    heard = (frequencies >= low) & (frequencies <= high)
    held = spectra[:, heard]
    if held_frames > 1:
        held = ndimage.median_filter(held, size=(held_frames, 1))
    if lower:
        held = held * (low / frequencies[heard]) ** 0.25
    peaks = np.where(held == ndimage.maximum_filter1d(held, 3, axis=1), held, 0)
    pitches = 69 + 12 * np.log2(frequencies[heard] / 440)
    in_tune = np.cos(np.pi * (pitches - np.rint(pitches))) ** 2
    weights = np.zeros((len(pitches), 12))
    weights[np.arange(len(weights)), np.rint(pitches).astype(int) % 12] = in_tune
    return np.asarray(peaks @ weights, np.float64)


def unit_rows(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each row with length 1; rows of zeros stay."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))
