"""Files that appear complete or not at all, and the one place where an OSError becomes a StorageError."""

from __future__ import annotations

import errno
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from acestep_mcp.api.errors import StorageError

MUSIC_ADVICE = "choose another folder (ACESTEP_MUSIC_DIR)"
DATA_ADVICE = "set ACESTEP_DATA_DIR to another folder"

_PART = ".part"
# What the system reports, and what to do about it.
_REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space"),
    errno.EDQUOT: ("the disk quota is used up", "Free some space"),
    errno.EFBIG: ("the file is larger than is allowed here", "Raise the limit"),
    errno.ENOENT: ("the folder does not exist", "Create it"),
    errno.ENOTDIR: ("a part of the path is not a folder", "Rename that file"),
    errno.EROFS: ("the disk is read-only", "Make it writable"),
    errno.EACCES: ("access is denied", "Allow access"),
    errno.EPERM: ("access is denied", "Allow access"),
}
_READING = {errno.ENOENT: ("there is no such file", "Put it back")}


def storage_error(exc: OSError, what: str, path: Path, advice: str) -> StorageError:
    """`Cannot WHAT PATH: reason. What to do, or ADVICE.`"""
    reasons = _REASONS | (_READING if what.startswith("read") else {})
    reason, remedy = reasons.get(exc.errno or 0, (exc.strerror or str(exc), "Check the disk"))
    return StorageError(f"Cannot {what} {path}: {reason}. {remedy}, or {advice}.")


@contextmanager
def storage_errors(what: str, path: Path, advice: str = MUSIC_ADVICE) -> Iterator[None]:
    """Turn every OSError inside into a StorageError; `what` is a verb (`write`, `read`), `advice` completes `or ...`."""
    try:
        yield
    except OSError as exc:
        raise storage_error(exc, what, path, advice) from exc


@contextmanager
def temporary(target: Path, advice: str = MUSIC_ADVICE, *, private: bool = False) -> Iterator[Path]:
    """A new, empty file beside `target`, removed at the end unless it was published.

    With `private` only its owner can read it. Every OSError inside leaves as a StorageError about `target`.
    """
    temp = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}{_PART}")
    try:
        with storage_errors("write", target, advice):
            os.close(os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666))
            yield temp
    finally:
        with suppress(OSError):
            temp.unlink(missing_ok=True)


@contextmanager
def atomic(target: Path, advice: str = MUSIC_ADVICE, *, private: bool = False) -> Iterator[Path]:
    """`temporary` that is published under `target` when the block ends without an error."""
    with temporary(target, advice, private=private) as temp:
        yield temp
        publish(temp, target, advice)


def publish(temp: Path, target: Path, advice: str = MUSIC_ADVICE) -> None:
    """Flush `temp` to the disk and rename it to `target`, replacing any file there.

    Raises StorageError; `temp` is then still there.
    """
    with storage_errors("write", target, advice):
        with temp.open("r+b") as file:
            os.fsync(file.fileno())
        temp.replace(target)
        _flush_folder(target.parent)


@contextmanager
def new_file(target: Path, advice: str = MUSIC_ADVICE) -> Iterator[Path]:
    """`atomic` that never replaces a file: where one of that name has appeared, a StorageError says so."""
    with temporary(target, advice) as temp:
        yield temp
        with temp.open("r+b") as file:
            os.fsync(file.fileno())
        try:
            try:
                os.link(temp, target)  # fails where the name is taken, which a rename does not
            except FileExistsError:
                raise
            except OSError:  # this file system has no hard links
                os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
                publish(temp, target, advice)
        except FileExistsError as exc:
            raise StorageError(f"{target} exists already and was left alone. Choose another name.") from exc


def write_bytes(target: Path, content: bytes, advice: str = MUSIC_ADVICE, *, private: bool = False) -> None:
    """Write a whole file atomically; an earlier one is replaced. Raises StorageError."""
    with atomic(target, advice, private=private) as temp:
        temp.write_bytes(content)


def write_json(target: Path, value: dict[str, Any], advice: str = MUSIC_ADVICE, *, private: bool = False) -> None:
    """Write readable UTF-8 JSON atomically. Raises StorageError."""
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    write_bytes(target, text.encode("utf-8"), advice, private=private)


def make_folder(folder: Path, advice: str = MUSIC_ADVICE, *, private: bool = False) -> Path:
    """Create a folder and its parents where they are missing. Raises StorageError."""
    with storage_errors("create the folder", folder, advice):
        folder.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
    return folder


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading. Raises OSError, also for a folder, pipe or device; never waits for a pipe's other end."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise OSError(errno.EINVAL, "it is not a regular file")


def read_regular(path: Path, most: int) -> bytes:
    """The content of a file. Raises what `open_regular` does, and ValueError when it is larger than `most` bytes."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is larger than {most} bytes")
    return content


def sweep(folder: Path, *, older_than: float = 86_400) -> int:
    """Remove temporary files that killed processes left, when older than that many seconds."""
    removed = 0
    limit = time.time() - older_than
    for path in folder.glob(f".*{_PART}"):
        with suppress(OSError):
            if path.stat().st_mtime < limit:
                path.unlink()
                removed += 1
    return removed


def _flush_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system lets a folder be opened (Windows does not)."""
    if os.name == "nt":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
