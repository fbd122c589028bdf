"""Where a file gets its place: written under a temporary name, flushed to the disk, then renamed; whole or absent."""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from acestep_mcp.api.errors import StorageError

_PART, _RESERVED = ".part", ".reserved"
_LONGEST_STEM = 150
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]+')
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_MOST_NAMES = 100_000
_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.EFBIG: "the file is larger than is allowed here: choose another folder (ACESTEP_MUSIC_DIR)",
    errno.ENOENT: "the folder does not exist: create it or choose another (ACESTEP_MUSIC_DIR)",
    errno.ENOTDIR: "that is not a folder: choose another (ACESTEP_MUSIC_DIR)",
    errno.EROFS: "the disk is read-only: choose another folder (ACESTEP_MUSIC_DIR)",
    errno.EACCES: "access is denied: allow writing there or choose another folder (ACESTEP_MUSIC_DIR)",
    errno.EPERM: "access is denied: allow writing there or choose another folder (ACESTEP_MUSIC_DIR)",
}


def cannot_keep(target: Path, exc: OSError) -> StorageError:
    """The error for a file that could not be written: what happened, where, and what to do."""
    advice = _ADVICE.get(exc.errno or 0, f"{exc.strerror or exc}: check the folder or choose another")
    return StorageError(f"Cannot write {target.name} in {target.parent}: {advice}, then try again.")


@contextmanager
def temporary(target: Path) -> Iterator[Path]:
    """An empty file of ours beside `target`, gone at the end unless it was published.

    Every OSError inside leaves as a StorageError about `target`.
    """
    temp = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}{_PART}")
    try:
        with temp.open("xb"):
            pass
        yield temp
    except OSError as exc:
        raise cannot_keep(target, exc) from exc
    finally:
        with suppress(OSError):
            temp.unlink(missing_ok=True)


def publish(temp: Path, target: Path) -> None:
    """Flush `temp` to the disk and give it its final name, in one step and over whatever has that name.

    Ends a reservation of the name. Raises StorageError, and `temp` is then still there.
    """
    try:
        with temp.open("r+b") as file:
            os.fsync(file.fileno())
        temp.replace(target)
        _flush_folder(target.parent)
        release(target)
    except OSError as exc:
        raise cannot_keep(target, exc) from exc


def free_name(folder: Path, stem: str, suffix: str) -> Path:
    """Reserve a path in `folder` that no file has: `stem.wav`, else `stem (2).wav`, and so on.

    No other process gets the same name, nor one that differs in the suffix only (a song and its sidecar share a
    stem). The name is made safe for every system and cut to 150 bytes. Nothing appears under it: the reservation is
    a hidden file that `publish` or `release` removes, and `sweep` after a crash. Raises StorageError.
    """
    stem = safe_stem(stem)
    for number in range(1, _MOST_NAMES):
        target = folder / f"{stem if number == 1 else f'{stem} ({number})'}{suffix}"
        try:
            if _reserved(target):
                return target
        except OSError as exc:
            raise cannot_keep(target, exc) from exc
    raise StorageError(f"{folder} holds too many files named {stem}: choose another title or folder.")


def release(target: Path) -> None:
    """Give a reserved name back; nothing happens when it was not reserved."""
    with suppress(OSError):
        _mark(target).unlink(missing_ok=True)


def sweep(folder: Path, *, older_than: float = 86_400) -> int:
    """Remove what killed processes left: temporary files and reservations older than that many seconds."""
    removed = 0
    limit = time.time() - older_than
    for path in (*folder.glob(f".*{_PART}"), *folder.glob(f".*{_RESERVED}")):
        with suppress(OSError):
            if path.stat().st_mtime < limit:
                path.unlink()
                removed += 1
    return removed


def safe_stem(text: str) -> str:
    """A file name without suffix that Windows, macOS and Linux accept, and that names no folder; never empty."""
    stem = " ".join(_FORBIDDEN.sub(" ", text).split())
    stem = stem.encode()[:_LONGEST_STEM].decode(errors="ignore").strip(" .")
    if not stem or _DEVICES.fullmatch(stem):
        return f"song {stem}".strip()
    return stem


def _reserved(target: Path) -> bool:
    """Try to take the name. Looking comes after marking: who marked first may have published in between."""
    mark = _mark(target)
    if _taken(target):
        return False
    try:
        with mark.open("xb"):
            pass
    except FileExistsError:
        return False
    if not _taken(target):
        return True
    mark.unlink(missing_ok=True)
    return False


def _mark(target: Path) -> Path:
    return target.with_name(f".{target.stem}{_RESERVED}")


def _taken(target: Path) -> bool:
    suffixes = {target.suffix, ".wav", ".flac", ".mp3", ".ogg", ".json"}
    return any(os.path.lexists(target.with_name(target.stem + suffix)) for suffix in suffixes)


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
