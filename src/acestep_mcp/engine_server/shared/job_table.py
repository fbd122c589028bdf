"""Jobs as rows of the shared table. Every function works inside the caller's transaction."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

from acestep_mcp.engine_server.job_rows import COLUMNS, job_of, row_of
from acestep_mcp.engine_server.jobs import CANCELLED, MAX_LOGS, QueueJob, State, StoredResponse, log_line
from acestep_mcp.engine_server.shared.schema import CHANGED, WAITING

if TYPE_CHECKING:
    from acestep_mcp.engine_server.shared.database import Cursor

READ: LiteralString = (
    "SELECT id, endpoint, request, terms, created_at, sequence, state, attempts, cancelled, told, ended_at, answer, "
    "revision, runner, entry, owner FROM acestep_job AS job "
)


@dataclass(slots=True)
class SharedJob:
    """A job as the database has it, and the fronts it belongs to."""

    job: QueueJob
    runner: str | None
    entry: str


async def insert(cursor: Cursor, job: QueueJob, entry: str) -> bool:
    """Add a new job. False when there is one of this id."""
    row = _values(job) | {"entry": entry}
    await cursor.execute(
        "INSERT INTO acestep_job (id, endpoint, request, terms, created_at, state, attempts, cancelled, told, ended_at, "
        "answer, priority, start_by, synchronous, has_webhook, file, size, entry, owner) "
        "VALUES (%(id)s, %(endpoint)s, %(request)s, %(terms)s, %(created_at)s, %(state)s, %(attempts)s, %(cancelled)s, "
        "%(told)s, %(ended_at)s, %(answer)s, %(priority)s, %(start_by)s, %(synchronous)s, %(has_webhook)s, %(file)s, "
        "%(size)s, %(entry)s, %(owner)s) ON CONFLICT (id) DO NOTHING RETURNING sequence",
        row,
    )
    found = await cursor.fetchone()
    if found is None:
        return False
    job.sequence = found["sequence"]
    await notify_waiting(cursor)
    return True


async def read(cursor: Cursor, ids: Sequence[str]) -> list[SharedJob]:
    await cursor.execute(READ + "WHERE id = ANY(%s)", [list(ids)])
    return _jobs(await cursor.fetchall())


async def lock(cursor: Cursor, job_id: str) -> SharedJob | None:
    """The job, which nobody else changes until the transaction ends."""
    return await one(cursor, READ + "WHERE id = %s FOR UPDATE", [job_id])


async def lock_those(cursor: Cursor, condition: LiteralString, values: Sequence[Any] = ()) -> list[SharedJob]:
    """The first hundred jobs, in the order of the queue, that fulfil a condition and that nobody is changing."""
    order: LiteralString = " ORDER BY priority, sequence LIMIT 100 FOR UPDATE OF job SKIP LOCKED"
    await cursor.execute(READ + "WHERE " + condition + order, list(values))
    return _jobs(await cursor.fetchall())


async def one(cursor: Cursor, query: LiteralString, values: Sequence[Any] = ()) -> SharedJob | None:
    """The first job that a query which begins with READ finds."""
    await cursor.execute(query, list(values))
    return next(iter(_jobs(await cursor.fetchall())), None)


async def update(cursor: Cursor, shared: SharedJob, changed_by: str) -> None:
    """Write a locked job whole, and tell the other fronts."""
    shared.job.revision += 1
    row = _values(shared.job) | {"runner": shared.runner, "entry": shared.entry, "revision": shared.job.revision}
    await cursor.execute(
        "UPDATE acestep_job SET request = %(request)s, terms = %(terms)s, state = %(state)s, attempts = %(attempts)s, "
        "cancelled = %(cancelled)s, told = %(told)s, ended_at = %(ended_at)s, answer = %(answer)s, "
        "has_webhook = %(has_webhook)s, file = %(file)s, size = %(size)s, runner = %(runner)s, entry = %(entry)s, "
        "revision = %(revision)s WHERE id = %(id)s",
        row,
    )
    await notify_changed(cursor, changed_by, shared.job.id)
    if shared.job.state is State.QUEUED and shared.runner is None:
        await notify_waiting(cursor)


async def append(cursor: Cursor, job_id: str, first: int, lines: Iterable[dict[str, Any]]) -> None:
    """Add lines to a job's log, numbered from `first`. A number that is there already stays as it is."""
    rows = [(job_id, number, json.dumps(line)) for number, line in enumerate(lines, first)]
    if rows:
        await cursor.executemany(
            "INSERT INTO acestep_log (job_id, number, line) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", rows
        )


async def lines(cursor: Cursor, job_id: str, since: int) -> list[tuple[int, dict[str, Any]]]:
    """The numbered lines of a job's log from `since`."""
    await cursor.execute(
        "SELECT number, line FROM acestep_log WHERE job_id = %s AND number >= %s ORDER BY number", [job_id, since]
    )
    return [(row["number"], json.loads(row["line"])) for row in await cursor.fetchall()]


