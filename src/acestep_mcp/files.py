"""Files that appear complete or not at all, that are opened where they were checked, and whose OSErrors become StorageErrors."""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import stat
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path, PureWindowsPath
from typing import Any, BinaryIO

from acestep_mcp.api.errors import StorageError

MUSIC_ADVICE = "choose another folder (ACESTEP_MUSIC_DIR)"
DATA_ADVICE = "set ACESTEP_DATA_DIR to another folder"

_PART = ".part"
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.part")
_EVERYWHERE = (errno.EMFILE, errno.ENFILE)  # in another folder too
_REASONS = {
    errno.ENOSPC: ("the disk is full", "Free some space"),
    errno.EDQUOT: ("the disk quota is used up", "Free some space"),
    errno.EFBIG: ("the file is larger than is allowed here", "Raise the limit"),
    errno.ENOENT: ("the folder does not exist", "Create it"),
    errno.ENOTDIR: ("a part of the path is not a folder", "Rename that file"),
    **dict.fromkeys(_EVERYWHERE, ("too many files are open", "Close other programs, or raise the limit (ulimit -n)")),
    errno.EROFS: ("the disk is read-only", "Make it writable"),
    **dict.fromkeys((errno.EACCES, errno.EPERM), ("access is denied", "Allow access")),
}
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
# A folder may allow its entries to be opened, but not to be listed.
_SEARCH = getattr(os, "O_PATH", getattr(os, "O_SEARCH", os.O_RDONLY)) | getattr(os, "O_DIRECTORY", 0)


def storage_error(exc: OSError, what: str, path: Path, advice: str) -> StorageError:
    """`Cannot WHAT PATH: reason. What to do, or ADVICE.`, without the advice where another folder would not help."""
    reasons = _REASONS | ({errno.ENOENT: ("there is no such file", "Put it back")} if what.startswith("read") else {})
    reason, remedy = reasons.get(exc.errno or 0, (exc.strerror or str(exc), "Check the disk"))
    todo = remedy if exc.errno in _EVERYWHERE else f"{remedy}, or {advice}"
    return StorageError(f"Cannot {what} {path}: {reason}. {todo}.")


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
    """Flush `temp` to the disk and rename it to `target`, replacing any file; after a StorageError it is still there."""
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


def write_bytes(target: Path, content: bytes, advice: str = MUSIC_ADVICE, *, private: bool = False) -> os.stat_result:
    """Write a whole file atomically, in place of an earlier one; returns the `stat` of this one. Raises StorageError."""
    with atomic(target, advice, private=private) as temp:
        temp.write_bytes(content)
        return temp.stat()


def write_json(
    target: Path, value: dict[str, Any], advice: str = MUSIC_ADVICE, *, private: bool = False
) -> os.stat_result:
    """`write_bytes` of readable UTF-8 JSON. Raises StorageError."""
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    return write_bytes(target, text.encode("utf-8"), advice, private=private)


def put_back(target: Path, value: dict[str, Any]) -> None:
    """Write a private file of JSON, and its folder, where they are gone; where that fails, the next call tries again."""
    if not target.exists():
        with suppress(StorageError):
            make_folder(target.parent, private=True)
            write_json(target, value, private=True)


def make_folder(folder: Path, advice: str = MUSIC_ADVICE, *, private: bool = False) -> Path:
    """Create a folder and its parents where they are missing. Raises StorageError."""
    with storage_errors("create the folder", folder, advice):
        folder.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
    return folder


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading. Raises OSError, also for a folder, pipe or device; never waits for a pipe's other end."""
    return _regular(path, os.open(path, _READ))


def open_inside(path: Path, folders: Iterable[Path]) -> BufferedReader:
    """`open_regular` for a file that lies, with all links followed, in one of the folders.

    Whatever is renamed or linked meanwhile, the open file lies there. Raises PermissionError for one that lies elsewhere.
    """
    real = path.resolve()
    if not is_inside(real, folders):
        raise PermissionError(errno.EACCES, "it lies outside the folders that may be read")
    return open_resolved(real)


def is_inside(real: Path, folders: Iterable[Path]) -> bool:
    """Whether a resolved path lies in one of the folders, wherever these lead."""
    return any(real.is_relative_to(folder.resolve()) for folder in folders)


def open_resolved(real: Path) -> BufferedReader:
    """`open_regular` for a resolved path. Raises OSError where a link has taken the place of a part of it since."""
    if os.open not in os.supports_dir_fd:
        file = open_regular(real)
        if _is_at(file, real):
            return file
        file.close()
        raise OSError(errno.ELOOP, "it was replaced while it was opened")
    with _folder(real.parent) as folder:
        return _regular(real, os.open(real.name, _READ | os.O_NOFOLLOW, dir_fd=folder))


