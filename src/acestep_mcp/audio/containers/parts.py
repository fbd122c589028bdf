"""A part of a file: one song that libsndfile can decode by itself, under a header that is right."""

from __future__ import annotations

import io
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO, NamedTuple


class Unreadable(ValueError):
    """A file that is not read, with the reason as a predicate: "has too many parts"."""


class ByteSpan(NamedTuple):
    """The bytes of a file from `start` to `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class AudioPart:
    """One song in a file, as the bytes that libsndfile is given.

    `seconds` and `missing` are the length that its header states and what of that is not in the file: 0 where that is
    unknown. `end` is where it ends in the file. `is_as_written` when the file itself says the same as `pieces`, apart
    from what follows at `end`; `frames` is how many samples it has, where its own container counts them. Of several `tracks`, which would play at the same time, the first one is read.
    """

    pieces: tuple[bytes | ByteSpan, ...]
    end: int
    seconds: float = 0.0
    missing: float = 0.0
    is_as_written: bool = True
    frames: int | None = None
    tracks: int = 1


class PartFile(io.RawIOBase):
    """The pieces of a part as one file for libsndfile, read from the open file that they lie in."""

    def __init__(self, file: BinaryIO, pieces: tuple[bytes | ByteSpan, ...]) -> None:
        super().__init__()
        self._file = file
        self._pieces = pieces
        sizes = [piece.end - piece.start if isinstance(piece, ByteSpan) else len(piece) for piece in pieces]
        self._starts = [0, *accumulate(sizes)]
        self._position = 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer).cast("B")
        taken = 0
        while taken < len(view):
            content = self._read(len(view) - taken)
            if not content:
                break
            view[taken : taken + len(content)] = content
            taken += len(content)
            self._position += len(content)
        return taken

    def _read(self, most: int) -> bytes:
        """Bytes from the piece at the position; none at the end, or where the file can no longer be read."""
        if self._position >= self._starts[-1]:
            return b""
        number = bisect_right(self._starts, self._position) - 1
        piece, offset = self._pieces[number], self._position - self._starts[number]
        if isinstance(piece, bytes):
            return piece[offset : offset + most]
        try:
            self._file.seek(piece.start + offset)
            return self._file.read(min(most, piece.end - piece.start - offset))
        except OSError:  # an exception cannot pass through libsndfile; the sound breaks off there
            return b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = max(0, offset + (0, self._position, self._starts[-1])[whence])
        return self._position

    def tell(self) -> int:
        return self._position
