"""The queue client: submit, follow, result, cancel, uploads and downloads."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.to_thread
import httpx

from acestep_mcp import __version__
from acestep_mcp.api import tracing
from acestep_mcp.api.endpoints import ENDPOINTS
from acestep_mcp.api.errors import InvalidRequest, QueueError
from acestep_mcp.api.responses import Response
from acestep_mcp.api.updates import Completed, Update
from acestep_mcp.client import replies
from acestep_mcp.client.engine_lists import engine_lists
from acestep_mcp.client.handle import RequestHandle, SubmitOptions
from acestep_mcp.client.host import Host
from acestep_mcp.client.retry import QueueCall, submit_once, until_answered, until_understood
from acestep_mcp.client.storage import HostStorage
from acestep_mcp.client.watch import Watch, drain, events
from acestep_mcp.net.download import MAX_FILE, download
from acestep_mcp.net.http_responses import HttpResponse, http_errors, read_response
from acestep_mcp.net.ssrf import Reach, send, trust

logger = logging.getLogger(__name__)

NO_OPTIONS = SubmitOptions()
PROBE_SECONDS = 5
PROBE_ID = "00000000-0000-0000-0000-000000000000"
GROWTH = 1.5
UPLOAD_SECONDS = 60
CANCEL_SECONDS = 30
CLOSING_SECONDS = 5


class QueueClient:
    """Speaks the queue protocol with one host; an async context manager owns its connections.

    `transport` replaces the network (see `in_process`). `reach` limits the other addresses that the host names (files,
    uploads); by default public https, and the engine's own origin.
    """

    def __init__(
        self, host: Host, *, transport: httpx.AsyncBaseTransport | None = None, reach: Reach | None = None
    ) -> None:
        self.host = host
        self._transport = transport
        reach = reach or Reach()
        self._reach = replace(reach, origins=reach.origins | host.own_origins, transport=transport)
        self._stack = AsyncExitStack()
        self._pooled: httpx.AsyncClient
        self._unpooled: httpx.AsyncClient

    async def __aenter__(self) -> Self:
        urls = (self.host.queue_url, self.host.rest_url)
        scheme = "https" if any(url.startswith("https:") for url in urls) else "http"
        found = self._reach.certificates
        certificates = found if found is not None else await anyio.to_thread.run_sync(trust, scheme)
        if scheme == "https":
            self._reach = replace(self._reach, certificates=certificates)
        self._pooled = await self._stack.enter_async_context(self._client(certificates, keep=20))
        # If a pooled connection turned out closed, a submit might have been accepted or not: submits use new ones.
        self._unpooled = self._pooled
        if self._transport is None:
            self._unpooled = await self._stack.enter_async_context(self._client(certificates, keep=0))
        if self._transport is None and self.host.own_origins:
            files = await self._stack.enter_async_context(httpx.AsyncHTTPTransport(verify=certificates))
            self._reach = replace(self._reach, transport=files)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Usually this task is being cancelled: without a shield, closing would be cancelled too.
        with anyio.move_on_after(CLOSING_SECONDS, shield=True):
            await self._stack.aclose()

    def _client(self, certificates: ssl.SSLContext, keep: int) -> httpx.AsyncClient:
        timeouts = self.host.timeouts
        return httpx.AsyncClient(
            transport=self._transport,
            verify=certificates,
            # A proxy from the environment sees only ciphertext; plain http, with the key in it, must not use one.
            trust_env=self.host.queue_url.startswith("https:"),
            follow_redirects=False,
            timeout=httpx.Timeout(timeouts.answer, connect=timeouts.connect),
            limits=httpx.Limits(max_keepalive_connections=keep),
            headers={"User-Agent": f"acestep-mcp/{__version__}", "Accept": "application/json"},
        )

    async def submit(
        self, endpoint_id: str, body: Mapping[str, Any], options: SubmitOptions = NO_OPTIONS
    ) -> RequestHandle:
        """Submit exactly once.

        Raises SubmissionUnknown when it may have been accepted, QueueError when it was not, InvalidRequest,
        ConfigurationError.
        """
        url = str(httpx.URL(self.host.submit_url(endpoint_id), params=options.query() or None))
        content, seconds = json.dumps(dict(body)).encode(), self.host.timeouts.submit
        with tracing.span(f"submit {endpoint_id}", kind="PRODUCER", host=self.host.name):
            trace = {} if self.host.name == "fal" else tracing.handed_on({})  # fal has no use for it
            headers = {"Content-Type": "application/json", **options.headers(), **trace}
            call = QueueCall(f"Submitting to {self.host.label}", "POST", url, headers, content, seconds)
            answer = await submit_once(partial(self._exchange, call, fresh=True), self.host.timeouts, self.host.label)
        if not 200 <= answer.status < 300:
            raise replies.error_of(answer, call.action, self.host)
        return replies.handle_of(answer, self.host)

    async def received(self, endpoint_id: str, key: str) -> RequestHandle | None:
        """What an engine server knows of a submit with this idempotency key; None when it received none.

        Raises SubmissionUnknown for a host that does not keep such keys, QueueError, ConfigurationError.
        """
        call = QueueCall(f"Asking {self.host.label}", "GET", self.host.request_url(endpoint_id, key, "/status"))
        answer = await until_answered(partial(self._exchange, call), self.host.timeouts)
        return replies.received(answer, call.action, self.host)

    async def follow(self, endpoint_id: str, handle: RequestHandle) -> AsyncGenerator[Update, None]:
        """Every change until the request has ended: a new position, the start, new log lines; last, Completed.

        Uses the status stream if the host has one, and polls after a stream breaks. Outages of the host of up to
        `timeouts.outage` seconds are tolerated. Raises RequestUnknown, QueueError, ConfigurationError.
        """
        watch = Watch()
        if self.host.streams:
            try:
                async with aclosing(self._streamed(endpoint_id, handle, watch)) as updates:
                    async for update in updates:
                        yield update
                        if isinstance(update, Completed):
                            return
            except QueueError as exc:
                logger.info("the status stream of %s broke, polling instead: %s", handle.request_id, exc.message)
        async with aclosing(self._polled(endpoint_id, handle, watch)) as updates:
            async for update in updates:
                yield update

    async def _streamed(self, endpoint_id: str, handle: RequestHandle, watch: Watch) -> AsyncGenerator[Update, None]:
        url = f"{self._status_url(endpoint_id, handle)}/stream?logs=1"
        headers = {**self.host.authorization(), "Accept": "text/event-stream"}
        timeout = httpx.Timeout(self.host.timeouts.silence, connect=self.host.timeouts.connect)
        with http_errors(f"Watching the request at {self.host.label}"):
            async with self._pooled.stream("GET", url, headers=headers, timeout=timeout) as response:
                kind = response.headers.get("content-type", "")
                if response.status_code != httpx.codes.OK or not kind.startswith("text/event-stream"):
                    raise QueueError(f"no stream, but {response.status_code} {self.host.scrub(kind)[:40]!r}")
                news = events(response.aiter_bytes(), self.host.scrub)
                async for event in news:
                    update = watch.news(replies.update_of(event, self.host), whole=False)
                    if isinstance(update, Completed):
                        await drain(news)
                    if update:
                        yield update

    async def _polled(self, endpoint_id: str, handle: RequestHandle, watch: Watch) -> AsyncGenerator[Update, None]:
        first, longest = self.host.poll
        pause = first
        while True:
            update = await self._status(endpoint_id, handle)
            if news := watch.news(update, whole=True):
                pause = first
                yield news
            if isinstance(update, Completed):
                return
            await anyio.sleep(pause)
            pause = min(pause * GROWTH, longest)

    async def _status(self, endpoint_id: str, handle: RequestHandle) -> Update:
        url = f"{self._status_url(endpoint_id, handle)}?logs=1"
        call = QueueCall(f"Asking {self.host.label} for request {handle.request_id}", "GET", url)

        async def ask() -> HttpResponse:
            answer = await until_answered(partial(self._exchange, call), self.host.timeouts)
            if answer.status not in (200, 202):
                raise replies.error_of(answer, call.action, self.host)
            return answer

        return await until_understood(ask, partial(replies.update_in, host=self.host), self.host.timeouts)

    async def result(self, endpoint_id: str, handle: RequestHandle, asked: Mapping[str, Any] | None = None) -> Response:
        """The result of an ended request. Where the host leaves out seed, tags or lyrics, those `asked` for stand in.

        Raises GenerationFailed, InvalidRequest (fal checks the input only when it runs it), JobCancelled,
        RequestUnknown, QueueError (with `error_type` "not_finished" while it runs), ConfigurationError.
        """
        url = self._own_or_rebuilt(handle.response_url, self.host.request_url(endpoint_id, handle.request_id))
        call = QueueCall(f"Fetching the result of {handle.request_id} from {self.host.label}", "GET", url)
        ask = partial(self._song, call, endpoint_id, handle)
        read = partial(replies.response_of, host=self.host, asked=asked or {})
        return await until_understood(ask, read, self.host.timeouts)

    async def _song(self, call: QueueCall, endpoint_id: str, handle: RequestHandle) -> HttpResponse:
        """The answer at the result address, once it is not an error."""
        ask, timeouts = partial(self._exchange, call), self.host.timeouts
        answer = await until_answered(ask, timeouts, is_final=replies.is_json_error)
        if answer.status == httpx.codes.OK:
            return answer
        if replies.is_app_error(answer):
            raise replies.failed(answer)
        if replies.is_unclear(answer):
            # It may be the result of the app, a fault in between, or an unknown form of "not finished yet".
            update = await self._status(endpoint_id, handle)
            if not isinstance(update, Completed):
                raise replies.not_finished(answer, call.action)
            if update.error is not None and answer.is_transient:
                raise replies.failed(answer)
            answer = await until_answered(ask, timeouts)
        if answer.status == httpx.codes.OK:
            return answer
        raise replies.error_of(answer, call.action, self.host)

    async def cancel(self, endpoint_id: str, handle: RequestHandle) -> bool:
        """Request cancellation: True when it was accepted, False when the request had already ended.

        `follow` and `result` give the outcome. Raises RequestUnknown, QueueError, ConfigurationError.
        """
        url = self._own_or_rebuilt(handle.cancel_url, self.host.request_url(endpoint_id, handle.request_id, "/cancel"))
        call = QueueCall(f"Cancelling request {handle.request_id} at {self.host.label}", "PUT", url)
        answer = await self._ask(call, CANCEL_SECONDS)
        if 200 <= answer.status < 300:
            return True
        body = answer.json()
        if answer.status == 400 and isinstance(body, Mapping) and body.get("status") == "ALREADY_COMPLETED":
            return False
        raise replies.error_of(answer, call.action, self.host)

    async def forget(self, endpoint_id: str, request_id: str) -> None:
        """Have the embedded engine forget an ended request and its file; other hosts keep them for their own time."""
        if self.host.name == "draft":
            call = QueueCall("Forgetting a draft", "DELETE", self.host.request_url(endpoint_id, request_id))
            with suppress(QueueError):
                await self._exchange(call)

    async def download(self, url: str, path: Path, *, size: int | None = None, max_bytes: int = MAX_FILE) -> int:
        """Stream a result's file to `path` and return its size in bytes. No key is sent.

        Raises QueueError, StorageError.
        """
        fetch = partial(download, reach=self._reach, timeouts=self.host.timeouts)
        try:
            return await fetch(url, path, size=size, max_bytes=max_bytes)
        except InvalidRequest as exc:
            message = f"{self.host.label} returned a file address that is not used: {exc.message}"
            raise QueueError(message, is_permanent=True) from exc

    async def upload(self, path: Path, content_type: str, file_name: str) -> str:
        """Put a file into the host's storage and return its address there.

        At fal anyone with the address can read the file. Raises QueueError, StorageError, ConfigurationError.
        """
        return await HostStorage(self.host, self._ask_storage, self._reach).upload(path, content_type, file_name)

    async def still_has(self, url: str) -> bool:
        """Whether an uploaded file is still served; False if unsure. No key is sent."""
        timeouts = replace(self.host.timeouts, silence=PROBE_SECONDS, transfer=PROBE_SECONDS)
        with suppress(InvalidRequest, QueueError):
            return (await send("HEAD", url, reach=self._reach, timeouts=timeouts)).status == httpx.codes.OK
        return False

    async def _ask_storage(self, path: str, body: Mapping[str, Any]) -> HttpResponse:
        action, content = f"Beginning an upload to {self.host.label}", json.dumps(dict(body)).encode()
        call = QueueCall(action, "POST", self.host.rest_url + path, {"Content-Type": "application/json"}, content)
        answer = await self._ask(call, UPLOAD_SECONDS)
        if 200 <= answer.status < 300:
            return answer
        raise replies.error_of(answer, call.action, self.host)

    async def reachable(self) -> str | None:
        """None when the host is a queue and accepts the key, else one sentence about what is wrong.

        Asks for a request that cannot exist, which costs nothing.
        """
        url = self.host.request_url(ENDPOINTS[0].id, PROBE_ID, "/status")
        call = QueueCall(f"Asking {self.host.label}", "GET", url, seconds=PROBE_SECONDS)
        try:
            answer = await self._exchange(call)
        except QueueError as exc:
            return exc.message
        return None if replies.is_not_found(answer) else replies.error_of(answer, call.action, self.host).message

    async def engine_lists(self) -> dict[str, tuple[Any, ...]]:
        """The `loras` that tags may name there and what its `devices` do; empty at a server that is not ours."""
        return await engine_lists(self._exchange, self.host.queue_url, PROBE_SECONDS)

    async def _ask(self, call: QueueCall, outage: float) -> HttpResponse:
        timeouts = replace(self.host.timeouts, outage=min(outage, self.host.timeouts.outage))
        return await until_answered(partial(self._exchange, call), timeouts)

    async def _exchange(self, call: QueueCall, *, fresh: bool = False) -> HttpResponse:
        """Send one request with the key and read its response. Raises NoResponse."""
        client = self._unpooled if fresh else self._pooled
        headers = {**call.headers, **self.host.authorization()}
        seconds = call.seconds or self.host.timeouts.answer
        connect = min(seconds, self.host.timeouts.connect)
        timeout = httpx.Timeout(seconds, connect=connect)
        # The transport's timeouts bound single reads, and the in-process transport has none; this bounds the whole call.
        with http_errors(call.action), anyio.fail_after(seconds + connect):
            stream = client.stream(call.method, call.url, headers=headers, content=call.content, timeout=timeout)
            async with stream as response:
                return await read_response(response, clean=self.host.scrub)

    def _status_url(self, endpoint_id: str, handle: RequestHandle) -> str:
        return self._own_or_rebuilt(handle.status_url, self.host.request_url(endpoint_id, handle.request_id, "/status"))

    def _own_or_rebuilt(self, url: str | None, rebuilt: str) -> str:
        """The address from a reply if it is the host's own, so that the key may be sent there; else the rebuilt one."""
        return url if url and self.host.is_queue_url(url) else rebuilt
