"""The streams of an MP3 file by their frame headers (ISO 11172-3, 2.4.1.3), without decoding.

libsndfile takes the first header's length, or an estimate, for the whole file. Here every frame is found: also behind
another stream, tags, zeros, or the rest of a frame that was cut in two.
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from acestep_mcp.audio.containers.parts import Part, Span, Unreadable
from acestep_mcp.audio.tags import id3

_MOST_FRAMES = 1_000_000
_MOST_CANDIDATES = 200_000
_MOST_SPANS = 100_000
_IN_A_ROW = 3
_INFO_BIT_RATE = 9
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
_HEADER = re.compile(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff](?=[\x10-\xef])")
_TOO_DAMAGED = "has too much in it that is no MP3 frame"
_NOT_ZERO = re.compile(rb"[^\0]")
_APE, _APE_HEAD = b"APETAGEX", 32


@dataclass(slots=True)
class Stream:
    """Frames that a decoder can decode in one go.

    `frames` are complete ones that hold audio; `stated` is how many the info frame promises, if there is one that does.
    `lost` are bytes between its frames that are neither frames nor tags.
    """

    header: int
    info: Span | None = None
    stated: int | None = None
    frames: int = 0
    lost: int = 0
    spans: list[Span] = field(default_factory=list)

    @property
    def start(self) -> int:
        return self.info.start if self.info else self.spans[0].start

    @property
    def frame_samples(self) -> int:
        layer = self.header >> 17 & 3
        if layer == 3:
            return 384
        return 1152 if layer == 2 or _is_mpeg1(self.header) else 576

    @property
    def sample_rate(self) -> int:
        return _RATES[self.header >> 19 & 3][self.header >> 10 & 3]

    @property
    def samples(self) -> int:
        return self.frames * self.frame_samples

    @property
    def missing(self) -> int:
        """Samples that the info frame promises, or that damaged bytes held, and the file does not have."""
        size = sum(span.end - span.start for span in self.spans) or 1
        damaged = self.lost * self.frames // size
        return max((self.stated or 0) - self.frames, damaged, 0) * self.frame_samples

    def add(self, frame: Span) -> None:
        self.frames += 1
        if self.spans and self.spans[-1].end == frame.start:
            self.spans[-1] = Span(self.spans[-1].start, frame.end)
        else:
            self.spans.append(frame)


def parts(data: mmap.mmap, start: int) -> list[Part]:
    """The streams from `start` on, each as a file with an info frame that states its length; none where there is no frame."""
    found = streams(data, start)
    return [_part(data, stream, is_first=stream.start == start) for stream in found]


def streams(data: mmap.mmap, start: int) -> list[Stream]:
    """The streams from `start` on. A new one begins at an info frame, and where rate, channels or layer change."""
    found = [stream for stream in _walked(data, start) if stream.frames]
    total = sum(stream.frames for stream in found)
    if found and found[0].stated is not None and abs(found[0].stated - total) <= 2 * len(found):
        found[0].stated = found[0].frames  # a program that joins files counts all of them in the first info frame
    return found


def is_header(data: mmap.mmap, start: int) -> bool:
    """Whether a frame's header lies there, also one of free format, whose length is not known."""
    return bool(re.match(rb"\xff[\xe2-\xe7\xf2-\xf7\xfa-\xff][\0-\xef]", data[start : start + 3])) and (
        data[start + 2] & 0x0C != 0x0C
    )


def is_near(data: mmap.mmap, start: int, most: int) -> bool:
    """Whether there are frames at most that many bytes behind `start` and the tags and zeros there."""
    start = after_padding(data, start)
    return next(_frames(data, start, start + most), None) is not None


