"""The length of an MP3 file by its frame headers (ISO 11172-3, 2.4.1.3), without decoding.

libsndfile estimates the length of a variable-rate file that does not state it, and stops decoding there.
"""

from __future__ import annotations

import io
import mmap
import struct
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

from acestep_mcp.audio.tags import id3

_MOST_FRAMES = 1_000_000
_SEARCH_BYTES, _MOST_SEARCHED = 2**16, 2**20
_INFO_BIT_RATE = 9
_KBPS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


@dataclass(frozen=True, slots=True)
class Stream:
    """`frames` are complete ones that hold audio; `stated` is how many the file's info frame promises, if it has one."""

    start: int
    header: int
    frames: int
    stated: int | None

    @property
    def frame_samples(self) -> int:
        return 1152 if _is_mpeg1(self.header) else 576

    @property
    def samples(self) -> int:
        return self.frames * self.frame_samples

    @property
    def missing(self) -> int:
        """Samples that the info frame promises and the file does not have."""
        return max(0, (self.stated or 0) - self.frames) * self.frame_samples


def walk(file: BinaryIO) -> Stream | None:
    """The layer III frames of an MP3 file; None when it has none, or none of a known length."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        position = start = _next_frame(data, _after_tags(data), None)
        header = _header(data, start)
        if not _length(header >> 9):
            return None
        stated = _stated(data, start, header)
        frames, searched = 0 if stated is None else -1, 0
        while frames < _MOST_FRAMES and searched < _MOST_SEARCHED:
            length = _length(_header(data, position) >> 9)
            if length and position + length <= len(data):
                frames += 1
                position += length
            else:
                following = _next_frame(data, position + 1, header)
                if following >= len(data):
                    break
                searched += following - position
                position = following
        return Stream(start, header, frames, stated)


class WithLength(io.RawIOBase):
    """An MP3 file for libsndfile that begins with an info frame stating its length."""

    def __init__(self, file: BinaryIO, stream: Stream) -> None:
        super().__init__()
        self._file = file
        self._lead = _info_frame(stream)
        self._start = stream.start
        self._size = len(self._lead) + file.seek(0, 2) - stream.start
        self._position = 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        view = memoryview(buffer).cast("B")
        content = self._lead[self._position : self._position + len(view)]
        if len(content) < len(view):
            self._file.seek(self._start + max(0, self._position - len(self._lead)))
            content += self._file.read(len(view) - len(content))
        view[: len(content)] = content
        self._position += len(content)
        return len(content)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = max(0, offset + (0, self._position, self._size)[whence])
        return self._position

    def tell(self) -> int:
        return self._position

    def close(self) -> None:
        self._file.close()
        super().close()


def _after_tags(data: mmap.mmap) -> int:
    position = 0
    while length := id3.tag_length(data[position : position + id3.HEADER]):
        position += length
    return position


def _next_frame(data: mmap.mmap, start: int, like: int | None) -> int:
    """Offset of the next frame that is followed by another or by the end; the file's length when none is near."""
    end = min(len(data), start + _SEARCH_BYTES)
    position = start
    while (position := data.find(b"\xff", position, end)) >= 0:
        header = _header(data, position)
        length = _length(header >> 9)
        if length and (like is None or _is_alike(header, like)):
            following = position + length
            if following >= len(data) or _length(_header(data, following) >> 9):
                return position
        position += 1
    return len(data)


def _header(data: mmap.mmap, position: int) -> int:
    return int.from_bytes(data[position : position + 4].ljust(4, b"\0"), "big")


def _is_alike(header: int, other: int) -> bool:
    """Same version, layer and sample rate."""
    return (header ^ other) & 0xFFFE0C00 == 0


def _is_mpeg1(header: int) -> bool:
    return header >> 19 & 3 == 3


@cache
def _length(top: int) -> int:
    """Bytes of a frame, by the upper 23 bits of its header; 0 when it is not a layer III header, or has free format."""
    version, layer, bit_rate, rate = top >> 10 & 3, top >> 8 & 3, top >> 3 & 15, top >> 1 & 3
    if top >> 12 != 0x7FF or version == 1 or layer != 1 or rate == 3:
        return 0
    kbps = _KBPS[version == 3][bit_rate]
    return (144 if version == 3 else 72) * kbps * 1000 // _RATES[version][rate] + (top & 1) if kbps else 0


def _side_bytes(header: int) -> int:
    """Bytes of side information, after which an info frame has its mark."""
    is_mono = header >> 6 & 3 == 3
    if _is_mpeg1(header):
        return 17 if is_mono else 32
    return 9 if is_mono else 17


def _stated(data: mmap.mmap, start: int, header: int) -> int | None:
    """The frame count of a Xing, Info or VBRI frame; None when the first frame is not one or does not give it."""
    mark = start + 4 + _side_bytes(header)
    if data[mark : mark + 4] in (b"Xing", b"Info") and data[mark + 7 : mark + 8] > b"\0" and data[mark + 7] & 1:
        return int.from_bytes(data[mark + 8 : mark + 12], "big")
    if data[start + 36 : start + 40] == b"VBRI":
        return int.from_bytes(data[start + 50 : start + 54], "big")
    return None


def _info_frame(stream: Stream) -> bytes:
    header = stream.header & ~0xF200 | 0x10000 | _INFO_BIT_RATE << 12
    head = struct.pack(">I", header) + bytes(_side_bytes(header))
    return (head + struct.pack(">4sII", b"Xing", 1, stream.frames)).ljust(_length(header >> 9), b"\0")
