"""Left-aligned integer samples: from floats, and rounded to fewer bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

HEADROOM = 10 ** (-0.1 / 20)
"""The peak of what is turned down: 0.1 dB under full scale, so that it does not look clipped."""


def quantised(samples: NDArray[np.floating], bits: int) -> NDArray[np.int32]:
    """Floats (full scale 1.0) as left-aligned integers: rounded half to even, clipped, not-a-number is silence."""
    # Single precision holds every integer of 24 bits, and scaling by a power of two is exact.
    steps = np.float32(2 ** (bits - 1)) if samples.dtype == np.float32 else np.float64(2 ** (bits - 1))
    scaled = samples * steps
    if not np.isfinite(np.min(scaled, initial=0)) or not np.isfinite(np.max(scaled, initial=0)):
        scaled = np.nan_to_num(scaled, nan=0.0, posinf=float(steps), neginf=-float(steps))
    np.rint(scaled, out=scaled)
    np.clip(scaled, -steps, steps - 1, out=scaled)
    whole: NDArray[np.int32] = scaled.astype(np.int32)
    whole <<= np.int32(32 - bits)
    return whole


def rounded(pcm: NDArray[np.int32], bits: int) -> NDArray[np.int32]:
    """Left-aligned integers at a depth of `bits`: half steps go up, full scale stays full scale."""
    shift = 32 - bits
    if not np.any(pcm & np.int32((1 << shift) - 1)):
        return pcm
    highest = np.int32(2**31 - 2 ** (shift - 1) - 1)
    return (np.minimum(pcm, highest) + np.int32(1 << (shift - 1))) >> shift << shift
