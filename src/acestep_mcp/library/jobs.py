"""Jobs in the database: written before anything is submitted, each owned by one process."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import PurePath
from typing import Any

from acestep_mcp.api.errors import InvalidRequest, NotFound, SpendLimitReached
from acestep_mcp.api.wording import TOOLS, Wording
from acestep_mcp.library.database import Database
from acestep_mcp.library.job_rows import OPTIONS_SQL, columns_of, fingerprint_of, job_of
from acestep_mcp.library.leases import Leases
from acestep_mcp.library.models import Job, Status
from acestep_mcp.library.notices import Notices
from acestep_mcp.library.uploads import Uploads

JOIN_SECONDS = 600
LOG_LINES = 50
LONGEST_KEY = 500
Rates = list[tuple[float, float]]
"""(seconds of run time, seconds of audio) of earlier jobs."""
_OPEN_SQL = "('NEW', 'IN_QUEUE', 'IN_PROGRESS')"


class Jobs:
    """The job table, for one process. A process without a heartbeat for `lease` seconds counts as dead."""

    def __init__(self, database: Database, *, lease: float = 15.0, wording: Wording = TOOLS) -> None:
        self._database = database
        self._wording = wording
        self.leases = Leases(database, lease)
        self._process = self.leases.process
        self.uploads = Uploads(database)
        self.notices = Notices(database)

    # -- ownership

    def adopt(self, running: Collection[str] = (), only: Collection[str] | None = None) -> list[Job]:
        """Take over every open job whose owner is dead, and those of this process that are not `running`.

        With `only` no others than these. A job that somebody stopped is left alone until `reopen`. After a sleep, others
        have the length of a lease to show that they live.
        """
        oldest = -1.0 if self.leases.has_just_woken else self.leases.oldest_alive
        orphans = (
            f"SELECT * FROM jobs WHERE status IN {_OPEN_SQL} AND answer <> 'stopped' AND (owner = ? OR owner IS NULL OR owner NOT IN "
            "(SELECT id FROM processes WHERE heartbeat >= ?)) ORDER BY number"
        )
        values = (self._process, oldest)
        with self._database.reading() as db:
            if not _orphans(db.execute(orphans, values), running, only):
                return []
        with self._database.writing() as db:
            rows = _orphans(db.execute(orphans, values), running, only)
            db.executemany("UPDATE jobs SET owner = ? WHERE id = ?", [(self._process, row["id"]) for row in rows])
        return [job_of(row) for row in rows]

    def reopen(self, job_id: str) -> bool:
        """Reopen a job that was accepted but could not be fetched or saved; False for any other job.

        One that was stopped may be taken over again from now on.
        """
        fits = "SELECT 1 FROM jobs WHERE id = ? AND (answer = 'stopped' OR status = 'FAILED')"
        with self._database.reading() as db:  # a look at any other job needs no lock
            if db.execute(fits, (job_id,)).fetchone() is None:
                return False
        with self._database.writing() as db:
            db.execute(
                f"UPDATE jobs SET answer = 'open', caller = ? WHERE id = ? AND answer = 'stopped' AND status IN {_OPEN_SQL}",
                (self._process, job_id),
            )
            cursor = db.execute(
                "UPDATE jobs SET status = 'IN_PROGRESS', ended_at = NULL, error = NULL, owner = ? WHERE id = ? "
                "AND status = 'FAILED' AND json_extract(error, '$.collectable')",
                (self._process, job_id),
            )
            return cursor.rowcount == 1

    def is_owned(self, job_id: str) -> bool:
        """True while this process owns the job; check it before anything that cannot be undone."""
        with self._database.reading() as db:
            owned = "SELECT 1 FROM jobs WHERE id = ? AND owner = ?"
            return db.execute(owned, (job_id, self._process)).fetchone() is not None

    # -- adding

    def add(self, job: Job, *, idempotency_key: str | None = None, spend_limit: float | None = None) -> Job:
        """Store a new job, or return the earlier one that this call repeats (`attached`).

        Its estimated cost is reserved in the same transaction. Raises SpendLimitReached, and stores nothing, if the day
        would then cost more than `spend_limit` dollars; InvalidRequest if the key was used with other arguments.
        """
        return self.add_all([(job, idempotency_key)], spend_limit=spend_limit)[0]

    def add_all(self, wanted: Sequence[tuple[Job, str | None]], *, spend_limit: float | None = None) -> list[Job]:
        """`add` for several jobs, each with its idempotency key: either all are stored or none."""
        if too_long := [key for _, key in wanted if key and len(key) > LONGEST_KEY]:
            raise InvalidRequest(
                f"The idempotency key {too_long[0][:40]!r}... is longer than {LONGEST_KEY} characters."
            )
        added = []
        with self._database.writing() as db:
            earlier = [self._repeated(db, fingerprint_of(job), key) for job, key in wanted]
            cost = sum(job.estimated_cost for (job, _), row in zip(wanted, earlier, strict=True) if row is None)
            if spend_limit is not None and cost > 0:
                _check_spend(db, cost, spend_limit, len(wanted))
            for (job, key), row in zip(wanted, earlier, strict=True):
                if row is None:
                    self._insert(db, job, key)
                else:
                    db.execute("UPDATE jobs SET answer = 'open', caller = ? WHERE id = ?", (self._process, row["id"]))
                added.append(job if row is None else job_of(row, attached=True))
        return added

    def _insert(self, db: sqlite3.Connection, job: Job, key: str | None) -> None:
        values = {
            **columns_of({field.name: getattr(job, field.name) for field in fields(job)}),
            "fingerprint": fingerprint_of(job),
            "idempotency_key": key,
            "caller": self._process,
            "owner": self._process,
        }
        db.execute(
            f"INSERT INTO jobs ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", [*values.values()]
        )

    def is_made(self, job: Job) -> bool:
        """An identical request has a song or is being made, and a new call would not join it."""
        fingerprint = fingerprint_of(job)
        with self._database.reading() as db:
            found = db.execute(
                "SELECT 1 FROM jobs WHERE fingerprint = ? AND status NOT IN ('FAILED', 'CANCELLED')", (fingerprint,)
            ).fetchone()
            return found is not None and self._repeated(db, fingerprint, None) is None

    def _repeated(self, db: sqlite3.Connection, fingerprint: str, key: str | None) -> sqlite3.Row | None:
        """The job that this call repeats: by its key, else by an undelivered answer."""
        if key is not None:
            row = db.execute("SELECT * FROM jobs WHERE idempotency_key = ?", (key,)).fetchone()
            if row is None:
                return None
            if row["fingerprint"] != fingerprint:
                raise InvalidRequest(
                    f"The idempotency key {key!r} was already used with other arguments (job {row['id']}). "
                    "Use a new key for a new song."
                )
            if row["status"] in (Status.FAILED, Status.CANCELLED):
                db.execute("UPDATE jobs SET idempotency_key = NULL WHERE id = ?", (row["id"],))
                return None
            return _row(row)
        now = time.time()
        return _row(
            db.execute(
                "SELECT * FROM jobs LEFT JOIN (SELECT id AS process, heartbeat FROM processes) ON process = caller "
                "WHERE fingerprint = ? AND status NOT IN ('FAILED', 'CANCELLED') "
                "AND (answer IN ('cut', 'stopped') OR (answer = 'open' AND coalesce(heartbeat, 0) < ?)) "
                f"AND (status IN {_OPEN_SQL} OR max(created_at, coalesce(ended_at, 0), "
                "coalesce(CASE answer WHEN 'open' THEN heartbeat ELSE cut_at END, 0)) > ?) ORDER BY number DESC LIMIT 1",
                (fingerprint, self.leases.oldest_alive, now - JOIN_SECONDS),
            ).fetchone()
        )

    def record_answer(self, job_id: str, answer: str) -> None:
        """`delivered`: the caller has the answer. `cut`: the caller left without it. `stopped`: and nobody is to go on
        with the job until it is asked for.
        """
        self._database.execute("UPDATE jobs SET answer = ?, cut_at = ? WHERE id = ?", (answer, time.time(), job_id))

    # -- changing

    def update(self, job_id: str, **changes: Any) -> bool:
        """Change fields of a job. Returns False, without a change, unless it is open and owned by this process."""
        values = columns_of(changes)
        assignments = ", ".join(f"{name} = ?" for name in values)
        changed = self._database.execute(
            f"UPDATE jobs SET {assignments} WHERE id = ? AND owner = ? AND status IN {_OPEN_SQL}",
            [*values.values(), job_id, self._process],
        )
        return changed == 1

    def count_attempt(self, job_id: str) -> int | None:
        """Count a submit before it is sent, and return the new count; None when this process may not send it."""
        with self._database.writing() as db:
            counted = db.execute(
                "UPDATE jobs SET attempts = attempts + 1, ticket = NULL, request_id = NULL "
                f"WHERE id = ? AND owner = ? AND status IN {_OPEN_SQL}",
                (job_id, self._process),
            )
            if counted.rowcount != 1:
                return None
            row = db.execute("SELECT attempts FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return int(row["attempts"])

    def record_handle(self, job_id: str, handle: Mapping[str, Any], request_id: str) -> bool:
        """Store the answer to a submit, and own the job again: this process may have slept meanwhile, and no other one can
        know the request. False when the job already has a request or has ended.
        """
        changed = self._database.execute(
            "UPDATE jobs SET ticket = ?, request_id = ?, status = 'IN_QUEUE', owner = ?, error = NULL, ended_at = NULL "
            f"WHERE id = ? AND request_id IS NULL AND status IN {_OPEN_SQL[:-1]}, 'UNKNOWN')",
            (json.dumps(handle), request_id, self._process, job_id),
        )
        return changed == 1

    def uncount_attempt(self, job_id: str) -> None:
        """Undo the count of a draft that an orderly shutdown stopped: its engine did not fail."""
        self._database.execute(
            "UPDATE jobs SET attempts = max(0, attempts - 1) WHERE id = ? AND owner = ? AND backend = 'draft' "
            f"AND status IN {_OPEN_SQL}",
            (job_id, self._process),
        )

    def reserve_name(self, job_id: str, names: Iterable[str]) -> str:
        """The first of the names whose stem no other job has, or ""; a job that already has a name keeps it.

        Stems are compared without case: a sidecar shares its song's stem, and some file systems ignore case.
        """
        with self._database.writing() as db:
            row = db.execute("SELECT file_name FROM jobs WHERE id = ?", (job_id,)).fetchone()
            if row["file_name"]:
                return str(row["file_name"])
            for name in names:
                stem = PurePath(name).stem.casefold()
                if db.execute("SELECT 1 FROM jobs WHERE file_stem = ?", (stem,)).fetchone() is None:
                    db.execute("UPDATE jobs SET file_name = ?, file_stem = ? WHERE id = ?", (name, stem, job_id))
                    return name
        return ""

    def sources(self) -> set[str]:
        """Source files that open jobs may still have to read."""
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT json_extract({OPTIONS_SQL}, '$.source') AS source FROM jobs WHERE status IN {_OPEN_SQL}"
            ).fetchall()
        return {row["source"] for row in rows if isinstance(row["source"], str)}

    def request_cancel(self, job_id: str) -> None:
        """Ask the job's owner, in any process, to cancel it."""
        asked = f"UPDATE jobs SET cancel_requested = 1 WHERE id = ? AND status IN {_OPEN_SQL}"
        self._database.execute(asked, (job_id,))

    def cancel_requests(self) -> list[str]:
        """Open jobs of this process that are to be cancelled."""
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT id FROM jobs WHERE cancel_requested = 1 AND owner = ? AND status IN {_OPEN_SQL}",
                (self._process,),
            ).fetchall()
        return [row["id"] for row in rows]

    # -- reading

    def get(self, job_id: str) -> Job:
        """Raises NotFound with the newest ids."""
        with self._database.reading() as db:
            row = db.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone()
        if row is None:
            recent = ", ".join(job.id for job in self.newest(5)) or "none yet"
            raise NotFound(
                f"There is no job {job_id[:80]!r}. Recent jobs: {recent}. To see more, {self._wording.list_jobs}."
            )
        return job_of(row)

    def newest(self, limit: int) -> list[Job]:
        with self._database.reading() as db:
            return [job_of(row) for row in db.execute("SELECT * FROM jobs ORDER BY number DESC LIMIT ?", (limit,))]

    def rates(self, backend: str, endpoint: str) -> Rates:
        """(seconds of run time, seconds of audio) of the newest finished jobs."""
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT ended_at - started_at AS run, json_extract({OPTIONS_SQL}, '$.seconds') AS seconds FROM jobs "
                "WHERE backend = ? AND endpoint = ? AND status = 'COMPLETED' AND ended_at >= started_at "
                "AND typeof(seconds) IN ('real', 'integer') AND seconds > 0 ORDER BY number DESC LIMIT 20",
                (backend, endpoint),
            ).fetchall()
        return [(float(row["run"]), float(row["seconds"])) for row in rows]

    def spent_today(self) -> float:
        """Dollars spent or reserved since local midnight."""
        with self._database.reading() as db:
            return _spent(db)


