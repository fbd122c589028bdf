"""From what the renderer played to a finished song: fades, levels, sixteen bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio import Sound
from acestep_mcp.audio.measure import level
from acestep_mcp.audio.splice import from_float
from acestep_mcp.engines.draft.render import RATE

TARGET_LUFS, CEILING_DBFS = -16.0, -1.0
_FADE_SHARE, _LONGEST_FADE = 0.15, 8.0
_LAST_MOMENT = 0.5


def silence(seconds: float) -> NDArray[np.float32]:
    """Room for `seconds` of music at 48 kHz."""
    return np.zeros((round(seconds * RATE), 2), np.float32)


def mastered(music: NDArray[np.float32], ending: str) -> Sound:
    """The song at -16 LUFS and under -1 dBFS, faded out as its ending wants it. Changes `music`."""
    faded_out(music, ending)
    return from_float(level(music, RATE, TARGET_LUFS, CEILING_DBFS), RATE, 16)


def faded_out(music: NDArray[np.float32], ending: str) -> None:
    """A long fade where the music goes on, else the last half second, so that no tail is cut."""
    seconds = len(music) / RATE
    length = min(_LONGEST_FADE, _FADE_SHARE * seconds) if ending == "fade" else min(_LAST_MOMENT, 0.1 * seconds)
    count = round(length * RATE)
    if count:
        music[-count:] *= np.cos(np.linspace(0, np.pi / 2, count, dtype=np.float32))[:, None] ** 2
