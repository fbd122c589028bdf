"""Consonants as a voice that sings vowels makes them: short noises, closures, and hums."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.engines.draft.noises import white_noise
from acestep_mcp.engines.draft.score import SUNG_RATE


class Consonant(NamedTuple):
    """`voiced` is the level of the voice during it, against that of the vowel; `noise` that of its noise.

    The noise lies between `low` and `high` Hz. `burst` seconds of it sound at the end, after a closure; 0 is all along.
    `shape` is the sound of the voice meanwhile, or empty for that of the vowel.
    """

    seconds: float
    voiced: float = 0.0
    noise: float = 0.0
    low: float = 500.0
    high: float = 5000.0
    burst: float = 0.0
    shape: str = ""


CONSONANTS: dict[str, Consonant] = {
    "p": Consonant(0.07, 0.0, 0.16, 400, 1800, 0.018),
    "t": Consonant(0.07, 0.0, 0.2, 3000, 8000, 0.022),
    "k": Consonant(0.075, 0.0, 0.18, 1400, 3200, 0.028),
    "b": Consonant(0.06, 0.1, 0.08, 300, 1500, 0.01, "M"),
    "d": Consonant(0.055, 0.1, 0.1, 2500, 6000, 0.01, "n"),
    "g": Consonant(0.06, 0.1, 0.1, 1200, 2800, 0.014, "N"),
    "f": Consonant(0.08, 0.0, 0.07, 1500, 10000),
    "T": Consonant(0.07, 0.0, 0.05, 2000, 9000),
    "s": Consonant(0.095, 0.0, 0.17, 4800, 11000),
    "S": Consonant(0.095, 0.0, 0.19, 2200, 6500),
    "x": Consonant(0.08, 0.0, 0.12, 1000, 3000),
    "h": Consonant(0.07, 0.05, 0.08, 700, 4000),
    "v": Consonant(0.055, 0.35, 0.03, 1500, 9000),
    "D": Consonant(0.05, 0.4, 0.025, 2000, 8000),
    "z": Consonant(0.075, 0.25, 0.1, 4800, 11000),
    "Z": Consonant(0.075, 0.25, 0.11, 2200, 6500),
    "m": Consonant(0.075, 0.5, shape="m"),
    "n": Consonant(0.065, 0.5, shape="n"),
    "N": Consonant(0.07, 0.5, shape="N"),
    "l": Consonant(0.06, 0.6, shape="l"),
    "r": Consonant(0.06, 0.55, shape="r"),
    "w": Consonant(0.06, 0.6, shape="w"),
    "j": Consonant(0.055, 0.65, shape="j"),
}
"""By X-SAMPA. Levels are near those in which the consonants are sung beside vowels, the loud ones lower."""
_BANK = 1 << 14
_GRAIN = 128  # samples: lengths are multiples, so that noises can be kept


def noise_of(consonant: Consonant, seconds: float, number: int) -> tuple[float, NDArray[np.float32]]:
    """When its noise begins within `seconds`, and the noise; `number` chooses one of four."""
    length = min(seconds, consonant.burst or seconds)
    return seconds - length if consonant.burst else 0.0, _noise(
        consonant, max(1, round(1.2 * length * SUNG_RATE / _GRAIN)), number % 4
    )


@lru_cache(maxsize=512)
def _noise(consonant: Consonant, grains: int, number: int) -> NDArray[np.float32]:
    count = grains * _GRAIN
    start = number * 4501 % (_BANK - count)
    along = (np.arange(count) + 0.5) / count
    shape = np.sin(np.pi * along) ** 0.8
    if consonant.burst:
        shape = np.minimum(along / 0.06, 1) * np.exp(-3.5 * along) * np.minimum((1 - along) / 0.2, 1)
    return np.asarray(_bank(consonant.low, consonant.high)[start : start + count] * shape * consonant.noise, np.float32)


@cache
def _bank(low: float, high: float) -> NDArray[np.float32]:
    """Two thirds of a second of noise between two frequencies, its power 1."""
    noise = white_noise(_BANK, round(low + high))
    at = np.maximum(np.fft.rfftfreq(_BANK, 1 / SUNG_RATE), 1)
    shape = (1 / (1 + (low / at) ** 6) / (1 + (at / high) ** 6)).astype(np.float32)
    made = np.fft.irfft(np.fft.rfft(noise) * shape)
    return np.asarray(made / np.sqrt(np.mean(made**2)), np.float32)