async def end(cursor: Cursor, shared: SharedJob, answer: StoredResponse, changed_by: str) -> list[dict[str, Any]]:
    """End a locked job, at whichever front it runs. Returns the lines added to its log."""
    job = shared.job
    job.state, job.answer, job.ended_at = State.ENDED, answer, time.time()
    shared.runner = None
    added = [log_line(answer.error[:500], "ERROR")] if answer.error else []
    await append(cursor, job.id, MAX_LOGS, added)  # behind all others
    job.abridge()
    await update(cursor, shared, changed_by)
    if job.owner:
        await notify_waiting(cursor)  # another job of this owner may run now
    return added


async def cancel(cursor: Cursor, job_id: str, changed_by: str) -> SharedJob | None:
    """Request a job's end; a waiting job ends immediately. None when there is nothing to cancel."""
    shared = await lock(cursor, job_id)
    if shared is None or shared.job.ended:
        return None
    shared.job.cancelled = True
    if shared.job.state is State.QUEUED:
        await end(cursor, shared, CANCELLED, changed_by)
    else:
        await update(cursor, shared, changed_by)
    return shared


async def waiting(cursor: Cursor) -> int:
    await cursor.execute("SELECT count(*) AS waiting FROM acestep_job WHERE state = 'IN_QUEUE'")
    row = await cursor.fetchone()
    return int(row["waiting"]) if row else 0


async def counts(cursor: Cursor) -> dict[str, int]:
    await cursor.execute("SELECT state, count(*) FROM acestep_job WHERE state <> 'COMPLETED' GROUP BY state")
    found = {row["state"]: row["count"] for row in await cursor.fetchall()}
    return {"queued": found.get(State.QUEUED.value, 0), "running": found.get(State.RUNNING.value, 0)}


async def total_size(cursor: Cursor) -> int:
    """About how many bytes all jobs take."""
    await cursor.execute("SELECT coalesce(sum(size), 0)::bigint AS total FROM acestep_job")
    row = await cursor.fetchone()
    return int(row["total"]) if row else 0


async def make_room(cursor: Cursor, size: int) -> None:
    """Forget the oldest jobs that ended without a song, then those whose song was fetched first, until about `size` bytes are free."""
    await cursor.execute(
        "DELETE FROM acestep_job WHERE id IN (SELECT id FROM (SELECT id, sum(size) OVER "
        "(ORDER BY file IS NOT NULL, coalesce(fetched, ended_at), id) - size AS freed "
        "FROM acestep_job WHERE state = 'COMPLETED' AND (file IS NULL OR fetched IS NOT NULL)) AS old WHERE freed < %s)",
        [size],
    )


async def mark_fetched(cursor: Cursor, files: Collection[str]) -> None:
    """Record that these files were fetched now."""
    await cursor.execute(
        "UPDATE acestep_job SET fetched = extract(epoch FROM now()) WHERE file = ANY(%s)", [sorted(files)]
    )


async def expired_files(cursor: Cursor, before: float) -> list[str]:
    """The names of the files of jobs that ended before this time."""
    await cursor.execute(
        "SELECT file FROM acestep_job WHERE state = 'COMPLETED' AND ended_at < %s AND file IS NOT NULL", [before]
    )
    return [row["file"] for row in await cursor.fetchall()]


async def forget(cursor: Cursor, before: float) -> None:
    """Drop the jobs that ended before this time."""
    await cursor.execute("DELETE FROM acestep_job WHERE state = 'COMPLETED' AND ended_at < %s", [before])


async def kept(cursor: Cursor) -> tuple[set[str], set[str]]:
    """The names of the files that answers refer to, and the ids of the jobs that have not ended."""
    await cursor.execute("SELECT id, file FROM acestep_job WHERE file IS NOT NULL OR state <> 'COMPLETED'")
    rows = await cursor.fetchall()
    return {row["file"] for row in rows if row["file"]}, {row["id"] for row in rows if not row["file"]}


async def notify_changed(cursor: Cursor, front: str, job_id: str) -> None:
    await cursor.execute("SELECT pg_notify(%s, %s)", [CHANGED, f"{front} {job_id}"])


async def notify_waiting(cursor: Cursor) -> None:
    await cursor.execute("SELECT pg_notify(%s, '')", [WAITING])


def _values(job: QueueJob) -> dict[str, Any]:
    row = dict(zip(COLUMNS, row_of(job), strict=True))
    del row["sequence"], row["logs"]
    return row | {
        "cancelled": job.cancelled,
        "told": job.webhook_done,
        "priority": job.options.priority,
        "start_by": job.options.start_by,
        "synchronous": job.options.synchronous,
        "has_webhook": job.options.webhook is not None,
        "file": job.answer.file if job.answer else None,
        "size": job.size,
    }


def _jobs(rows: Iterable[dict[str, Any]]) -> list[SharedJob]:
    found = []
    for row in rows:
        # One that this version cannot read is left to those that can.
        if job := job_of({**row, "logs": "[]"}):
            job.revision = row["revision"]
            found.append(SharedJob(job, row["runner"], row["entry"]))
    return found
