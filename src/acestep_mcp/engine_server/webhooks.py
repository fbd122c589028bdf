"""Posts the result of a job to the address that its submit named."""

from __future__ import annotations

import logging

import anyio

from acestep_mcp.api.errors import AceStepError, InvalidRequest, QueueError, isolated
from acestep_mcp.engine_server.jobs import QueueJob
from acestep_mcp.engine_server.options import Post
from acestep_mcp.engine_server.queues import WorkQueue
from acestep_mcp.engine_server.signing import Signer
from acestep_mcp.engine_server.wire import dumps, replay

logger = logging.getLogger(__name__)

DELAYS: tuple[float, ...] = (1, 5, 15, 60, 300, 600, 1200, 1800, 3000)
"""Seconds before each further attempt: ten attempts in about two hours."""
ATTEMPT_SECONDS = 15
_GONE = 410


class Webhooks:
    """Delivers each result once; deliveries that are pending at a stop are made by the next server."""

    def __init__(self, queue: WorkQueue, post: Post, signer: Signer) -> None:
        self._queue = queue
        self._post = post
        self.signer = signer
        self._watched: set[str] = set()
        self._send, self._receive = anyio.create_memory_object_stream[QueueJob](float("inf"))

    def watch(self, job: QueueJob) -> None:
        """Deliver the job's result when it ends, once, however often this is called."""
        if job.id not in self._watched:
            self._watched.add(job.id)
            self._send.send_nowait(job)

    async def run(self) -> None:
        """Run forever."""
        async with self._send, self._receive, anyio.create_task_group() as group:
            async for job in self._receive:
                group.start_soon(self._deliver, job)

    async def _deliver(self, job: QueueJob) -> None:
        await job.end()
        for delay in (0, *DELAYS):
            await anyio.sleep(delay)
            if await self._attempt(job):
                break
        else:
            _log(job).warning("the webhook of job %s was given up after %d attempts", job.id, len(DELAYS) + 1)
        self._queue.mark_webhook_done(job)
        self._watched.discard(job.id)

    async def _attempt(self, job: QueueJob) -> bool:
        """One delivery; False when it should be retried. What another attempt would only repeat is final."""
        status, log = 200, _log(job)
        try:
            with anyio.fail_after(ATTEMPT_SECONDS), isolated(log, "the webhook of job %s is not sent", job.id):
                body = _body(job)
                headers = {"content-type": "application/json", **self.signer.headers(job.id, body)}
                status = await self._post(job.options.webhook or "", body, headers)
        except InvalidRequest as exc:
            log.warning("the webhook of job %s is not sent: %s", job.id, exc.message)
            return True
        except (AceStepError, TimeoutError) as exc:
            log.info("the webhook of job %s did not arrive: %s", job.id, exc)
            return isinstance(exc, QueueError) and exc.is_permanent
        return 200 <= status < 400 or status == _GONE


def _log(job: QueueJob) -> logging.LoggerAdapter[logging.Logger]:
    """The log with the id of the request in every line."""
    return logging.LoggerAdapter(logger, {"request_id": job.id})


def _body(job: QueueJob) -> bytes:
    """The body of a delivery, in fal's format."""
    assert job.answer is not None
    answer = job.answer
    payload = bytes(replay(job, answer, job.options.base).body).decode()
    head = {"request_id": job.id, "gateway_request_id": job.id}
    head |= (
        {"status": "OK"}
        if answer.status == 200
        else {
            "status": "ERROR",
            "error": f"Invalid status code: {answer.status}",
        }
    )
    return f'{dumps(head)[:-1]},"payload":{payload}}}'.encode()
