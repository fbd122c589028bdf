"""Jobs on disk: one SQLite table, one short transaction per change."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.api.errors import ConfigurationError, InvalidRequest, Occupied, StorageError
from acestep_mcp.engine_server.jobs import QueueJob, RunOptions, State, StoredResponse

logger = logging.getLogger(__name__)

_VERSION = 1
_COLUMNS = (
    "id", "endpoint", "request", "terms", "created_at", "sequence", "state", "attempts", "cancelled", "told",
    "ended_at", "answer", "logs",
)  # fmt: skip
# `terms` are the RunOptions, and `told` whether its webhook is done: the columns keep their first names, since
# an older server may open the file.


class JobStore:
    """The database of the job queue. Used from one thread; every call takes well under a millisecond.

    The file is locked exclusively while open, so that no two servers run the same jobs; the lock ends with the
    process. Raises Occupied when another server holds it, StorageError when it cannot
    be read or written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        with self._errors():
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
            with ExitStack() as on_error:
                self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=1)
                on_error.callback(self._db.close)
                self._open()
                on_error.pop_all()

    def save(self, job: QueueJob) -> None:
        """Write the whole job."""
        marks = ", ".join("?" * len(_COLUMNS))
        with self._errors():
            self._db.execute(f"INSERT OR REPLACE INTO job ({', '.join(_COLUMNS)}) VALUES ({marks})", _row(job))

    def forget(self, job_id: str) -> None:
        with self._errors():
            self._db.execute("DELETE FROM job WHERE id = ?", (job_id,))

    def all(self) -> list[QueueJob]:
        """Every job in order of submission; one that this version cannot read is skipped and stays on disk."""
        with self._errors():
            rows = self._db.execute(f"SELECT {', '.join(_COLUMNS)} FROM job ORDER BY sequence").fetchall()
        return [job for row in rows if (job := _job(dict(zip(_COLUMNS, row, strict=True))))]

    def close(self) -> None:
        self._db.close()

    def _open(self) -> None:
        # With exclusive locking WAL needs no shared-memory file, which network folders cannot provide.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        # Survives the end of the process; a power cut may lose the last moments, never the file.
        self._db.execute("PRAGMA synchronous = NORMAL")
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found > _VERSION:
            raise ConfigurationError(
                f"The job database {self._path} was written by a newer version of acestep-mcp. "
                "Update acestep-mcp, or give another data folder."
            )
        self._db.execute("BEGIN EXCLUSIVE")
        self._db.execute(f"CREATE TABLE IF NOT EXISTS job ({', '.join(_COLUMNS)}, PRIMARY KEY (id)) WITHOUT ROWID")
        self._db.execute(f"PRAGMA user_version = {_VERSION}")
        self._db.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as exc:
            if "locked" in str(exc):
                raise Occupied(
                    f"Another engine server is using the job database {self._path}. "
                    "Stop that one, or give this one another data folder."
                ) from exc
            raise self._broken(exc) from exc
        except (sqlite3.Error, OSError) as exc:
            raise self._broken(exc) from exc

    def _broken(self, exc: Exception) -> StorageError:
        return StorageError(
            f"The job database {self._path or 'in memory'} cannot be used: {exc}. "
            "Check the folder's free space and permissions."
        )


def _row(job: QueueJob) -> tuple[Any, ...]:
    return (
        job.id,
        job.endpoint,
        json.dumps(job.request.wire()),
        _options_json(job.options),
        job.created_at,
        job.sequence,
        job.state.value,
        job.attempts,
        int(job.cancelled),
        int(job.webhook_done),
        job.ended_at,
        json.dumps(asdict(job.answer)) if job.answer else None,
        json.dumps(job.lines) if job.ended else "[]",
    )


def _job(row: dict[str, Any]) -> QueueJob | None:
    try:
        return QueueJob(
            endpoint=row["endpoint"],
            request=BY_ID[row["endpoint"]].request.parse(json.loads(row["request"])),
            options=_options(row["terms"]),
            id=row["id"],
            created_at=row["created_at"],
            sequence=row["sequence"],
            state=State(row["state"]),
            attempts=row["attempts"],
            cancelled=bool(row["cancelled"]),
            webhook_done=bool(row["told"]),
            ended_at=row["ended_at"],
            answer=StoredResponse(**json.loads(row["answer"])) if row["answer"] else None,
            logs=json.loads(row["logs"]),
        )
    except (InvalidRequest, KeyError, ValueError, TypeError) as exc:
        logger.warning("job %s cannot be read and is skipped: %s", row["id"], exc)
        return None


def _options_json(options: RunOptions) -> str:
    """As earlier versions wrote them: `synchronous` is `direct` in the database."""
    stored = asdict(options)
    stored["direct"] = stored.pop("synchronous")
    return json.dumps(stored)


def _options(text: str) -> RunOptions:
    stored = json.loads(text)
    return RunOptions(synchronous=stored.pop("direct", False), **stored)
