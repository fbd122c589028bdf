"""Stems to one levelled stereo sound."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio import Sound
from acestep_mcp.engines.draft.render import RATE
from acestep_mcp.engines.draft.score import Score, Stem


def mixed(stems: Mapping[Stem, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The stems summed."""
    return np.asarray(sum(stems.values()), dtype=np.float32)


def master(samples: NDArray[np.float32], score: Score) -> Sound:
    """The finished song."""
    peak = float(np.abs(samples).max()) or 1.0
    pcm = np.round(samples * (0.7 / peak) * 32767).astype(np.int32) << 16
    return Sound(pcm, RATE, 16)
