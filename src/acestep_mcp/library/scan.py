"""What lies in a music folder: sidecars, and the sounds that are beside them or on their own."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from acestep_mcp.library.sidecars import AUDIO_TYPES

MOST_FOLDERS = 500
"""Folders that are looked through, those near the top first: a music folder may hold a whole collection."""


_ORDER = {ending: place for place, ending in enumerate(AUDIO_TYPES)}


@dataclass(slots=True)
class Scan:
    """Files by their path relative to the folder, with `/`. A stamp is a time and a size; it is empty for what is no file."""

    sidecars: dict[str, str] = field(default_factory=dict)
    sounds: dict[str, str] = field(default_factory=dict)
    _beside: dict[str, list[str]] = field(default_factory=dict)
    """By the path without its ending."""
    _stems: set[str] = field(default_factory=set)
    _loose: dict[int | None, list[str]] | None = None

    def beside(self, sidecar: str) -> list[str]:
        """The sounds of a sidecar's name, in the order of `AUDIO_TYPES`."""
        names = self._beside.get(sidecar[:-5], [])
        return names if len(names) < 2 else sorted(names, key=lambda name: _ORDER[_split(name)[1]])

    def stamp(self, sidecar: str, sound: str | None) -> str:
        """Changes when the sidecar or a sound of its name changes; of a sidecar without one, when `sound` does."""
        sounds = self.beside(sidecar) or ([sound] if sound in self.sounds else [])
        return "|".join([self.sidecars[sidecar], *(f"{name}:{self.sounds[name]}" for name in sounds)])

    def stems(self) -> set[str]:
        """Of the names of sidecars, without their folders."""
        if not self._stems:
            self._stems = {name[:-5].rpartition("/")[2] for name in self.sidecars}
        return self._stems

    def loose_of(self, size: int) -> list[str]:
        """Sounds of that size without a sidecar of their name."""
        if self._loose is None:
            self._loose = {}
            own = {name[:-5] for name in self.sidecars}
            for name in sorted(name for name in self.sounds if _split(name)[0] not in own):
                self._loose.setdefault(size_in(self.sounds[name]), []).append(name)
        return self._loose.get(size, [])

    def add(self, name: str, entry: os.DirEntry[str]) -> None:
        """Take a file in, if it is a sidecar or audio by its ending."""
        stem, ending = _split(name)
        if ending != ".json" and ending not in AUDIO_TYPES:
            return
        stamp = ""
        try:
            found = entry.stat()
            stamp = f"{found.st_mtime_ns}:{found.st_size}"
        except FileNotFoundError:
            if ending == ".json":  # a link that leads nowhere
                return
        except OSError:
            pass
        if ending == ".json":
            self.sidecars[name] = stamp
        else:
            self.sounds[name] = stamp
            self._beside.setdefault(stem, []).append(name)


def scan(folder: Path, *, deep: bool) -> Scan:
    """Hidden files and folders are left out, and links to folders are not followed. `deep` looks into subfolders too."""
    found = Scan()
    folders = [""]
    for inner in folders:  # it grows meanwhile
        with suppress(OSError), os.scandir(folder / inner) as entries:
            for entry in entries:
                name = f"{inner}/{entry.name}" if inner else entry.name
                if entry.name.startswith("."):
                    continue
                found.add(name, entry)
                if deep and len(folders) < MOST_FOLDERS and entry.is_dir(follow_symlinks=False):
                    folders.append(name)
    return found


def stamp_of(file: Path | os.stat_result) -> str:
    found = file.stat() if isinstance(file, Path) else file
    return f"{found.st_mtime_ns}:{found.st_size}"


def size_in(stamp: str) -> int | None:
    """The size that a stamp holds."""
    return int(stamp.rpartition(":")[2]) if stamp else None


def _split(name: str) -> tuple[str, str]:
    """The path without its ending, and the ending in lower case."""
    stem, dot, ending = name.rpartition(".")
    return (stem, f".{ending.lower()}") if dot and "/" not in ending else (name, "")