def _walked(data: mmap.mmap, start: int) -> Iterator[Stream]:
    stream: Stream | None = None
    end = start
    for number, position in enumerate(_frames(data, start, len(data))):
        header = _header(data, position)
        is_info = _is_info(data, position, header)
        if stream is None or is_info or _likeness(header) != _likeness(stream.header):
            if stream is not None:
                yield stream
            stream, end = Stream(header), position
        stream.lost += _damage(data, end, position)
        end = position + _length(header >> 9)
        if is_info:
            stream.info, stream.stated = Span(position, end), _stated(data, position, header)
        else:
            stream.add(Span(position, end))
        if len(stream.spans) > _MOST_SPANS:
            raise Unreadable("is an MP3 file in too many pieces")
        if number >= _MOST_FRAMES:  # longer than anything that is read
            break
    if stream is not None:
        yield stream


def _frames(data: mmap.mmap, start: int, limit: int) -> Iterator[int]:
    """Where frames begin that are whole, of which the first begins before `limit`. Raises Unreadable."""
    position, likeness = start, -1
    candidates = iter(range(_MOST_CANDIDATES))
    while position < len(data):
        header = _header(data, position)
        length = _length(header >> 9)
        if length and (_likeness(header) == likeness or _is_frame(data, position)):
            if position + length > len(data):
                return
            other = _begun_within(data, position, length, candidates)
            if other is None:
                likeness, limit = _likeness(header), len(data)
                yield position
            position = other or position + length
            continue
        after = after_padding(data, position)
        found = _HEADER.search(data, after if after > position else position + 1, limit)
        if found is None:
            return
        if next(candidates, None) is None:
            raise Unreadable(_TOO_DAMAGED)
        position = found.start()


def _begun_within(data: mmap.mmap, position: int, length: int, candidates: Iterator[int]) -> int | None:
    """Where another frame begins inside this one: it was cut off, and something else was joined there."""
    end = position + length
    if end == len(data) or _length(_header(data, end) >> 9):
        return None
    for found in _HEADER.finditer(data, position + 4, end):
        if next(candidates, None) is None:
            raise Unreadable(_TOO_DAMAGED)
        if _is_frame(data, found.start()):
            return found.start()
    return None


def _is_frame(data: mmap.mmap, position: int) -> bool:
    """Whether a frame begins there: an info frame, or one of several of a kind in a row, up to the end or a tag."""
    likeness = _likeness(_header(data, position))
    if _is_info(data, position, _header(data, position)):
        return True
    for number in range(_IN_A_ROW):
        header = _header(data, position)
        length = _length(header >> 9)
        if not length or _likeness(header) != likeness:
            return False
        position += length
        if position == len(data) or (_is_padding(data, position) and (number or data[position])):
            return True
    return position < len(data)


def _is_padding(data: mmap.mmap, position: int) -> bool:
    """Whether a tag or zeros lie there."""
    head = data[position : position + id3.HEADER]
    return head[:4] == bytes(4) or head[:3] == b"TAG" or head[:8] == _APE or id3.tag_length(head) > 0


def after_padding(data: mmap.mmap, start: int) -> int:
    """Where the tags (ID3, APE) and zeros at `start` end."""
    position = start
    while position < len(data):
        head = data[position : position + _APE_HEAD]
        if head[:1] == b"\0":
            found = _NOT_ZERO.search(data, position)
            length = (found.start() if found else len(data)) - position
        elif head[:8] == _APE and len(head) == _APE_HEAD:
            has_head = head[23] & 0xA0 == 0xA0  # this is the tag's head, and not its foot
            length = _APE_HEAD + (int.from_bytes(head[12:16], "little") if has_head else 0)
        elif head[:3] == b"TAG":
            length = id3.OLD_LENGTH
        else:
            length = id3.tag_length(head)
        if not length or position + length > len(data) + id3.OLD_LENGTH:
            break
        position += length
    return min(position, len(data))


def _damage(data: mmap.mmap, start: int, end: int) -> int:
    """Bytes in front of a frame that are neither tags nor zeros."""
    return max(0, end - after_padding(data, start)) if end > start else 0


def _header(data: mmap.mmap, position: int) -> int:
    return int.from_bytes(data[position : position + 4].ljust(4, b"\0"), "big")


