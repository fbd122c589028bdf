"""The pages of an Ogg file (RFC 3533): find the comment packet, and copy a file with another one.

Knows Vorbis (three header packets) and Opus (two); the audio packets are copied as they are, but a header of
another length renumbers every page, and each page carries a check sum.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import BinaryIO

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.tags import vorbis

_HEAD = struct.Struct("<4sBBqIIIB")
_CONTINUED, _FIRST = 1, 2
_MOST_HEADER_PAGES = 400
_MOST_SEGMENTS = 255
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_BROKEN = "Not an Ogg file with one Vorbis or Opus stream, or it is broken."


@dataclass(frozen=True, slots=True)
class OggPage:
    kind: int
    granule: int
    serial: int
    number: int
    segments: bytes
    body: bytes

    def packed(self) -> bytes:
        head = _HEAD.pack(b"OggS", 0, self.kind, self.granule, self.serial, self.number, 0, len(self.segments))
        page = head + self.segments + self.body
        return page[:22] + struct.pack("<I", checksum(page)) + page[26:]


def checksum(page: bytes) -> int:
    """Ogg's CRC-32: zlib's polynomial with the bits of every byte, and of the result, reversed."""
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def pages(file: BinaryIO) -> Iterator[OggPage]:
    """The pages from the file's start; raises InvalidRequest at anything that is not a page."""
    file.seek(0)
    while head := file.read(_HEAD.size):
        if len(head) < _HEAD.size or head[:5] != b"OggS\0":
            raise InvalidRequest(_BROKEN)
        _, _, kind, granule, serial, number, _, count = _HEAD.unpack(head)
        segments = file.read(count)
        size = sum(segments)
        body = file.read(size)
        if len(segments) < count or len(body) < size:
            raise InvalidRequest(_BROKEN)
        yield OggPage(kind, granule, serial, number, segments, body)


def is_cut(file: BinaryIO) -> bool:
    """True when the file's last page is incomplete, as after an interrupted download or copy."""
    size = file.seek(0, 2)
    start = max(0, size - 2 * 65536)
    file.seek(start)
    tail = file.read()
    last = tail.rfind(b"OggS\0")
    if last < 0 or last + _HEAD.size > len(tail):
        return True
    count = tail[last + 26]
    segments = tail[last + 27 : last + 27 + count]
    return len(segments) < count or last + 27 + count + sum(segments) > len(tail)


def decode(file: BinaryIO) -> dict[str, str]:
    """Our fields of the first stream's comment packet."""
    packets, _ = _headers(pages(file))
    return vorbis.decode(_comment(packets))


def retag(source: BinaryIO, target: BinaryIO, fields: Mapping[str, str], *, serial: int | None = None) -> None:
    """Copy an Ogg file with these fields; audio packets stay byte for byte.

    `serial` replaces the stream's number, which encoders draw at random: with it, equal songs are equal files.
    Raises InvalidRequest when the source is broken or holds several streams at once.
    """
    found = pages(source)
    packets, taken = _headers(found)
    packets[1] = _with_fields(packets, fields)
    old = taken[0].serial
    new = old if serial is None else serial
    heads = list(_paged(packets, new))
    target.writelines(page.packed() for page in heads)
    shift = len(heads) - len(taken)
    for page in found:
        number = page.number + shift & 0xFFFFFFFF
        ours = page.serial == old
        target.write((replace(page, serial=new, number=number) if ours else page).packed())


def _headers(found: Iterator[OggPage]) -> tuple[list[bytes], list[OggPage]]:
    """The header packets and the pages they were on; `found` then stands at the first audio page."""
    taken: list[OggPage] = []
    packets: list[bytes] = []
    wanted, open_packet = 1, bytearray()
    for page in found:
        taken.append(page)
        if page.serial != taken[0].serial or len(taken) > _MOST_HEADER_PAGES:
            break
        packets += _packets(page, open_packet)
        if packets:
            wanted = _header_count(packets[0])
        if len(packets) >= wanted:
            break
    if not packets or len(packets) != wanted or open_packet:
        raise InvalidRequest(_BROKEN)
    return packets, taken


def _packets(page: OggPage, begun: bytearray) -> list[bytes]:
    """The packets that end on this page; `begun` is the packet that is not complete, before and after it."""
    whole: list[bytes] = []
    position = 0
    for length in page.segments:
        begun += page.body[position : position + length]
        position += length
        if length < _MOST_SEGMENTS:
            whole.append(bytes(begun))
            begun.clear()
    return whole


def _header_count(identification: bytes) -> int:
    if identification.startswith(b"\x01vorbis"):
        return 3
    if identification.startswith(b"OpusHead"):
        return 2
    raise InvalidRequest(_BROKEN)


def _comment(packets: list[bytes]) -> bytes:
    for lead in (b"\x03vorbis", b"OpusTags"):
        if packets[1].startswith(lead):
            return packets[1][len(lead) :]
    raise InvalidRequest(_BROKEN)


def _with_fields(packets: list[bytes], fields: Mapping[str, str]) -> bytes:
    old = _comment(packets)
    block = vorbis.encode(fields, vorbis.lines(old)[0], vorbis.foreign(old))
    return b"OpusTags" + block if packets[1].startswith(b"OpusTags") else b"\x03vorbis" + block + b"\x01"


def _paged(packets: list[bytes], serial: int) -> Iterator[OggPage]:
    """Header pages: the identification alone on the first, as both formats demand, the rest filled up."""
    yield OggPage(_FIRST, 0, serial, 0, _lacing(packets[0]), packets[0])
    segments = b"".join(_lacing(packet) for packet in packets[1:])
    body = b"".join(packets[1:])
    position, continued = 0, 0
    for number, start in enumerate(range(0, len(segments), _MOST_SEGMENTS), start=1):
        part = segments[start : start + _MOST_SEGMENTS]
        end = position + sum(part)
        ends_one = any(length < _MOST_SEGMENTS for length in part)
        yield OggPage(continued, 0 if ends_one else -1, serial, number, part, body[position:end])
        position, continued = end, _CONTINUED if part[-1] == _MOST_SEGMENTS else 0


def _lacing(packet: bytes) -> bytes:
    return b"\xff" * (len(packet) // _MOST_SEGMENTS) + bytes([len(packet) % _MOST_SEGMENTS])
