"""Writes PNG files, without a library for pictures."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PALETTE = 3


def png(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """A picture of palette indices [rows, columns] with the colours [at most 256, 3]."""
    rows, columns = pixels.shape
    # Each row differs little from the one above it, which filter 2 stores as differences.
    above = np.vstack([np.zeros((1, columns), np.uint8), pixels[:-1]])
    filtered = np.hstack([np.full((rows, 1), 2, np.uint8), pixels - above])
    plain = np.hstack([np.zeros((rows, 1), np.uint8), pixels])
    smallest = min((zlib.compress(data.tobytes(), 9) for data in (filtered, plain)), key=len)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, _PALETTE, 0, 0, 0)),
            _chunk(b"PLTE", palette.astype(np.uint8).tobytes()),
            _chunk(b"IDAT", smallest),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