def _orphans(rows: Iterable[sqlite3.Row], running: Collection[str], only: Collection[str] | None) -> list[sqlite3.Row]:
    return [row for row in rows if row["id"] not in running and (only is None or row["id"] in only)]


def new_id() -> str:
    """80 random bits: hard to guess, and short enough to type."""
    return "".join(secrets.choice("0123456789abcdefghjkmnpqrstvwxyz") for _ in range(16))


def _spent(db: sqlite3.Connection) -> float:
    day = time.localtime()
    midnight = time.mktime((day.tm_year, day.tm_mon, day.tm_mday, 0, 0, 0, 0, 0, -1))
    dollars = "coalesce(cost, estimated_cost)"
    query = f"SELECT total({dollars}) AS spent FROM jobs WHERE created_at >= ? AND {dollars} BETWEEN 0 AND 1e6"
    return float(db.execute(query, (midnight,)).fetchone()["spent"])


def _check_spend(db: sqlite3.Connection, cost: float, limit: float, songs: int) -> None:
    spent = _spent(db)
    if spent + cost > limit + 1e-9:
        what = "This song" if songs == 1 else f"These {songs} songs"
        raise SpendLimitReached(
            f"{what} would cost about ${cost:.4f}; today's songs already cost about ${spent:.4f}, and the limit is "
            f"${limit:.2f} a day. Nothing was submitted. Raise ACESTEP_MAX_SPEND_USD, make a shorter song, "
            "or use the draft engine (ACESTEP_BACKEND=draft)."
        )


def _row(row: Any) -> sqlite3.Row | None:
    return row if isinstance(row, sqlite3.Row) else None
