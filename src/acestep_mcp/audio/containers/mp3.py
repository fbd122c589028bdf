"""The streams of an MP3 file by their frames, without decoding.

libsndfile takes the first header's length, or an estimate, for the whole file. Here every frame is found: also behind
another stream, tags, zeros, or the rest of a frame that was cut in two.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from acestep_mcp.audio.containers.mpeg_frames import (
    HEADER,
    LAYER_III,
    FrameHeader,
    after_padding,
    header_at,
    header_of,
    is_info,
    is_padding,
)
from acestep_mcp.audio.containers.parts import AudioPart, ByteSpan, Unreadable
from acestep_mcp.audio.containers.search import next_song

_MOST_FRAMES = 1_000_000
_MOST_CANDIDATES = 50_000
_MOST_SPANS = 100_000
_TOO_DAMAGED = "has too much in it that is no MP3 frame"
_IN_A_ROW = 3
_INFO_BIT_RATE = 9


@dataclass(slots=True)
class Mp3Stream:
    """Frames that a decoder can decode in one go.

    `frames` are complete ones that hold audio; `stated` is how many the info frame promises, if there is one that does.
    `lost` are bytes between its frames that are neither frames nor tags. `counts_all` when the info frame is that of a
    program that joins files, which counts the frames of all streams.
    """

    header: FrameHeader
    info: ByteSpan | None = None
    stated: int | None = None
    frames: int = 0
    lost: int = 0
    counts_all: bool = False
    spans: list[ByteSpan] = field(default_factory=list)

    @property
    def start(self) -> int:
        return self.info.start if self.info else self.spans[0].start

    @property
    def samples(self) -> int:
        return self.frames * self.header.samples

    @property
    def missing(self) -> int:
        """Samples that the info frame promises, or that damaged bytes held, and the file does not have."""
        size = sum(span.end - span.start for span in self.spans) or 1
        damaged = self.lost * self.frames // size
        promised = 0 if self.counts_all else self.stated or 0
        return max(promised - self.frames, damaged, 0) * self.header.samples

    def add(self, frame: ByteSpan) -> None:
        """Raises Unreadable when it would consist of too many pieces."""
        self.frames += 1
        if self.spans and self.spans[-1].end == frame.start:
            self.spans[-1] = ByteSpan(self.spans[-1].start, frame.end)
        elif len(self.spans) < _MOST_SPANS:
            self.spans.append(frame)
        else:
            raise Unreadable("is an MP3 file in too many pieces")


def parts(data: mmap.mmap, start: int) -> list[AudioPart]:
    """The streams from `start` on, each as a file with an info frame that states its length; none where there is no frame."""
    found = streams(data, start)
    return [_part(data, stream, is_first=stream.start == start) for stream in found]


def streams(data: mmap.mmap, start: int) -> list[Mp3Stream]:
    """The streams from `start` on. A new one begins at an info frame, and where rate, channels or layer change."""
    found = [stream for stream in _walked(data, start) if stream.frames]
    total = sum(stream.frames for stream in found)
    if found and found[0].stated is not None and abs(found[0].stated - total) <= 2 * len(found):
        found[0].counts_all = True
    return found


def is_near(data: mmap.mmap, start: int, most: int) -> bool:
    """Whether there are frames at most that many bytes behind `start` and the tags and zeros there."""
    start = after_padding(data, start)
    return first_frame(data, start, start + most) is not None


def first_frame(data: mmap.mmap, start: int, limit: int) -> int | None:
    """Where the first frame begins, if that is before `limit`. Raises Unreadable."""
    found = next(_frames(data, start, limit), None)
    return found[0] if found else None


def _walked(data: mmap.mmap, start: int) -> Iterator[Mp3Stream]:
    stream: Mp3Stream | None = None
    end = start
    frames = islice(_frames(data, start, len(data)), _MOST_FRAMES)  # more would be longer than anything that is read
    for position, header in frames:
        is_first = is_info(data, position, header)
        if stream is None or is_first or header.likeness != stream.header.likeness:
            if stream is not None:
                yield stream
            stream, end = Mp3Stream(header), position
        if position > end:
            stream.lost += max(0, position - after_padding(data, end))
        end = position + header.length
        if is_first:
            stream.info, stream.stated = ByteSpan(position, end), _stated(data, position, header)
        else:
            stream.add(ByteSpan(position, end))
    if stream is not None:
        yield stream


def _frames(data: mmap.mmap, start: int, limit: int) -> Iterator[tuple[int, FrameHeader]]:
    """The frames that are whole, of which the first begins before `limit`, up to a song in another format. Raises Unreadable."""
    position, likeness, joined = start, -1, -1
    candidates = iter(range(_MOST_CANDIDATES))
    while position < len(data):
        header = header_at(data, position)
        if header is not None and (header.likeness == likeness or _is_frame(data, position)):
            if position + header.length > len(data):
                return
            other = _begun_within(data, position, header, candidates)
            if other is None:
                likeness, limit = header.likeness, len(data)
                yield position, header
            position = other or position + header.length
            continue
        after = after_padding(data, position)
        if joined < after:
            joined = next_song(data, after)
        found = HEADER.search(data, after if after > position else position + 1, min(limit, joined))
        if found is None:
            return
        if next(candidates, None) is None:
            raise Unreadable(_TOO_DAMAGED)
        position = found.start()


def _begun_within(data: mmap.mmap, position: int, header: FrameHeader, candidates: Iterator[int]) -> int | None:
    """Where another frame begins inside this one: it was cut off, and something else was joined there."""
    end = position + header.length
    if end == len(data) or header_at(data, end) is not None:
        return None
    for found in HEADER.finditer(data, position + 4, end):
        if next(candidates, None) is None:
            raise Unreadable(_TOO_DAMAGED)
        if _is_frame(data, found.start()):
            return found.start()
    return None


def _is_frame(data: mmap.mmap, position: int) -> bool:
    """Whether a frame begins there: an info frame, or one of several of a kind in a row, up to the end or a tag."""
    first = header = header_at(data, position)
    if first is not None and is_info(data, position, first):
        return True
    for number in range(_IN_A_ROW):
        if first is None or header is None or header.likeness != first.likeness:
            return False
        position += header.length
        if position == len(data) or (is_padding(data, position) and (number or data[position])):
            return True
        header = header_at(data, position)
    return position < len(data)


def _stated(data: mmap.mmap, start: int, header: FrameHeader) -> int | None:
    """The frame count of a Xing, Info or VBRI frame; None when it does not give one."""
    mark = start + header.side
    if data[mark : mark + 4] in (b"Xing", b"Info"):
        return int.from_bytes(data[mark + 8 : mark + 12], "big") if data[mark + 7] & 1 else None
    return int.from_bytes(data[start + 50 : start + 54], "big")


def _part(data: mmap.mmap, stream: Mp3Stream, *, is_first: bool) -> AudioPart:
    end = stream.spans[-1].end
    is_right = stream.stated == stream.frames and len(stream.spans) == 1
    if is_right and stream.info is not None and stream.info.end == stream.spans[0].start:
        pieces: tuple[bytes | ByteSpan, ...] = (ByteSpan(stream.info.start, end),)
    else:
        info = _info(data, stream)
        pieces = (info, *stream.spans) if info else tuple(stream.spans)
    return AudioPart(
        pieces,
        end,
        seconds=(stream.samples + stream.missing) / stream.header.sample_rate,
        missing=stream.missing / stream.header.sample_rate,
        is_as_written=is_first and isinstance(pieces[0], ByteSpan),
        frames=stream.samples,
    )


def _info(data: mmap.mmap, stream: Mp3Stream) -> bytes:
    """An info frame that states the number of frames; that of an encoder says as well what it padded."""
    if stream.header.layer != LAYER_III:
        return b""
    if stream.info is not None and stream.stated is not None:
        frame = bytearray(data[stream.info.start : stream.info.end])
        mark = stream.header.side
        if bytes(frame[mark : mark + 4]) in (b"Xing", b"Info"):
            size = len(frame) + sum(span.end - span.start for span in stream.spans)
            struct.pack_into(">I", frame, mark + 8, stream.frames)
            if frame[mark + 7] & 2:
                struct.pack_into(">I", frame, mark + 12, size)
            return bytes(frame)
    bits = stream.header.bits & ~0xF200 | 0x10000 | _INFO_BIT_RATE << 12
    lead = struct.pack(">I", bits)
    head = lead + bytes(stream.header.side - 4) + struct.pack(">4sII", b"Xing", 1, stream.frames)
    header = header_of(bits)
    return head.ljust(header.length if header else len(head), b"\0")
