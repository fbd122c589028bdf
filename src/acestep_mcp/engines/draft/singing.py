"""Adds the voices of a score to its sound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.engines.draft.mix import program_loudness
from acestep_mcp.engines.draft.score import RATE, SUNG_RATE, Part
from acestep_mcp.engines.draft.singer import phrases, sing
from acestep_mcp.engines.draft.voice_room import FACTOR, add_room, at_half_rate

Floats = NDArray[np.float32]

_FULL_SCALE = -4.7  # LUFS of a sung tune at velocity 90, pauses and soft notes included
_WET = 0.4
_TAPS = 10


def add_voices(parts: Sequence[Part], out: Floats, start: float) -> None:
    """Add the sung parts to `out` ([frames, 2] at 48 kHz, from `start` seconds on)."""
    frames = len(out) // 2 + 1
    sides = np.zeros((2, frames), np.float32)
    room = np.zeros(frames // FACTOR + 1, np.float32)
    for part in parts:
        wanted = program_loudness(part.program) + 40 * np.log10(part.volume / 100)
        gain = 10 ** ((wanted - _FULL_SCALE) / 20)
        angle = part.pan / 127 * np.pi / 2
        for phrase in phrases(part.notes):
            if phrase[-1].end + 1 < start or phrase[0].start - 1 > start + len(out) / RATE:
                continue
            time, sound = sing(phrase, part.singer or "woman", part.name)
            first = round((time - start) * SUNG_RATE)
            _add(sides[0], sound * np.float32(gain * np.cos(angle)), first)
            _add(sides[1], sound * np.float32(gain * np.sin(angle)), first)
            if part.reverb:
                sent = at_half_rate(sound[-first % FACTOR :]) * np.float32(_WET * gain * part.reverb / 127)
                _add(room, sent, -(-first // FACTOR))
    if room.any():
        add_room(sides, room)
    for channel, side in zip(out.T, sides, strict=True):
        channel[0::2] += side[: len(channel[0::2])]
        channel[1::2] += _between(side)[: len(channel[1::2])]


def _add(out: Floats, sound: Floats, first: int) -> None:
    """Add a sound that begins at the sample `first`, which may lie before the first one."""
    target = out[max(0, first) : max(0, first + len(sound))]
    target += sound[max(0, -first) :][: len(target)]


def _between(side: Floats) -> Floats:
    """What lies in the middle between each sample and the next: by a low-pass filter of ten samples."""
    distance = np.arange(_TAPS) - (_TAPS - 1) / 2
    kernel = np.sinc(distance) * np.cos(np.pi * distance / (_TAPS + 1)) ** 2
    return np.convolve(side, (kernel / kernel.sum()).astype(np.float32))[_TAPS // 2 :]
