"""The tables of SoundFont 2 files: where they lie, and their rows."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

Places = dict[bytes, tuple[int, int]]
"""Where each chunk of a file begins, and its size."""

COMPRESSED = (
    "is a SoundFont 3, whose samples are compressed: the renderer plays SoundFont 2. `sf3convert -x` makes one of it"
)
INSTRUMENT_OF_ZONE, SAMPLE_OF_ZONE = 41, 53
"""The generators that name the instrument of a preset's zone, and the sample of an instrument's."""
_GENERATOR = [("operator", "<u2"), ("amount", "<i2")]
_BAG = [("first", "<u2"), ("modulator", "<u2")]
TABLES = {
    b"phdr": [("name", "S20"), ("number", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("unused", "V12")],
    b"pbag": _BAG, b"pgen": _GENERATOR, b"inst": [("name", "S20"), ("bag", "<u2")], b"ibag": _BAG, b"igen": _GENERATOR,
    b"shdr": [
        ("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"), ("rate", "<u4"),
        ("tuning", "V2"), ("link", "<u2"), ("type", "<u2"),
    ],
}  # fmt: skip


def table(font: bytes, places: Places, name: bytes) -> NDArray[Any]:
    import numpy as np

    start, size = places[name]
    row = np.dtype(TABLES[name])
    return np.frombuffer(font, row, size // row.itemsize, start)


def chunks_of(font: bytes) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Name, place and size of each chunk inside the lists of a RIFF file."""
    for name, (start, size) in _chunks(font, 12, len(font)):
        if name == b"LIST":
            yield from _chunks(font, start + 4, start + size)


def _chunks(font: bytes, start: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    while start + 8 <= end:
        name, size = struct.unpack_from("<4sI", font, start)
        yield name, (start + 8, size)
        start += 8 + size + size % 2
