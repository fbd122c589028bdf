"""Random parameters that depend only on their published names: no weights need to be stored."""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import Tensor

_UNSCALED = ("lyric_embs", "embed_tokens")


def parameter(name: str, shape: torch.Size) -> Tensor:
    """Random values for a published parameter, seeded with its name."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("weight_g"):
        value = 0.7 + 0.3 * generator.random(shape)
    elif len(shape) >= 2 and "scale_shift" not in name and "pos_bias" not in name:
        unscaled = name.endswith("shared.weight") or any(part in name for part in _UNSCALED)
        value = generator.standard_normal(shape) / np.sqrt(1 if unscaled else np.prod(shape[1:]))
    elif name.endswith("gamma") or ("norm" in name and name.endswith("weight")):
        value = 1 + 0.1 * generator.standard_normal(shape)
    else:
        value = 0.1 * generator.standard_normal(shape)
    return torch.from_numpy(value.astype(np.float32))
