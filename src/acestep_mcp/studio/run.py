"""One job's way: from NEW on disk to a track, in the process that holds its lease."""

from __future__ import annotations

import logging
import time
from contextlib import aclosing
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from acestep_mcp.api.errors import (
    AceStepError,
    GenerationFailed,
    InvalidRequest,
    JobCancelled,
    QueueError,
    RequestUnknown,
    StorageError,
    SubmissionUnknown,
)
from acestep_mcp.api.requests import Response
from acestep_mcp.api.updates import Completed, InProgress, Log, Queued, Update, step_in
from acestep_mcp.client import QueueClient, RequestHandle, SubmitOptions
from acestep_mcp.library.jobs import LOG_LINES, Jobs
from acestep_mcp.library.models import Job, Progress, Status, Track
from acestep_mcp.library.tracks import Tracks
from acestep_mcp.studio.backends import LOCAL, Backends
from acestep_mcp.studio.finish import keep, part_of
from acestep_mcp.studio.sources import Sources

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
FIRST_PAUSE = 5.0
LONGEST_PAUSE = 300.0
GIVE_UP_AFTER = 24 * 3600.0
"""Seconds after which a host that does not answer is no longer asked by itself; get_job still asks."""

_SETTLED = (GenerationFailed, RequestUnknown, SubmissionUnknown, InvalidRequest, JobCancelled)
_KEEPING = Progress(0.98, "keeping the song")
_COLLECT = (
    "The song was accepted and is not lost: mend this (ACESTEP_MUSIC_DIR chooses another folder), then call get_job "
    "with this job's id, and it is fetched and kept without being made or paid again."
)
_OUR_MISTAKE = "A mistake in acestep-mcp ended this job; the log has the details. Please report it."


class LeaseLost(Exception):
    """Another process took the job over (this one was stopped for long); nothing may be changed any more."""


