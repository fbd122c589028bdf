"""One SQLite file for all processes of a user: jobs, their leases, uploads, and the index of tracks."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import StorageError

SCHEMA_VERSION = 2

_SCHEMA = """
CREATE TABLE IF NOT EXISTS processes (id TEXT PRIMARY KEY, heartbeat REAL NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    endpoint TEXT NOT NULL,
    request TEXT NOT NULL,
    status TEXT NOT NULL,
    backend TEXT NOT NULL,
    created_at REAL NOT NULL,
    started_at REAL,
    ended_at REAL,
    queue_url TEXT NOT NULL DEFAULT '',
    ticket TEXT,
    request_id TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    progress TEXT NOT NULL DEFAULT '{}',
    logs TEXT NOT NULL DEFAULT '[]',
    result TEXT,
    track_id TEXT,
    file_name TEXT,
    file_stem TEXT,
    parent TEXT,
    error TEXT,
    estimated_cost REAL NOT NULL DEFAULT 0,
    cost REAL,
    notes TEXT NOT NULL DEFAULT '[]',
    options TEXT NOT NULL DEFAULT '{}',
    fingerprint TEXT NOT NULL,
    idempotency_key TEXT UNIQUE,
    answer TEXT NOT NULL DEFAULT 'open',
    cut_at REAL,
    caller TEXT,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    owner TEXT
);
CREATE INDEX IF NOT EXISTS jobs_open ON jobs (status, owner);
CREATE INDEX IF NOT EXISTS jobs_fingerprint ON jobs (fingerprint);
CREATE TABLE IF NOT EXISTS tracks (
    change INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    folder TEXT NOT NULL,
    file_name TEXT NOT NULL,
    sidecar_name TEXT NOT NULL,
    stamp TEXT NOT NULL,
    created_at TEXT NOT NULL,
    search TEXT NOT NULL,
    sidecar TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0,
    UNIQUE (folder, id)
);
CREATE TABLE IF NOT EXISTS uploads (
    host TEXT NOT NULL, digest TEXT NOT NULL, url TEXT NOT NULL, uploaded_at REAL NOT NULL, PRIMARY KEY (host, digest)
);
CREATE INDEX IF NOT EXISTS tracks_newest ON tracks (folder, deleted, created_at DESC, id DESC);
"""


_MIGRATIONS = {
    1: """
ALTER TABLE jobs ADD COLUMN request_id TEXT;
UPDATE jobs SET request_id = json_extract(ticket, '$.request_id') WHERE ticket IS NOT NULL
""",
}
"""Statements from each version to the next. Columns are only added: an older server may have the file open."""


def migrate(connection: sqlite3.Connection) -> None:
    """Create the schema, or update an older one, within the open transaction."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    for step in range(version, SCHEMA_VERSION) if version else ():
        for statement in _MIGRATIONS[step].split(";"):
            connection.execute(statement)
    for statement in _SCHEMA.split(";"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


class Database:
    """A connection shared by the threads of one process, for short transactions."""

    def __init__(self, path: Path, *, copied: bool = False) -> None:
        """Raises StorageError when the file cannot be created or is not a database.

        `copied`: a copy in memory, empty if there is no file; what is done to it leaves no trace on the disk.
        """
        self.path = path
        self.is_copy = copied
        self._lock = threading.Lock()
        try:
            if not copied:
                path.parent.mkdir(parents=True, exist_ok=True)
            opened = ":memory:" if copied else path
            self._connection = sqlite3.connect(opened, timeout=20, isolation_level=None, check_same_thread=False)
            if copied and path.is_file():
                _copy(path, self._connection)
        except (OSError, sqlite3.Error) as exc:
            raise self._unusable(exc) from exc
        with ExitStack() as stack:
            stack.callback(self._connection.close)
            self._prepare()
            stack.pop_all()

    def _prepare(self) -> None:
        self._connection.row_factory = sqlite3.Row
        with self.reading() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise StorageError(
                f"The database {self.path} was written by a newer acestep-mcp. Update this one, "
                "or set ACESTEP_DATA_DIR to another folder."
            )
        with self.writing() as connection:
            # Read again: another process may have updated the file meanwhile. Inside, so that none can do so now.
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if 0 < version < SCHEMA_VERSION and not self.is_copy:
                self._back_up(version)
            if version <= SCHEMA_VERSION:
                migrate(connection)
        # After the first transaction: switching the journal needs exclusive access, and is stored in the file.
        with self._translated(), self._lock:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")

    def _back_up(self, version: int) -> None:
        """Copy a database of an older schema to a file next to it, once, before it is changed."""
        backup = self.path.with_name(f"{self.path.name}.v{version}.backup")
        if backup.exists():
            return
        partial = backup.with_name(f".{backup.name}.{os.getpid()}.part")
        try:
            # A second connection: the one with the open transaction cannot be copied from.
            with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(partial)) as target:
                source.backup(target)
            partial.replace(backup)
        except OSError as exc:
            raise self._unusable(exc) from exc

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for SELECTs that need no shared snapshot."""
        with self._translated(), self._lock:
            yield self._connection

    def execute(self, statement: str, values: Sequence[Any]) -> int:
        """One writing statement, which is a transaction by itself. Returns the number of rows it changed."""
        with self._translated(), self._lock:
            return self._connection.execute(statement, values).rowcount

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One immediate transaction: committed at the end, rolled back after any error, that of the commit included."""
        with self._translated(), self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            with self._connection:
                yield self._connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as exc:
            raise self._unusable(exc) from exc

    def _unusable(self, exc: Exception) -> StorageError:
        return StorageError(
            f"The job database {self.path} cannot be used: {exc}. Free disk space, check that the folder is "
            "writable, or set ACESTEP_DATA_DIR to another folder. Nothing was submitted or lost."
        )

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def _copy(path: Path, target: sqlite3.Connection) -> None:
    """Read the file without the lock files that SQLite would create beside it, unless they are there."""
    in_use = path.with_name(f"{path.name}-wal").exists()
    address = f"{path.resolve().as_uri()}?mode=ro{'' if in_use else '&immutable=1'}"
    with closing(sqlite3.connect(address, uri=True)) as source:
        source.backup(target)
