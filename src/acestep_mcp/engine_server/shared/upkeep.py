"""Leases: each front says regularly that it is there, and takes over what belongs to one that is not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from acestep_mcp.api.errors import QueueUnavailable
from acestep_mcp.engine_server.jobs import CANCELLED, LOST, MAX_ATTEMPTS, TOO_LATE, QueueJob, State
from acestep_mcp.engine_server.shared import job_table

if TYPE_CHECKING:
    from acestep_mcp.engine_server.shared.database import Cursor, Postgres
    from acestep_mcp.engine_server.shared.job_table import SharedJob
    from acestep_mcp.engine_server.shared.queue import SharedQueue

logger = logging.getLogger(__name__)

_ROUNDS = 3
"""In one lease: a lost round does not lose the lease."""
_GONE = "NOT EXISTS (SELECT FROM acestep_front AS front WHERE front.id = {} AND front.seen_until > now())"
_RUNNER_GONE = "state <> 'COMPLETED' AND runner IS NOT NULL AND " + _GONE.format("job.runner")
_CALLER_GONE = "state <> 'COMPLETED' AND synchronous AND NOT cancelled AND " + _GONE.format("job.entry")
_TELLER_GONE = "has_webhook AND NOT told AND " + _GONE.format("job.entry")
_LATE = "state = 'IN_QUEUE' AND start_by <= extract(epoch FROM now())"


class Upkeep:
    """The clock of leases is the database's. A front whose lease is over has its jobs taken over by others.

    A front takes over only after a whole lease in which it was heard itself: after an outage of the database all
    leases are over at once, and every front needs the time to come back.
    """

    def __init__(self, database: Postgres, queue: SharedQueue, lease: float) -> None:
        """`lease` is in seconds."""
        self._database = database
        self._queue = queue
        self._lease = lease
        self._heard_since: float | None = None
        self._fetched: set[str] = set()

    @property
    def pause(self) -> float:
        """Seconds between two rounds."""
        return self._lease / _ROUNDS

    async def begin(self) -> None:
        """Say for the first time that this front is there."""
        await self._beat()

    async def run(self) -> None:
        """Run forever: one round after the other."""
        while True:
            await anyio.sleep(self.pause)
            try:
                await self._round()
            except QueueUnavailable:
                self._heard_since = None
                raise

    async def end_late(self) -> None:
        """End the waiting jobs whose start deadline has passed."""
        async with self._database.changing() as cursor:
            for shared in await job_table.lock_those(cursor, _LATE):
                await job_table.end(cursor, shared, TOO_LATE, "")

    def note_fetched(self, file: str) -> None:
        """Somebody has fetched a song: where there is no more room, it may go. Written a moment later."""
        self._fetched.add(file)

    async def write_fetched(self) -> None:
        """Write which songs have been fetched."""
        while self._fetched:
            names, self._fetched = self._fetched, set()
            try:
                async with self._database.reading() as cursor:
                    await job_table.mark_fetched(cursor, names)
            except QueueUnavailable:
                self._fetched |= names
                raise

    async def adopted(self) -> list[QueueJob]:
        """The jobs whose webhook this front delivers from now on, because the front that was to do it is gone."""
        if not self._may_take_over():
            return []
        async with self._database.changing() as cursor:
            found = await job_table.lock_those(cursor, _TELLER_GONE)
            for shared in found:
                shared.entry = self._queue.front
                await job_table.update(cursor, shared, self._queue.front)
        return [self._queue.known.meet(shared) for shared in found]

    async def _round(self) -> None:
        await self._beat()
        await self._compare()
        if self._may_take_over():
            await self._take_over()

    async def _beat(self) -> None:
        began = anyio.current_time()
        async with self._database.reading() as cursor:
            await cursor.execute(
                "INSERT INTO acestep_front (id, seen_until) VALUES (%s, now() + %s * interval '1 second') "
                "ON CONFLICT (id) DO UPDATE SET seen_until = excluded.seen_until",
                [self._queue.front, self._lease],
            )
            await cursor.execute("DELETE FROM acestep_front WHERE seen_until < now() - interval '1 day'")
        self._heard_since = began if self._heard_since is None else self._heard_since

    def _may_take_over(self) -> bool:
        return self._heard_since is not None and anyio.current_time() - self._heard_since >= self._lease

    async def _compare(self) -> None:
        """Stop the jobs that this front has lost, and give back those that it has taken without knowing."""
        mine = self._queue.known.mine
        async with self._queue.taking:
            known = dict(mine)
            async with self._database.changing() as cursor:
                taken = await job_table.lock_those(cursor, "runner = %s", [self._queue.front])
                for shared in taken:
                    if shared.job.id not in mine and shared.job.id not in known:
                        await self._give_back(cursor, shared)
        await self._queue.known.read(tuple(known), logs=False)

    async def _take_over(self) -> None:
        async with self._database.changing() as cursor:
            for shared in await job_table.lock_those(cursor, _RUNNER_GONE):
                logger.warning("job %s is taken over: the engine server that had it is gone", shared.job.id)
                await self._give_back(cursor, shared)
            for shared in await job_table.lock_those(cursor, _CALLER_GONE):
                shared.job.cancelled = True
                if shared.job.state is State.QUEUED:
                    await job_table.end(cursor, shared, LOST, "")
                else:
                    await job_table.update(cursor, shared, "")

    @staticmethod
    async def _give_back(cursor: Cursor, shared: SharedJob) -> None:
        """Let a job that nobody works on wait again, or end it."""
        job, interrupted = shared.job, shared.job.state is State.RUNNING
        if job.cancelled:
            await job_table.end(cursor, shared, CANCELLED, "")
        elif interrupted and (not job.options.retry or job.attempts >= MAX_ATTEMPTS):
            await job_table.end(cursor, shared, LOST, "")
        else:
            job.state, shared.runner = State.QUEUED, None
            await job_table.update(cursor, shared, "")
