"""MP4, Matroska and ASF: where one file ends and the next, which was joined to it, begins."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from typing import NamedTuple

from acestep_mcp.audio.containers.parts import Part, Span, Unreadable
from acestep_mcp.audio.containers.search import first

_EBML = b"\x1a\x45\xdf\xa3"
_DOC_TYPE = re.compile(rb"\x42\x82.(?:webm|matroska)")
_ASF = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"
_MOST_BOXES = 100_000
_LARGEST_TABLES = 16 * 2**20
_MOST_SAMPLES = 4_000_000
_TABLE = re.compile(rb"(stsz|stz2|trun)")
_EACH_ITS_OWN = re.compile(rb"stts\0{4}\0\0\0\x01[\0-\xff]{4}\0\0\0\x01")


class Box(NamedTuple):
    name: bytes
    start: int
    end: int


def parts(data: mmap.mmap, start: int, demuxer: str) -> list[Part]:
    """The files that were joined, as FFmpeg's demuxer of that name takes them one at a time. Raises Unreadable."""
    begins = [start]
    if demuxer == "mov":
        begins = _mp4(data, start)
    elif demuxer in ("matroska", "asf"):
        mark = _EBML if demuxer == "matroska" else _ASF
        while (at := first(data, begins[-1] + 1, (mark,), lambda at: mark == _ASF or _is_ebml(data, at))) < len(data):
            begins.append(at)
            if len(begins) > 100:
                raise Unreadable("consists of more than 100 files that were joined")
    ends = [*begins[1:], len(data)]
    return [Part((Span(begin, end),), end) for begin, end in zip(begins, ends, strict=True)]


def _is_ebml(data: mmap.mmap, at: int) -> bool:
    return _DOC_TYPE.search(data, at, at + 64) is not None


def _mp4(data: mmap.mmap, start: int) -> list[int]:
    """Where the files begin: at the first box, and at each later one that is a file type and has a movie behind it."""
    found, samples, has_movie = [start], 0, False
    for box in _boxes(data, start):
        if box.name == b"ftyp" and has_movie:
            found.append(box.start)
            has_movie = False
        if box.name in (b"moov", b"moof"):
            has_movie = True
            samples += _samples(data, box)
    if samples > _MOST_SAMPLES:
        raise Unreadable(f"claims to hold {samples} samples")
    return found


def _boxes(data: mmap.mmap, start: int) -> Iterator[Box]:
    position = start
    for _ in range(_MOST_BOXES):
        head = data[position : position + 16]
        if len(head) < 8:
            return
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        end = position + size if size >= 8 else len(data)
        yield Box(head[4:8], position, min(end, len(data)))
        position = end


def _samples(data: mmap.mmap, box: Box) -> int:
    """How many samples the tables of a movie claim, each of which takes FFmpeg 24 bytes. Raises Unreadable.

    Of samples that last one frame each, as PCM has, FFmpeg counts the chunks instead.
    """
    if box.end - box.start > _LARGEST_TABLES:
        raise Unreadable(f"has a table of contents of over {_LARGEST_TABLES >> 20} MiB")
    found = 0
    content = data[box.start : box.end]
    uncounted = len(_EACH_ITS_OWN.findall(content))
    for table in _TABLE.finditer(content):
        at = table.end() + (4 if table[1] == b"trun" else 8)
        count = int.from_bytes(content[at : at + 4], "big")
        if count > _MOST_SAMPLES // 4 and uncounted and table[1] == b"stsz":
            uncounted -= 1
        else:
            found += count
    return found
