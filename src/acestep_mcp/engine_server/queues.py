"""What the routes and the workers ask of a queue, whether one engine server has it or several share it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from acestep_mcp.engine_server.job_queue import JobQueue
from acestep_mcp.engine_server.jobs import QueueJob, StoredResponse


class WorkQueue(Protocol):
    """For workers and deliveries. What they say of a job that is theirs never fails and never waits."""

    running: dict[QueueJob, object]

    async def next_job(self, is_ready: Callable[[QueueJob], bool], *, worker: object) -> QueueJob: ...
    def run_again(self, job: QueueJob) -> bool: ...
    def put_back(self, job: QueueJob) -> None: ...
    def log(self, job: QueueJob, message: str, level: str = "INFO") -> None: ...
    def finish(self, job: QueueJob, answer: StoredResponse) -> None: ...
    def mark_webhook_done(self, job: QueueJob) -> None: ...


class RequestQueue(Protocol):
    """For requests. Each method that waits raises QueueUnavailable while the queue's database is away."""

    def position(self, job: QueueJob) -> int: ...
    async def find(self, job_id: str, *, logs: bool = True) -> QueueJob | None: ...
    async def add(self, job: QueueJob, *, longest: int | None = None) -> QueueJob: ...
    async def cancel(self, job: QueueJob) -> bool: ...
    def abandon(self, job: QueueJob) -> None:
        """Cancel a job whose caller is gone."""

    async def remove(self, job: QueueJob) -> None: ...
    async def counts(self) -> dict[str, Any]: ...


class LocalRequests:
    """The queue of a single engine server, which answers at once."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue

    def position(self, job: QueueJob) -> int:
        return self._queue.position(job)

    async def find(self, job_id: str, *, logs: bool = True) -> QueueJob | None:  # noqa: ARG002 - the log is here
        return self._queue.find(job_id)

    async def add(self, job: QueueJob, *, longest: int | None = None) -> QueueJob:
        """Queue a new job, or give the one that has its id."""
        if earlier := self._queue.find(job.id):
            return earlier
        self._queue.add(job, longest=longest)
        return job

    async def cancel(self, job: QueueJob) -> bool:
        return self._queue.cancel(job)

    def abandon(self, job: QueueJob) -> None:
        self._queue.cancel(job)

    async def remove(self, job: QueueJob) -> None:
        if self._queue.find(job.id):
            self._queue.remove(job)

    async def counts(self) -> dict[str, Any]:
        return self._queue.counts()
