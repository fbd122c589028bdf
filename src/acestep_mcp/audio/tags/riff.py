"""The chunks of a WAV file: walk them, and copy a file with other LIST INFO and `id3 ` chunks."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.tags import id3

_MOST_CHUNKS = 1000
_MOST_ENTRIES = 10_000
_LARGEST_TAG = 16 * 1024 * 1024
_BLOCK = 1024 * 1024
_UNKNOWN_SIZE = 0x7FFF0000
_NAMES = {"title": b"INAM", "tags": b"IGNR", "comment": b"ICMT", "software": b"ISFT"}
_ID3_NAMES = (b"id3 ", b"ID3 ")


class RiffChunk(NamedTuple):
    """`size` is the bytes that are there, `missing` how many more the header states."""

    name: bytes
    start: int
    size: int
    missing: int


def chunks(file: BinaryIO) -> Iterator[RiffChunk]:
    """The chunks of a RIFF WAVE file; none when it is not one.

    A program that writes to a pipe cannot know the size and states 2 GiB or more; nothing counts as missing then.
    """
    end = file.seek(0, 2)
    file.seek(0)
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return
    position = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return
        name, stated = struct.unpack("<4sI", header)
        size = min(stated, end - position - 8)
        yield RiffChunk(name, position + 8, size, stated - size if stated < _UNKNOWN_SIZE else 0)
        position += 8 + size + size % 2


def is_cut(file: BinaryIO) -> bool:
    """True when the sample data is shorter than its header states."""
    return any(chunk.missing for chunk in chunks(file) if chunk.name == b"data")


def decode(file: BinaryIO) -> dict[str, str]:
    """Our fields: those of the `id3 ` chunk, and what only LIST INFO has."""
    fields: dict[str, str] = {}
    for chunk in chunks(file):
        if _is_info(file, chunk):
            fields = _info_fields(_content(file, chunk)) | fields
        elif chunk.name in _ID3_NAMES:
            fields |= id3.decode(_content(file, chunk))
    return fields


def retag(source: BinaryIO, target: BinaryIO, fields: Mapping[str, str]) -> None:
    """Copy a WAV file with these fields; sample data and every other chunk stay byte for byte.

    Raises InvalidRequest when the source is not a plain RIFF WAVE file or gets too large for one.
    """
    found = list(chunks(source))
    if not any(chunk.name == b"data" for chunk in found):
        raise InvalidRequest("Not a plain WAV file: it has no sample data.")
    target.write(b"RIFF\0\0\0\0WAVE")
    for chunk in found:
        if not _is_tag(source, chunk):
            _copy(source, target, chunk)
    _write_tags(target, fields, *_foreign(source, found))
    _close(target)


def retag_in_place(file: BinaryIO, fields: Mapping[str, str]) -> bool:
    """Give a WAV file these fields without copying its samples. False, and nothing is changed, when that cannot be
    done: something else follows its tags, or it is incomplete.

    Interrupted, it leaves a broken file: use it only on one that is not published yet.
    """
    found = list(chunks(file))
    rest = [chunk for chunk in found if not _is_tag(file, chunk)]
    is_wav = any(chunk.name == b"data" for chunk in rest)
    if not is_wav or found[: len(rest)] != rest or not all(_is_whole(file, chunk) for chunk in rest):
        return False
    foreign = _foreign(file, found)
    file.seek(rest[-1].start + rest[-1].size + rest[-1].size % 2)
    file.truncate()
    _write_tags(file, fields, *foreign)
    _close(file)
    return True


def _is_whole(file: BinaryIO, chunk: RiffChunk) -> bool:
    """Its header states the size that is there: a larger one would swallow the tags that follow."""
    file.seek(chunk.start - 4)
    return file.read(4) == struct.pack("<I", chunk.size)


def _is_tag(file: BinaryIO, chunk: RiffChunk) -> bool:
    return chunk.name in _ID3_NAMES or _is_info(file, chunk)


def _foreign(source: BinaryIO, found: list[RiffChunk]) -> tuple[bytes, list[id3.Id3Frame]]:
    """What other programs have written into LIST INFO, and into the `id3 ` chunk."""
    info: bytes = b""
    frames: list[id3.Id3Frame] = []
    for chunk in found:
        if chunk.name in _ID3_NAMES:
            frames = id3.foreign(_content(source, chunk))
        elif _is_info(source, chunk):
            info = _foreign_info(_content(source, chunk))
    return info, frames


def _write_tags(target: BinaryIO, fields: Mapping[str, str], info: bytes, frames: list[id3.Id3Frame]) -> None:
    _write(target, b"LIST", _info_of(fields, info))
    _write(target, b"id3 ", id3.encode(fields, frames))


def _close(target: BinaryIO) -> None:
    size = target.tell() - 8
    if size > 0xFFFFFFFF:
        raise InvalidRequest("The song is larger than a WAV file can be (4 GiB). Choose flac.")
    target.seek(4)
    target.write(struct.pack("<I", size))


def _copy(source: BinaryIO, target: BinaryIO, chunk: RiffChunk) -> None:
    target.write(struct.pack("<4sI", chunk.name, chunk.size))
    source.seek(chunk.start)
    left = chunk.size
    while left and (block := source.read(min(left, _BLOCK))):
        target.write(block)
        left -= len(block)
    target.write(b"\0" * (chunk.size % 2))


def _write(target: BinaryIO, name: bytes, content: bytes) -> None:
    if content:
        target.write(_packed(name, content))


def _packed(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sI", name, len(content)) + content + b"\0" * (len(content) % 2)


def _content(file: BinaryIO, chunk: RiffChunk) -> bytes:
    file.seek(chunk.start)
    return file.read(min(chunk.size, _LARGEST_TAG))


def _is_info(file: BinaryIO, chunk: RiffChunk) -> bool:
    if chunk.name != b"LIST":
        return False
    file.seek(chunk.start)
    return file.read(4) == b"INFO"


def _info_entries(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 4
    for _ in range(_MOST_ENTRIES):
        if position + 8 > len(content):
            return
        name, size = struct.unpack_from("<4sI", content, position)
        yield name, content[position + 8 : position + 8 + size]
        position += 8 + size + size % 2


def _info_fields(content: bytes) -> dict[str, str]:
    """LIST INFO names no encoding: UTF-8 where that decodes, else Windows-1252."""
    names = {name: key for key, name in _NAMES.items()}
    return {names[name]: _text(value) for name, value in _info_entries(content) if name in names and value.strip(b"\0")}


def _text(value: bytes) -> str:
    value = value.split(b"\0")[0]
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("cp1252", errors="replace")


def _foreign_info(content: bytes) -> bytes:
    return b"".join(_packed(name, value) for name, value in _info_entries(content) if name not in _NAMES.values())


def _info_of(fields: Mapping[str, str], kept: bytes) -> bytes:
    ours = b"".join(_packed(name, fields[key].encode() + b"\0") for key, name in _NAMES.items() if fields.get(key))
    return b"INFO" + ours + kept if ours or kept else b""