def _likeness(header: int) -> int:
    """Equal for headers that one stream can have: version, layer, sample rate, one channel or two.

    Of layers I and II also the bit rate, since no info frame can state their length.
    """
    mask = 0xFFFE0C00 if header >> 17 & 3 == 1 else 0xFFFEFC00
    return (header & mask) | (header >> 6 & 3 == 3)


def _is_mpeg1(header: int) -> bool:
    return header >> 19 & 3 == 3


@cache
def _length(top: int) -> int:
    """Bytes of a frame, by the upper 23 bits of its header; 0 when it is not a header, or has free format."""
    version, layer, bit_rate, rate = top >> 10 & 3, top >> 8 & 3, top >> 3 & 15, top >> 1 & 3
    if top >> 12 != 0x7FF or version == 1 or layer == 0 or rate == 3:
        return 0
    bits = _KBPS[version == 3, layer][bit_rate] * 1000
    if not bits:
        return 0
    if layer == 3:
        return (12 * bits // _RATES[version][rate] + (top & 1)) * 4
    return (144 if version == 3 or layer == 2 else 72) * bits // _RATES[version][rate] + (top & 1)


def _side_bytes(header: int) -> int:
    """Bytes of side information, after which an info frame has its mark."""
    is_mono = header >> 6 & 3 == 3
    if _is_mpeg1(header):
        return 17 if is_mono else 32
    return 9 if is_mono else 17


def _is_info(data: mmap.mmap, start: int, header: int) -> bool:
    mark = start + 4 + _side_bytes(header)
    return header >> 17 & 3 == 1 and (
        data[mark : mark + 4] in (b"Xing", b"Info") or data[start + 36 : start + 40] == b"VBRI"
    )


def _stated(data: mmap.mmap, start: int, header: int) -> int | None:
    """The frame count of a Xing, Info or VBRI frame; None when it does not give one."""
    mark = start + 4 + _side_bytes(header)
    if data[mark : mark + 4] in (b"Xing", b"Info"):
        return int.from_bytes(data[mark + 8 : mark + 12], "big") if data[mark + 7] & 1 else None
    return int.from_bytes(data[start + 50 : start + 54], "big")


def _part(data: mmap.mmap, stream: Stream, *, is_first: bool) -> Part:
    end = stream.spans[-1].end
    is_right = stream.stated == stream.frames and len(stream.spans) == 1
    if is_right and stream.info is not None and stream.info.end == stream.spans[0].start:
        pieces: tuple[bytes | Span, ...] = (Span(stream.info.start, end),)
    else:
        info = _info(data, stream)
        pieces = (info, *stream.spans) if info else tuple(stream.spans)
    return Part(
        pieces,
        end,
        seconds=(stream.samples + stream.missing) / stream.sample_rate,
        missing=stream.missing / stream.sample_rate,
        is_as_written=is_first and isinstance(pieces[0], Span),
        frames=stream.samples,
    )


def _info(data: mmap.mmap, stream: Stream) -> bytes:
    """An info frame that states the number of frames; that of an encoder says as well what it padded."""
    if stream.header >> 17 & 3 != 1:
        return b""
    if stream.info is not None and stream.stated is not None:
        frame = bytearray(data[stream.info.start : stream.info.end])
        mark = 4 + _side_bytes(stream.header)
        if frame[mark : mark + 4] in (b"Xing", b"Info"):
            size = len(frame) + sum(span.end - span.start for span in stream.spans)
            struct.pack_into(">I", frame, mark + 8, stream.frames)
            if frame[mark + 7] & 2:
                struct.pack_into(">I", frame, mark + 12, size)
            return bytes(frame)
    header = stream.header & ~0xF200 | 0x10000 | _INFO_BIT_RATE << 12
    head = struct.pack(">I", header) + bytes(_side_bytes(header))
    return (head + struct.pack(">4sII", b"Xing", 1, stream.frames)).ljust(_length(header >> 9), b"\0")
