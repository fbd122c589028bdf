"""How much a queue's jobs take, and which of those that have ended are forgotten first."""

from __future__ import annotations

from collections.abc import Collection

from acestep_mcp.api.errors import QueueError
from acestep_mcp.engine_server.jobs import QueueJob

_ROOM = 0.9
"""The share of the limit that is freed down to, so that the next jobs need not free more."""


class RememberedJobs:
    def __init__(self, most: int) -> None:
        """All jobs together, ended ones too, take about `most` bytes."""
        self._most = most
        self._sizes: dict[str, int] = {}
        self._of_files: dict[str, QueueJob] = {}
        self._bytes = 0

    @property
    def files(self) -> set[str]:
        """Names of the stored files that responses refer to."""
        return set(self._of_files)

    def of_file(self, name: str) -> QueueJob | None:
        """The job whose song this file is."""
        return self._of_files.get(name)

    def weigh(self, job: QueueJob) -> None:
        """Count a job that is new or has changed."""
        size = job.size
        self._bytes += size - self._sizes.get(job.id, 0)
        self._sizes[job.id] = size
        if job.answer and job.answer.file:
            self._of_files[job.answer.file] = job

    def drop(self, job: QueueJob) -> None:
        self._bytes -= self._sizes.pop(job.id, 0)
        if job.answer and job.answer.file:
            self._of_files.pop(job.answer.file, None)

    def too_many(self, size: int, jobs: Collection[QueueJob]) -> list[QueueJob]:
        """Which of the jobs to forget before one of so many bytes is added: none while there is room.

        Those that ended without a song go first, then those whose song was fetched first. Raises QueueError (429) where
        that is not enough: a song that nobody has fetched is kept.
        """
        left, found = self._bytes + size, list[QueueJob]()
        if left <= self._most:
            return found
        for job in _disposable(jobs):
            if left <= self._most * _ROOM:
                break
            left -= self._sizes.get(job.id, 0)
            found.append(job)
        if left > self._most:
            raise QueueError(
                f"The queue is full: its {len(jobs)} requests, and songs that nobody has fetched, take "
                f"{self._bytes >> 20} MiB, and {self._most >> 20} MiB is the most. Fetch songs, or submit again later.",
                status=429,
            )
        return found


def _disposable(jobs: Collection[QueueJob]) -> list[QueueJob]:
    ends = [
        (job.answer.fetched or 0, job) for job in jobs if job.answer and (not job.answer.file or job.answer.fetched)
    ]
    return [job for _, job in sorted(ends, key=lambda end: end[0])]