def names_machine(path: str, folders: Iterable[Path] = ()) -> bool:
    r"""Whether a path names another machine (`\\\\host\\share`, `//host/share`), judged by its text: even asking for it connects there.

    Those in a folder that names one itself are meant by its owner.
    """
    given = PureWindowsPath(path)
    return path[:2].replace("\\", "/") == "//" and not any(
        given.is_relative_to(PureWindowsPath(folder)) for folder in folders if names_machine(str(folder))
    )


@contextmanager
def reading(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    """A file to be read from its beginning: that of a path, or one that is open already and stays open."""
    if isinstance(source, Path):
        with open_regular(source) as file:
            yield file
    else:
        source.seek(0)
        yield source


def location(source: Path | BinaryIO) -> Path:
    """The path of a file, under which it was opened if it is open."""
    return source if isinstance(source, Path) else Path(source.name)


def path_of(file: BinaryIO) -> str:
    """A path that opens this open file again, whatever its name leads to now (on Windows, an open file keeps its name)."""
    handle = file.fileno()
    return next((path for path in (f"/proc/self/fd/{handle}", f"/dev/fd/{handle}") if Path(path).exists()), file.name)


def copy_into(source: Path, target: Path, folders: Iterable[Path], advice: str = MUSIC_ADVICE) -> None:
    """Copy a file to a new name in one of the folders, whole or not at all; missing folders above it are created.

    `target` has no links in its path, and a link that takes the place of a part of it is not followed. Raises
    PermissionError for a target outside the folders, StorageError.
    """
    if not is_inside(target, folders):
        raise PermissionError(errno.EACCES, "it lies outside the folders that may be written")
    if os.open not in os.supports_dir_fd:
        make_folder(target.parent, advice)
        if target.parent.resolve() != target.parent:
            raise PermissionError(errno.EACCES, "its folder was replaced by a link")
        with new_file(target, advice) as part:
            shutil.copyfile(source, part)
        return
    hidden = f".{target.name[:40]}.{secrets.token_hex(4)}{_PART}"
    with storage_errors("write", target, advice), _folder(target.parent, create=True) as folder:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            with open_regular(source) as old, os.fdopen(os.open(hidden, flags, 0o666, dir_fd=folder), "wb") as new:
                shutil.copyfileobj(old, new, 2**20)
                new.flush()
                os.fsync(new.fileno())
            _name_in(folder, hidden, target)
            _flush_folder(target.parent)
        finally:
            with suppress(OSError):
                os.unlink(hidden, dir_fd=folder)


def _name_in(folder: int, part: str, target: Path) -> None:
    """Give a finished file in an open folder its name, if that is free."""
    try:
        os.link(part, target.name, src_dir_fd=folder, dst_dir_fd=folder)
    except FileExistsError as exc:
        raise StorageError(f"{target} exists already and was left alone. Choose another name.") from exc
    except OSError:  # this file system has no hard links
        os.close(os.open(target.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder))
        os.rename(part, target.name, src_dir_fd=folder, dst_dir_fd=folder)


@contextmanager
def _folder(path: Path, *, create: bool = False) -> Iterator[int]:
    """Open a folder by a path without links: each part by itself, so that none of them can be one."""
    handle = os.open(path.anchor, _SEARCH)
    try:
        for name in path.parts[1:]:
            if create:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=handle)
            inner = os.open(name, _SEARCH | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = inner
        yield handle
    finally:
        os.close(handle)


def _regular(path: Path, handle: int) -> BufferedReader:
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return open(path, "rb", opener=lambda *_: handle)  # its name is the path
    os.close(handle)
    raise OSError(errno.EINVAL, "it is not a regular file")


def _is_at(file: BinaryIO, real: Path) -> bool:
    """Whether the open file is the one of this path, without following links. For Windows, which opens no file below an open folder."""
    if sys.platform == "win32":
        import ctypes
        import msvcrt

        found = ctypes.create_unicode_buffer(2**15)
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(file.fileno()))
        if ctypes.windll.kernel32.GetFinalPathNameByHandleW(handle, found, len(found), 0):
            where = found.value.replace("\\\\?\\UNC\\", "\\\\", 1).removeprefix("\\\\?\\")
            return os.path.normcase(where) == os.path.normcase(real)
    return os.path.samestat(os.fstat(file.fileno()), real.lstat())  # a file system that knows no final names


def read_regular(path: Path, most: int) -> bytes:
    """The content of a file. Raises what `open_regular` does, and ValueError when it is larger than `most` bytes."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is larger than {most} bytes")
    return content


def sweep(folder: Path, *, older_than: float = 86_400, strictly: bool = False) -> int:
    """Remove temporary files that killed processes left, when older than that many seconds.

    `strictly`: only those whose names `temporary` has given, in a folder that has files of other programs.
    """
    removed = 0
    limit = time.time() - older_than
    for path in folder.glob(f".*{_PART}"):
        with suppress(OSError):
            if (not strictly or _TEMPORARY.fullmatch(path.name)) and path.stat().st_mtime < limit:
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
