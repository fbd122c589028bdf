"""The metadata blocks of a FLAC file: find the Vorbis comment, and copy a file with another one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.tags import id3, vorbis

_PADDING, _COMMENT = 1, 4
_MOST_BLOCKS = 500
_LARGEST_HEAD = 64 * 1024 * 1024


class MetadataBlock(NamedTuple):
    kind: int
    content: bytes


def decode(file: BinaryIO) -> dict[str, str]:
    """Our fields of the file's Vorbis comment; none when it has none."""
    for block in _blocks(file):
        if block.kind == _COMMENT:
            return vorbis.decode(block.content)
    return {}


def retag(source: BinaryIO, target: BinaryIO, fields: Mapping[str, str]) -> None:
    """Copy a FLAC file with these fields; audio frames, pictures and every other block stay byte for byte.

    Raises InvalidRequest when the source is not a FLAC file or the fields are larger than a block can be (16 MiB).
    """
    found = list(_blocks(source))
    if not found:
        raise InvalidRequest("Not a FLAC file, or its head is broken.")
    old = next((block.content for block in found if block.kind == _COMMENT), b"")
    comment = vorbis.encode(fields, vorbis.lines(old)[0] or b"libFLAC", vorbis.foreign(old))
    if len(comment) > vorbis.LARGEST:
        raise InvalidRequest("Title, tags, lyrics and comment together are larger than a FLAC file can hold (16 MiB).")
    kept = [block for block in found if block.kind not in (_PADDING, _COMMENT)]
    _write_head(target, [*kept, MetadataBlock(_COMMENT, comment)])
    shutil.copyfileobj(source, target)


def _blocks(file: BinaryIO) -> Iterator[MetadataBlock]:
    """The metadata blocks; afterwards the file stands at the first audio frame. A broken head raises InvalidRequest."""
    file.seek(0)
    file.seek(id3.tag_length(file.read(id3.HEADER)))
    if file.read(4) != b"fLaC":
        return
    taken = 0
    for _ in range(_MOST_BLOCKS):
        head = file.read(4)
        size = int.from_bytes(head[1:], "big")
        content = file.read(size)
        taken += size
        if len(head) < 4 or len(content) < size or taken > _LARGEST_HEAD:
            raise InvalidRequest("The head of the FLAC file is broken.")
        yield MetadataBlock(head[0] & 0x7F, content)
        if head[0] & 0x80:
            return
    raise InvalidRequest("The head of the FLAC file is broken.")


def _write_head(target: BinaryIO, blocks: list[MetadataBlock]) -> None:
    target.write(b"fLaC")
    for number, block in enumerate(blocks, start=1):
        last = 0x80 if number == len(blocks) else 0
        target.write(bytes([block.kind | last]) + len(block.content).to_bytes(3, "big") + block.content)
