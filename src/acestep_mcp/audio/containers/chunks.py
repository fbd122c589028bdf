"""Files made of chunks: WAV, RF64, W64, AIFF and CAF."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from acestep_mcp.audio.containers.parts import AudioPart, ByteSpan
from acestep_mcp.audio.containers.search import is_song, next_song

MOST_CHUNKS = 1000


class Chunk(NamedTuple):
    """`size` is what the header states; the content begins at `start`."""

    name: bytes
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class ChunkStyle:
    """How a format writes a chunk's head: the bytes of its name and size, their order, what each is padded to."""

    name: int
    size: int
    order: Literal["little", "big"]
    padding: int
    counts_head: bool = False

    @property
    def head(self) -> int:
        return self.name + self.size

    def chunk(self, data: mmap.mmap, position: int) -> Chunk | None:
        """The chunk at this position; None at the end, and for what cannot be one."""
        if position + self.head > len(data):
            return None
        name = data[position : position + self.name]
        if not is_chunk_name(name[:4]):
            return None
        size = self.number(data, position + self.name)
        return Chunk(name, position + self.head, max(0, size - self.head) if self.counts_head else size)

    def number(self, data: mmap.mmap, position: int) -> int:
        return int.from_bytes(data[position : position + self.size], self.order)

    def packed(self, name: bytes, size: int) -> bytes:
        """The head of a chunk whose content has `size` bytes."""
        stated = size + self.head if self.counts_head else size
        most = (1 << 8 * self.size) - 1
        return name + min(stated, most).to_bytes(self.size, self.order)

    def whole(self, name: bytes, content: bytes) -> bytes:
        return self.packed(name, len(content)) + content + bytes(-len(content) % self.padding)


def is_chunk_name(name: bytes) -> bool:
    """Four printable characters that are not all blank."""
    return len(name) == 4 and all(32 <= byte < 127 for byte in name) and name != b"    "


def walk(data: mmap.mmap, style: ChunkStyle, position: int) -> Iterator[Chunk]:
    """The chunks from `position`, up to what is none. Padding that is missing after one is allowed for."""
    is_padded = False
    for _ in range(MOST_CHUNKS):
        chunk = style.chunk(data, position)
        if chunk is None and is_padded:
            chunk = style.chunk(data, position - 1)
        if chunk is None or is_song(data, chunk.start - style.head):
            return
        yield chunk
        padding = -chunk.size % style.padding
        is_padded = padding > 0
        position = chunk.start + chunk.size + padding


def fills(data: mmap.mmap, style: ChunkStyle, position: int) -> bool:
    """Whether what is left consists of whole chunks, or of nothing."""
    for chunk in walk(data, style, position):
        position = chunk.start + chunk.size + (-chunk.size % style.padding)
    return position >= len(data) or is_song(data, position)


@dataclass(frozen=True, slots=True)
class SampleData:
    """The sample data of a file: where it lies, and how many bytes more the header states."""

    span: ByteSpan
    missing: int
    is_stated: bool

    @property
    def stated(self) -> int:
        return self.span.end - self.span.start + self.missing if self.is_stated else 0

    def part(self, head: bytes, bytes_per_second: float, *, end: int, is_as_written: bool) -> AudioPart:
        """The part with this data under `head`."""
        rate = bytes_per_second or 1.0
        return AudioPart(
            pieces=(head, self.span),
            end=end,
            seconds=self.stated / rate,
            missing=self.missing / rate,
            is_as_written=is_as_written and self.is_stated and not self.missing,
        )


def sample_data(data: mmap.mmap, song: int, start: int, stated: int | None) -> SampleData:
    """The sample data from `start`, of the song that begins at `song`, with the size that its header states.

    Without a stated size it ends with the file. In both cases it ends where another file of its kind was joined: a
    header states too much where the file was cut off before that.
    """
    start = min(start, len(data))  # a header may name a place behind the end
    if stated is None:
        return SampleData(ByteSpan(start, next_song(data, start)), 0, is_stated=False)
    size = max(0, stated)
    there = max(0, min(size, len(data) - start))
    joined = next_song(data, start, start + there, mark=data[song : song + 4])
    return SampleData(ByteSpan(start, joined), size - (joined - start), is_stated=True)
