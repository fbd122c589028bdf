"""The job queue of one front: an engine server that shares its jobs with others through PostgreSQL."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio

from acestep_mcp.api.errors import QueueUnavailable, isolated
from acestep_mcp.engine_server.jobs import CANCELLED, MAX_ATTEMPTS, MAX_LOGS, QueueJob, State, StoredResponse, log_line
from acestep_mcp.engine_server.shared import job_table
from acestep_mcp.engine_server.shared.known_jobs import KnownJobs, copy
from acestep_mcp.engine_server.shared.room import Room

if TYPE_CHECKING:
    from acestep_mcp.engine_server.shared.database import Cursor, Postgres
    from acestep_mcp.engine_server.shared.job_table import SharedJob
    from acestep_mcp.engine_server.shared.order import Order

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
_LOOK_SECONDS = 2.0
"""An idle front looks for a waiting job so often even if it hears of none."""
_LOG_SECONDS = 0.1


class SharedQueue:
    """What this front asks of the jobs in the database, and tells it.

    A job belongs to the front that has taken it, its runner, until that ends it or puts it back, or its lease is over.
    What a worker says of its job is written later, in order, and for as long as it takes; the job has ended only when
    that is in the database. Whatever else is asked waits for the database and may raise QueueUnavailable.
    """

    def __init__(self, database: Postgres, front: str, order: Order, *, limit: int, most_bytes: int) -> None:
        """At most `limit` jobs wait, and all jobs together, ended ones too, take about `most_bytes`."""
        self.front = front
        self.known = KnownJobs(database, front, order)
        self._job_order = order
        self.taking = anyio.Lock()
        """Held while this front takes a job."""
        self._database = database
        self.room = Room(database, most_bytes, limit)
        self.running: dict[QueueJob, object] = {}
        """The jobs that are worked on, by who does it."""
        self._orders: deque[Callable[[Cursor], Awaitable[Callable[[], object]]]] = deque()
        self._ordered, self._logged = anyio.Event(), anyio.Event()

    @property
    def is_busy(self) -> bool:
        """Whether this front works on a job."""
        return bool(self.known.mine)

    def position(self, job: QueueJob) -> int:
        return self.known.position(job)

    async def find(self, job_id: str, *, logs: bool = True) -> QueueJob | None:
        """The job as it is in the database now; `logs` reads its log too."""
        return (await self.known.read([job_id], logs=logs)).get(job_id)

    async def add(self, job: QueueJob, *, longest: int | None = None) -> QueueJob:
        """Store a new job, or give the one that has its id. Raises QueueError (429) for a queue that is too long."""
        await self.room.make(job.size)
        self.known.expect(job)
        async with self._database.changing() as cursor:
            await self._job_order.admit(cursor, job.owner)
            self.room.check_length(await job_table.waiting(cursor), longest)
            is_new = await job_table.insert(cursor, job, self.front)
            position = await self._job_order.position(cursor, job.id)
        self.room.taken += job.size
        if is_new:
            self.known.keep(job, position)
            return job
        self.known.drop(job)
        return await self.find(job.id) or job

    async def cancel(self, job: QueueJob) -> bool:
        """Request a job's end at whichever front it runs; False when it has already ended."""
        async with self._database.changing() as cursor:
            shared = await job_table.cancel(cursor, job.id, self.front)
        self.known.moved()
        if shared:
            await self.find(job.id)
        return shared is not None

    def abandon(self, job: QueueJob) -> None:
        """Cancel a job whose caller is gone."""
        if not job.ended:
            self._order(partial(self._abandon, job))

    async def remove(self, job: QueueJob) -> None:
        """Forget an ended job."""
        async with self._database.reading() as cursor:
            await cursor.execute("DELETE FROM acestep_job WHERE id = %s AND state = 'COMPLETED'", [job.id])

    async def counts(self) -> dict[str, Any]:
        """The numbers of waiting and running jobs, at all fronts."""
        async with self._database.reading() as cursor:
            return await job_table.counts(cursor)

    async def next_job(self, is_ready: Callable[[QueueJob], bool], *, worker: object = None) -> QueueJob:
        """Wait for the first waiting job that is ready and take it. The others are set aside until their `put_back`."""
        while True:
            arrived = self.known.arrived
            try:
                async with self.taking:
                    job = await self._take(is_ready)
            except QueueUnavailable as exc:
                logger.warning("no job is taken: %s", exc.message)
                await anyio.sleep(RETRY_SECONDS)
                continue
            if job is None:
                with anyio.move_on_after(_LOOK_SECONDS):
                    await arrived.wait()
            elif job.state is State.RUNNING:
                self.running[job] = worker
                return job

    async def _take(self, is_ready: Callable[[QueueJob], bool]) -> QueueJob | None:
        """Take the first waiting job of all: it runs here, or is set aside."""
        job: QueueJob | None = None
        try:
            async with self._database.changing() as cursor:
                shared = await self._job_order.lock_next(cursor)
                if shared is None:
                    return None
                found, lines = shared.job, await job_table.lines(cursor, shared.job.id, 0)
                job = self.known.get(found.id) or found
                copy(found, job)
                job.logs, self.known.lines_read[job] = [line for _, line in lines], len(lines)
                job.scope = anyio.CancelScope()
                shared.runner = self.front
                if is_ready(job):
                    found.state, found.attempts = State.RUNNING, found.attempts + 1
                # Before the transaction ends, so that no row is read that is taken here and not known to be.
                self.known.mine[job.id], job.revision = job, found.revision + 1
                await job_table.update(cursor, shared, self.front)
                if found.state is State.RUNNING:
                    await self._job_order.begin(cursor, found.owner)
        except QueueUnavailable:
            if job is not None:  # if it was taken all the same, the upkeep gives it back
                self.known.mine.pop(job.id, None)
                job.revision -= 1
            raise
        if found.state is State.RUNNING:  # what was set aside may have changed since: its source has come
            job.state, job.attempts = found.state, found.attempts
        self.known.keep(job)
        self.known.moved()
        job.notify()
        return job

    def put_back(self, job: QueueJob) -> None:
        """Queue a job again that was not ready."""
        if job.id in self.known.mine and not job.ended:
            self._order(partial(self._put_back, job))

    def run_again(self, job: QueueJob) -> bool:
        """Queue a running job again after its device failed. False where this was the last attempt."""
        if job.ended or job.cancelled or not job.options.retry or job.attempts >= MAX_ATTEMPTS:
            return False
        self.running.pop(job, None)
        self._order(partial(self._put_back, job))
        return True

    def log(self, job: QueueJob, message: str, level: str = "INFO") -> None:
        """Add a line to the log of a job of this front."""
        if len(job.logs) < MAX_LOGS:
            job.logs.append(log_line(message, level))
            job.notify()
            self._logged.set()

    def finish(self, job: QueueJob, answer: StoredResponse) -> None:
        """End a job of this front; the first end counts, and none counts after another front took it over."""
        self.running.pop(job, None)
        if not job.ended:
            self._order(partial(self._finish, job, answer, job.attempts))

    def mark_webhook_done(self, job: QueueJob) -> None:
        """Record that the job's webhook needs no further delivery. Its address may hold a secret, and is forgotten."""
        self._order(partial(self._webhook_done, job))

    async def write(self) -> None:
        """Run forever: write what was ordered, each change until it is in the database."""
        while True:
            self._ordered = anyio.Event()
            await self._write_orders()
            await self._ordered.wait()

    async def write_logs(self) -> None:
        """Run forever: write new lines of logs, a few times a second."""
        while True:
            await self._logged.wait()
            self._logged = anyio.Event()
            for job in list(self.known.mine.values()):
                if len(job.logs) > self.known.lines_read.get(job, 0):
                    await self._write_log(job)
            await anyio.sleep(_LOG_SECONDS)

    async def close(self) -> None:
        """At an orderly stop: write what was ordered, and give this front's jobs back; their runs do not count."""
        try:
            self._order(partial(self._give_back, anyio.Event(), running=True))
            await self._write_orders()
            async with self._database.reading() as cursor:
                await cursor.execute("DELETE FROM acestep_front WHERE id = %s", [self.front])
        except QueueUnavailable as exc:
            logger.warning("jobs are not given back; they are when the lease is over: %s", exc.message)

    async def give_back(self, *, running: bool) -> None:
        """Let others have the jobs that this front has taken: those that do not run, or with `running` all."""
        given = anyio.Event()
        self._order(partial(self._give_back, given, running=running))
        await given.wait()

    async def _give_back(self, given: anyio.Event, cursor: Cursor, *, running: bool) -> Callable[[], object]:
        found = await job_table.lock_those(cursor, "runner = %s AND (%s OR state = 'IN_QUEUE')", [self.front, running])
        for shared in found:
            job, shared.runner = shared.job, None
            if job.cancelled:
                await job_table.end(cursor, shared, CANCELLED, self.front)
            else:
                job.state, job.attempts = State.QUEUED, job.attempts - (job.state is State.RUNNING)
                await job_table.update(cursor, shared, self.front)

        def done() -> None:
            for shared in found:
                self.running.pop(self.known.meet(shared), None)
            given.set()

        return done

    def _order(self, change: Callable[[Cursor], Awaitable[Callable[[], object]]]) -> None:
        self._orders.append(change)
        self._ordered.set()

    async def _write_orders(self) -> None:
        """Raises QueueUnavailable; what is not written yet stays ordered."""
        while self._orders:
            done: Callable[[], object] = int
            with isolated(logger, "a change of a job is not written, because of a bug"):
                async with self._database.changing() as cursor:
                    done = await self._orders[0](cursor)
            self._orders.popleft()
            done()

    async def _finish(
        self, job: QueueJob, answer: StoredResponse, attempt: int, cursor: Cursor
    ) -> Callable[[], object]:
        shared = await job_table.lock(cursor, job.id)
        if shared is None or not self._is_ours(shared, job) or shared.job.attempts != attempt:
            logger.warning("job %s is not ended here: another engine server has taken it over, or it is gone", job.id)
            return partial(self._lost, job)
        await self._write_lines(cursor, job)
        line = await job_table.end(cursor, shared, answer, self.front)

        def done() -> None:
            is_mine = job.id in self.known.mine  # else its end has been read meanwhile, and its log is read again
            self.known.release(job)
            copy(shared.job, job)
            if is_mine:
                job.logs.extend(line)
                self.known.lines_read[job] = MAX_LOGS + 1
            job.notify()

        return done

    async def _put_back(self, job: QueueJob, cursor: Cursor) -> Callable[[], object]:
        shared = await job_table.lock(cursor, job.id)
        if shared is None or not self._is_ours(shared, job):
            return partial(self._lost, job)
        written = await self._write_lines(cursor, job)
        shared.job.state, shared.job.request, shared.runner = State.QUEUED, job.request, None
        await job_table.update(cursor, shared, self.front)

        def done() -> None:
            self.known.release(job)
            copy(shared.job, job)
            self.known.lines_read[job] = written
            job.notify()

        return done

    async def _abandon(self, job: QueueJob, cursor: Cursor) -> Callable[[], object]:
        shared = await job_table.cancel(cursor, job.id, self.front)
        return partial(self.known.meet, shared) if shared else int

    async def _webhook_done(self, job: QueueJob, cursor: Cursor) -> Callable[[], object]:
        shared = await job_table.lock(cursor, job.id)
        if shared is None:
            return int
        shared.job.webhook_done, shared.job.options = True, replace(shared.job.options, webhook=None)
        await job_table.update(cursor, shared, self.front)
        return partial(self.known.meet, shared)

    def _lost(self, job: QueueJob) -> None:
        self.known.mine.pop(job.id, None)

    def _is_ours(self, shared: SharedJob, job: QueueJob) -> bool:
        return shared.runner == self.front and not shared.job.ended and job.id in self.known.mine

    async def _write_log(self, job: QueueJob) -> None:
        async with self._database.changing() as cursor:
            shared = await job_table.lock(cursor, job.id)
            if shared is None or not self._is_ours(shared, job):
                return
            written = await self._write_lines(cursor, job)
            await job_table.notify_changed(cursor, self.front, job.id)
        self.known.lines_read[job] = written

    async def _write_lines(self, cursor: Cursor, job: QueueJob) -> int:
        """Write the new lines of the log; gives the number of all."""
        first, count = self.known.lines_read.get(job, 0), len(job.logs)
        await job_table.append(cursor, job.id, first, job.logs[first:count])
        return count
