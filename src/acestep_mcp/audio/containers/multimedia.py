"""Files that FFmpeg decodes: where one ends and the next, which was joined to it, begins."""

from __future__ import annotations

import math
import mmap
import re
from collections.abc import Iterator
from typing import NamedTuple

from acestep_mcp.audio.containers.chunks import is_chunk_name
from acestep_mcp.audio.containers.parts import AudioPart, ByteSpan, Unreadable
from acestep_mcp.audio.containers.search import first

_EBML = b"\x1a\x45\xdf\xa3"
_DOC_TYPE = re.compile(rb"\x42\x82.(?:webm|matroska)")
_MARKS = {
    "matroska": _EBML,
    "asf": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c",
    "amr": b"#!AMR",
    "flv": b"FLV\x01",
    "tta": b"TTA1\x01\x00",
    "dsf": b"DSD \x1c\0\0\0\0\0\0\0",
}
"""The first bytes of the formats of which FFmpeg reads one file, and not what was joined to it."""
_MOST_PARTS = 100
_MOST_BOXES = 100_000
_LARGEST_TABLES = 16 * 2**20
_MOST_SAMPLES = 4_000_000
_TABLE = re.compile(rb"(stsz|stz2|trun)")
_EACH_ITS_OWN = re.compile(rb"stts\0{4}\0\0\0\x01[\0-\xff]{4}\0\0\0\x01")


class Box(NamedTuple):
    name: bytes
    start: int
    end: int


def parts(data: mmap.mmap, start: int, demuxer: str) -> list[AudioPart]:
    """The files that were joined, as FFmpeg's demuxer of that name takes them one at a time. Raises Unreadable."""
    if demuxer == "mov":
        return _mp4(data, start)
    begins, mark = [start], _MARKS.get(demuxer, b"")
    while mark and (at := first(data, begins[-1] + 1, (mark,), lambda at: _is_begin(data, at, mark))) < len(data):
        begins.append(at)
        if len(begins) > _MOST_PARTS:
            raise Unreadable(f"consists of more than {_MOST_PARTS} files that were joined")
    ends = [*begins[1:], len(data)]
    return [AudioPart((ByteSpan(begin, end),), end) for begin, end in zip(begins, ends, strict=True)]


def _is_begin(data: mmap.mmap, at: int, mark: bytes) -> bool:
    return mark != _EBML or _DOC_TYPE.search(data, at, at + 64) is not None


def _mp4(data: mmap.mmap, start: int) -> list[AudioPart]:
    """The files begin at the first box, and at each later one that is a file type and has a movie before it."""
    found: list[AudioPart] = []
    begin, samples, has_movie, end = start, 0, False, start
    for box in _boxes(data, start):
        if not is_chunk_name(box.name):
            break
        if box.name == b"ftyp" and has_movie:
            found.append(AudioPart((ByteSpan(begin, box.start),), box.start))
            begin, has_movie = box.start, False
        if box.name in (b"moov", b"moof"):
            has_movie = True
            samples += _samples(data, box)
        end = box.end
    if samples > _MOST_SAMPLES:
        raise Unreadable(f"claims to hold {samples} samples")
    # Without its movie box a file that breaks off holds nothing that can be decoded.
    missing = math.inf if end > len(data) and not has_movie else 0.0
    end = min(end, len(data)) if has_movie else len(data)
    return [*found, AudioPart((ByteSpan(begin, end),), end, missing=missing)]


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
        yield Box(head[4:8], position, end)
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
