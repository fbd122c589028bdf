"""Title, tags, lyrics, seed and comment in the file's own tags, where players look for them.

| field    | ID3v2.4 (MP3, and WAV's `id3 ` chunk) | LIST INFO (WAV) | Vorbis comment (FLAC, Ogg) |
|----------|---------------------------------------|-----------------|----------------------------|
| title    | TIT2                                  | INAM            | TITLE                      |
| tags     | TCON                                  | IGNR            | GENRE                      |
| lyrics   | USLT                                  |                 | LYRICS                     |
| comment  | COMM                                  | ICMT            | COMMENT                    |
| software | TSSE                                  | ISFT            | ENCODER                    |
| seed     | TXXX SEED                             |                 | SEED                       |
"""

from __future__ import annotations

import re
import shutil
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.audio.tags import flac, id3, ogg, riff
from acestep_mcp.files import location, reading, storage_errors

Format = Literal["wav", "flac", "mp3", "ogg"]

_LONGEST_FIELD = 1024 * 1024
_MOST_TAGS = 100
_NOT_ALLOWED = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class FileTags:
    """A song's own tags; empty where there are none. A field longer than 2**20 characters is cut."""

    title: str = ""
    tags: str = ""
    lyrics: str = ""
    seed: int | None = None
    comment: str = ""
    software: str = ""

    def fields(self) -> dict[str, str]:
        """The fields that are set, as the formats can hold them: without NUL and lone surrogates."""
        texts = {
            "title": self.title,
            "tags": self.tags,
            "lyrics": self.lyrics,
            "comment": self.comment,
            "software": self.software,
            "seed": "" if self.seed is None else str(self.seed),
        }
        return {key: _NOT_ALLOWED.sub("", text)[:_LONGEST_FIELD] for key, text in texts.items() if text}

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> FileTags:
        seed = fields.get("seed", "")
        number = int(seed) if re.fullmatch(r"[0-9]{1,20}", seed) else None
        return cls(
            title=fields.get("title", ""),
            tags=fields.get("tags", ""),
            lyrics=fields.get("lyrics", ""),
            seed=number,
            comment=fields.get("comment", ""),
            software=fields.get("software", ""),
        )


def read_tags(source: Path | BinaryIO) -> FileTags:
    """The file's tags, by its content and not its name; empty for missing or broken ones and other formats.

    Raises StorageError when the file cannot be opened.
    """
    with storage_errors("read", location(source), "give another file"), reading(source) as file:
        try:
            return FileTags.of(_decode(file))
        except (InvalidRequest, ValueError, IndexError, struct.error):
            return FileTags()


def retag(source: BinaryIO, target: BinaryIO, form: Format, tags: FileTags, *, fresh: bool = False) -> None:
    """Copy a song of that format into `target` with these tags.

    `fresh`: the source was just written by our encoder. An Ogg stream's random serial number is then replaced by one
    made from the tags, so that equal songs are equal files. Raises InvalidRequest for a broken or foreign source.
    """
    fields = tags.fields()
    match form:
        case "wav":
            riff.retag(source, target, fields)
        case "flac":
            flac.retag(source, target, fields)
        case "ogg":
            serial = zlib.crc32(repr(fields).encode()) if fresh else None
            ogg.retag(source, target, fields, serial=serial)
        case "mp3":
            _retag_mp3(source, target, fields)


def _retag_mp3(source: BinaryIO, target: BinaryIO, fields: Mapping[str, str]) -> None:
    """Write one ID3v2 tag in place of all others; artist, album and year of an ID3v1 tag move to it."""
    first, start = _leading_tag(source)
    kept = id3.foreign(first)
    old = id3.old_frames(_tail(source))
    names = {b"TIT2", *(frame.name for frame in kept)}
    target.write(id3.encode(fields, [*kept, *(frame for frame in old if frame.name not in names)]))
    source.seek(start)
    shutil.copyfileobj(source, target)
    if old:
        target.truncate(target.tell() - id3.OLD_LENGTH)


def _tail(file: BinaryIO) -> bytes:
    file.seek(max(0, file.seek(0, 2) - id3.OLD_LENGTH))
    return file.read()


def _leading_tag(file: BinaryIO) -> tuple[bytes, int]:
    """The first ID3v2 tag of a file, and where its audio begins (some files have several tags, of which 100 are skipped)."""
    first, position = b"", 0
    for _ in range(_MOST_TAGS):
        file.seek(position)
        length = id3.tag_length(file.read(id3.HEADER))
        if not length:
            break
        if not first:
            file.seek(position)
            first = file.read(min(length, id3.LARGEST))
        position += length
    return first, position


def _decode(file: BinaryIO) -> dict[str, str]:
    magic = file.read(4)
    if magic == b"RIFF":
        return riff.decode(file)
    if magic == b"OggS":
        return ogg.decode(file)
    tag, start = _leading_tag(file)
    file.seek(start)
    if file.read(4) == b"fLaC":
        return flac.decode(file)
    return id3.decode(tag) or id3.decode(id3.encode({}, id3.old_frames(_tail(file))))
