"""Files that a caller names: by their exact name, else by one that looks the same."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from acestep_mcp.api.errors import Ambiguous
from acestep_mcp.library.matching import alike, look, near


class FileSearch:
    """In `folders` only or, with `working_dir`, everywhere: relative paths start there then."""

    def __init__(self, folders: tuple[Path, ...], working_dir: Path | None) -> None:
        self.as_given = folders
        self.folders = tuple(dict.fromkeys(folder.resolve() for folder in folders))
        self._working_dir = working_dir

    def exact(self, path: Path) -> Path | None:
        """The file of this path or bare name. Raises Ambiguous for a name that is in several folders."""
        if path.is_absolute():
            return path if self.may_read(path) and path.is_file() else None
        if self._working_dir and (self._working_dir / path).is_file():
            return self._working_dir / path
        if path.name != str(path):
            return None
        return _only(path.name, [folder / path for folder in self.folders if (folder / path).is_file()])

    def alike(self, path: Path) -> Path | None:
        """The only file whose path looks the same. Raises Ambiguous, which names all, if there are several."""
        if self._working_dir and not path.is_absolute() and path.name != str(path):
            path = self._working_dir / path
        if path.is_absolute():
            return self._descend(path)
        if path.name != str(path):
            return None
        files = list(self._files(path))
        names = set(alike(path.name, [file.name for file in files]))
        return _only(path.name, [file for file in files if file.name in names])

    def _descend(self, path: Path) -> Path | None:
        for top in [Path(path.anchor)] if self._working_dir else dict.fromkeys((*self.as_given, *self.folders)):
            count = len(top.parts)
            if [look(part) for part in path.parts[:count]] == [look(part) for part in top.parts]:
                here: Path | None = top
                for part in path.parts[count:]:
                    here = here and self._entry(here, part)
                if here:
                    return here
        return None

    def _entry(self, folder: Path, name: str) -> Path | None:
        """The entry of this name or, if there is none, the only one that looks like it."""
        if os.path.lexists(folder / name):
            return folder / name
        names = [path.name for path in folder.iterdir()] if folder.is_dir() and self.may_read(folder) else []
        return _only(name, [folder / other for other in alike(name, names)])

    def may_read(self, path: Path) -> bool:
        """Whether it lies, with all links followed, where the caller may read."""
        return self._working_dir is not None or any(path.resolve().is_relative_to(top) for top in self.folders)

    def _files(self, wanted: Path) -> Iterator[Path]:
        """The files beside `wanted`, if they may be read, and in the allowed folders; hidden ones are left out."""
        beside = (self._working_dir / wanted if self._working_dir else wanted).parent
        for folder in dict.fromkeys((*([beside] if self.may_read(beside) else []), *self.folders)):
            with contextlib.suppress(OSError):
                for path in sorted(folder.iterdir()):
                    if not path.name.startswith(".") and path.suffix != ".json" and path.is_file():
                        yield path

    def near(self, wanted: Path) -> list[str]:
        """The names of files that are nearly this one."""
        return near(wanted.name, {path.name: (path.name,) for path in self._files(wanted)})


def _only(name: str, found: Iterable[Path]) -> Path | None:
    """Raises Ambiguous when there are several."""
    paths = sorted(set(found))
    if len(paths) > 1:
        places = ", ".join(str(path) for path in paths[:5])
        message = f"There is more than one {name[:200]!r}: {places}. Give the absolute path of one of them."
        raise Ambiguous(message)
    return paths[0] if paths else None
