"""Jobs on disk: one SQLite table, one short transaction per change."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError, Occupied
from acestep_mcp.engine_server.job_rows import COLUMNS, job_of, row_of
from acestep_mcp.engine_server.jobs import QueueJob
from acestep_mcp.sqlite import (
    FAILURES,
    DamagedSchema,
    Row,
    Schema,
    back_up,
    check_locks,
    connect,
    create,
    create_private,
    damage_of,
    is_damage,
    is_locked,
    repair,
    unusable,
    version_of,
)

logger = logging.getLogger(__name__)

_PAGES_PER_ROUND = 2000
"""8 MB, which takes about 10 ms."""
_WAL_BYTES = 4 << 20
_INCREMENTAL = 2
_ADVICE = "give the engine server another data folder"
SCHEMA = Schema(
    2,
    f"CREATE TABLE IF NOT EXISTS job ({', '.join(COLUMNS)}, PRIMARY KEY (id)) WITHOUT ROWID",
    {1: "ALTER TABLE job ADD COLUMN owner"},
    kept={"job": "id"},
)


class JobStore:
    """The database of the job queue. Used from one thread; every call takes well under a millisecond.

    The file is locked exclusively while open, so that no two servers run the same jobs; the lock ends with the
    process. A damaged file is kept beside a new one that holds what can be read. Raises Occupied when another server
    holds it, StorageError when it cannot be read or written.
    """

    schema = SCHEMA

    def __init__(self, path: Path | None) -> None:
        self._path = path
        with self._errors():
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                create_private(path)
                check_locks(path, _ADVICE)
            try:
                self._connect()
            except FAILURES as exc:
                if path is None or not is_damage(exc):
                    raise
                self._repair(path)

    def save(self, job: QueueJob) -> None:
        """Write the whole job."""
        marks = ", ".join("?" * len(COLUMNS))
        with self._errors():
            self._run(f"INSERT OR REPLACE INTO job ({', '.join(COLUMNS)}) VALUES ({marks})", row_of(job))

    def forget(self, job_id: str) -> None:
        with self._errors():
            self._run("DELETE FROM job WHERE id = ?", (job_id,))

    def shrink(self) -> None:
        """Give some of the space of forgotten jobs back to the disk."""
        with suppress(sqlite3.Error):  # on a full disk there is no room for it
            # As a script: a statement without columns is stepped once, which frees one page.
            self._db.executescript(f"PRAGMA incremental_vacuum({_PAGES_PER_ROUND})")

    def all(self) -> list[QueueJob]:
        """Every job in order of submission; one that this version cannot read is skipped and stays on disk."""
        with self._errors():
            rows = self._run(f"SELECT {', '.join(COLUMNS)} FROM job ORDER BY sequence").fetchall()
        return [job for row in rows if (job := job_of(dict(zip(COLUMNS, row, strict=True))))]

    def close(self) -> None:
        self._db.close()

    def _run(self, statement: str, values: tuple[Any, ...] = ()) -> sqlite3.Cursor:
        """Execute a statement, after a repair where the file has been damaged meanwhile."""
        try:
            return self._db.execute(statement, values)
        except FAILURES as exc:
            if self._path is None or not is_damage(exc):
                raise
            self._repair(self._path)
            return self._db.execute(statement, values)

    def _connect(self) -> None:
        with ExitStack() as on_error:
            self._db = connect(self._path or ":memory:", timeout=1)
            on_error.callback(self._db.close)
            self._db.text_factory = partial(str, encoding="utf-8", errors="replace")
            self._open()
            on_error.pop_all()

    def _open(self) -> None:
        self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before anything is written
        # With exclusive locking WAL needs no shared-memory file, which network folders cannot provide.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        # Survives the end of the process; a power cut may lose the last moments, never the file.
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        found = version_of(self._db)
        if found > SCHEMA.version:
            raise ConfigurationError(
                f"The job database {self._path} was written by a newer version of acestep-mcp. "
                "Update acestep-mcp, or give another data folder."
            )
        if found and (damage := damage_of(self._db, SCHEMA)):
            raise DamagedSchema(damage)
        if self._path and 0 < found < SCHEMA.version:
            back_up(self._db, self._path, found, _ADVICE)
        self._db.execute("BEGIN EXCLUSIVE")
        create(self._db, SCHEMA)
        self._db.execute("COMMIT")
        if self._db.execute("PRAGMA auto_vacuum").fetchone()[0] != _INCREMENTAL:
            with suppress(sqlite3.OperationalError):  # there is no room for a copy now: the next start tries again
                self._db.execute("PRAGMA auto_vacuum = INCREMENTAL")
                self._db.execute("VACUUM")

    def _repair(self, path: Path) -> None:
        self._db.close()
        if done := repair(path, SCHEMA, _is_sound, _ADVICE):
            logger.warning("%s", done.summary)
        self._connect()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except FAILURES as exc:
            if is_locked(exc):
                if self._path:
                    check_locks(self._path, _ADVICE)
                raise Occupied(
                    f"Another engine server is using the job database {self._path}. "
                    "Stop that one, or give this one another data folder."
                ) from exc
            raise unusable(self._path, exc, _ADVICE) from exc
        except OSError as exc:
            raise unusable(self._path, exc, _ADVICE) from exc


def _is_sound(_: str, row: Row) -> bool:
    return job_of(row) is not None
