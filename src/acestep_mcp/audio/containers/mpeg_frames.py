"""The frame headers of MPEG audio (ISO 11172-3, 2.4.1.3), and the tags that lie between frames."""

from __future__ import annotations

import mmap
import re
from functools import lru_cache
from typing import NamedTuple

from acestep_mcp.audio.tags import id3

HEADER = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff](?=[\x10-\xef])")
LAYER_III = 1
_MOST_TAGS = 1000
_KBPS = {
    (True, 3): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448, 0),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 0),
    (True, 1): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    (False, 3): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256, 0),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
    (False, 1): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
"""Kilobits a second for MPEG-1 (True) and 2, and layer I (3), II (2) and III (1), as headers number them."""
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_FREE_FORMAT = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\0-\xef]")
_NOT_ZERO = re.compile(rb"[^\0]")
_APE, _APE_HEAD = b"APETAGEX", 32


class FrameHeader(NamedTuple):
    """`length` is in bytes. `side` is how many bytes behind the frame's start an info frame has its mark.

    `likeness` is equal for headers that one stream can have: version, layer, sample rate, one channel or two, and of
    layers I and II the bit rate, since no info frame can state their length.
    """

    bits: int
    length: int
    samples: int
    sample_rate: int
    layer: int
    side: int
    likeness: int


def header_at(data: mmap.mmap, position: int) -> FrameHeader | None:
    """The header there; None when there is none, or one of free format, whose length is not known."""
    return header_of(int.from_bytes(data[position : position + 4], "big"))


@lru_cache(maxsize=4096)
def header_of(bits: int) -> FrameHeader | None:
    """`header_at` for the header's 32 bits."""
    version, layer, bit_rate, rate = bits >> 19 & 3, bits >> 17 & 3, bits >> 12 & 15, bits >> 10 & 3
    if bits >> 21 != 0x7FF or version == 1 or layer == 0 or rate == 3:
        return None
    is_1, is_mono, padding = version == 3, bits >> 6 & 3 == 3, bits >> 9 & 1
    bits_per_second, sample_rate = _KBPS[is_1, layer][bit_rate] * 1000, _RATES[version][rate]
    if not bits_per_second:
        return None
    if layer == 3:
        samples, length = 384, (12 * bits_per_second // sample_rate + padding) * 4
    else:
        samples = 1152 if is_1 or layer == 2 else 576
        length = samples // 8 * bits_per_second // sample_rate + padding
    side = (17 if is_mono else 32) if is_1 else (9 if is_mono else 17)
    mask = 0xFFFE0C00 if layer == LAYER_III else 0xFFFEFC00
    return FrameHeader(bits, length, samples, sample_rate, layer, 4 + side, (bits & mask) | is_mono)


def is_header(data: mmap.mmap, start: int) -> bool:
    """Whether a frame's header lies there, also one of free format."""
    head = data[start : start + 3]
    return _FREE_FORMAT.match(head) is not None and head[2] & 0x0C != 0x0C


def is_info(data: mmap.mmap, start: int, header: FrameHeader) -> bool:
    """Whether the frame holds no audio, but says how many frames follow (Xing, Info or VBRI)."""
    if header.layer != LAYER_III:
        return False
    mark = start + header.side
    return data[mark : mark + 4] in (b"Xing", b"Info") or data[start + 36 : start + 40] == b"VBRI"


def is_padding(data: mmap.mmap, position: int) -> bool:
    """Whether a tag or zeros lie there."""
    head = data[position : position + id3.HEADER]
    return head[:4] == bytes(4) or head[:3] == b"TAG" or head[:8] == _APE or id3.tag_length(head) > 0


def after_padding(data: mmap.mmap, start: int) -> int:
    """Where the tags (ID3, APE) and zeros at `start` end."""
    position = start
    for _ in range(_MOST_TAGS):
        length = _padding(data, position)
        if not length or position + length > len(data) + id3.OLD_LENGTH:
            break
        position += length
    return min(position, len(data))


def _padding(data: mmap.mmap, position: int) -> int:
    """Bytes of the one tag, or the zeros, that lie there."""
    head = data[position : position + _APE_HEAD]
    if head[:1] == b"\0":
        found = _NOT_ZERO.search(data, position)
        return (found.start() if found else len(data)) - position
    if head[:8] == _APE and len(head) == _APE_HEAD:
        is_head = head[23] & 0xA0 == 0xA0  # and not the foot, which is the same
        return _APE_HEAD + (int.from_bytes(head[12:16], "little") if is_head else 0)
    return id3.OLD_LENGTH if head[:3] == b"TAG" else id3.tag_length(head)
