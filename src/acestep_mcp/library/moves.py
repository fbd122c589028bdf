"""Moving a song with its sidecar to the trash and back, so that an end of the process at any moment loses neither."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from acestep_mcp.files import make_folder, read_regular, storage_errors, write_bytes
from acestep_mcp.library.scan import scan
from acestep_mcp.library.sidecars import AUDIO_TYPES

_MOST_BYTES = 2**26
_LONGEST_MOVE = 60.0
"""Seconds; a sidecar without a song that is younger may belong to a move that goes on in another process."""


def move(song: Path, sidecar: Path, folder: Path) -> Path:
    """Move both to `folder`, under the song's name or the next free one; the song's new path. Raises StorageError.

    The sidecar is there twice while the song moves: the one with the song beside it counts. A move that was interrupted
    goes on under the name that it had begun with.
    """
    make_folder(folder)
    with storage_errors("move the song to", folder / song.name):
        content = read_regular(sidecar, _MOST_BYTES)
        target, number = folder / song.name, 2
        while _is_taken(target, content):
            target = folder / f"{song.stem} {number}{song.suffix}"
            number += 1
        new = target.with_suffix(".json")
        write_bytes(new, content)
        try:
            song.replace(target)
        except OSError:
            new.unlink(missing_ok=True)
            raise
        if not new.exists():  # this process slept, and another one took it for a leftover
            write_bytes(new, content)
        sidecar.unlink(missing_ok=True)
    return target


def remove_leftovers(music: Path, trash: Path, sidecars: Mapping[str, Path]) -> None:
    """Remove the sidecars without a song that interrupted moves left; `sidecars` are those that count, by track id."""
    for folder in (music, trash):
        found = scan(folder, deep=False)
        for name in found.sidecars:
            path = folder / name
            if not found.beside(name) and _is_leftover(path, sidecars, in_trash=folder == trash):
                with suppress(OSError):
                    path.unlink()


def _is_taken(target: Path, sidecar: bytes) -> bool:
    """Whether another song has this name. A sidecar alone with the same content was left by an interrupted move."""
    stem = target.with_suffix("")
    if os.path.lexists(target) or any(os.path.lexists(f"{stem}{ending}") for ending in AUDIO_TYPES):
        return True
    other = target.with_suffix(".json")
    with suppress(OSError, ValueError):
        return os.path.lexists(other) and read_regular(other, _MOST_BYTES) != sidecar
    return True


def _is_leftover(path: Path, sidecars: Mapping[str, Path], *, in_trash: bool) -> bool:
    with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        content = read_regular(path, _MOST_BYTES)
        counted = sidecars.get(json.loads(content)["id"])
        if counted is None or counted == path or time.time() - path.stat().st_mtime < _LONGEST_MOVE:
            return False
        # One that a person put into the music folder may differ.
        return in_trash or read_regular(counted, _MOST_BYTES) == content
    return False
