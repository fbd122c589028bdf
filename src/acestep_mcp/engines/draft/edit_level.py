"""How loud the new music of an edit is: as its source, or as the music beside it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from acestep_mcp.audio import Sound
from acestep_mcp.audio.measure import loudness
from acestep_mcp.audio.splice import conform, from_float, to_float
from acestep_mcp.engines.draft.mix import TARGET_LUFS, levelled
from acestep_mcp.engines.draft.score import RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CONTEXT = 8.0  # seconds on each side that decide how loud a window should be
_MAX_DIFFERENCE = 6.0  # LU a window may differ from its surroundings before its own loudness counts as a flaw


def target_lufs(sound: Sound, start: float, end: float) -> float:
    """The LUFS a window should have: its old loudness, unless that is far from the music beside it."""
    rate = sound.sample_rate
    first, last = round(start * rate), round(end * rate)
    reach = round(_CONTEXT * rate)
    nearby = np.concatenate([sound.pcm[max(0, first - reach) : first], sound.pcm[last : last + reach]])
    around = loudness(to_float(replace(sound, pcm=nearby)), rate)
    inside = loudness(to_float(replace(sound, pcm=sound.pcm[first:last])), rate)
    if around == -math.inf:
        return inside if inside > -math.inf else TARGET_LUFS
    return inside if abs(inside - around) <= _MAX_DIFFERENCE else around


def match_level(music: NDArray[np.float32], lufs: float, like: Sound, genre: str | None = None) -> Sound:
    """The music at `lufs`, in the rate, channels and bit depth of `like`."""
    wanted = TARGET_LUFS if lufs == -math.inf else lufs
    return conform(from_float(levelled(music, wanted, genre), RATE, 24), like)


def match_source(music: NDArray[np.float32], source: Sound, genre: str | None = None) -> Sound:
    """The music with the source's loudness, exact length, rate, channels and bit depth."""
    lufs = loudness(to_float(source), source.sample_rate)
    sound = match_level(music, lufs, source, genre)
    pcm = np.zeros((len(source.pcm), source.channels), np.int32)
    count = min(len(pcm), len(sound.pcm))
    pcm[:count] = sound.pcm[:count]
    return replace(sound, pcm=pcm)
