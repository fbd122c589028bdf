"""The queue's routes: submit, status, stream, result, cancel, and the synchronous run."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from acestep_mcp.api import logs, tracing
from acestep_mcp.api.endpoints import BY_ID, Endpoint
from acestep_mcp.api.errors import AceStepError, FieldError, InvalidRequest, QueueUnavailable
from acestep_mcp.api.requests import EditRequest
from acestep_mcp.engine_server import wire
from acestep_mcp.engine_server.bodies import Bodies
from acestep_mcp.engine_server.file_store import FileStore
from acestep_mcp.engine_server.jobs import APPS, QueueJob, RunOptions, abridged, id_of_key, new_id
from acestep_mcp.engine_server.options import QueueOptions
from acestep_mcp.engine_server.queues import RequestQueue
from acestep_mcp.engine_server.source_loader import MAX_ADDRESS, SourceLoader
from acestep_mcp.engine_server.webhooks import Webhooks
from acestep_mcp.net.addresses import parse_url

logger = logging.getLogger(__name__)

_STREAM_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class JobRoutes:
    """One handler method for each route."""

    def __init__(
        self,
        queue: RequestQueue,
        source_loader: SourceLoader,
        file_store: FileStore,
        webhooks: Webhooks | None,
        options: QueueOptions,
    ) -> None:
        self._queue = queue
        self._webhooks = webhooks
        self._source_loader = source_loader
        self._file_store = file_store
        self._bodies = Bodies(options.max_body)
        self._options = options
        self.is_closing = False
        """Whether the server ends soon and takes no new requests."""

    async def submit(self, http: HttpRequest) -> Response:
        """Accept a request, or refuse it with 422 now; fal answers that with the result."""
        job = await self._accept(http, synchronous=False)
        state = self._state(http, job, logs=False)
        return wire.job_reply(job, {**state, "logs": None, "metrics": {}})

    async def status(self, http: HttpRequest) -> Response:
        job = await self._find(http, log=wire.wants_logs(http))
        if job is None:
            return wire.not_found()
        body = self._state(http, job, logs=wire.wants_logs(http))
        return wire.job_reply(job, body, wire.state_code(job))

    async def stream(self, http: HttpRequest) -> Response:
        job = await self._find(http)
        if job is None:
            return wire.not_found()
        return _events(job, self._states(http, job))

    async def result(self, http: HttpRequest) -> Response:
        job = await self._find(http)
        if job is None:
            return wire.not_found()
        return self._result(http, job)

    async def cancel(self, http: HttpRequest) -> Response:
        job = await self._find(http)
        if job is None:
            return wire.not_found()
        if await self._queue.cancel(job):
            return wire.job_reply(job, {"status": "CANCELLATION_REQUESTED"}, 202)
        return wire.job_reply(job, {"status": "ALREADY_COMPLETED"}, 400)

    async def remove(self, http: HttpRequest) -> Response:
        """Forget an ended request and its file before their time is over."""
        job = await self._find(http)
        if job is None:
            return wire.not_found()
        if not job.ended:
            return wire.job_reply(job, {"detail": "Request is still in progress"}, 400)
        names = [job.answer.file] if job.answer and job.answer.file else []
        await anyio.to_thread.run_sync(self._file_store.forget, names)
        await self._queue.remove(job)
        return wire.job_reply(job, {"status": "REMOVED"})

    async def run(self, http: HttpRequest) -> Response:
        """Answer with the result. A caller who disconnects cancels the job: no one else can fetch it."""
        job = await self._accept(http, synchronous=True)
        async with anyio.create_task_group() as group:
            group.start_soon(self._cancel_when_gone, http, job)
            await job.end()
            group.cancel_scope.cancel()
        return self._result(http, job)

    async def run_stream(self, http: HttpRequest) -> Response:
        """The states while it runs, then the result, as events. A caller who disconnects cancels the job."""
        job = await self._accept(http, synchronous=True)
        return _events(job, self._synchronous_states(http, job))

    async def _accept(self, http: HttpRequest, *, synchronous: bool) -> QueueJob:
        endpoint = _endpoint(http.path_params["endpoint"])
        with tracing.span(f"accept {endpoint.id}", tracing.given(http.headers), "SERVER"):
            return await self._accepted(http, endpoint, synchronous=synchronous)

    async def _accepted(self, http: HttpRequest, endpoint: Endpoint, *, synchronous: bool) -> QueueJob:
        options, longest = self._job_options(http, synchronous=synchronous), _longest(http)
        async with self._body(http) as fields:
            request = endpoint.request.parse_wire(fields)
            key = None if synchronous else http.headers.get("idempotency-key")
            owner = wire.owner_of(http)
            job = QueueJob(endpoint.id, request, options, id_of_key(key, owner) if key else new_id(), owner=owner)
            if earlier := await self._earlier(job):
                return earlier
            if self.is_closing:
                raise QueueUnavailable("This engine server ends and takes no new requests. Submit again in a moment.")
            if request.seed is None:
                # Drawn now and stored, so that a repeated run makes the same song.
                job.request = request.model_copy(update={"seed": secrets.randbelow(2**32)})
            logs.concern(request_id=job.id)
            await self._store_source(http, job)
        return await self._add(job, longest)

    async def _add(self, job: QueueJob, longest: int | None) -> QueueJob:
        try:
            accepted = await self._queue.add(job, longest=longest)
        except QueueUnavailable:
            raise  # it may have been accepted all the same
        except AceStepError:
            if await self._queue.find(job.id, logs=False) is None:
                await anyio.to_thread.run_sync(self._file_store.discard_job, job.id)
            raise
        # Another one came meanwhile, over another connection.
        if accepted is job and self._webhooks and job.options.webhook:
            self._webhooks.watch(job)
        return accepted

    async def _earlier(self, job: QueueJob) -> QueueJob | None:
        """The job of an earlier submit with the same key. Raises InvalidRequest if that had other arguments."""
        found = await self._queue.find(job.id, logs=False)
        if found is None:
            return None
        # The server fills in a seed, and its own address of the source.
        given = {name: value for name, value in job.request.wire().items() if name != "audio_url" and value is not None}
        stored = found.request.wire()
        same = all(stored.get(name) in (value, abridged(value)) for name, value in given.items())
        if (job.endpoint, job.owner) != (found.endpoint, found.owner) or not same:
            message = "was used for a request with other arguments; use a new one for a new song"
            raise InvalidRequest.of(FieldError("Idempotency-Key", message, "value_error", job.id))
        return found

    @asynccontextmanager
    async def _body(self, http: HttpRequest) -> AsyncIterator[dict[str, Any]]:
        """The fields. One client can submit by GET: they are then in the query, and null is the text "null"."""
        if http.method == "GET":
            given = http.query_params.items()
            yield {name: value for name, value in given if value != "null" and not name.startswith("fal_")}
            return
        async with self._bodies.read(http) as fields:
            yield fields

    async def _store_source(self, http: HttpRequest, job: QueueJob) -> None:
        """Store the source of an edit where that is quick, and keep its address in the job's request."""
        request = job.request
        if not isinstance(request, EditRequest):
            return
        base = wire.base_of(http, self._options.public_url)
        try:
            accepted = await self._source_loader.accept(request.audio_url, job.id, base, job.owner)
        except AceStepError:
            await anyio.to_thread.run_sync(self._file_store.discard_job, job.id)
            raise
        job.request = request.model_copy(update={"audio_url": accepted})

    def _job_options(self, http: HttpRequest, *, synchronous: bool) -> RunOptions:
        low = "low" in {http.headers.get("x-fal-queue-priority"), http.query_params.get("priority")}
        retry = http.headers.get("x-fal-no-retry", "").lower() not in {"1", "true", "yes"}
        seconds = _number(http.headers.get("x-fal-request-timeout"), "X-Fal-Request-Timeout")
        return RunOptions(
            priority=int(low),
            start_by=None if seconds is None else time.time() + seconds,
            retry=retry,
            synchronous=synchronous,
            webhook=self._webhook(http),
            base=wire.base_of(http, self._options.public_url),
            trace=tracing.handed_on(http.headers),
        )

    def _webhook(self, http: HttpRequest) -> str | None:
        url = http.query_params.get("fal_webhook")
        if url is None:
            return None
        if self._webhooks is None:
            raise HTTPException(400, "This server sends no webhooks. Leave fal_webhook out and poll the status.")
        if len(url) > MAX_ADDRESS:
            raise HTTPException(400, f"fal_webhook must be an address of at most {MAX_ADDRESS} characters.")
        try:
            parse_url(url)
        except InvalidRequest as exc:
            raise HTTPException(400, f"fal_webhook cannot be used: {exc.message}") from exc
        return url

    async def _find(self, http: HttpRequest, *, log: bool = True) -> QueueJob | None:
        """The caller's job of this id; the long form of the address, with the submit's sub-path, works too.

        Nothing tells the job of another key from one that does not exist.
        """
        given, owner = http.path_params["request_id"], wire.owner_of(http)
        job = await self._queue.find(given, logs=log)
        if owner and (job is None or job.owner != owner):
            job = await self._queue.find(id_of_key(given, owner), logs=log)  # `given` may be the key of the submit
        job = job if job and job.owner == owner else None
        logs.concern(request_id=job and job.id)
        known = job is not None and http.path_params["app"] in {job.app, job.endpoint}
        return job if known else None

    def _state(self, http: HttpRequest, job: QueueJob, *, logs: bool, since: int = 0) -> dict[str, Any]:
        base = wire.base_of(http, self._options.public_url)
        return wire.state_of(job, base, self._queue.position(job), job.lines[since:] if logs else None)

    def _result(self, http: HttpRequest, job: QueueJob) -> Response:
        if job.answer is None:
            return wire.job_reply(job, {"detail": "Request is still in progress"}, 400)
        return wire.replay(job, job.answer, wire.base_of(http, self._options.public_url))

    async def _states(self, http: HttpRequest, job: QueueJob) -> AsyncIterator[str]:
        """An event for each change until the end; each log line is sent once, because one client concatenates them."""
        logs, seen = wire.wants_logs(http), 0
        last: dict[str, Any] = {}
        while True:
            changed = job.changed
            state = self._state(http, job, logs=logs, since=seen)
            seen = len(job.lines)
            if state != last:
                yield f"data: {wire.dumps(state)}\n\n"
                last = state | ({"logs": []} if state.get("logs") else {})
            if job.ended:
                return
            while not await _within(self._options.ping, changed):
                yield ": ping\n\n"

    async def _synchronous_states(self, http: HttpRequest, job: QueueJob) -> AsyncIterator[str]:
        try:
            async for event in self._states(http, job):
                if not job.ended:
                    yield event
            yield f"data: {bytes(self._result(http, job).body).decode()}\n\n"
        finally:
            self._queue.abandon(job)

    async def _cancel_when_gone(self, http: HttpRequest, job: QueueJob) -> None:
        while (await http.receive())["type"] != "http.disconnect":
            pass
        self._queue.abandon(job)


def _events(job: QueueJob, events: AsyncIterator[str]) -> Response:
    headers = {**_STREAM_HEADERS, **wire.job_header(job)}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _within(seconds: float, event: anyio.Event) -> bool:
    """Wait for the event; False when it is not set in time."""
    with anyio.move_on_after(seconds):
        await event.wait()
    return event.is_set()


def _endpoint(path: str) -> Endpoint:
    endpoint = BY_ID.get(path)
    if endpoint is None:
        known = ", ".join(BY_ID)
        hint = "" if any(path.startswith(app) for app in APPS) else f" Applications here: {', '.join(sorted(APPS))}."
        raise HTTPException(404, f"There is no endpoint {path[:100]!r}.{hint} The endpoints are: {known}.")
    return endpoint


def _longest(http: HttpRequest) -> int | None:
    number = _number(http.query_params.get("fal_max_queue_length"), "fal_max_queue_length")
    return None if number is None else int(number)


def _number(text: str | None, name: str) -> float | None:
    """A given number, or None. Raises HTTPException 400 for anything that is not a number of 0 or more."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise HTTPException(400, f"{name} must be a number, 0 or more (got {text[:40]!r}).")
    return value
