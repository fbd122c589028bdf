"""Folders and files whose mode, owner or age is wrong, and what puts each right."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

_OLD_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem in a sentence, and what puts it right and says in a sentence what was done. It raises AceStepError, OSError."""

    problem: str
    fix: Callable[[], str]


def file_findings(music: Path, data: Path, keys: Path | None = None) -> list[Finding]:
    """What is wrong below the two folders, and with the mode of a file of keys. Changes nothing."""
    folders = (music, music / ".trash", data, *data.glob("engine/*"))
    found = [*_closed_folders((music, data)), *_leftovers(folders)]
    return [*found, *_owners(data), *_permissions(data, keys)] if os.name == "posix" else found


def _closed_folders(folders: Iterable[Path]) -> Iterator[Finding]:
    for folder in folders:
        if folder.is_dir() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            yield Finding(
                f"{folder} cannot be read and written by you. `acestep-mcp doctor --fix` allows it where the folder is yours.",
                partial(_changed_mode, folder, stat.S_IMODE(folder.stat().st_mode) | 0o700),
            )


def _leftovers(folders: Iterable[Path]) -> Iterator[Finding]:
    for folder in folders:
        old = [path for path in folder.glob(".*.part*") if _is_old(path)]
        if old:
            yield Finding(
                f"{len(old)} temporary files of processes that were killed lie in {folder}. "
                "`acestep-mcp doctor --fix` removes them.",
                partial(_removed, folder, old),
            )


def _is_old(path: Path) -> bool:
    with suppress(OSError):
        found = path.lstat()
        return stat.S_ISREG(found.st_mode) and found.st_mtime < time.time() - _OLD_SECONDS
    return False


def _removed(folder: Path, old: list[Path]) -> str:
    for path in old:
        path.unlink(missing_ok=True)
    return f"{len(old)} temporary files were removed from {folder}."


def _private(data: Path) -> Iterator[tuple[Path, int]]:
    """What nobody else may read below the data folder, each with its mode."""
    yield from ((path, 0o700) for path in (data / "draft", data / "uploads", *data.glob("engine/*")) if path.is_dir())
    names = ("engine.json", "engine.log", "webhook-key", "starting.lock")
    for folder in (data, *data.glob("engine/*")):
        for path in (*folder.glob("*.sqlite3*"), *(folder / name for name in names)):
            if path.is_file() and not path.is_symlink():
                yield path, 0o600


def _permissions(data: Path, keys: Path | None) -> Iterator[Finding]:
    own = [(keys, 0o600)] if keys and keys.is_file() else []
    for path, mode in (*_private(data), *own):
        found = stat.S_IMODE(path.stat().st_mode)
        if found & ~mode:
            yield Finding(
                f"Other users of this machine can use {path} (mode {found:o}). `acestep-mcp doctor --fix` makes it {mode:o}.",
                partial(_changed_mode, path, mode),
            )


def _changed_mode(path: Path, mode: int) -> str:
    path.chmod(mode)
    return f"{path} has the mode {mode:o} now."


def _owners(data: Path) -> Iterator[Finding]:
    """Files of another user than the folder's, as a command that was once run with sudo leaves them."""
    if not data.is_dir():
        return
    owner = data.stat()
    strange = [
        path
        for path in (*data.glob("*"), *data.glob("*/*"), *data.glob("*/*/*"))
        if _owner(path) not in (owner.st_uid, None)
    ]
    if strange:
        yield Finding(
            f"{len(strange)} files or folders in {data}, such as {strange[0]}, belong to another user than the folder. "
            f"`sudo acestep-mcp doctor --fix`, or `sudo chown -R {owner.st_uid}:{owner.st_gid} {data}`, changes that.",
            partial(_changed_owner, strange, owner),
        )


def _owner(path: Path) -> int | None:
    with suppress(OSError):
        return path.lstat().st_uid
    return None


def _changed_owner(paths: list[Path], owner: os.stat_result) -> str:
    for path in paths:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
    return f"{len(paths)} files or folders belong to the owner of their folder now."
