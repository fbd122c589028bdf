"""The use cases: make, wait, cancel, list, remake. Knows no MCP and no HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from acestep_mcp.library import Job, Progress, Track


@dataclass(frozen=True, slots=True)
class Outcome:
    """A job and, once it is COMPLETED, its track."""

    job: Job
    track: Track | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of tracks, newest first; `next_cursor` is None on the last one. `total` counts all that match."""

    tracks: tuple[Track, ...]
    next_cursor: str | None
    total: int


class Studio:
    """Built once per process by `assembly.open_studio`, passed down; an async context manager owns its life."""

    async def start(self, tool: str, arguments: Mapping[str, Any], *, idempotency_key: str | None = None) -> Job:
        """Check the arguments, put a job on disk and set it going.

        The same arguments again within 10 minutes of an answer that was never delivered (see `delivered`) give the
        first job back, with `attached` True; so does the same idempotency key at any time.
        Raises InvalidRequest, NotFound (for a source), ConfigurationError, StorageError, SpendLimitReached.
        """
        raise NotImplementedError

    def watch(self, job_id: str, seconds: float) -> AsyncIterator[Progress]:
        """Progress at every change and at least every 4 s; ends when the job has ended or after `seconds`."""
        raise NotImplementedError

    async def outcome(self, job_id: str) -> Outcome:
        """The job as it is now, with its track. Raises NotFound with the recent ids."""
        raise NotImplementedError

    async def delivered(self, job_id: str) -> None:
        """Say that this job's end reached its caller: the next identical call is a new song."""
        raise NotImplementedError

    async def cancel(self, job_id: str) -> Outcome:
        """Cancel on request, wherever it runs; a job that has already ended is returned as it is."""
        raise NotImplementedError

    async def caller_cancelled(self, job_id: str) -> None:
        """The creating call was cancelled by an explicit notification: cancel if that saves something.

        By ACESTEP_CANCEL: auto (queued jobs, and running ones on a local engine), always, never.
        """
        raise NotImplementedError

    async def jobs(self, limit: int = 20) -> list[Job]:
        """The newest jobs first."""
        raise NotImplementedError

    async def tracks(self, query: str = "", *, limit: int = 20, cursor: str | None = None) -> Page:
        """Tracks whose title, tags, lyrics, prompt or id contain every word of `query`, newest first."""
        raise NotImplementedError

    async def track(self, name: str) -> Track:
        """By id, `acestep://tracks/ID` or file name. Raises NotFound with near matches."""
        raise NotImplementedError

    async def delete(self, track_id: str) -> Track:
        """Move the file and its sidecar to the trash folder."""
        raise NotImplementedError

    async def restore(self, track_id: str) -> Track:
        """Bring a deleted track back."""
        raise NotImplementedError

    async def status(self) -> dict[str, Any]:
        """backend, why, reachable, engine {name, model, version}, folders, version, spend, settings problems."""
        raise NotImplementedError

    def changes(self) -> AsyncIterator[Track]:
        """Every track finished, deleted or restored from now on, by this process or another."""
        raise NotImplementedError
