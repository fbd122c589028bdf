"""Find where a file that was joined to another one begins."""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable, Iterator, Sequence

_FIRST_WINDOW, _LARGEST_WINDOW = 2**9, 2**20
_MOST_CANDIDATES = 20_000
_MARKS = (b"RIFF", b"RF64", b"BW64", b"riff\x2e\x91", b"FORM", b".snd\0\0", b"caff\0\1", b"fLaC", b"OggS\0")
_SONG = re.compile(
    rb"(?:RIFF|RF64|BW64)[\0-\xff]{4}WAVE|riff\x2e\x91\xcf\x11\xa5\xd6|FORM[\0-\xff]{4}AIF[FC]"
    rb"|\.snd\0\0[\0-\xff]{6}\0\0\0|caff\0\x01\0\0|fLaC[\0\x80]\0\0\x22|OggS\0[\x02\x06]"
)


def is_song(data: mmap.mmap, position: int) -> bool:
    """Whether a file in a format with a mark of its own begins there: any that is read but MP3."""
    return bool(_SONG.match(data, position))


def next_song(data: mmap.mmap, start: int, end: int | None = None, mark: bytes = b"") -> int:
    """Where the next such file begins, or one with that mark; `end` (or of the data) when there is none."""
    marks = (mark,) if mark else _MARKS
    return first(data, start, marks, lambda position: is_song(data, position), end)


def first(
    data: mmap.mmap, start: int, marks: Sequence[bytes], is_right: Callable[[int], bool], end: int | None = None
) -> int:
    """The first place of one of the marks that is right; `end` (or of the data) when there is none.

    The time is bounded by the size of the data, however many places have a mark and are not right.
    """
    end = len(data) if end is None else end
    candidates = _places(data, start, end, marks)
    for _, position in zip(range(_MOST_CANDIDATES), candidates, strict=False):
        if is_right(position):
            return position
    return end


def _places(data: mmap.mmap, start: int, end: int, marks: Sequence[bytes]) -> Iterator[int]:
    """In windows that grow, so that neither marks that are rare nor those that are dense make it slow."""
    longest = max(map(len, marks))
    window, size = start, _FIRST_WINDOW
    while window < end:
        stop = min(end, window + size)
        found: list[int] = []
        for mark in marks:
            position = window - 1
            while len(found) <= _MOST_CANDIDATES:
                position = data.find(mark, position + 1, min(len(data), stop + longest - 1))
                if not window <= position < stop:
                    break
                found.append(position)
        yield from sorted(found)
        window, size = stop, min(2 * size, _LARGEST_WINDOW)