class Run:
    """Runs one job. `cancel` may be set by anybody in this process; `pulse` is called at every change."""

    def __init__(
        self,
        job: Job,
        jobs: Jobs,
        tracks: Tracks,
        backends: Backends,
        sources: Sources,
        keeping: anyio.CapacityLimiter,
    ) -> None:
        self._job = job
        self._jobs = jobs
        self._tracks = tracks
        self._backends = backends
        self._sources = sources
        self._keeping = keeping
        self._unwritten: dict[str, Any] = {}
        """Goes to the disk with the next change: the last word of a job is followed by its result at once."""
        self.cancel = anyio.Event()
        self.changed = anyio.Event()

    async def __call__(self) -> None:
        try:
            await self._to_the_end()
        except LeaseLost:
            logger.warning("job %s goes on in another process", self._job.id)
        except StorageError as exc:
            # Not even its end could be written. The studio takes it up again as long as it is open.
            logger.error("job %s (request %s): %s", self._job.id, self._job.request_id, exc.message)  # noqa: TRY400
            await anyio.sleep(FIRST_PAUSE)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self._sync(self._jobs.give_back, self._job.id)
            raise
        finally:
            self._pulse()

    async def _to_the_end(self) -> None:
        """Advance until the job has ended; while its host cannot be reached, wait and ask again."""
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._advance()
            except AceStepError as exc:
                if not self._is_waiting(exc):
                    return await self._end(exc)
                logger.warning("job %s: %s Asking again in %d s.", self._job.id, exc.message, pause)
                await self._change(progress=asdict(replace(self._job.progress, stage="the host does not answer")))
            except LeaseLost:
                raise
            except Exception:
                logger.exception("job %s ended by a mistake of ours", self._job.id)
                return await self._end(AceStepError(_OUR_MISTAKE))
            with anyio.move_on_after(pause):
                await self.cancel.wait()
            pause = min(pause * 2, LONGEST_PAUSE)

    def _is_waiting(self, error: AceStepError) -> bool:
        """The request was accepted and its fate is not known: nothing may be given up, only asked again."""
        is_known = not isinstance(error, QueueError) or isinstance(error, _SETTLED)
        is_young = time.time() - self._job.created_at < GIVE_UP_AFTER
        return not is_known and self._job.request_id is not None and is_young and not self.cancel.is_set()

    async def _advance(self) -> None:
        """Take the job up wherever it stands."""
        client = await self._backends.client(self._job.backend, self._job.queue_url)
        while True:
            result = self._result(client) or await self._generate(client)
            try:
                return await self._keep(client, Response.model_validate(result))
            except QueueError as exc:
                if self._job.backend != "draft" or exc.status not in (404, 410):
                    raise
                # The audio went with the process that drew it; the same seed makes the same song again.
                await self._change(result=None, ticket=None, request={**self._job.request, "seed": result["seed"]})

    def _result(self, client: QueueClient) -> dict[str, Any] | None:
        """The answer that is on disk, unless it names a file by an address that the local engine has no more."""
        result = self._job.result
        if result and self._job.queue_url.startswith(LOCAL) and not client.host.is_queue_url(result["audio"]["url"]):
            return None
        return result

    async def _generate(self, client: QueueClient) -> dict[str, Any]:
        """Submit (unless that was done) and follow to the result, which is on disk when this returns."""
        while True:
            saved, attempts = await self._sync(self._jobs.ticket, self._job.id)
            ticket = RequestHandle.from_dict(saved) if saved else await self._submit(client, attempts)
            try:
                response = await self._follow(client, ticket)
            except RequestUnknown:
                if self._job.backend != "draft":
                    raise
                # The process that held this queue is gone; its draft cost nothing and can be made again.
                await self._change(ticket=None, status=Status.NEW, progress={})
                continue
            result = response.model_dump(mode="json", exclude_none=True)
            await self._change(result=result, progress=asdict(_KEEPING))
            return result

    async def _submit(self, client: QueueClient, attempts: int) -> RequestHandle:
        if self.cancel.is_set():
            raise JobCancelled("The job was cancelled before it was submitted. Nothing was made or paid.")
        if attempts and self._job.backend != "draft":
            raise SubmissionUnknown(
                "The program ended while this request was being submitted: it may have been accepted and billed. "
                "It is not sent again by itself. Look at the host's dashboard, and make the song again if it is not there."
            )
        if attempts >= MAX_ATTEMPTS:
            raise GenerationFailed(f"The engine ended {attempts} times while making this song. Try other arguments.")
        body = await self._body(client)
        # A purchase is not left half done: even an orderly end of the program waits for the host's answer.
        with anyio.CancelScope(shield=True):
            await self._sync(self._jobs.attempt, self._job.id)
            ticket = await client.submit(self._job.endpoint, body, SubmitOptions(**self._job.options.get("submit", {})))
            logger.info("job %s is request %s at %s", self._job.id, ticket.request_id, self._job.queue_url)
            await self._remember(ticket)
        return ticket

    async def _remember(self, ticket: RequestHandle) -> None:
        """Write the ticket down, however long the disk stays full: without it the song is paid and lost."""
        while True:
            try:
                return await self._change(ticket=ticket.to_dict(), status=Status.IN_QUEUE)
            except StorageError as exc:
                logger.error("request %s cannot be written down: %s", ticket.request_id, exc.message)  # noqa: TRY400
                await anyio.sleep(FIRST_PAUSE)

    async def _body(self, client: QueueClient) -> dict[str, Any]:
        """The request as it goes over the wire: a local source is uploaded first."""
        body = dict(self._job.request)
        source = self._job.options.get("source")
        if source is None:
            return body
        path = Path(source)
        if not await anyio.Path(path).is_file():
            raise StorageError(f"The source {path} is gone. Put it back, or start again with another audio_url.")
        await self._change(progress=asdict(Progress(0.0, "uploading the source")))
        body["audio_url"] = await self._sources.address(client, path, self._job.options["content_type"])
        return body

    async def _follow(self, client: QueueClient, ticket: RequestHandle) -> Response:
        failure: AceStepError | LeaseLost | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._cancel_when_asked, client, ticket)
            # What keeping needs is loaded while the engine works: about a second of the first song.
            tasks.start_soon(self._sync, import_module, "acestep_mcp.audio.measure")
            try:
                async with aclosing(client.follow(self._job.endpoint, ticket)) as updates:
                    async for update in updates:
                        await self._note(update)
            except (AceStepError, LeaseLost) as exc:
                failure = exc  # raised below: through the task group it would arrive as a group
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return await client.result(self._job.endpoint, ticket)

    async def _cancel_when_asked(self, client: QueueClient, ticket: RequestHandle) -> None:
        await self.cancel.wait()
        while True:
            try:
                await client.cancel(self._job.endpoint, ticket)
            except QueueError as exc:
                logger.warning("cancel of job %s was not taken: %s", self._job.id, exc.message)
                await anyio.sleep(FIRST_PAUSE)
            else:
                return

    async def _note(self, update: Update) -> None:
        """Put what the queue said on disk, when it differs from what stands there."""
        match update:
            case Queued(position):
                if self._job.progress.queue_position != position:
                    await self._change(status=Status.IN_QUEUE, progress=asdict(Progress(queue_position=position)))
            case InProgress(logs):
                if changes := self._running(logs):
                    await self._change(**changes)
            case Completed(logs, error):
                if error is None:  # with one it may never have run, and its result will tell
                    self._unwritten = self._running(logs)

    def _running(self, logs: tuple[Log, ...]) -> dict[str, Any]:
        """What these lines change of a job that runs."""
        job = self._job
        changes: dict[str, Any] = {}
        if job.status is not Status.IN_PROGRESS:
            changes |= {"status": Status.IN_PROGRESS, "started_at": job.started_at or time.time()}
        if logs:
            changes["logs"] = [*job.logs, *(log.message[:500] for log in logs)][-LOG_LINES:]
        progress = progress_after(logs, job.progress)
        if progress != job.progress:
            changes["progress"] = asdict(progress)
        return changes

    async def _keep(self, client: QueueClient, response: Response) -> None:
        """Download and keep; a failure here loses nothing, the next call tries again."""
        if self._job.progress != _KEEPING:
            await self._change(progress=asdict(_KEEPING))
        part = part_of(self._tracks, self._job.id)
        async with self._keeping:
            await client.download(response.audio.url, part, size=response.audio.file_size)
            job = replace(self._job, ended_at=time.time())
            track = await self._sync(self._kept, job, response, part)
        await self._change(
            status=Status.COMPLETED,
            ended_at=job.ended_at,
            track_id=track.id,
            cost=track.sidecar["cost"],
            progress=asdict(Progress(1.0, "done")),
        )

    def _kept(self, job: Job, response: Response, part: Path) -> Track:
        if not self._jobs.mine(job.id):
            raise LeaseLost
        return keep(job, response, part, self._tracks, self._jobs)

    async def _end(self, error: AceStepError) -> None:
        """Write down how it ended badly. What was accepted and may still be fetched stays paid and collectable."""
        status, message = Status.FAILED, error.message
        if isinstance(error, JobCancelled):
            status = Status.CANCELLED
        elif isinstance(error, SubmissionUnknown):
            status = Status.UNKNOWN
        collectable = self._job.request_id is not None and not isinstance(error, _SETTLED)
        changes: dict[str, Any] = {"status": status, "ended_at": time.time()}
        if collectable:
            message += f" {_COLLECT}"
        elif status is not Status.UNKNOWN:
            changes["cost"] = 0.0
        await self._quietly(**changes, error={"code": error.code, "message": message, "collectable": collectable})

    async def _quietly(self, **changes: Any) -> None:
        try:
            await self._change(**changes)
        except LeaseLost:
            return

    async def _change(self, **changes: Any) -> None:
        changes, self._unwritten = self._unwritten | changes, {}
        self._job = await self._sync(self._changed, changes)
        self._pulse()

    def _changed(self, changes: dict[str, Any]) -> Job:
        """In a thread: the job as it stands on disk afterwards."""
        if not self._jobs.update(self._job.id, **changes):
            raise LeaseLost
        return self._jobs.get(self._job.id)

    def _pulse(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()

    @staticmethod
    async def _sync(function: Any, *args: Any) -> Any:
        return await anyio.to_thread.run_sync(function, *args)


def progress_after(logs: tuple[Log, ...], before: Progress) -> Progress:
    """What the newest log lines say of where the work stands.

    Every stage counts from its own beginning, but the whole never goes back; a stage of one step says nothing of it.
    """
    for log in reversed(logs):
        found = step_in(log.message)
        if found:
            step, total = found
            stage = log.message.split(str(step))[0].strip(" :-[(") or before.stage or "generating"
            share = min(0.97, step / total) if total > 1 else 0.0
            return Progress(max(before.fraction, share), stage[:60], step, total)
    return replace(before, queue_position=None, stage=before.stage or "starting")
