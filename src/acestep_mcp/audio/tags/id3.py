"""ID3 as MP3 and WAV carry it: written as 2.4 in UTF-8, read as 1, 2.2, 2.3 and 2.4.

Fields have our own names: title, tags, lyrics, comment, software, seed. The format is id3.org's "ID3 tag version
2.4.0"; only the parts that players use are here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

HEADER = 10
LARGEST = 16 * 1024 * 1024
OLD_LENGTH = 128
_OLD_PLACES = {b"TIT2": (3, 33), b"TPE1": (33, 63), b"TALB": (63, 93), b"TDRC": (93, 97)}
_MOST_FRAMES = 2000
_CODECS = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}
_TEXT = {"title": b"TIT2", "tags": b"TCON", "software": b"TSSE"}
_LANGUAGE_UNKNOWN = b"XXX"
_OLD_NAMES = {b"TT2": b"TIT2", b"TCO": b"TCON", b"TSS": b"TSSE", b"ULT": b"USLT", b"COM": b"COMM", b"TXX": b"TXXX"}


class Id3Frame(NamedTuple):
    name: bytes
    body: bytes


def tag_length(head: bytes) -> int:
    """Bytes that an ID3v2 tag takes at the start of a file, by its first ten; 0 when there is none."""
    if len(head) < HEADER or head[:3] != b"ID3" or head[3] not in (2, 3, 4) or max(head[6:10]) > 127:
        return 0
    footer = HEADER if head[3] == 4 and head[5] & 0x10 else 0
    return HEADER + _synchsafe(head[6:10]) + footer


def encode(fields: Mapping[str, str], kept: Iterable[Id3Frame] = ()) -> bytes:
    """A whole tag with these fields and, after them, frames kept from another tag."""
    body = b"".join(_packed(frame) for frame in (*_frames_of(fields), *kept))
    return b"ID3\x04\x00\x00" + _as_synchsafe(len(body)) + body if body else b""


def decode(tag: bytes) -> dict[str, str]:
    """The fields of a whole tag; broken and unknown ones are left out."""
    fields: dict[str, str] = {}
    for name, body in frames(tag):
        key, value = _field(name, body)
        if key and value and key not in fields:
            fields[key] = value
    return fields


def foreign(tag: bytes) -> list[Id3Frame]:
    """Frames of a tag that `encode` does not write and that mean the same in 2.4: text, links and pictures."""
    if len(tag) < HEADER or tag[3] == 2:
        return []
    return [f for f in frames(tag) if (f.name[:1] in b"TW" or f.name == b"APIC") and not _field(*f)[0]]


def old_frames(tail: bytes) -> list[Id3Frame]:
    """Title, artist, album and year of an ID3v1 tag, a file's last 128 bytes; nothing when it is not a tag."""
    if len(tail) != OLD_LENGTH or not tail.startswith(b"TAG"):
        return []
    texts = {name: tail[first:last].split(b"\0")[0].strip() for name, (first, last) in _OLD_PLACES.items()}
    return [Id3Frame(name, b"\0" + text) for name, text in texts.items() if text]


def frames(tag: bytes) -> Iterator[Id3Frame]:
    """The readable frames of a whole tag, header included; stops at padding and at the first broken one."""
    if not tag_length(tag[:HEADER]):
        return
    version, flags = tag[3], tag[5]
    data = tag[HEADER:]
    if flags & 0x80 and version < 4:
        data = _resynchronised(data)
    position = _extended_header(data, version) if flags & 0x40 and version > 2 else 0
    for _ in range(_MOST_FRAMES):
        frame, position = _frame_at(data, position, version)
        if frame is None:
            return
        if frame.body:
            yield frame


