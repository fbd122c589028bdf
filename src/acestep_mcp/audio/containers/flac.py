"""FLAC streams: where one ends, which its head does not say, and the next song begins."""

from __future__ import annotations

import mmap
import re

from acestep_mcp.audio.containers import mp3
from acestep_mcp.audio.containers.parts import AudioPart, ByteSpan
from acestep_mcp.audio.containers.search import next_song
from acestep_mcp.audio.tags import id3

_MOST_BLOCKS = 500
_LARGEST_FRAME = 2**17
_NEAR = 2**20
_APE = b"APETAGEX"


def part(data: mmap.mmap, start: int) -> AudioPart:
    """The FLAC stream that begins at `start`, up to the next song, a tag behind its last frame, or the end of the data."""
    frames = _first_frame(data, start)
    joined = next_song(data, frames)
    last = _last_frame(data, start, frames, joined)
    if last is None:
        end = joined
    else:
        # libFLAC looks through all that follows the last frame for another one.
        end = min(_end(data, last, joined), last + (_stated_largest(data, start) or _LARGEST_FRAME))
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


def _stated_largest(data: mmap.mmap, start: int) -> int:
    """Bytes of the largest frame; 0 where the encoder did not say it."""
    return int.from_bytes(data[start + 15 : start + 18], "big")


def _last_frame(data: mmap.mmap, start: int, frames: int, end: int) -> int | None:
    """Where the last frame begins, by its number (RFC 9639, 9.1); None where the blocks vary or no length is stated."""
    info = data[start + 8 : start + 26]
    block = int.from_bytes(info[:2], "big")
    samples = int.from_bytes(info[13:18], "big") & 0xFFFFFFFFF
    if len(info) < 18 or not block or not samples or info[:2] != info[2:4]:
        return None
    number = coded((samples - 1) // block)
    head = re.compile(rb"\xff\xf8[\0-\xff]{2}" + re.escape(number))
    for begin in (max(frames, end - _NEAR), frames):  # at the end of nearly all files
        for found in head.finditer(data, begin, end):
            # The block size and the sample rate may follow, then the check sum.
            if any(not _crc8(data[found.start() : found.end() + more]) for more in range(1, 6)):
                return found.start()
    return None


def coded(number: int) -> bytes:
    """A frame's number of up to 36 bits, as UTF-8 would code it as a character."""
    if number < 0x80:
        return bytes([number])
    length = next(length for length in range(2, 8) if number < 1 << (5 * length + 1))
    lead = 0xFF00 >> length & 0xFF | number >> 6 * (length - 1)
    return bytes([lead, *(0x80 | number >> 6 * place & 0x3F for place in range(length - 2, -1, -1))])


def _crc8(head: bytes) -> int:
    crc = 0
    for byte in head:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc


def _end(data: mmap.mmap, last: int, end: int) -> int:
    """Where something else follows the last frame: MP3 frames or a tag. `end` where nothing does."""
    near = min(end, last + _LARGEST_FRAME)
    found = [mp3.first_frame(data, last + 2, near), data.find(_APE, last, near)]
    at = data.find(b"ID3", last, near)
    while at >= 0 and not id3.tag_length(data[at : at + id3.HEADER]):
        at = data.find(b"ID3", at + 1, near)
    return min((place for place in (*found, at) if place is not None and place >= 0), default=end)


def _before_tag(data: mmap.mmap, start: int, end: int) -> int:
    """`end`, or where the ID3 tag begins that lies directly before it."""
    at = data.rfind(b"ID3", max(start, end - id3.LARGEST), end) if end < len(data) else -1
    return at if at >= 0 and at + id3.tag_length(data[at : at + id3.HEADER]) == end else end
