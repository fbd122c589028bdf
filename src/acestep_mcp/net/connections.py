"""Accepting connections, with a limit on their number and a deadline for each request head.

uvicorn has neither, and asyncio's own accept loop logs every failure when file descriptors run out.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from dataclasses import dataclass, field

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 500
_RETRY_ACCEPT_SECONDS = 0.2
_SECONDS_PER_WARNING = 60.0
_BODY_BYTES_PER_SECOND = 1024
_PATIENCE = 10
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def _connection_limit() -> int:
    """Half of the file descriptors that this process may open, at most MAX_CONNECTIONS."""
    try:
        import resource
    except ImportError:  # Windows
        return MAX_CONNECTIONS
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_CONNECTIONS if most == resource.RLIM_INFINITY else max(8, min(MAX_CONNECTIONS, most // 2))


@dataclass(frozen=True, slots=True)
class Limits:
    """At most `connections` are open; `head_seconds` bounds the TLS handshake and the head of each request.

    A body must arrive at 1 KiB a second on average over each `stall_seconds`. A connection whose peer has not read for
    that long may be closed in favour of a new one, and is closed after ten times as long: a player that is paused reads
    nothing either.
    """

    connections: int = field(default_factory=_connection_limit)
    head_seconds: float = 10
    stall_seconds: float = 30


class OncePerMinute(logging.Filter):
    """Drops a warning that repeats within a minute: uvicorn logs one for each invalid request."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: dict[object, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno > logging.WARNING:
            return True
        repeated = record.created - self._logged.get(record.msg, 0) < _SECONDS_PER_WARNING
        if not repeated:
            self._logged[record.msg] = record.created
        return not repeated


class Connections:
    """Accepts connections and knows which of them have no request in progress, longest first."""

    def __init__(self, server: uvicorn.Server, limits: Limits) -> None:
        self.limits = limits
        self.idle: dict[HttpProtocol, None] = {}
        self.open: set[HttpProtocol] = set()
        self._server = server
        self._warned = dict.fromkeys(("accept", "full"), -_SECONDS_PER_WARNING)

    async def accept(self, listener: socket.socket) -> None:
        """Accept until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listener)
            except OSError as exc:
                if exc.errno in _EXHAUSTED:
                    self._warn("accept", "no connection can be accepted: %s", exc.strerror or exc)
                    self._close_idle()
                    await asyncio.sleep(_RETRY_ACCEPT_SECONDS)
                else:  # the peer is already gone; a listener that always fails must not take the whole loop
                    await asyncio.sleep(0.01)
                continue
            if self._make_room():
                self._connect(accepted)
            else:
                accepted.close()
            # sock_accept may return without yielding, and received bytes must be read before more is accepted.
            await asyncio.sleep(0)

    def _make_room(self) -> bool:
        """Whether one more may be open; an idle connection is closed for it at the limit.

        A quarter more is accepted when nearly all have a request in progress: uvicorn answers those 503.
        """
        limit, spare, count = self.limits.connections, self.limits.connections // 4 + 1, len(self.open)
        if count < limit or (len(self.idle) <= spare and count < limit + spare):
            return True
        self._warn("full", "%d connections are open, which is the limit; idle ones are closed", count)
        return self._close_idle()

    def close(self) -> None:
        """Drop connections whose handshake is not complete; the others are closed by uvicorn."""
        for protocol in list(self.open):
            if protocol.connecting:
                protocol.connecting.cancel()

    def _connect(self, accepted: socket.socket) -> None:
        server = self._server
        protocol = HttpProtocol(server.config, server.server_state, server.lifespan.state)
        protocol.owner = self
        self.open.add(protocol)
        self.idle[protocol] = None
        protocol.connecting = task = asyncio.create_task(self._handshake(protocol, accepted))
        task.add_done_callback(lambda task: accepted.close() if task.cancelled() else None)

    async def _handshake(self, protocol: HttpProtocol, accepted: socket.socket) -> None:
        tls = self._server.config.ssl
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                lambda: protocol, accepted, ssl=tls, ssl_handshake_timeout=self.limits.head_seconds if tls else None
            )
        except (OSError, TimeoutError):  # an ssl.SSLError is an OSError
            pass  # the peer sees its connection end
        finally:
            protocol.connecting = None
            if protocol.transport is None:
                protocol.forget()

    def _close_idle(self) -> bool:
        """Close the connection that has waited longest without a request; False when there is none."""
        if not self.idle:
            return False
        protocol = next(iter(self.idle))
        protocol.forget()
        if protocol.connecting:
            protocol.connecting.cancel()
        else:
            protocol.transport.abort()
        return True

    def _warn(self, kind: str, message: str, *values: object) -> None:
        """Log at most once a minute for each kind."""
        now = time.monotonic()
        if now - self._warned[kind] >= _SECONDS_PER_WARNING:
            self._warned[kind] = now
            logger.warning(message, *values)


class HttpProtocol(H11Protocol):
    """Closes a connection whose request does not arrive in time, or whose peer reads nothing of the response.

    uvicorn's keep-alive timer covers silent ones.
    """

    owner: Connections
    connecting: asyncio.Task[None] | None = None
    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _body_check: asyncio.TimerHandle | None = None
    _body_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._set_deadline()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_idle():
            self._set_deadline()
        else:
            self._clear_deadline()
            self.owner.idle.pop(self, None)
            self._body_bytes += len(data)
            if self._body_check is None and self._body_arrives():
                self._watch_body()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(self.owner.limits.stall_seconds, self._let_go)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._clear_stalled()
        if not self._is_idle():
            self.owner.idle.pop(self, None)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self in self.owner.open and self._is_idle():
            self.owner.idle.setdefault(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._clear_deadline()
        self._clear_stalled()
        if self._body_check:
            self._body_check.cancel()
        self.forget()

    def forget(self) -> None:
        self.owner.open.discard(self)
        self.owner.idle.pop(self, None)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _body_arrives(self) -> bool:
        return self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete

    def _watch_body(self) -> None:
        self._body_bytes = 0
        self._body_check = self.loop.call_later(self.owner.limits.stall_seconds, self._check_body)

    def _check_body(self) -> None:
        self._body_check = None
        if not self._body_arrives():
            return
        # While reading is paused, the server is what is slow.
        if self.flow.read_paused or self._body_bytes >= _BODY_BYTES_PER_SECOND * self.owner.limits.stall_seconds:
            self._watch_body()
        else:
            self.transport.abort()

    def _let_go(self) -> None:
        """The peer has read nothing for a while."""
        if self in self.owner.open:
            self.owner.idle.setdefault(self)
        wait = self.owner.limits.stall_seconds * (_PATIENCE - 1)
        self._stalled = self.loop.call_later(wait, self.transport.abort)

    def _clear_stalled(self) -> None:
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None

    def _set_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.owner.limits.head_seconds, self.transport.abort)

    def _clear_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
