"""Copies of songs: in another format, as MIDI, in an allowed folder, and never over a file."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.files import copy_into, names_machine, new_file, storage_errors, temporary
from acestep_mcp.library.models import Track

if TYPE_CHECKING:
    from acestep_mcp.audio.write import Format

AUDIO = ("wav", "flac", "mp3", "ogg")
MIDI = "mid"
FOLDER = "exports"
"""Inside the music folder, where a copy cannot be taken for the song of a sidecar."""
_ADVICE = "choose another folder"
_RESERVED_ON_WINDOWS = re.compile(r"(?i)[<>:\"|?*]|^(con|prn|aux|nul|com[0-9]|lpt[0-9])\s*(\.|$)")
"""Devices, and streams inside other files."""
_LONGEST_NAME = 250
"""Bytes; file systems allow 255."""
_NO_LETTERS = frozenset({"Cc", "Cs", "Zl", "Zp"})
_TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They show a name backwards, and its ending elsewhere."""


class Songs(Protocol):
    """Where the songs are."""

    def file(self, track: Track) -> BinaryIO:
        """The audio of a track, open for reading. Raises NotFound."""

    def midi(self, track: Track) -> bytes:
        """The composition of a track as a Standard MIDI File. Raises InvalidRequest for one that has none."""


def export(track: Track, form: str, name: str, folders: Sequence[Path], tracks: Songs) -> Path:
    """A copy for a language model; returns its path. `folders` are the allowed ones, the music folder first.

    `name` is a file name or an absolute path in one of them; empty for the song's own name. Raises InvalidRequest,
    StorageError.
    """
    target = _target(track, form, name.strip(), folders)
    real = target.parent.resolve() / target.name
    if not _is_allowed(real, folders):
        raise _outside(target, folders)
    if os.path.lexists(real):
        raise _rejected(f"{target} exists already and was left alone; choose another name")
    with temporary(folders[0] / target.name, _ADVICE) as part:
        _write(track, part, form, tracks)
        try:
            copy_into(part, real, folders, _ADVICE)
        except PermissionError as exc:  # a link has taken the place of its folder since
            raise _outside(target, folders) from exc
    return target


def copy_track(track: Track, target: Path, tracks: Songs) -> None:
    """Write a copy whose format follows from the target's ending, whole or not at all; an existing file is an error."""
    with new_file(target, _ADVICE) as part:
        _write(track, part, target.suffix[1:].lower(), tracks)


def _write(track: Track, part: Path, form: str, tracks: Songs) -> None:
    if form == MIDI:
        part.write_bytes(tracks.midi(track))
        return
    with tracks.file(track) as song:
        if form == track.path.suffix[1:].lower():
            with storage_errors("copy", track.path, _ADVICE), part.open("wb") as copy:
                shutil.copyfileobj(song, copy, 2**20)
            return
        from acestep_mcp.audio.tags.file_tags import read_tags
        from acestep_mcp.audio.write import convert_file

        convert_file(song, part, format=cast("Format", form), tags=read_tags(song))


def _target(track: Track, form: str, name: str, folders: Sequence[Path]) -> Path:
    folder = folders[0] / FOLDER
    if not name:
        return _free(folder / f"{track.path.stem}.{form}")
    if names_machine(name, folders):
        raise _rejected(f"{name[:80]!r} names another machine; choose a path in {_shown(folders)}")
    path = _named(Path(name), form)
    if not path.is_absolute():
        if len(path.parts) != 1:
            where = _shown(folders)
            raise _rejected(f"{name[:80]!r} is a relative path; give a file name, or an absolute path in {where}")
        path = folder / path
    if not _is_usable(path):
        raise _rejected(f"{name[:80]!r} is no usable file name; give one such as {track.path.stem[:40]!r}")
    return path


def _is_usable(path: Path) -> bool:
    """Whether a person can read the name and a file system can take it: no control characters, in no other direction."""
    if path.name.startswith(".") or any(unicodedata.category(c) in _NO_LETTERS or c in _TURNS for c in str(path)):
        return False
    if os.name == "nt" and _RESERVED_ON_WINDOWS.search(path.name):
        return False
    return len(os.fsencode(path.name)) <= _LONGEST_NAME


def _named(path: Path, form: str) -> Path:
    """The path with the format's ending."""
    ending = path.suffix[1:].lower()
    if ending == form or not path.name:
        return path
    if ending in (*AUDIO, MIDI):
        raise _rejected(f"{path.name[:80]!r} ends in .{ending}, and format is {form}; make them agree")
    return path.with_name(f"{path.name}.{form}")


def _free(path: Path) -> Path:
    """The path, or the first of `name 2`, `name 3` that is free."""
    number, target = 2, path
    while os.path.lexists(target):
        target = path.with_name(f"{path.stem} {number}{path.suffix}")
        number += 1
    return target


def _is_allowed(real: Path, folders: Sequence[Path]) -> bool:
    """Whether a resolved path may be written. The trash and other hidden folders are not allowed."""
    for folder in (folder.resolve() for folder in folders):
        if real.is_relative_to(folder):
            return not any(part.startswith(".") for part in real.parent.relative_to(folder).parts)
    return False


def _outside(path: Path, folders: Sequence[Path]) -> InvalidRequest:
    return _rejected(f"{path} lies outside the folders that may be written ({_shown(folders)}); choose a path in one")


def _shown(folders: Sequence[Path]) -> str:
    return ", ".join(map(str, folders))


def _rejected(message: str) -> InvalidRequest:
    return InvalidRequest.of(FieldError("name", message))
