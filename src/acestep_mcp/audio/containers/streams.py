"""FLAC and Ogg files: where one stream ends and the next, which was joined to it, begins."""

from __future__ import annotations

import math
import mmap

from acestep_mcp.audio.containers.parts import AudioPart, ByteSpan
from acestep_mcp.audio.containers.search import first
from acestep_mcp.audio.tags import id3, ogg

_FLAC = (b"fLaC\0\0\0\x22", b"fLaC\x80\0\0\x22")
_MOST_BLOCKS = 500
_HEAD = 27
_FIRST_PAGE, _LAST_PAGE = 2, 4
_LARGEST_FIRST = 1024
_FIRST_PAGES = (b"OggS\0\2", b"OggS\0\6")
_PAGE_BYTES = 2 * 65536


def flac(data: mmap.mmap, start: int) -> AudioPart:
    """The FLAC stream that begins at `start`, up to the next one or the end of the data."""
    frames = _first_frame(data, start)
    end = first(data, frames, _FLAC, lambda _: True)
    return AudioPart((ByteSpan(start, _before_tag(data, frames, end)),), end)


def _first_frame(data: mmap.mmap, start: int) -> int:
    """Where the metadata ends, whose pictures may hold anything."""
    position = start + 4
    for _ in range(_MOST_BLOCKS):
        head = data[position : position + 4]
        if len(head) < 4:
            break
        position += 4 + int.from_bytes(head[1:], "big")
        if head[0] & 0x80:
            break
    return min(position, len(data))


def _before_tag(data: mmap.mmap, start: int, end: int) -> int:
    """`end`, or where the ID3 tag begins that lies directly before it."""
    at = data.rfind(b"ID3", max(start, end - id3.LARGEST), end) if end < len(data) else -1
    return at if at >= 0 and at + id3.tag_length(data[at : at + id3.HEADER]) == end else end


def link(data: mmap.mmap, start: int) -> AudioPart:
    """The link of an Ogg chain that begins at `start` (RFC 3533: its streams begin side by side), up to the next."""
    position = start
    while is_first_page(data, position):
        position += page_size(data, position)
    end = first(data, position, _FIRST_PAGES, lambda at: is_first_page(data, at))
    return AudioPart((ByteSpan(start, end),), end, missing=_cut_off(data, start, end))


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
