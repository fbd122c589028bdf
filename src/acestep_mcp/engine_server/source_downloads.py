"""Downloads the sources of waiting jobs, while other jobs run."""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio
import anyio.to_thread

from acestep_mcp.api import logs
from acestep_mcp.api.errors import AceStepError, isolated
from acestep_mcp.engine_server.jobs import CANCELLED, INTERNAL, QueueJob, StoredResponse
from acestep_mcp.engine_server.queues import WorkQueue
from acestep_mcp.engine_server.source_loader import STORED_SOURCE, SourceLoader
from acestep_mcp.engine_server.wire import response_to

logger = logging.getLogger(__name__)

_AT_ONCE = 4  # further ones wait


class SourceDownloads:
    """What is to be downloaded, for all workers. `run` downloads; a job whose source has come waits for a device again."""

    def __init__(self, queue: WorkQueue, source_loader: SourceLoader) -> None:
        self._queue = queue
        self._source_loader = source_loader
        self._asked: dict[QueueJob, str] = {}
        self._begun: set[QueueJob] = set()
        self._arrived = anyio.Event()

    def is_ready(self, job: QueueJob) -> bool:
        """Whether the job's source is here; else it will be downloaded, and the job put back into the queue."""
        url = getattr(job.request, "audio_url", STORED_SOURCE)
        if not self._source_loader.must_download(url):
            return True
        self._asked[job] = url
        self._arrived.set()
        return False

    async def run(self, clear: Callable[[QueueJob], None]) -> None:
        """Run forever. `clear` removes what is left of a job that has ended; it is called in a thread."""
        self._begun.clear()  # an earlier run may have ended in the middle of a download
        limit = anyio.CapacityLimiter(_AT_ONCE)
        async with anyio.create_task_group() as group:
            while True:
                self._arrived = anyio.Event()
                for job in [job for job in self._asked if job not in self._begun]:
                    self._begun.add(job)
                    group.start_soon(self._download, job, limit, clear)
                await self._arrived.wait()

    async def _download(self, job: QueueJob, limit: anyio.CapacityLimiter, clear: Callable[[QueueJob], None]) -> None:
        """Download a source until it is here or the job has ended; then its job waits for the engine, or has failed."""
        answer: StoredResponse | None = INTERNAL
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_at_end, job, tasks.cancel_scope)
            try:
                with logs.concerning(request_id=job.id), isolated(logger, "job %s failed because of a bug", job.id):
                    async with limit:
                        self._queue.log(job, "downloading the source")
                        await self._source_loader.download(self._asked[job], job.id)
                    answer = None
            except AceStepError as error:
                answer = response_to(error)
            tasks.cancel_scope.cancel()
        del self._asked[job]
        self._begun.discard(job)
        if job.ended or answer is not None:
            self._queue.finish(job, answer or CANCELLED)
            await anyio.to_thread.run_sync(clear, job)
        else:
            job.request = job.request.model_copy(update={"audio_url": STORED_SOURCE})
            self._queue.put_back(job)


async def _cancel_at_end(job: QueueJob, scope: anyio.CancelScope) -> None:
    await job.end()
    scope.cancel()
