"""What an error of SQLite means, and what to do about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from acestep_mcp.api.errors import StorageError, StorageLocked
from acestep_mcp.sqlite.locks import refusal_of_locks

_REASONS = {
    sqlite3.SQLITE_FULL: ("the disk is full", "Free some space"),
    sqlite3.SQLITE_BUSY: ("another program has locked it", "Close that program, or try again in a minute"),
    sqlite3.SQLITE_LOCKED: ("another program has locked it", "Close that program, or try again in a minute"),
    sqlite3.SQLITE_READONLY: ("it is read-only", "Make the file and its folder writable"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "Make the folder exist and writable"),
    sqlite3.SQLITE_PERM: ("access is denied", "Allow access"),
    sqlite3.SQLITE_IOERR: ("the disk reports an error", "Check the disk and its free space"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", "Start again: it is then repaired"),
    sqlite3.SQLITE_NOTADB: ("it is damaged", "Start again: it is then repaired"),
}


FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite's calls raise: the module decodes the text of an error, which may quote a damaged page."""


class DamagedSchema(sqlite3.DatabaseError):
    """The tables are not those that the version of the file has."""


def code_of(error: Exception) -> int:
    """SQLite's primary result code; 0 for other errors."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def is_damage(error: Exception) -> bool:
    """Whether the content of the file is wrong, rather than the disk or the access to it."""
    return isinstance(error, DamagedSchema | UnicodeDecodeError) or code_of(error) in (
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
    )


def is_locked(error: Exception) -> bool:
    """Whether another process holds a lock for longer than the connection waits."""
    return code_of(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def is_unwritable(error: Exception) -> bool:
    """Whether the disk lets nothing be written, while the content may be sound."""
    return code_of(error) in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
    )


def again(error: sqlite3.Error) -> sqlite3.Error:
    """The same error, to be raised once more."""
    copy = type(error)(*error.args)
    copy.sqlite_errorcode = error.sqlite_errorcode
    return copy


def locked() -> sqlite3.OperationalError:
    """As SQLite raises it where another connection keeps its lock."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


def check_locks(path: Path, advice: str, *, after: str = "") -> None:
    """Raises StorageError where the folder's file system refuses locks: SQLite would wait for them in vain."""
    if why := refusal_of_locks(path.parent):
        raise _without_locks(path, why, advice, after)


def _without_locks(path: Path, why: str, advice: str, after: str) -> StorageError:
    return StorageError(
        f"The job database {path} cannot be used: the file system there refuses to lock files ({why}), as some network "
        f"folders do. Use a folder on a disk of this machine: {advice}. {after}".rstrip()
    )


def unusable(path: Path | None, error: Exception, advice: str, *, after: str = "") -> StorageError:
    """`The job database PATH cannot be used: reason (detail). What to do, or ADVICE. AFTER`"""
    if (
        path
        and code_of(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR)
        and (why := refusal_of_locks(path.parent))
    ):
        return _without_locks(path, why, advice, after)
    reason, remedy = _REASONS.get(code_of(error), ("", "Check the folder's free space and permissions"))
    detail = f"{reason} ({error})" if reason else str(error)
    text = f"The job database {path or 'in memory'} cannot be used: {detail}. {remedy}, or {advice}. {after}"
    return (StorageLocked if is_locked(error) else StorageError)(text.rstrip())
