"""The jobs in the database that somebody at this front waits for or works on."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakValueDictionary

import anyio

from acestep_mcp.api.errors import QueueUnavailable
from acestep_mcp.engine_server.jobs import QueueJob, State
from acestep_mcp.engine_server.shared import job_table
from acestep_mcp.engine_server.shared.schema import WAITING

if TYPE_CHECKING:
    from acestep_mcp.engine_server.shared.database import Cursor, Postgres
    from acestep_mcp.engine_server.shared.job_table import SharedJob
    from acestep_mcp.engine_server.shared.order import Order

POSITION_SECONDS = 0.5
"""Seconds between two rounds of announcing new positions."""
_GATHER_SECONDS = 0.01
_RELEASED = 256


class KnownJobs:
    """Each job is one object, which is changed as its row changes, and whose watchers are woken.

    Rows are read out of order; the older of two, by its revision, changes nothing. A job that this front has taken is
    ahead of its row: of that only a cancel and the loss of the job count.
    """

    def __init__(self, database: Postgres, front: str, order: Order) -> None:
        self.mine: dict[str, QueueJob] = {}
        """The jobs that this front has taken."""
        self.arrived = anyio.Event()
        """Set, and replaced by a new event, when a job waits."""
        self.lines_read: WeakKeyDictionary[QueueJob, int] = WeakKeyDictionary()
        """The number of the first line of the log that is not known yet."""
        self._database = database
        self._front = front
        self._order = order
        self._watched: WeakValueDictionary[str, QueueJob] = WeakValueDictionary()
        self._released: deque[QueueJob] = deque(maxlen=_RELEASED)
        self._positions: WeakKeyDictionary[QueueJob, int] = WeakKeyDictionary()
        self._heard: set[str] = set()
        self._changed, self._moved = anyio.Event(), anyio.Event()

    def position(self, job: QueueJob) -> int:
        """The number of waiting jobs that were ahead of this one when it was read last."""
        return self._positions.get(job, 0)

    def get(self, job_id: str) -> QueueJob | None:
        return self.mine.get(job_id) or self._watched.get(job_id)

    def keep(self, job: QueueJob, position: int = 0) -> None:
        self._watched[job.id] = job
        self._positions[job] = position

    def expect(self, job: QueueJob) -> None:
        """A job is about to be stored: it may be taken here before the caller hears that it is."""
        if self.get(job.id) is None:
            self._watched[job.id] = job

    def drop(self, job: QueueJob) -> None:
        """It was not stored: there is another of its id."""
        if self._watched.get(job.id) is job:
            del self._watched[job.id]

    def release(self, job: QueueJob) -> None:
        """Give up a job of this front. It is still known for a while: a row that was read before may come now."""
        self.mine.pop(job.id, None)
        self._released.append(job)

    async def read(self, ids: Collection[str], *, logs: bool = True) -> dict[str, QueueJob]:
        """The jobs as they are in the database now; `logs` reads their logs too."""
        async with self._database.reading() as cursor:
            found: list[QueueJob] = []
            for shared in await job_table.read(cursor, list(ids)):
                known = self._watched.get(shared.job.id)
                if logs and known is not None and known.id not in self.mine:
                    await self._read_lines(cursor, known)  # before its watchers hear of what may be its end
                found.append(self.meet(shared))
            for job in found:
                if job.state is State.QUEUED:
                    self._positions[job] = await self._order.position(cursor, job.id)
                if logs and job.id not in self.mine:
                    await self._read_lines(cursor, job)
        return {job.id: job for job in found}

    def meet(self, shared: SharedJob) -> QueueJob:
        """Take over what a row says; gives the job's object."""
        fresh, job = shared.job, self.get(shared.job.id)
        if job is None:
            self.keep(fresh)
            return fresh
        if fresh.revision < job.revision:
            return job
        if job.id in self.mine:
            if shared.runner == self._front and not fresh.ended:
                job.revision = fresh.revision
                _cancel(job, asked=fresh.cancelled)
                return job
            del self.mine[job.id]
            job.scope.cancel()
            job.logs, self.lines_read[job] = [], 0
        is_new = fresh.revision > job.revision
        copy(fresh, job)
        if is_new:
            job.notify()
        return job

    def hear(self, channel: str, text: str) -> None:
        """A notification."""
        self.moved()
        if channel == WAITING:
            self.call_arrived()
            return
        front, _, job_id = text.partition(" ")
        if front != self._front and (job_id in self.mine or job_id in self._watched):
            self._heard.add(job_id)
            self._changed.set()

    async def look_again(self) -> None:
        """Read every job that is known here: notifications have been missed."""
        self._heard.update(self._watched, self.mine)
        self._changed.set()
        self.call_arrived()

    def call_arrived(self) -> None:
        event, self.arrived = self.arrived, anyio.Event()
        event.set()

    def moved(self) -> None:
        """Positions have changed."""
        self._moved.set()

    async def refresh(self) -> None:
        """Run forever: read the jobs that other fronts have changed."""
        while True:
            await self._changed.wait()
            await anyio.sleep(_GATHER_SECONDS)
            self._changed = anyio.Event()
            # What is heard during the read is read again.
            heard, self._heard = self._heard, set()
            ids = [each for each in heard if each in self.mine or each in self._watched]
            try:
                if ids:
                    await self.read(ids)
            except QueueUnavailable:
                self._heard.update(ids)
                self._changed.set()
                raise

    async def announce_positions(self) -> None:
        """Run forever: notify the watchers of waiting jobs when positions have changed, at most every POSITION_SECONDS."""
        while True:
            await self._moved.wait()
            self._moved = anyio.Event()
            waiting = [job for job in self._watched.values() if job.state is State.QUEUED]
            if waiting:
                await self._read_positions(waiting)
            await anyio.sleep(POSITION_SECONDS)

    async def _read_positions(self, waiting: Sequence[QueueJob]) -> None:
        async with self._database.reading() as cursor:
            places = await self._order.places(cursor)
        for job in waiting:
            place = places.get(job.id)
            if place is not None and place != self._positions.get(job):
                self._positions[job] = place
                job.notify()

    async def _read_lines(self, cursor: Cursor, job: QueueJob) -> None:
        found = await job_table.lines(cursor, job.id, self.lines_read.get(job, 0))
        # Another task may have read them meanwhile.
        new = [(number, line) for number, line in found if number >= self.lines_read.get(job, 0)]
        if new and job.id not in self.mine:
            job.logs.extend(line for _, line in new)
            self.lines_read[job] = new[-1][0] + 1
            job.notify()


def copy(fresh: QueueJob, job: QueueJob) -> None:
    """Everything but the log."""
    for name in (
        "request",
        "options",
        "state",
        "attempts",
        "cancelled",
        "webhook_done",
        "ended_at",
        "answer",
        "revision",
    ):
        setattr(job, name, getattr(fresh, name))
    job.sequence = fresh.sequence


def _cancel(job: QueueJob, *, asked: bool) -> None:
    if asked and not job.cancelled:
        job.cancelled = True
        job.scope.cancel()
