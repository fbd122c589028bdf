"""WAV, RF64, BW64 and W64 as their writers leave them: sizes that were never filled in, too large, or right.

A part is given to libsndfile under a new head with the right sizes wherever the file's own is not right.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass, field, replace

from acestep_mcp.audio.containers.chunks import (
    Chunk,
    ChunkStyle,
    SampleData,
    fills,
    sample_data,
    walk,
)
from acestep_mcp.audio.containers.parts import AudioPart
from acestep_mcp.audio.containers.search import next_song

RIFF = ChunkStyle(4, 4, "little", 2)
W64 = ChunkStyle(16, 8, "little", 8, counts_head=True)
_GUID = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_UNKNOWN_SIZE = 0x7FFF0000
_LARGEST_FORMAT = 4096
_NO_MUSIC = 64
_NEAR = 2**16
_PLAIN = (1, 3, 0xFFFE)


@dataclass(slots=True)
class _WaveChunks:
    """What the chunks of a file say."""

    style: ChunkStyle
    start: int
    format: bytes = b""
    fact: bytes = b""
    long_size: int | None = None
    data: list[SampleData] = field(default_factory=list)
    end: int = 0
    is_regular: bool = True

    @property
    def bytes_per_second(self) -> float:
        """By the format chunk: samples of a plain encoding by their own size, others by the stated average."""
        tag, channels, rate, average, _, bits = (
            int.from_bytes(self.format[at : at + size], "little")
            for at, size in ((0, 2), (2, 2), (4, 4), (8, 4), (12, 2), (14, 2))
        )
        plain = rate * channels * ((bits + 7) // 8) if tag in _PLAIN else 0
        return float(plain or average)


def part(data: mmap.mmap, start: int) -> AudioPart | None:
    """The song that begins at `start` with RIFF, RF64, BW64 or a W64 head; None when it is none, or has no samples."""
    is_w64 = data[start : start + 4] == b"riff"
    style = W64 if is_w64 else RIFF
    if not is_w64 and data[start + 8 : start + 12] != b"WAVE":
        return None
    found = _WaveChunks(style, start)
    _collect(data, start + (40 if is_w64 else 12), found)
    if not found.data and found.format:
        found.is_regular = False
        _search(data, found)
    if not found.data:
        return None
    return _part(data, start, found)


def _collect(data: mmap.mmap, position: int, found: _WaveChunks) -> None:
    """Read the chunks up to the end of this song."""
    found.end = position
    for chunk in walk(data, found.style, position):
        name = chunk.name[:4]
        found.is_regular &= chunk.start - found.style.head == found.end
        if name == b"fmt " and not found.format:
            found.format = data[chunk.start : chunk.start + min(chunk.size, _LARGEST_FORMAT)]
        elif name == b"fact":
            found.fact = data[chunk.start : chunk.start + min(chunk.size, 64)]
        elif name == b"ds64":
            found.long_size = int.from_bytes(data[chunk.start + 8 : chunk.start + 16], "little")
        elif name == b"data" and not _take(data, chunk, found):
            return
        found.end = min(len(data), chunk.start + chunk.size + (-chunk.size % found.style.padding))


def _take(data: mmap.mmap, chunk: Chunk, found: _WaveChunks) -> bool:
    """Take a data chunk; False when it reaches to the end of the song."""
    stated = _stated(data, chunk, found)
    if stated == 0:
        return True
    taken = sample_data(data, found.start, chunk.start, stated)
    found.data.append(taken)
    found.end = taken.span.end + (-(taken.span.end - taken.span.start) % found.style.padding)
    if stated is None or taken.missing or stated != chunk.size:
        found.is_regular &= stated is not None and not taken.missing and chunk.start + stated >= len(data)
        return False
    return True


def _stated(data: mmap.mmap, chunk: Chunk, found: _WaveChunks) -> int | None:
    """The size of the sample data; None when it was never filled in."""
    size, most = chunk.size, _UNKNOWN_SIZE if found.style is RIFF else 2**62
    if found.style is RIFF and size >= 0xFFFFFFFF and found.long_size:
        size, most = found.long_size, 2**62
    if size >= most:
        return None
    # Nobody writes a data chunk without any music before something that is no chunk: the writer was killed.
    return (
        None
        if size <= _NO_MUSIC
        and size < len(data) - chunk.start
        and not fills(data, found.style, chunk.start + size + size % 2)
        else size
    )


def _search(data: mmap.mmap, found: _WaveChunks) -> None:
    """Find the data chunk behind one whose size is wrong."""
    at = data.find(b"data", found.end, min(next_song(data, found.end), found.end + _NEAR))
    chunk = found.style.chunk(data, at) if at >= 0 else None
    if chunk is not None:
        _take(data, chunk, found)


def _part(data: mmap.mmap, start: int, found: _WaveChunks) -> AudioPart:
    spans = [taken.span for taken in found.data]
    size = sum(span.end - span.start for span in spans)
    head = _head(data, start, found, size)
    end = max(found.end, spans[-1].end)
    whole = found.data[0].part(head, found.bytes_per_second, end=end, is_as_written=found.is_regular)
    if len(spans) == 1:
        return whole
    rate = found.bytes_per_second or 1.0
    last = found.data[-1]
    return replace(
        whole,
        pieces=(head, *spans),
        seconds=(size + last.missing) / rate if last.is_stated else 0.0,
        missing=last.missing / rate,
        is_as_written=False,
    )


def _head(data: mmap.mmap, start: int, found: _WaveChunks, size: int) -> bytes:
    """A head for `size` bytes of samples, up to where they begin."""
    style = found.style
    if style is W64:
        names = {name: name + _GUID for name in (b"fmt ", b"fact", b"data")}
        lead, wave = data[start : start + 16], data[start + 24 : start + 40]
    else:
        names = {name: name for name in (b"fmt ", b"fact", b"data")}
        lead, wave = b"RIFF", b"WAVE"
    chunks = style.whole(names[b"fmt "], found.format)
    if found.fact:
        chunks += style.whole(names[b"fact"], found.fact)
    chunks += style.packed(names[b"data"], size)
    return style.packed(lead, len(wave) + len(chunks) + size) + wave + chunks
