"""Mixing and mastering: instrument volumes, fades, loudness, 16-bit samples."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio import Sound
from acestep_mcp.audio.splice import from_float
from acestep_mcp.engines.draft.mastering import mastered
from acestep_mcp.engines.draft.production import production
from acestep_mcp.engines.draft.score import RATE

TARGET_LUFS = -16.0
_FADE_SHARE, _LONGEST_FADE = 0.15, 8.0
_LAST_MOMENT = 0.5

# Measured LUFS of a short melody at velocity 90 and volume 100, by General MIDI program.
# Warm pad (89) is entered 5 dB louder: its attack is longer than the notes that were measured.
_LOUDNESS = (
    -34.5, -35.1, -32.2, -33.9, -27.9, -33.3, -34.1, -31.1, -33.1, -38.8, -30.6, -26.8, -35.8, -41.6, -28.3, -34.5,
    -30.4, -32.6, -32.2, -31.6, -28.5, -30.1, -29.0, -32.2, -30.4, -33.8, -30.6, -35.7, -33.5, -30.7, -27.7, -28.3,
    -31.7, -30.3, -31.9, -30.4, -30.5, -36.1, -30.4, -31.0, -26.7, -27.4, -26.6, -28.5, -30.3, -34.0, -26.6, -34.7,
    -29.0, -32.0, -32.5, -31.0, -31.2, -29.8, -30.3, -29.4, -30.5, -32.4, -32.4, -34.4, -25.5, -34.3, -29.1, -28.9,
    -30.1, -30.0, -30.8, -33.1, -29.4, -28.6, -31.0, -28.8, -26.2, -26.5, -28.8, -30.4, -31.4, -29.2, -26.3, -25.5,
    -27.1, -28.4, -27.7, -30.1, -28.3, -26.3, -29.9, -28.0, -29.1, -31.5, -32.7, -28.6, -31.4, -32.4, -32.5, -35.0,
    -28.5, -28.3, -29.1, -29.0, -27.4, -43.0, -27.2, -28.8, -33.8, -31.7, -35.5, -30.1, -32.1, -27.4, -28.1, -27.5,
    -34.0, -36.5, -34.0, -39.0, -31.0, -38.5, -31.5, -62.9, -38.2, -47.0, -28.5, -32.8, -32.1, -53.4, -47.7, -35.5,
)  # fmt: skip
_KITS = {0: -33.8, 8: -29.7, 16: -32.7, 24: -31.7, 25: -33.6, 32: -33.8, 40: -37.0, 48: -34.2}
_USUAL = -34.0  # LUFS of weight 80; mastering makes up for the level


def silence(seconds: float) -> NDArray[np.float32]:
    """Zeros for `seconds` of stereo at 48 kHz, float32 [frames, 2]."""
    return np.zeros((round(seconds * RATE), 2), np.float32)


def master(music: NDArray[np.float32], ending: str, genre: str | None = None) -> Sound:
    """The song at -16 LUFS and at most -1 dBTP, produced as its genre is, faded out as `ending` says. Modifies `music`."""
    fade_out(music, ending)
    return from_float(levelled(music, TARGET_LUFS, genre), RATE, 16)


def levelled(music: NDArray[np.float32], lufs: float, genre: str | None = None) -> NDArray[np.float32]:
    """The music at `lufs` and at most -1 dBTP, produced as its genre is."""
    return mastered(music, lufs, production(genre))


def fade_out(music: NDArray[np.float32], ending: str) -> None:
    """Fade in place: long for the ending "fade", else over the last half second so that no tail is cut off."""
    seconds = len(music) / RATE
    length = min(_LONGEST_FADE, _FADE_SHARE * seconds) if ending == "fade" else min(_LAST_MOMENT, 0.1 * seconds)
    count = round(length * RATE)
    if count:
        music[-count:] *= np.cos(np.linspace(0, np.pi / 2, count, dtype=np.float32))[:, None] ** 2


def program_loudness(program: int, *, drums: bool = False) -> float:
    """LUFS of the General MIDI program, or drum kit, at volume 100."""
    return _KITS.get(program, _KITS[0]) if drums else _LOUDNESS[program]


def volume_controller(program: int, weight: float, *, drums: bool = False) -> int:
    """The MIDI volume (1-127) for a part of `weight`; 80 is a chord instrument, doubling it is +12 dB."""
    wanted = _USUAL + 40 * math.log10(weight / 80) - program_loudness(program, drums=drums)
    return max(1, min(127, round(100 * 10 ** (wanted / 40))))


def pump_depth(genre: str) -> int:
    """How far each bass drum turns the chords and the bass of a genre down, 0 to 127."""
    return production(genre).pump
