"""One SQLite file for all processes of a user: jobs, their leases, uploads, and the index of tracks."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import StorageError
from acestep_mcp.files import DATA_ADVICE, make_folder, new_file
from acestep_mcp.library.schema import SCHEMA, is_sound
from acestep_mcp.sqlite import (
    FAILURES,
    again,
    back_up,
    check_locks,
    connect,
    create,
    create_private,
    damage_of,
    is_damage,
    is_unwritable,
    locked,
    repair,
    unusable,
    use_write_ahead_log,
    version_of,
)

logger = logging.getLogger(__name__)

_LOCK_SECONDS = 20
_NOTHING_LOST = "Nothing was submitted or lost."
_NOTICE = (
    "{summary} Your songs are not affected: the list of songs is read from the music folder. Jobs that could not be "
    "read are forgotten; a song of theirs that was made at a host may still be on its dashboard."
)


class Database:
    """Connections shared by the threads of one process, for short transactions.

    A damaged file is set aside and replaced, with a notice for the user. A file that was put in its place, or whose folder
    was away and has come back, is opened at the next use; one that was deleted is written again. One on a disk that is
    full or read-only can be read.
    """

    schema = SCHEMA

    def __init__(self, path: Path, *, copied: bool = False) -> None:
        """Raises StorageError when the file cannot be created or used.

        `copied`: a copy in memory, empty if there is no file; what is done to it leaves no trace on the disk.
        """
        self.path = path
        self.is_copy = copied
        self._lock = threading.RLock()
        # Reading does not wait for a writer that waits for another process.
        self._reading_lock = self._lock if copied else threading.RLock()
        self._identity: tuple[int, int] | None = None
        self._is_closed = False
        self._obstacle: sqlite3.Error | None = None
        """Why a copy is read in place of the file, and nothing can be written."""
        try:
            self._open_copy() if copied else self._open_or_read()
        except (OSError, *FAILURES) as exc:
            raise unusable(path, exc, DATA_ADVICE, after=_NOTHING_LOST) from exc

    def _open_or_read(self) -> None:
        """Open the file or, as long as its disk lets nothing be written, a copy of it."""
        try:
            self._open()
        except sqlite3.Error as exc:
            if not is_unwritable(exc) or not self.path.is_file():
                raise
            self._open_copy()
            self._obstacle = exc

    def _open(self) -> None:
        make_folder(self.path.parent, DATA_ADVICE)
        create_private(self.path)
        check_locks(self.path, DATA_ADVICE, after=_NOTHING_LOST)
        try:
            self._connect()
        except FAILURES as exc:
            if not is_damage(exc):
                raise
            self._repair()
            self._connect()

    def _connect(self) -> None:
        """Open the file that has the name now. Raises sqlite3.Error, StorageError."""
        with ExitStack() as opened:
            self._connection = opened.enter_context(closing(_connection(self.path)))
            self._update(self._connection)
            self._reader = opened.enter_context(closing(_connection(self.path)))
            self._identity = _identity(self.path)
            opened.pop_all()

    def _update(self, connection: sqlite3.Connection) -> None:
        """Bring the schema up to date."""
        self._check_version(connection)
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            # Read again: another process may have updated the file meanwhile. Inside, so that none can do so now.
            version = version_of(connection)
            if 0 < version < SCHEMA.version and not self.is_copy:
                with closing(sqlite3.connect(self.path)) as before:
                    back_up(before, self.path, version, DATA_ADVICE)
            if version <= SCHEMA.version:
                create(connection, SCHEMA)
        # After the first transaction: switching the journal needs exclusive access, and is stored in the file.
        use_write_ahead_log(connection, _LOCK_SECONDS)
        connection.execute("PRAGMA synchronous = FULL")

    def _check_version(self, connection: sqlite3.Connection) -> None:
        if version_of(connection) > SCHEMA.version:
            raise StorageError(
                f"The database {self.path} was written by a newer acestep-mcp. Update this one, "
                "or set ACESTEP_DATA_DIR to another folder."
            )

    def _open_copy(self) -> None:
        with ExitStack() as opened:
            self._connection = self._reader = opened.enter_context(closing(_connection(":memory:")))
            try:
                if self.path.is_file():
                    _copy(self.path, self._connection)
                    self._check_version(self._connection)
                    if damage := damage_of(self._connection, SCHEMA):
                        raise self._damaged(damage)
                self._update(self._connection)
            except FAILURES as exc:
                raise (self._damaged(str(exc)) if is_damage(exc) else exc) from exc
            opened.pop_all()

    def _damaged(self, damage: str) -> StorageError:
        return StorageError(
            f"The database {self.path} is damaged ({damage}). `acestep-mcp doctor --fix`, or the next song, keeps a copy "
            "of it and makes a new one with what can be read. Your songs are not affected."
        )

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for SELECTs that need no shared snapshot."""
        with self._translated(), self._reading_lock:
            yield self._reader

    @property
    def why_only_read(self) -> str | None:
        """Why nothing can be written since the file was opened."""
        if self._obstacle is None:
            return None
        return unusable(self.path, self._obstacle, DATA_ADVICE, after="Songs and jobs can be read.").message

    def execute(self, statement: str, values: Sequence[Any]) -> int:
        """One writing statement, which is a transaction by itself. Returns the number of rows it changed."""
        with self._translated(), self._turn():
            return self._connection.execute(statement, values).rowcount

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One immediate transaction: committed at the end, rolled back after any error, that of the commit included."""
        with self._translated(), self._turn():
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                yield self._connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """The lock of this process's writers. Each may wait for another process: a queue of them must not add that up."""
        if not self._lock.acquire(timeout=_LOCK_SECONDS):
            raise locked()
        try:
            if self._obstacle is not None:
                raise again(self._obstacle)
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Entered before a lock is taken: it may have to take both."""
        try:
            self._follow()
            yield
        except sqlite3.IntegrityError:
            raise
        except FAILURES as exc:
            raise self._failure(exc) from exc

    def _failure(self, exc: Exception) -> StorageError:
        if not is_damage(exc) or self.is_copy:
            return unusable(self.path, exc, DATA_ADVICE, after=_NOTHING_LOST)
        with self._lock, self._reading_lock:
            self._close()
            try:
                self._repair()
            except FAILURES as worse:
                return unusable(self.path, worse, DATA_ADVICE)
        return StorageError(f"The database {self.path} was damaged and has been repaired. Try again.")

    def _repair(self) -> None:
        if done := repaired(self.path):
            logger.warning("%s", done)

    # -- following the name

    def _follow(self) -> None:
        """Before each use: open the file that the name leads to now, unless it is still the same."""
        if self.is_copy or self._is_closed or (self._obstacle is None and self._is_current()):
            return None
        with self._lock, self._reading_lock:
            if self._obstacle is not None:
                return self._try_again()
            if self._is_current():
                return None
            if not self.path.exists():
                self._write_again()
            self._close()
            self._open()
        return None

    def _try_again(self) -> None:
        """The file in place of its copy, if it can be written by now."""
        copy = self._connection
        try:
            self._open()
        except (OSError, StorageError, *FAILURES):
            self._connection = self._reader = copy
        else:
            self._obstacle = None
            copy.close()

    def _is_current(self) -> bool:
        try:
            return _identity(self.path) == self._identity
        except OSError as exc:
            if self._identity is None or not _is_deleted(self._identity):
                raise StorageError(
                    f"The database {self.path} is not there now ({exc.strerror}). Bring its folder back, for example by "
                    f"connecting the disk; everything then goes on. {_NOTHING_LOST}"
                ) from exc
            return False

    def _write_again(self) -> None:
        """The file was deleted, but a deleted file lasts as long as it is open."""
        make_folder(self.path.parent, DATA_ADVICE)
        with suppress(FileExistsError), new_file(self.path, DATA_ADVICE) as part:
            part.chmod(0o600)
            with closing(sqlite3.connect(part)) as target:
                self._connection.backup(target)
        logger.warning("%s was deleted while it was in use and is written again", self.path)

    def close(self) -> None:
        with self._lock, self._reading_lock:
            self._is_closed = True
            self._close()

    def _close(self) -> None:
        self._identity = None
        self._reader.close()
        self._connection.close()


def repaired(path: Path) -> str | None:
    """Replace a damaged database, and leave a notice about it; what was done, or None where it is sound.

    Raises StorageError, sqlite3.Error.
    """
    done = repair(path, SCHEMA, is_sound, DATA_ADVICE)
    if done is None:
        return None
    with closing(_connection(path)) as db:
        db.execute("INSERT INTO notices (text) VALUES (?)", (_NOTICE.format(summary=done.summary),))
    return done.summary


def _connection(path: Path | str) -> sqlite3.Connection:
    connection = connect(path, timeout=_LOCK_SECONDS)
    connection.row_factory = sqlite3.Row
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    return connection


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino


def _is_deleted(identity: tuple[int, int]) -> bool:
    """Whether this file, which is open here, has no name any more. A folder that was moved away is not deleted."""
    with suppress(OSError):
        for name in Path("/dev/fd").iterdir():
            with suppress(OSError, ValueError):
                found = os.fstat(int(name.name))
                if (found.st_dev, found.st_ino) == identity:
                    return found.st_nlink == 0
    return False


def _copy(path: Path, target: sqlite3.Connection) -> None:
    """Read the file without the lock files that SQLite would create beside it, unless they are there."""
    log = path.with_name(f"{path.name}-wal")
    in_use = log.exists() and log.stat().st_size > 0
    address = f"{path.resolve().as_uri()}?mode=ro{'' if in_use else '&immutable=1'}"
    with closing(sqlite3.connect(address, uri=True)) as source:
        source.backup(target)
