"""The job queue: every job the server knows, and the order of the waiting ones."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from itertools import islice
from types import MappingProxyType
from typing import Any

import anyio

from acestep_mcp.api.errors import AceStepError, QueueError, isolated
from acestep_mcp.engine_server.api_keys import ApiKeys
from acestep_mcp.engine_server.job_store import JobStore
from acestep_mcp.engine_server.jobs import (
    LOST,
    MAX_ATTEMPTS,
    MAX_LOGS,
    TOO_LATE,
    QueueJob,
    State,
    StoredResponse,
    cancelled,
    log_line,
)
from acestep_mcp.engine_server.remembered import RememberedJobs
from acestep_mcp.engine_server.waiting import WaitingJobs

logger = logging.getLogger(__name__)


UNPACKED_SECONDS = 60
"""Seconds after a job's end during which its log is likely to be read."""
_PACKED_PER_ROUND = 100  # takes about 40 ms, during which no request is answered
POSITION_SECONDS = 0.5
"""Seconds between two rounds of announcing new positions."""


class JobQueue:
    """Ordered as WaitingJobs says. All methods run on the event loop's thread without awaiting, so changes are atomic."""

    def __init__(
        self, store: JobStore, *, limit: int, most_bytes: int = 128 << 20, keys: ApiKeys | None = None
    ) -> None:
        """At most `limit` jobs wait, and all jobs together, ended ones too, take about `most_bytes`.

        `keys` limit the jobs of each owner further.
        """
        self._store = store
        self._limit = limit
        self._remembered = RememberedJobs(most_bytes)
        self._keys = keys
        self._jobs: dict[str, QueueJob] = {}
        self._waiting = WaitingJobs()
        self._sequence = 0
        self._arrived = anyio.Event()
        self._moved = anyio.Event()
        self.running: dict[QueueJob, object] = {}
        """The jobs that are worked on, by who does it."""

    def __len__(self) -> int:
        """The number of waiting jobs."""
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
        """Names of the stored files that responses still refer to."""
        return self._remembered.files

    def position(self, job: QueueJob) -> int:
        """The number of waiting jobs ahead of this one."""
        return self._waiting.position(job)

    def add(self, job: QueueJob, *, longest: int | None = None) -> None:
        """Store a new job and queue it.

        Raises QueueError (429) when more than `longest` jobs wait or the limit of the server or of the owner is reached,
        and StorageError; the job is then not accepted.
        """
        if self._keys:
            self._keys.check_waiting(job.owner, self._waiting.count(job.owner))
        if (longest is not None and len(self) > longest) or len(self) >= self._limit:
            raise QueueError(
                f"The queue is too long: {len(self)} requests are waiting. Submit again later.", status=429
            )
        for old in self._remembered.too_many(job.size, self._jobs.values()):
            self.remove(old)
        self._sequence += 1
        job.sequence = self._sequence
        self._store.save(job)
        self._jobs[job.id] = job
        self._remembered.weigh(job)
        self._enqueue(job)

    async def next_job(
        self, is_ready: Callable[[QueueJob], bool] = lambda _: True, *, worker: object = None
    ) -> QueueJob:
        """Wait for the first waiting job that is ready and mark it as running, by `worker`.

        The others wait for their `put_back`.
        """
        while True:
            while (job := self._waiting.first(self._full())) is None:
                await self._arrived.wait()
            self._moved.set()
            if is_ready(job):
                break
            self._waiting.set_aside(job)
        self._waiting.begin(job)
        job.state = State.RUNNING
        job.attempts += 1
        self.running[job] = worker
        self._save(job)
        job.notify()
        return job

    def run_again(self, job: QueueJob) -> bool:
        """Queue a running job again, at its old place, after its device failed. False where this was the last attempt."""
        if job.ended or job.cancelled or not job.options.retry or job.attempts >= MAX_ATTEMPTS:
            return False
        self.running.pop(job, None)
        job.state, job.scope = State.QUEUED, anyio.CancelScope()
        self._save(job)
        self._enqueue(job)
        job.notify()
        return True

    def put_back(self, job: QueueJob) -> None:
        """Queue a job again that was not ready."""
        if self._waiting.put_back(job):
            self._save(job)
            self._announce()

    def log(self, job: QueueJob, message: str, level: str = "INFO") -> None:
        """Add a line to the job's log."""
        if len(job.logs) < MAX_LOGS:
            job.logs.append(log_line(message, level))
            job.notify()

    def finish(self, job: QueueJob, answer: StoredResponse) -> None:
        """End a job; the first end counts."""
        if job.ended:
            return
        if job.state is State.QUEUED:
            self._waiting.remove(job)
            self._moved.set()
        self.running.pop(job, None)
        if self._keys:
            self._wake()  # another job of this owner may run now
        job.state, job.answer, job.ended_at = State.ENDED, answer, time.time()
        if answer.error:
            self.log(job, answer.error[:500], "ERROR")
        job.abridge()
        self._remembered.weigh(job)
        self._save(job)
        job.notify()

    def cancel(self, job: QueueJob) -> bool:
        """Request a job's end; False when it has already ended. A waiting job ends immediately."""
        if job.ended:
            return False
        job.cancelled = True
        if job.state is State.QUEUED:
            self.finish(job, cancelled(job.cancel_note))
        else:
            self._save(job)
            job.scope.cancel()
        return True

    def mark_webhook_done(self, job: QueueJob) -> None:
        """Record that the job's webhook needs no further delivery. Its address may hold a secret, and is forgotten."""
        job.webhook_done, job.options = True, replace(job.options, webhook=None)
        self._save(job)

    def mark_fetched(self, file: str) -> None:
        """Record that somebody has fetched a song: where there is no more room, it may go."""
        job = self._remembered.of_file(file)
        if job and job.answer:
            job.answer = replace(job.answer, fetched=time.time())
            self._save(job)

    def restore(self, begun: Mapping[str, str] = MappingProxyType({})) -> None:
        """Load the jobs of an earlier server: waiting jobs wait again, interrupted ones restart.

        `begun` has the cancel notes of those that are being made elsewhere.

        A job is ended instead if it was cancelled, forbids a second run, was a synchronous call whose connection is
        lost, or was interrupted three times.
        """
        for job in self._store.all():
            job.cancel_note = begun.get(job.id, "")
            self._jobs[job.id] = job
            self._remembered.weigh(job)
            self._sequence = max(self._sequence, job.sequence)
            if not job.ended:
                self._restore_job(job)

    def release(self) -> None:
        """At an orderly stop, when no worker takes jobs any more: put the running jobs back; this run does not count."""
        jobs, self.running = self.running, {}
        for job in jobs:
            if not job.ended and not job.cancelled:
                job.state, job.attempts = State.QUEUED, job.attempts - 1
                self._save(job)
                self._enqueue(job)
                job.notify()

    def expired_files(self, before: float) -> list[str]:
        """The names of the files of jobs that ended before this time."""
        return [job.answer.file for job in self._ended_before(before) if job.answer and job.answer.file]

    def forget(self, before: float) -> None:
        """Drop the jobs that ended before this time. Compress the logs of later ones."""
        quiet = time.time() - UNPACKED_SECONDS
        large = (job for job in self._jobs.values() if job.logs and job.ended_at is not None and job.ended_at < quiet)
        for job in list(islice(large, _PACKED_PER_ROUND)):
            job.pack()
            self._remembered.weigh(job)
        for job in self._ended_before(before):
            self.remove(job)
        self._store.shrink()

    def remove(self, job: QueueJob) -> None:
        """Forget an ended job."""
        self._store.forget(job.id)
        del self._jobs[job.id]
        self._remembered.drop(job)

    def _ended_before(self, before: float) -> list[QueueJob]:
        return [job for job in self._jobs.values() if job.ended_at is not None and job.ended_at < before]

    async def expire_late(self) -> None:
        """Run forever: end each waiting job whose start deadline has passed."""
        while True:
            with anyio.move_on_after(self._waiting.until_late()):
                await self._arrived.wait()
            for job in self._waiting.late():
                self.finish(job, TOO_LATE)

    async def announce_positions(self) -> None:
        """Run forever: notify the watchers of waiting jobs when positions have changed, at most every POSITION_SECONDS."""
        while True:
            await self._moved.wait()
            self._moved = anyio.Event()
            for job in self._waiting:
                job.notify()
            await anyio.sleep(POSITION_SECONDS)

    def _restore_job(self, job: QueueJob) -> None:
        interrupted = job.state is State.RUNNING
        job.state = State.QUEUED
        self._enqueue(job)
        if job.cancelled:
            self.finish(job, cancelled(job.cancel_note))
        elif job.options.synchronous or (interrupted and (not job.options.retry or job.attempts >= MAX_ATTEMPTS)):
            self.finish(job, LOST)

    def _enqueue(self, job: QueueJob) -> None:
        self._waiting.add(job)
        self._announce()

    def _announce(self) -> None:
        """Say that the jobs that wait are others."""
        self._wake()
        self._moved.set()

    def _wake(self) -> None:
        event, self._arrived = self._arrived, anyio.Event()
        event.set()

    def _full(self) -> Collection[str]:
        """The owners of whose jobs no more may run now."""
        return self._keys.full(Counter(job.owner for job in self.running)) if self._keys else ()

    def _save(self, job: QueueJob) -> None:
        """Write a change of an accepted job; when that fails the job goes on in memory."""
        try:
            with isolated(logger, "job %s is not recorded as %s", job.id, job.state):
                self._store.save(job)
        except AceStepError as error:
            extra = {"request_id": job.id}
            logger.warning("job %s is not recorded as %s: %s", job.id, job.state, error.message, extra=extra)

    @property
    def is_busy(self) -> bool:
        return len(self) > 0 or bool(self.running)

    def counts(self) -> dict[str, Any]:
        """The numbers of waiting and running jobs."""
        return {"queued": len(self), "running": len(self.running)}
