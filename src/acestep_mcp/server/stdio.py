"""The server on stdin and stdout.

Beyond the SDK, it ends cleanly on SIGTERM and SIGINT, accepts a client that sends `server/discover` and then
`initialize`, and knows when an answer has left the process. Ending it cancels no job.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.server.runner import serve_dual_era_loop
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCError, JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from acestep_mcp.api.text import all_encodable, encodable
from acestep_mcp.api.unread_stderr import drain
from acestep_mcp.server import sdk
from acestep_mcp.server.app import AceStepServer, ServerState, create_server, studio_opener
from acestep_mcp.server.delivery import Deliveries
from acestep_mcp.server.invalid_lines import message_or_answer, refusal
from acestep_mcp.settings import Settings

logger = logging.getLogger(__name__)

Incoming = SessionMessage | Exception

_CLEAN_UP_SECONDS = 8.0
_LAST_ANSWERS_SECONDS = 1.0
"""Together less than the 10 s that a service manager waits before it kills."""
_AFTER_INPUT_SECONDS = 10.0
"""How long requests may run after the end of stdin, so that `cat requests | acestep-mcp` gets its song."""
_STUCK_SECONDS = 2.0
_MOST_REQUESTS = 1000
_MOST_UNWRITTEN = 64
"""Answers that wait until the client reads. With more, or with more running requests, nothing is read from stdin."""


class Unanswered:
    """The ids of the requests of one pipe that have no answer yet."""

    def __init__(self) -> None:
        self._ids: Counter[str] = Counter()
        """Counted: 1 and "1" are two requests with one key."""
        self._changed = anyio.Event()
        self.input_ended = False
        """Stdin has ended; the client may or may not still read answers."""
        self.waits_ended = False
        """Running calls were told, after the end of stdin, to answer with what they have."""

    def add(self, message: JSONRPCMessage | None) -> None:
        """Add a request, or remove one that its client cancels."""
        if isinstance(message, JSONRPCRequest):
            self._ids[str(message.id)] += 1
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            self.remove((message.params or {}).get("requestId"))

    def remove(self, request_id: object) -> None:
        self._ids -= Counter([str(request_id)])  # which keeps only positive counts
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def wait_empty(self) -> None:
        await self.wait_below(1)

    async def wait_below(self, count: int) -> None:
        while self._ids.total() >= count:
            await self._changed.wait()


class Outbox:
    """The write stream; reports each pending answer once it is flushed."""

    def __init__(self, stream: Any, deliveries: Deliveries, unanswered: Unanswered) -> None:
        self._stream = stream
        self._deliveries = deliveries
        self.unanswered = unanswered
        self._unwritten = 0
        self._written = anyio.Event()

    async def send(self, item: SessionMessage) -> None:
        await self._write(SessionMessage(_encodable(item.message), item.metadata))
        if isinstance(item.message, JSONRPCResponse | JSONRPCError):
            await self._answered(item.message.id)

    async def refuse(self, error: JSONRPCError) -> None:
        """Answer what is no request; a call that runs under the same id still waits for its own answer."""
        await self._write(SessionMessage(_encodable(error)))

    async def _write(self, message: SessionMessage) -> None:
        self._unwritten += 1
        try:
            await self._stream.send(message)
        finally:
            self._unwritten -= 1
            written, self._written = self._written, anyio.Event()
            written.set()

    async def wait_room(self) -> None:
        """Wait while a client sends requests and does not read the answers: they would fill the memory."""
        while self._unwritten >= _MOST_UNWRITTEN:
            await self._written.wait()
        await self.unanswered.wait_below(_MOST_REQUESTS)

    async def _answered(self, request_id: object) -> None:
        delivery = self._deliveries.of(request_id)
        if delivery is not None:
            await sdk.flushed(self._stream)
            # An answer that ends a wait early, after stdin has ended, names a job that still runs, and its host has
            # probably exited: the same call from its next start must find this job instead of paying for a second one.
            (delivery.lost if self.unanswered.waits_ended else delivery.sent)()
            self._deliveries.remove(request_id)
        self.unanswered.remove(request_id)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _encodable(message: JSONRPCMessage) -> JSONRPCMessage:
    """A message that cannot be encoded would end the writer, and the server with it."""
    if isinstance(message, JSONRPCResponse):
        return message.model_copy(update={"result": all_encodable(message.result)})
    if isinstance(message, JSONRPCError):
        error = message.error.model_copy(update={"message": encodable(message.error.message)})
        return message.model_copy(update={"error": error})
    return message.model_copy(update={"params": all_encodable(message.params)}) if message.params else message


async def serve(server: AceStepServer) -> None:
    """Serve one client until stdin ends or a signal arrives; a signal ends the process with 128 + its number."""
    serving, closed = anyio.CancelScope(), anyio.Event()
    server.deliveries = deliveries = Deliveries()
    async with anyio.create_task_group() as tasks:
        if sys.platform != "win32":  # the proactor loop has no signal handlers; hosts kill the process there
            tasks.start_soon(_end_on_signal, server, deliveries, serving, closed)
        unanswered = Unanswered()
        tasks.start_soon(_end_when_stuck, closed, unanswered)
        with serving:
            await _serve(server, deliveries, closed, unanswered)
        if serving.cancel_called:
            await anyio.sleep_forever()  # `_end_on_signal` ends the process
        tasks.cancel_scope.cancel()


async def _end_on_signal(
    server: AceStepServer, deliveries: Deliveries, serving: anyio.CancelScope, closed: anyio.Event
) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            server.end_waits()
            with anyio.move_on_after(_LAST_ANSWERS_SECONDS):
                await deliveries.wait_empty()
            serving.cancel()
            with anyio.move_on_after(_CLEAN_UP_SECONDS):
                await closed.wait()
            drain()
            # A thread blocked in reading stdin would keep the interpreter alive.
            os._exit(128 + number)


async def _end_when_stuck(closed: anyio.Event, unanswered: Unanswered) -> None:
    """End a process whose output failed, for example because its client closed it: a thread still blocks in reading stdin."""
    await closed.wait()
    await anyio.sleep(_STUCK_SECONDS)
    if not unanswered.input_ended:
        logger.error("The server ended because its output could not be written.")
    drain()
    os._exit(0 if unanswered.input_ended else 1)


async def _serve(server: AceStepServer, deliveries: Deliveries, closed: anyio.Event, unanswered: Unanswered) -> None:
    low = sdk.lowlevel(server)
    async with stdio_server() as (incoming, outgoing):
        outbox = Outbox(outgoing, deliveries, unanswered)
        try:
            async with low.lifespan(low) as state, _messages(server, state, incoming, outbox) as messages:
                await serve_dual_era_loop(
                    low,
                    messages,
                    outbox,
                    lifespan_state=state,
                    init_options=low.create_initialization_options(),
                )
        finally:
            closed.set()


@asynccontextmanager
async def _messages(
    server: AceStepServer, state: ServerState, incoming: Any, outbox: Outbox
) -> AsyncIterator[ObjectReceiveStream[Incoming]]:
    """The messages for the SDK's loop.

    Leading `server/discover` requests are answered here: the SDK fixes a connection's era at its first request, and
    rejects the `initialize` that some hosts send after a discovery on the same pipe. The messages end only when every
    request is answered, or after 10 s: the SDK cancels running requests when its input ends, and
    `cat requests | acestep-mcp` would get no answer.
    """
    send, receive = anyio.create_memory_object_stream[Incoming]()

    async def relay(onward: ObjectSendStream[Incoming]) -> None:
        leading = True
        async with onward:
            async for item in incoming:
                await outbox.wait_room()
                if (message := await _readable(item, outbox)) is None:
                    continue
                outbox.unanswered.add(message)
                if leading and isinstance(message, JSONRPCRequest):
                    leading = message.method == "server/discover"
                if leading and isinstance(message, JSONRPCRequest):
                    await outbox.send(await _discovery(server, state, SessionMessage(message)))
                else:
                    await onward.send(SessionMessage(message))
            await _last_answers(server, outbox.unanswered)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(relay, send)
        yield receive
        tasks.cancel_scope.cancel()


async def _readable(item: Incoming, outbox: Outbox) -> JSONRPCMessage | None:
    """The message of a line, also of one that the SDK could not read; None after its sender got an error."""
    message = message_or_answer(item) if isinstance(item, Exception) else item.message
    if message is None:
        return None
    from_us = isinstance(item, Exception) and isinstance(message, JSONRPCError)
    error = message if from_us else refusal(message)
    if not isinstance(error, JSONRPCError):
        return message
    logger.warning("A line on stdin was refused. %s", encodable(error.error.message))
    await outbox.refuse(error)
    return None


async def _last_answers(server: AceStepServer, unanswered: Unanswered) -> None:
    unanswered.input_ended = True
    with anyio.move_on_after(_AFTER_INPUT_SECONDS):
        await unanswered.wait_empty()
    unanswered.waits_ended = True
    server.end_waits()
    with anyio.move_on_after(_LAST_ANSWERS_SECONDS):
        await unanswered.wait_empty()


async def _discovery(server: AceStepServer, state: ServerState, request: SessionMessage) -> SessionMessage:
    """The SDK's own answer, from a loop that serves only this request."""
    to_loop, incoming = anyio.create_memory_object_stream[Incoming](1)
    outgoing, from_loop = anyio.create_memory_object_stream[SessionMessage](1)
    low = sdk.lowlevel(server)
    async with anyio.create_task_group() as tasks, from_loop:
        tasks.start_soon(_loop, low, incoming, outgoing, state)
        await to_loop.send(request)
        async for item in from_loop:
            if isinstance(item.message, JSONRPCResponse | JSONRPCError):
                break
        to_loop.close()
    return item


async def _loop(low: Any, incoming: Any, outgoing: Any, state: ServerState) -> None:
    await serve_dual_era_loop(low, incoming, outgoing, lifespan_state=state)


def run(settings: Settings) -> int:
    """Serve stdio with the real studio until the client leaves; returns 0."""
    return run_server(create_server(studio_opener(settings), settings, transport="stdio"))


def run_server(server: AceStepServer) -> int:
    """Serve stdio until the client leaves; returns 0."""
    try:
        anyio.run(serve, server)
    except* BrokenPipeError:
        pass  # the client left before its answer
    return 0
