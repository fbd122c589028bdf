"""White noise that is the same everywhere, without NumPy's random module, which takes longer to load than a voice to sing."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray


def white_noise(count: int, seed: int | random.Random) -> NDArray[np.float32]:
    """`count` numbers of power 1, evenly spread between -1.73 and 1.73. Draws from the stream if one is given."""
    stream = random.Random(seed) if isinstance(seed, int) else seed
    return np.frombuffer(stream.randbytes(2 * count), "<i2").astype(np.float32) * np.float32(3**0.5 / 32768)
