"""Vorbis comments, the tag block of FLAC and Ogg: a vendor string and NAME=value lines in UTF-8."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

LARGEST = 2**24 - 1
_MOST_LINES = 10_000
_NAMES = {
    "title": "TITLE",
    "tags": "GENRE",
    "lyrics": "LYRICS",
    "comment": "COMMENT",
    "software": "ENCODER",
    "seed": "SEED",
}
_FIELDS = {name: field for field, name in _NAMES.items()} | {"UNSYNCEDLYRICS": "lyrics", "DESCRIPTION": "comment"}


def encode(fields: Mapping[str, str], vendor: bytes, kept: Iterable[bytes] = ()) -> bytes:
    """A comment block (without Ogg's framing bit) with these fields and, after them, lines kept from another."""
    lines = [f"{_NAMES[key]}={value}".encode() for key, value in fields.items() if value]
    lines += kept
    return b"".join([_counted(vendor), struct.pack("<I", len(lines)), *map(_counted, lines)])


def decode(block: bytes) -> dict[str, str]:
    """Our fields of a block; several lines of one name become one text, broken lines are left out."""
    values: dict[str, list[str]] = {}
    for line in lines(block)[1]:
        name, _, value = line.decode("utf-8", errors="replace").partition("=")
        key = _FIELDS.get(name.upper())
        if key and value:
            values.setdefault(key, []).append(value)
    return {key: ", ".join(found) for key, found in values.items()}


def foreign(block: bytes) -> list[bytes]:
    """Lines that `encode` does not write: another program's fields."""
    return [line for line in lines(block)[1] if line.partition(b"=")[0].decode("latin-1").upper() not in _FIELDS]


def lines(block: bytes) -> tuple[bytes, list[bytes]]:
    """Vendor and the first 10,000 lines; a wrong count or length ends the list."""
    vendor, position = _counted_at(block, 0)
    if vendor is None or len(block) < position + 4:
        return b"", []
    (count,) = struct.unpack_from("<I", block, position)
    position += 4
    found: list[bytes] = []
    while len(found) < min(count, _MOST_LINES):
        line, position = _counted_at(block, position)
        if line is None:
            break
        found.append(line)
    return vendor, found


def _counted(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def _counted_at(block: bytes, start: int) -> tuple[bytes | None, int]:
    if len(block) < start + 4:
        return None, start
    (size,) = struct.unpack_from("<I", block, start)
    end = start + 4 + size
    return (block[start + 4 : end], end) if end <= len(block) else (None, start)
