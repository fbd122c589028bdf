"""Sample rates, in blocks: the memory that it takes does not grow with the length of the song."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

_BLOCK = 65_536


def resampled(blocks: Iterable[NDArray[Any]], old: int, new: int, channels: int) -> Iterator[NDArray[Any]]:
    """The same sound [frames, channels] at another rate; the type of the samples stays."""
    stream: soxr.ResampleStream | None = None
    for block in blocks:
        if stream is None:
            stream = soxr.ResampleStream(old, new, channels, dtype=block.dtype)
        yield stream.resample_chunk(block).reshape(-1, channels)
    if stream is not None:
        yield stream.resample_chunk(np.empty((0, channels), block.dtype), last=True).reshape(-1, channels)


def resampled_array(samples: NDArray[Any], old: int, new: int) -> NDArray[Any]:
    """`resampled` for samples [frames, channels] in one array."""
    blocks = resampled(blocks_of(samples), old, new, samples.shape[1])
    return collected(blocks, len(samples) * new // old + 1, like=samples)


def blocks_of(samples: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """An array in blocks."""
    for start in range(0, len(samples), _BLOCK):
        yield samples[start : start + _BLOCK]


def collected(blocks: Iterable[NDArray[Any]], most: int, like: NDArray[Any]) -> NDArray[Any]:
    """The blocks in one array [at most `most` frames, channels] with the channels and type of `like`."""
    result = np.empty((most, *like.shape[1:]), like.dtype)
    taken = 0
    for block in blocks:
        result[taken : taken + len(block)] = block
        taken += len(block)
    return result[:taken]