def _frame_at(data: bytes, start: int, version: int) -> tuple[Id3Frame | None, int]:
    """One frame and where the next begins; its body is empty when it is compressed or encrypted."""
    wide = 6 if version == 2 else 10
    head = data[start : start + wide]
    name = head[: wide // 2 if version == 2 else 4]
    if len(head) < wide or not name.isalnum():
        return None, start
    raw = head[3:6] if version == 2 else head[4:8]
    size = _synchsafe(raw) if version == 4 else int.from_bytes(raw, "big")
    end = start + wide + size
    if end > len(data):
        return None, start
    body = data[start + wide : end]
    if version == 2:
        return Id3Frame(_OLD_NAMES.get(name, name), body), end
    return Id3Frame(name, _plain(body, head[9], version)), end


def _plain(body: bytes, flags: int, version: int) -> bytes:
    """The body without what its format flags add; empty when it cannot be read."""
    grouped, hidden = (0x40, 0x0C) if version == 4 else (0x20, 0xC0)
    if flags & hidden:
        return b""
    if flags & grouped:
        body = body[1:]
    if version == 4 and flags & 0x02:
        body = _resynchronised(body[4:] if flags & 0x01 else body)
    elif version == 4 and flags & 0x01:
        body = body[4:]
    return body


def _extended_header(data: bytes, version: int) -> int:
    size = data[:4]
    return _synchsafe(size) if version == 4 else int.from_bytes(size, "big") + 4


def _field(name: bytes, body: bytes) -> tuple[str, str]:
    """Which of our fields a frame holds, and its text; an empty name for any other frame."""
    for key, frame in _TEXT.items():
        if name == frame:
            return key, _joined(_decoded(body[1:], body[0]))
    if name == b"TXXX":
        label, _, value = _decoded(body[1:], body[0]).partition("\0")
        return ("seed" if label.upper() == "SEED" else ""), value.strip("\0")
    if name not in (b"USLT", b"COMM") or len(body) < 4:
        return "", ""
    label, text = _label_and_text(body[4:], body[0])
    if name == b"USLT":
        return "lyrics", text
    return ("" if label else "comment"), text


def _label_and_text(data: bytes, encoding: int) -> tuple[str, str]:
    """Split at the first terminator of that encoding; in UTF-16 each half has its own byte order mark."""
    if encoding in (1, 2):
        cut = next((i for i in range(0, len(data) - 1, 2) if data[i : i + 2] == b"\0\0"), len(data))
        label, text = data[:cut], data[cut + 2 :]
    else:
        label, _, text = data.partition(b"\0")
    return _decoded(label, encoding).strip("\0\ufeff"), _decoded(text, encoding).rstrip("\0")


def _decoded(data: bytes, encoding: int) -> str:
    return data.decode(_CODECS.get(encoding, "latin-1"), errors="replace")


def _joined(text: str) -> str:
    """Several values, which ID3 2.4 separates by NUL, as one line without byte order marks."""
    return ", ".join(part.lstrip("\ufeff") for part in text.split("\0") if part.strip("\ufeff"))


def _frames_of(fields: Mapping[str, str]) -> Iterator[Id3Frame]:
    for key, name in _TEXT.items():
        if fields.get(key):
            yield Id3Frame(name, b"\x03" + fields[key].encode())
    for key, name in (("lyrics", b"USLT"), ("comment", b"COMM")):
        if fields.get(key):
            yield Id3Frame(name, b"\x03" + _LANGUAGE_UNKNOWN + b"\0" + fields[key].encode())
    if fields.get("seed"):
        yield Id3Frame(b"TXXX", b"\x03SEED\0" + fields["seed"].encode())


def _packed(frame: Id3Frame) -> bytes:
    return frame.name + _as_synchsafe(len(frame.body)) + b"\0\0" + frame.body


def _synchsafe(data: bytes) -> int:
    value = 0
    for byte in data:
        value = value << 7 | byte & 0x7F
    return value


def _as_synchsafe(value: int) -> bytes:
    return bytes(value >> shift & 0x7F for shift in (21, 14, 7, 0))


def _resynchronised(data: bytes) -> bytes:
    return data.replace(b"\xff\x00", b"\xff")
