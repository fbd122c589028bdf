"""Runs one job, from NEW to a track, in the process that owns it."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from acestep_mcp.api import logs
from acestep_mcp.api.errors import (
    AceStepError,
    ConfigurationError,
    GenerationFailed,
    InvalidRequest,
    JobCancelled,
    QueueError,
    RequestUnknown,
    StorageError,
    StorageLocked,
    SubmissionUnknown,
    isolated,
)
from acestep_mcp.api.responses import Response
from acestep_mcp.api.updates import Completed, InProgress, Log, Queued, Update
from acestep_mcp.client import QueueClient, RequestHandle
from acestep_mcp.library.jobs import LOG_LINES, Jobs, Rates
from acestep_mcp.library.models import Job, JobError, Progress, Status, Track
from acestep_mcp.library.tracks import Tracks
from acestep_mcp.studio.backends import LOCAL, Backends, address_after, is_embedded
from acestep_mcp.studio.finish import Finishing, clear_leftovers, download_path, most_bytes, store_track
from acestep_mcp.studio.following import FollowedRequest, follow
from acestep_mcp.studio.progress import SAVING, progress_after
from acestep_mcp.studio.published import copy_published
from acestep_mcp.studio.submitter import FateUnknown, LeaseLost, Submitter

logger = logging.getLogger(__name__)

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
GIVE_UP_AFTER = 24 * 3600.0
"""Seconds after which an unreachable host is no longer polled automatically; get_job still tries."""

_FINAL = (GenerationFailed, RequestUnknown, SubmissionUnknown, InvalidRequest, JobCancelled)
_COLLECT = (
    "The song was accepted and is not lost: fix this (ACESTEP_MUSIC_DIR chooses another folder), then wait for this job "
    "again: the song is fetched and saved without being made or paid for again."
)
_FETCH_AGAIN = (
    "The host accepted the song and may have billed it. When that has changed, wait for this job again: the song is "
    "fetched without being made or paid for again."
)
_BUG = "This job failed because of a bug in acestep-mcp; the log has the details. Please report it."


class Run:
    """Runs one job. Setting `cancel` cancels it; `changed` is set and replaced at every change of `job`."""

    def __init__(
        self, job: Job, jobs: Jobs, tracks: Tracks, backends: Backends, submitter: Submitter, finishing: Finishing
    ) -> None:
        self.job = job
        self._was_sent = job.handle is not None or job.attempts > 0  # by an earlier run, which may have left files
        self._is_published = False
        self._jobs = jobs
        self._tracks = tracks
        self._backends = backends
        self._submitter = submitter
        self._finishing = finishing
        self._has_counted = False  # an attempt of a draft, whose engine has begun
        self._pending: dict[str, Any] = {}
        """Written with the next change, to save a transaction: the last update is followed by the result at once."""
        self.rates: Rates | None = None  # of earlier jobs, read once for this job's estimates
        self.cancel = anyio.Event()
        self.changed = anyio.Event()

    async def __call__(self) -> None:
        logs.concern(job_id=self.job.id, request_id=self.job.request_id)
        try:
            await self._run_until_ended()
        except LeaseLost:
            logger.warning("job %s continues in another process", self.job.id)
        except StorageError as exc:
            # Not even the failure could be written. An open studio starts the job again.
            logger.error("job %s (request %s): %s", self.job.id, self.job.request_id, exc.message)  # noqa: TRY400
            self._notify()
            await self._submitter.pause(self.job.id, exc)
        except anyio.get_cancelled_exc_class():
            if self._has_counted:
                with anyio.CancelScope(shield=True):
                    await self._sync(self._jobs.uncount_attempt, self.job.id)
            raise
        finally:
            self._notify()

    async def show(self, progress: Progress) -> None:
        """Show why a job that could run does not. What the disk refuses is not shown."""
        with contextlib.suppress(AceStepError):
            await self._change(progress=progress)

    async def _run_until_ended(self) -> None:
        """Advance until the job has ended; while its host is unreachable, wait and try again."""
        pause = FIRST_PAUSE
        while True:
            try:
                with isolated(logger, "job %s failed because of a bug", self.job.id):
                    return await self._advance()
            except LeaseLost:
                raise
            except AceStepError as exc:
                error = await self._still_refused(exc)
                if error is None:
                    continue
                if not self._should_retry(error):
                    return await self._end(error)
                logger.warning("job %s: %s Trying again in %d s.", self.job.id, error.message, pause)
                await self._change(progress=replace(self.job.progress, stage="waiting for the host to answer"))
            else:
                return await self._end(AceStepError(_BUG))
            with anyio.move_on_after(pause):
                await self.cancel.wait()
            pause = min(pause * 2, LONGEST_PAUSE)

    def _should_retry(self, error: AceStepError) -> bool:
        """True for an accepted request whose outcome is still unknown."""
        if not isinstance(error, QueueError) or isinstance(error, _FINAL) or error.is_permanent:
            return False
        may_be_accepted = self.job.request_id is not None or isinstance(error, FateUnknown)
        return may_be_accepted and time.time() - self.job.created_at < GIVE_UP_AFTER and not self.cancel.is_set()

    async def _still_refused(self, error: AceStepError) -> AceStepError | None:
        """None when the job may go on: the database was locked, or the address is that of a server of other people."""
        if isinstance(error, StorageLocked):
            self._notify()
            await self._submitter.pause(self.job.id, error)
            return None
        try:
            url = None if self.job.request_id else await address_after(error, self.job, self._backends)
        except ConfigurationError as exc:
            return exc
        if url is not None:
            await self._change(queue_url=url)
        return error if url is None else None

    async def _advance(self) -> None:
        """Continue the job from its current state to the end."""
        if self.job.result is not None and (track := await self._sync(self._tracks.kept, self.job.id)):
            # An earlier process ended between keeping the song and recording that.
            elapsed = track.sidecar.get("elapsed")
            return await self._complete(track, self.job.created_at + elapsed if elapsed else time.time())
        client = await self._backends.client(self.job.backend, self.job.queue_url)
        self._is_published = self._was_sent and await self._sync(self._copy_published)
        while True:
            result = self._result(client) or await self._generate(client)
            try:
                return await self._finish(client, result)
            except QueueError as exc:
                if not is_embedded(self.job) or exc.status not in (404, 410):
                    raise
                # The audio was lost with the process whose queue had it; the same seed makes the same song.
                request = self.job.request.model_copy(update={"seed": result.seed})
                await self._change(result=None, handle=None, request_id=None, request=request)

    def _result(self, client: QueueClient) -> Response | None:
        """The stored result, unless its file has to be fetched from an old address of the local engine."""
        result = self.job.result
        if (
            result
            and not self._is_published
            and self.job.queue_url.startswith(LOCAL)
            and not client.host.is_queue_url(result.audio.url)
        ):
            return None
        return result

    async def _generate(self, client: QueueClient) -> Response:
        """Submit (unless already done) and follow to the result, which is stored when this returns."""
        while True:
            handle = RequestHandle.from_dict(self.job.handle) if self.job.handle else await self._submit(client)
            try:
                result = await self._follow(client, handle)
            except RequestUnknown:
                if not is_embedded(self.job):
                    raise
                # The process with this queue has ended: a draft is made again, and a server's job is found again.
                await self._change(handle=None, request_id=None, status=Status.NEW, progress=Progress())
                continue
            await self._change(result=result, progress=SAVING)
            return result

    async def _submit(self, client: QueueClient) -> RequestHandle:
        may_have_arrived = self.job.backend == "engine" and self.job.attempts > 0
        if self.cancel.is_set() and not may_have_arrived:
            raise JobCancelled("The job was cancelled before it was submitted. Nothing was made or billed.")
        self._has_counted = False
        try:
            handle = await self._submitter.submit(self.job, client, self._change)
        except FateUnknown:
            self.job = self.job.changed(attempts=max(1, self.job.attempts))
            raise
        logs.concern(request_id=handle.request_id)
        self.job = self.job.changed(handle=handle.to_dict(), request_id=handle.request_id, status=Status.IN_QUEUE)
        self._notify()
        return handle

    async def _follow(self, client: QueueClient, handle: RequestHandle) -> Response:
        request = FollowedRequest(client, self.job.host_endpoint, handle, self.cancel)
        await follow(request, self._record)
        return await client.result(self.job.host_endpoint, handle, self.job.asked)

    async def _record(self, update: Update) -> None:
        """Store an update from the queue if it changes the job."""
        match update:
            case Queued(position):
                if self.job.progress.queue_position != position:
                    await self._change(status=Status.IN_QUEUE, progress=Progress(queue_position=position))
            case InProgress(logs):
                if changes := self._changes_from(logs):
                    await self._change(**changes)
            case Completed(logs, error):
                if error is None:  # with an error it may never have run; the result address has the details
                    self._pending = self._changes_from(logs)

    def _changes_from(self, logs: tuple[Log, ...]) -> dict[str, Any]:
        """The changes that log lines make to a running job."""
        job = self.job
        changes: dict[str, Any] = {}
        if job.status is not Status.IN_PROGRESS:
            changes |= {"status": Status.IN_PROGRESS, "started_at": job.started_at or time.time()}
        if job.backend == "draft" and not self._has_counted:
            # Counted when the engine begins: a job that only waits is not what ends it.
            self._has_counted = True
            changes["attempts"] = job.attempts + 1
        if logs:
            changes["logs"] = (*job.logs, *(log.message[:500] for log in logs))[-LOG_LINES:]
        progress = progress_after(logs, job.progress)
        if progress != job.progress:
            changes["progress"] = progress
        return changes

    async def _finish(self, client: QueueClient, response: Response) -> None:
        """Download and save the track; after a failure the next call tries again."""
        if self.job.progress != SAVING:
            await self._change(progress=SAVING)
        part = await self._sync(download_path, self._tracks, self.job.id, self._jobs.leases.process)
        async with self._finishing.slots:
            most = most_bytes(self.job.options.seconds)
            if not self._is_published:
                await client.download(response.audio.url, part, size=response.audio.file_size, max_bytes=most)
            job = self.job.changed(ended_at=time.time())
            track = await self._sync(self._store_track, job, response, part)
        track = await self._finishing.with_words(track)
        await client.forget(self.job.host_endpoint, self.job.request_id or "")
        await self._complete(track, job.ended_at)

    async def _complete(self, track: Track, ended_at: float | None) -> None:
        await self._change(
            status=Status.COMPLETED,
            ended_at=ended_at,
            track_id=track.id,
            cost=track.sidecar.get("cost"),
            progress=Progress(1.0, "done"),
        )

    def _copy_published(self) -> bool:
        """Whether this job's audio was published without a sidecar, which is then written without fetching it again."""
        result = self.job.result
        if result is None or not (name := self._jobs.reserve_name(self.job.id, ())):
            return False
        part = download_path(self._tracks, self.job.id, self._jobs.leases.process)
        return copy_published(self._tracks.folder / name, result.seed, part)

    def _store_track(self, job: Job, response: Response, part: Path) -> Track:
        if not self._jobs.is_owned(job.id):
            part.unlink(missing_ok=True)
            raise LeaseLost
        if self._was_sent:
            clear_leftovers(job.id, part)
        return store_track(job, response, part, self._tracks, self._jobs)

    async def _end(self, error: AceStepError) -> None:
        """Store the end of a job without a song. An accepted one that may still be fetched keeps its cost."""
        status, message = Status.FAILED, error.message
        if isinstance(error, JobCancelled):
            status = Status.CANCELLED
        elif isinstance(error, SubmissionUnknown | FateUnknown):
            status = Status.UNKNOWN
        collectable = self.job.request_id is not None and not isinstance(error, _FINAL)
        changes: dict[str, Any] = {"status": status, "ended_at": time.time()}
        if collectable:
            message += f" {_COLLECT if not isinstance(error, QueueError) else _FETCH_AGAIN}"
        elif status is not Status.UNKNOWN:
            changes["cost"] = 0.0
        try:
            await self._change(**changes, error=JobError(error.code, message, collectable))
        except LeaseLost:
            return

    async def _change(self, **changes: Any) -> None:
        """Change the job on disk, then in memory. Raises LeaseLost when another process owns it."""
        changes, self._pending = self._pending | changes, {}
        if not await self._sync(partial(self._jobs.update, self.job.id, **changes)):
            raise LeaseLost
        self._submitter.waits.pop(self.job.id, None)
        self.job = self.job.changed(**changes)
        self._notify()

    def _notify(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()

    @staticmethod
    async def _sync(function: Any, *args: Any) -> Any:
        return await anyio.to_thread.run_sync(function, *args)
