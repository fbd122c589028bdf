"""AIFF, AIFF-C, AU and CAF as their writers leave them, like `wave`."""

from __future__ import annotations

import math
import mmap
import struct

from acestep_mcp.audio.containers.chunks import Chunk, ChunkStyle, SampleData, fills, sample_data, walk
from acestep_mcp.audio.containers.parts import AudioPart, ByteSpan

AIFF = ChunkStyle(4, 4, "big", 2)
CAF = ChunkStyle(4, 8, "big", 1)
_UNKNOWN_SIZE = 0x7FFF0000
_LARGEST_HEAD = 2**20
_AIFC_BYTES = {
    b"NONE": 0, b"twos": 0, b"sowt": 0, b"raw ": 0, b"in24": 3, b"in32": 4, b"42ni": 3, b"23ni": 4,
    b"fl32": 4, b"FL32": 4, b"fl64": 8, b"FL64": 8, b"ulaw": 1, b"ULAW": 1, b"alaw": 1, b"ALAW": 1,
}  # fmt: skip
_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}


def aiff(data: mmap.mmap, start: int) -> AudioPart | None:
    """The song that begins at `start` with an AIFF or AIFF-C head; None when it has no samples."""
    common = sound = None
    end = start + 12
    for chunk in walk(data, AIFF, start + 12):
        if chunk.name == b"COMM" and common is None:
            common = chunk
        elif chunk.name == b"SSND" and sound is None:
            sound = chunk
        end = min(len(data), chunk.start + chunk.size + chunk.size % 2)
        if sound is chunk and (_unfinished(data, chunk) or end >= len(data)):
            break
    if common is None or sound is None:
        return None
    return _aiff_part(data, start, common, sound, end)


def _unfinished(data: mmap.mmap, sound: Chunk) -> bool:
    """Whether the size of the sample data was never filled in."""
    if sound.size >= _UNKNOWN_SIZE:
        return True
    return sound.size <= 8 and not fills(data, AIFF, sound.start + sound.size)


def _aiff_part(data: mmap.mmap, start: int, common: Chunk, sound: Chunk, end: int) -> AudioPart | None:
    comm = data[common.start : common.start + min(common.size, 1024)]
    frame = _aiff_frame(comm)
    if not frame or sound.start + 8 > len(data):
        return None
    offset = int.from_bytes(data[sound.start : sound.start + 4], "big")
    begin, stated = sound.start + 8 + offset, sound.size - 8 - offset
    frames = int.from_bytes(comm[2:6], "big")
    is_unfinished = _unfinished(data, sound)
    if is_unfinished:
        taken = sample_data(data, start, begin, frames * frame if 0 < frames * frame < _UNKNOWN_SIZE else None)
        end = taken.span.end
    else:
        taken = sample_data(data, start, begin, stated)
    size = taken.span.end - taken.span.start
    fixed = comm[:2] + (size // frame).to_bytes(4, "big") + comm[6:]
    kind = data[start + 8 : start + 12]
    version = AIFF.whole(b"FVER", b"\xa2\x80\x51\x40") if kind == b"AIFC" else b""
    body = version + AIFF.whole(b"COMM", fixed) + AIFF.packed(b"SSND", size + 8) + bytes(8)
    head = AIFF.packed(b"FORM", 4 + len(body) + size) + kind + body
    regular = not is_unfinished and common.start < sound.start and fixed == comm
    return taken.part(head, frame * _extended(comm[8:18]), end=max(end, taken.span.end), is_as_written=regular)


def _aiff_frame(comm: bytes) -> int:
    """Bytes of a frame; 0 when its encoding is not one with a fixed size."""
    channels, bits = int.from_bytes(comm[:2], "big"), int.from_bytes(comm[6:8], "big")
    kind = comm[18:22] or b"NONE"
    if kind not in _AIFC_BYTES:
        return 0
    return channels * (_AIFC_BYTES[kind] or (bits + 7) // 8)


def _extended(number: bytes) -> float:
    """An 80-bit number as AIFF writes the sample rate; 0 for what cannot be a rate."""
    exponent, mantissa = int.from_bytes(number[:2], "big") - 16383 - 63, int.from_bytes(number[2:10], "big")
    return mantissa * 2.0**exponent if -64 <= exponent < 0 else 0.0


def au(data: mmap.mmap, start: int) -> AudioPart | None:
    """The song that begins at `start` with an AU head; None for an encoding without a fixed size."""
    offset, size, encoding, rate, channels = (
        int.from_bytes(data[start + at : start + at + 4], "big") for at in (4, 8, 12, 16, 20)
    )
    frame = _AU_BYTES.get(encoding, 0) * channels
    if not frame or not 24 <= offset <= _LARGEST_HEAD:
        return None
    is_unfinished = size == 0 or size >= _UNKNOWN_SIZE
    taken = sample_data(data, start, start + offset, None if is_unfinished else size)
    there = taken.span.end - taken.span.start
    head = data[start : start + 8] + there.to_bytes(4, "big") + data[start + 12 : start + offset]
    return taken.part(head, float(frame * rate), end=taken.span.end, is_as_written=True)


def caf(data: mmap.mmap, start: int) -> AudioPart | None:
    """The song that begins at `start` with a CAF head; None when it has no samples or the order is not the usual one."""
    description, packets, samples = b"", b"", None
    position = start + 8
    for chunk in walk(data, CAF, position):
        if chunk.name == b"desc":
            description = data[chunk.start : chunk.start + 32]
        elif chunk.name == b"pakt":
            packets = data[chunk.start : chunk.start + 24]
        elif chunk.name == b"data":
            samples = _caf_data(data, start, chunk)
        if samples is not None and (not samples.is_stated or samples.missing):
            break
        position = min(len(data), chunk.start + chunk.size)
    if samples is None or len(description) < 32:
        return None
    end = max(position, samples.span.end)
    rate = _caf_rate(description, packets, samples)
    if description[16:20] == bytes(
        4
    ):  # packets of varying size: a table that is a chunk of its own says where they lie
        missing = samples.missing / rate if rate else math.inf
        return AudioPart(
            (ByteSpan(start, end),), end, samples.stated / (rate or math.inf), missing if samples.missing else 0.0
        )
    there = samples.span.end - samples.span.start
    head = data[start : start + 8] + CAF.whole(b"desc", description) + CAF.packed(b"data", there + 4) + bytes(4)
    return samples.part(head, rate, end=end, is_as_written=True)


def _caf_data(data: mmap.mmap, start: int, chunk: Chunk) -> SampleData:
    """The samples behind the four bytes of an edit count."""
    is_unfinished = chunk.size >= 2**62 or (chunk.size <= 4 and not fills(data, CAF, chunk.start + chunk.size))
    return sample_data(data, start, chunk.start + 4, None if is_unfinished else chunk.size - 4)


def _caf_rate(description: bytes, packets: bytes, samples: SampleData) -> float:
    """Bytes a second; 0 for packets of varying size whose number is not stated before the samples."""
    rate, packet, frames = struct.unpack(">d8xII", description[:24])
    if not math.isfinite(rate):
        return 0.0
    if packet:
        return float(packet * rate / max(1, frames))
    counted = int.from_bytes(packets[8:16], "big")
    return samples.stated * rate / counted if counted and samples.stated else 0.0
