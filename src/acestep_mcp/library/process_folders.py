"""A folder for each process, which a later process removes once the owner has ended."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from acestep_mcp.files import DATA_ADVICE, storage_errors

_LOCK = ".lock"


def claim(parent: Path, name: str, alive: Collection[str]) -> tuple[Path, Callable[[], None]]:
    """Create this process's own folder below `parent`, and remove those of ended processes.

    A process holds the lock of its folder until the returned function is called or it ends, also while it is stopped or
    the machine sleeps. `alive` decides where files cannot be locked, or the lock file is gone. Raises StorageError.
    """
    folder, lock = parent / name, parent / f"{name}{_LOCK}"
    with storage_errors("write in", parent, DATA_ADVICE):
        # Without its parents: a data folder that is away must not find another one in its place when it comes back.
        parent.mkdir(mode=0o700, exist_ok=True)
        file = _held(lock)
        folder.mkdir(exist_ok=True)
        remove_ended(parent, {*alive, name})

    def release() -> None:
        with suppress(OSError):
            os.close(file)
            lock.unlink(missing_ok=True)

    return folder, release


def remove_ended(parent: Path, alive: Collection[str]) -> None:
    """Remove the folders of ended processes below `parent`."""
    names = {path.name.removesuffix(_LOCK) for path in parent.iterdir()} if parent.is_dir() else set()
    for name in names - set(alive):
        _remove_if_ended(parent, name, alive)


def _held(path: Path) -> int:
    """The open and locked file; again where another process took it for a leftover and removed it meanwhile."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        _is_free(file, unknown=True)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file
        os.close(file)


def _remove_if_ended(parent: Path, name: str, alive: Collection[str]) -> None:
    lock = parent / f"{name}{_LOCK}"
    try:
        file = os.open(lock, os.O_RDWR)
    except OSError:
        file = None
    try:
        ended = name not in alive
        if file is not None:
            ended = _is_free(file, unknown=ended)
        if ended:
            shutil.rmtree(parent / name, ignore_errors=True)
            with suppress(OSError):  # Windows keeps an open file; the next process removes it
                lock.unlink(missing_ok=True)
    finally:
        if file is not None:
            os.close(file)


def _is_free(file: int, *, unknown: bool) -> bool:
    """Whether no process holds the lock, which is taken then; `unknown` on a file system without locks."""
    from filelock import lock_descriptor  # rarely needed

    try:
        return lock_descriptor(file, blocking=False)
    except OSError:
        return unknown
