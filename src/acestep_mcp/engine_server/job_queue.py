"""The line: every job the server knows, those that wait in order, and who is told of changes."""

from __future__ import annotations

import logging
import math
import time
from bisect import bisect_left, insort
from collections.abc import Collection
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import anyio

from acestep_mcp.api.errors import AceStepError, QueueError
from acestep_mcp.engine_server.job_store import JobStore
from acestep_mcp.engine_server.jobs import CANCELLED, LOST, MAX_LOGS, TOO_LATE, QueueJob, State, StoredResponse

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
UNPACKED_SECONDS = 60
"""Seconds after a job's end in which those who watched it come for the rest of its log."""
_PACKED_PER_ROUND = 100  # takes about 40 ms, in which nothing else is answered
POSITION_SECONDS = 0.5
"""Seconds between two rounds of telling waiting jobs their new position."""


class JobQueue:
    """Priority first, then first come. Everything here runs on the event loop's thread and waits for nothing,
    so each change is seen whole. A job's current place is found in logarithmic time.
    """

    def __init__(self, store: JobStore, *, limit: int) -> None:
        self._store = store
        self._limit = limit
        self._jobs: dict[str, QueueJob] = {}
        self._waiting: list[tuple[int, int, str]] = []
        self._sequence = 0
        self._arrived = anyio.Event()
        self._moved = anyio.Event()
        self.running: QueueJob | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def find(self, job_id: str) -> QueueJob | None:
        return self._jobs.get(job_id)

    @property
    def jobs(self) -> Collection[QueueJob]:
        return self._jobs.values()

    @property
    def ids(self) -> set[str]:
        return set(self._jobs)

    @property
    def files(self) -> set[str]:
        """Names of the kept files that answers still point to."""
        return {job.answer.file for job in self._jobs.values() if job.answer and job.answer.file}

    def position(self, job: QueueJob) -> int:
        """How many waiting jobs are ahead of this one."""
        return bisect_left(self._waiting, (*job.sort_key, job.id))

    def add(self, job: QueueJob, *, longest: int | None = None) -> None:
        """Put a new job on disk and in its place.

        Raises QueueError (429) when more than `longest` wait already, or the server's own limit is reached, and
        StorageError; the job is then not accepted.
        """
        if (longest is not None and len(self) > longest) or len(self) >= self._limit:
            raise QueueError(
                f"The queue is too long: {len(self)} requests are waiting. Submit again later.", status=429
            )
        self._sequence += 1
        job.sequence = self._sequence
        self._store.save(job)
        self._jobs[job.id] = job
        self._enqueue(job)

    async def next(self) -> QueueJob:
        """The first waiting job, as soon as there is one; from now on it is running."""
        while not self._waiting:
            await self._arrived.wait()
        job = self._jobs[self._waiting[0][2]]
        self._dequeue(job)
        job.state = State.RUNNING
        job.attempts += 1
        self.running = job
        self._save(job)
        job.notify()
        return job

    def log(self, job: QueueJob, message: str, level: str = "INFO") -> None:
        """Add a line to the job's log."""
        if len(job.logs) < MAX_LOGS:
            # The wire's own form of a time: UTC without saying so.
            now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
            job.logs.append({"timestamp": now, "message": message, "labels": {}, "level": level, "source": "USER"})
            job.notify()

    def finish(self, job: QueueJob, answer: StoredResponse) -> None:
        """End a job, once: of two ends the first counts."""
        if job.ended:
            return
        if job.state is State.QUEUED:
            self._dequeue(job)
        if self.running is job:
            self.running = None
        job.state, job.answer, job.ended_at = State.ENDED, answer, time.time()
        if answer.error:
            self.log(job, answer.error[:500], "ERROR")
        self._save(job)
        job.notify()

    def cancel(self, job: QueueJob) -> bool:
        """Ask for a job's end; False when it has ended already. One that waits ends here and now."""
        if job.ended:
            return False
        job.cancelled = True
        if job.state is State.QUEUED:
            self.finish(job, CANCELLED)
        else:
            self._save(job)
            job.scope.cancel()
        return True

    def mark_webhook_done(self, job: QueueJob) -> None:
        """Remember that the job's webhook needs no more word."""
        job.webhook_done = True
        self._save(job)

    def restore(self) -> None:
        """Take up what an earlier server left: waiting jobs wait again, interrupted ones start from the beginning.

        A job that was cancelled, that asked for no second run, that nobody can be waiting for any more, or that the
        server did not survive three times, is ended instead.
        """
        for job in self._store.all():
            self._jobs[job.id] = job
            self._sequence = max(self._sequence, job.sequence)
            if not job.ended:
                self._restore_job(job)

    def release(self) -> None:
        """At an orderly stop: the running job goes back to waiting, and this run does not count."""
        job, self.running = self.running, None
        if job and not job.ended and not job.cancelled:
            job.state, job.attempts = State.QUEUED, job.attempts - 1
            self._save(job)

    def forget(self, before: float) -> list[str]:
        """Drop the jobs that ended before this time; returns the names of their files. Of later ones the logs shrink."""
        quiet = time.time() - UNPACKED_SECONDS
        large = (job for job in self._jobs.values() if job.logs and job.ended_at is not None and job.ended_at < quiet)
        for job in list(islice(large, _PACKED_PER_ROUND)):
            job.pack()
        old = [job for job in self._jobs.values() if job.ended_at is not None and job.ended_at < before]
        for job in old:
            self._store.forget(job.id)
            del self._jobs[job.id]
        return [job.answer.file for job in old if job.answer and job.answer.file]

    async def expire_late(self) -> None:
        """Run for ever: end each waiting job whose time to start has passed."""
        while True:
            with anyio.move_on_after(self._until_late()):
                await self._arrived.wait()
            for job in self._late():
                self.finish(job, TOO_LATE)

    async def announce_positions(self) -> None:
        """Run for ever: wake the watchers of waiting jobs when the line has moved, but not at every step of it."""
        while True:
            await self._moved.wait()
            self._moved = anyio.Event()
            for _, _, job_id in self._waiting:
                self._jobs[job_id].notify()
            await anyio.sleep(POSITION_SECONDS)

    def _restore_job(self, job: QueueJob) -> None:
        interrupted = job.state is State.RUNNING
        job.state = State.QUEUED
        self._enqueue(job)
        if job.cancelled:
            self.finish(job, CANCELLED)
        elif job.options.synchronous or (interrupted and (not job.options.retry or job.attempts >= MAX_ATTEMPTS)):
            self.finish(job, LOST)

    def _enqueue(self, job: QueueJob) -> None:
        insort(self._waiting, (*job.sort_key, job.id))
        event, self._arrived = self._arrived, anyio.Event()
        event.set()
        self._moved.set()

    def _dequeue(self, job: QueueJob) -> None:
        del self._waiting[self.position(job)]
        self._moved.set()

    def _late(self) -> list[QueueJob]:
        now = time.time()
        return [job for job in self._timed() if (job.options.start_by or 0) <= now]

    def _until_late(self) -> float:
        return min(((job.options.start_by or 0) for job in self._timed()), default=math.inf) - time.time()

    def _timed(self) -> list[QueueJob]:
        jobs = (self._jobs[job_id] for _, _, job_id in self._waiting)
        return [job for job in jobs if job.options.start_by is not None]

    def _save(self, job: QueueJob) -> None:
        """Write a change of an accepted job; when that fails the job goes on in memory."""
        try:
            self._store.save(job)
        except AceStepError as error:
            logger.warning("job %s is not recorded as %s: %s", job.id, job.state, error.message)
        except Exception:
            logger.exception("job %s is not recorded as %s", job.id, job.state)

    @property
    def is_busy(self) -> bool:
        return bool(self._waiting) or self.running is not None

    def counts(self) -> dict[str, Any]:
        """How many wait, and whether one runs."""
        return {"queued": len(self), "running": int(self.running is not None)}
