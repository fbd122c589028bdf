"""The room around the voices: a stereo reverberation, calculated at half the voices' sample rate."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.engines.draft.noises import white_noise
from acestep_mcp.engines.draft.score import SUNG_RATE

Floats = NDArray[np.float32]

FACTOR = 2
SECONDS = 1.3
_RATE = SUNG_RATE // FACTOR
_SIZE = 1 << 16
_EARLIEST, _DECAY = 0.018, 0.28  # seconds; the decay is that of the amplitude to 1/e
_DARK_FROM = 2200.0


def at_half_rate(sound: Floats) -> Floats:
    """A sound of 24 kHz at 12 kHz: the means of two samples."""
    whole = sound[: len(sound) // 2 * 2]
    return np.asarray((whole[0::2] + whole[1::2]) * np.float32(0.5))


def add_room(sides: Floats, sent: Floats) -> None:
    """Add the room's answer to a sound at 12 kHz to the left and the right side, [2, frames] at 24 kHz."""
    wet = np.zeros((2, len(sent) + 1), np.float32)
    step = _SIZE - round(SECONDS * _RATE) - 1
    for first in range(0, len(sent), step):
        block = sent[first : first + step]
        if block.any():
            answer = np.fft.irfft(np.fft.rfft(block, _SIZE) * _room(), _SIZE)
            target = wet[:, first : first + _SIZE]
            target += answer[:, : target.shape[1]]
    # Straight lines between the samples: the room is dark, so that little lies above them.
    slopes = np.diff(wet, axis=1) * np.float32(1 / FACTOR)
    for number in range(FACTOR):
        target = sides[:, number::FACTOR]
        target += (wet[:, :-1] + number * slopes)[:, : target.shape[1]]


@cache
def _room() -> NDArray[np.complex64]:
    """The spectra of the answers to the left and to the right: noise that decays, sooner in the treble."""
    count = round(SECONDS * _RATE)
    time = np.arange(count) / _RATE
    noise = (
        white_noise(2 * count, 7).reshape(2, count)
        * np.exp(-time / _DECAY)
        * np.clip(time / 0.03, 0, 1)
        * np.clip((SECONDS - time) / 0.1, 0, 1)
    )
    delayed = np.roll(noise, round(_EARLIEST * _RATE), axis=1)
    spectra = np.fft.rfft(delayed, _SIZE)
    frequencies = np.fft.rfftfreq(_SIZE, 1 / _RATE)
    spectra *= frequencies**2 / (frequencies**2 + 180**2) / (1 + (frequencies / _DARK_FROM) ** 2)
    return np.asarray(spectra / np.sqrt(np.mean(np.abs(spectra) ** 2)), np.complex64)
