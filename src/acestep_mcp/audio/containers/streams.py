"""Ogg files: where one chain of streams ends and the next song, which was joined to it, begins."""

from __future__ import annotations

import math
import mmap

from acestep_mcp.audio.containers.parts import AudioPart, ByteSpan
from acestep_mcp.audio.containers.search import next_song
from acestep_mcp.audio.tags import ogg

_HEAD = 27
_FIRST_PAGE, _LAST_PAGE = 2, 4
_MOST_FALSE_PAGES = 500
"""First pages with a wrong check sum, of which a damaged file has a few: each takes time to check."""
_LARGEST_FIRST = 1024
_PAGE_BYTES = 2 * 65536


def link(data: mmap.mmap, start: int) -> AudioPart:
    """The link of an Ogg chain that begins at `start` (RFC 3533: its streams begin side by side), up to the next."""
    position, tracks = start, 0
    while is_first_page(data, position):
        tracks += _rate(data[position : position + 128]) > 0
        position += page_size(data, position)
    joined = _next_link(data, position)
    end = _last_page_end(data, position, joined)
    return AudioPart((ByteSpan(start, end),), end, missing=_cut_off(data, start, end), tracks=max(1, tracks))


def _next_link(data: mmap.mmap, start: int) -> int:
    """Where the next song begins; a first page counts by its check sum."""
    end = next_song(data, start)
    for _ in range(_MOST_FALSE_PAGES):
        if data[end : end + 4] != b"OggS" or is_first_page(data, end):
            return end
        end = next_song(data, end + 1)
    return len(data)


def _last_page_end(data: mmap.mmap, start: int, end: int) -> int:
    """Where the pages end; `end` where one of them is damaged or cut off."""
    position = start
    while (size := page_size(data, position)) and position + size <= end:
        position += size
    return position if data.find(b"OggS\0", position, end) < 0 else end


def is_first_page(data: mmap.mmap, position: int) -> bool:
    """Whether a whole first page of a stream lies there, by its check sum."""
    if data[position : position + 5] != b"OggS\0" or not data[position + 5 : position + 6][0] & _FIRST_PAGE:
        return False
    size = page_size(data, position)
    if not 0 < size <= _LARGEST_FIRST or position + size > len(data):
        return False
    page = data[position : position + size]
    stated = int.from_bytes(page[22:26], "little")
    return ogg.checksum(page[:22] + bytes(4) + page[26:]) == stated


def page_size(data: mmap.mmap, position: int) -> int:
    """Bytes of the page there, as its head states them; 0 where that is cut off."""
    head = data[position : position + _HEAD]
    if len(head) < _HEAD or head[:5] != b"OggS\0":
        return 0
    segments = data[position + _HEAD : position + _HEAD + head[26]]
    return _HEAD + head[26] + sum(segments) if len(segments) == head[26] else 0


def _cut_off(data: mmap.mmap, start: int, end: int) -> float:
    """Seconds that are missing behind the last page that begins before `end`; infinite where that is unknown.

    Only a page that says it is the stream's last tells how much it would have held.
    """
    last = data.rfind(b"OggS\0", max(start, end - _PAGE_BYTES), end)
    if last < 0:
        return math.inf
    size = page_size(data, last)
    if size and last + size <= end:
        return 0.0
    before = data.rfind(b"OggS\0", max(start, last - _PAGE_BYTES), last)
    is_last = data[last + 5 : last + 6] not in (b"", b"\0") and bool(data[last + 5] & _LAST_PAGE)
    if before < 0 or not is_last or len(data) < last + 14:
        return math.inf
    frames = _granule(data, last) - _granule(data, before)
    rate = _rate(data[start : start + 128])
    return frames / rate if rate and frames >= 0 else math.inf


def _granule(data: mmap.mmap, page: int) -> int:
    return int.from_bytes(data[page + 6 : page + 14], "little", signed=True)


def _rate(first_page: bytes) -> int:
    """The sample rate that a stream's positions count in; 0 for a codec that is not known here."""
    packet = first_page[_HEAD + first_page[26] :] if len(first_page) > _HEAD else b""
    if packet.startswith(b"OpusHead"):
        return 48_000
    if packet.startswith(b"\x01vorbis"):
        return int.from_bytes(packet[12:16], "little")
    if packet.startswith(b"\x7fFLAC"):
        return int.from_bytes(packet[27:30], "big") >> 4
    return 0
