"""Submitting a job: once to a host that may bill it, and once to an engine server, which can be asked what arrived."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from acestep_mcp.api.errors import AceStepError, GenerationFailed, QueueError, StorageError, SubmissionUnknown
from acestep_mcp.client import QueueClient, RequestHandle, SubmitOptions
from acestep_mcp.library.jobs import Jobs
from acestep_mcp.library.models import Job, Progress, Status
from acestep_mcp.studio.source_uploads import SourceUploads

logger = logging.getLogger(__name__)

Change = Callable[..., Awaitable[None]]
"""Changes fields of the job on disk. Raises LeaseLost when another process owns it."""
MAX_ATTEMPTS = 3
RECORD_PAUSE = 5.0


class LeaseLost(AceStepError):
    """Another process took the job over (this one was suspended for long), so this one must not change it."""

    def __init__(self) -> None:
        super().__init__("Another process runs this job now.")


class Submitter:
    """One per process."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._sources = SourceUploads(jobs.uploads)
        self.waits: dict[str, str] = {}
        """By the id of a job: why nothing can be written about it now, for those who watch it."""

    async def submit(self, job: Job, client: QueueClient, change: Change) -> RequestHandle:
        """Submit the job, or find the request of an earlier submit that was not answered; its handle is then on disk.

        Raises SubmissionUnknown when it may have been accepted by a host that cannot be asked, `FateUnknown` when that
        host does not answer now, LeaseLost, QueueError, GenerationFailed for a draft that ended its engine three times.
        """
        if job.backend == "draft":
            return await self._submit_draft(job, client, change)
        if job.attempts:
            if job.backend != "engine":
                raise SubmissionUnknown(
                    "The program ended while it submitted this request: it may have been accepted and billed. "
                    "It is not sent again automatically. Check the host's dashboard, and start again if it is not there."
                )
            handle = await self._received(job, client)
            if handle is not None:
                return await self._recorded(job.id, handle, partial(self._record, job, handle))
        return await self._submit_counted(job, client, await self._body(job, client, change))

    async def _submit_draft(self, job: Job, client: QueueClient, change: Change) -> RequestHandle:
        if job.attempts >= MAX_ATTEMPTS:
            raise GenerationFailed(
                f"The engine ended {job.attempts} times while making this song. Try other arguments."
            )
        handle = await client.submit(job.host_endpoint, await self._body(job, client, change), _options(job))
        changes = {"handle": handle.to_dict(), "request_id": handle.request_id, "status": Status.IN_QUEUE}
        return await self._recorded(job.id, handle, partial(change, **changes))

    async def _submit_counted(self, job: Job, client: QueueClient, body: dict[str, Any]) -> RequestHandle:
        # A submit may be billed: even an orderly shutdown waits for the host's answer.
        with anyio.CancelScope(shield=True):
            if await anyio.to_thread.run_sync(self._jobs.count_attempt, job.id) is None:
                raise LeaseLost
            handle = await self._answered(job, client, body)
            ids = {"request_id": handle.request_id}
            logger.info("job %s is request %s at %s", job.id, handle.request_id, job.queue_url, extra=ids)
            await self._recorded(job.id, handle, partial(self._record, job, handle))
        return handle

    async def _answered(self, job: Job, client: QueueClient, body: dict[str, Any]) -> RequestHandle:
        try:
            return await client.submit(job.host_endpoint, body, _options(job))
        except SubmissionUnknown as unanswered:
            if job.backend != "engine":
                raise
            try:
                handle = await self._received(job, client)
            except SubmissionUnknown:
                raise unanswered from None  # which says what came instead of an answer
        if handle is None:
            raise FateUnknown(f"{client.host.label} did not receive the request. It is sent again.")
        return handle

    @staticmethod
    async def _received(job: Job, client: QueueClient) -> RequestHandle | None:
        """What the engine server knows of a submit that was not answered; None when it never received one."""
        try:
            return await client.received(job.host_endpoint, job.id)
        except SubmissionUnknown:
            raise
        except QueueError as exc:
            if exc.is_permanent:
                raise SubmissionUnknown(f"{exc.message} The request may have been accepted there.") from exc
            raise FateUnknown(
                f"{exc.message} This request may have arrived there; the engine is asked again, and makes it once."
            ) from exc

    async def pause(self, job_id: str, error: StorageError) -> None:
        """Wait a little for a disk or database that nothing can be written to, and let those who watch the job see why."""
        self.waits[job_id] = error.message
        await anyio.sleep(RECORD_PAUSE)

    async def _recorded(
        self, job_id: str, handle: RequestHandle, record: Callable[[], Awaitable[None]]
    ) -> RequestHandle:
        """Store the handle, however long the disk stays full: without it the song is paid for and lost."""
        while True:
            try:
                await record()
            except StorageError as exc:
                logger.error("request %s cannot be recorded: %s", handle.request_id, exc.message)  # noqa: TRY400
                await self.pause(job_id, exc)
            else:
                self.waits.pop(job_id, None)
                return handle

    async def _record(self, job: Job, handle: RequestHandle) -> None:
        record = partial(self._jobs.record_handle, job.id, handle.to_dict(), handle.request_id)
        if not await anyio.to_thread.run_sync(record):
            raise LeaseLost

    async def _body(self, job: Job, client: QueueClient, change: Change) -> dict[str, Any]:
        """The request to send; a local source is uploaded first."""
        sent_as, source = job.options.sent_as, job.options.source
        body = dict(sent_as.body) if sent_as else job.request.wire()
        if source is None:
            return body
        path = Path(source)
        if not await anyio.Path(path).is_file():
            raise StorageError(
                f"The source {path} no longer exists. Put it back, or start again with another audio_url."
            )
        await change(progress=Progress(0.0, "uploading the source"))
        field = (sent_as and sent_as.source_field) or "audio_url"
        body[field] = await self._sources.address(client, path, job.options.content_type)
        return body


class FateUnknown(QueueError):
    """An engine server may have received the submit, and does not answer now: it is asked again."""


def _options(job: Job) -> SubmitOptions:
    options = SubmitOptions(**job.options.submit)
    # An engine server names the request by this key, so that it can be asked for it, and makes one request of two submits.
    return replace(options, idempotency_key=job.id) if job.backend == "engine" else options
