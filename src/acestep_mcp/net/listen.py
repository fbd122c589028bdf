"""Listening for HTTP, for both servers: sockets, this machine's names, and a uvicorn server that survives a flood.

uvicorn limits neither the time for a request's head nor the number of connections, and asyncio's own accept loop logs
every failure when file descriptors run out. Connections are therefore accepted here.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import HANDLED_SIGNALS

from acestep_mcp.api.errors import ConfigurationError

logger = logging.getLogger(__name__)

EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - recognised, not bound
MAX_CONNECTIONS = 500
_RETRY_ACCEPT_SECONDS = 0.2
_SECONDS_PER_WARNING = 60.0
_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


def own_names(host: str) -> tuple[str, ...]:
    """The names under which callers reach a server on this host; addresses come without brackets."""
    if host not in EVERYWHERE:
        return (host.strip("[]"),)
    name = socket.gethostname()
    return (name, f"{name}.local")


def own_addresses() -> list[str]:
    """The addresses that this machine's own name resolves to, in text form."""
    try:
        return sorted({str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None)})
    except OSError:
        return []


def listen(host: str, port: int, *, server: str) -> list[socket.socket]:
    """Open listening sockets on every address of `host` (empty: all addresses), IPv4 first.

    Port 0 takes a free one, the same for all addresses where that is possible. Raises ConfigurationError, with
    `server` as its subject, when the port is taken or no address can be bound.
    """
    name = host.strip("[]")
    sockets: list[socket.socket] = []
    failure: OSError | None = None
    try:
        found = socket.getaddrinfo(name or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        # Callers try a name's IPv4 address first.
        entries = dict.fromkeys((entry[0], entry[4]) for entry in found)
        for family, address in sorted(entries, key=lambda entry: entry[0] != socket.AF_INET):
            chosen = port or (sockets[0].getsockname()[1] if sockets else 0)
            try:
                sockets.append(_socket(family, (address[0], chosen, *address[2:]), both=name == "::"))
            except OSError as exc:
                if exc.errno not in _ABSENT and not (port == 0 and sockets):
                    raise
                failure = exc
        if not sockets:
            raise failure or OSError("it has no address")
    except (OSError, UnicodeError) as exc:
        for opened in sockets:
            opened.close()
        reason = getattr(exc, "strerror", None) or exc
        raise ConfigurationError(
            f"{server} cannot listen on {host or 'all addresses'}, port {port}: {reason}. "
            "Choose another --port (0 takes a free one) or --host, or stop what listens there."
        ) from exc
    return sockets


def _socket(family: int, address: tuple[Any, ...], *, both: bool) -> socket.socket:
    dual = both and socket.has_dualstack_ipv6()
    listener = socket.create_server(address, family=family, dualstack_ipv6=dual, backlog=2048)
    # asyncio does not set this on connections accepted from a socket that was handed to it, and the end of an answer
    # on a kept connection then waits 40 ms for the acknowledgement of its beginning. Accepted sockets inherit it.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.setblocking(False)
    return listener


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
    """At most `connections` are open; `head_seconds` bounds the TLS handshake and the head of each request."""

    connections: int = field(default_factory=_connection_limit)
    head_seconds: float = 10


class HttpServer(uvicorn.Server):
    """Serves an ASGI app on open sockets until a signal, or until `is_over` returns true.

    `ended_by` is then the signal's number, 0 without one; the signal is not raised again, so that the caller can close
    its own resources. `on_started` runs when connections are answered; `before_exit` runs at the first signal, before
    connections are closed.

    At the limit of connections the one that has waited longest without a request is closed for each new one.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        grace: int,
        lifespan: Literal["auto", "off"] = "off",
        proxy_headers: bool = False,
        certificate: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        limits = limits or Limits()
        super().__init__(
            uvicorn.Config(
                app,
                http=_HttpProtocol,
                ws="none",
                lifespan=lifespan,
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=proxy_headers,
                timeout_graceful_shutdown=grace,
                limit_concurrency=limits.connections + 1,
                ssl_certfile=certificate,
            )
        )
        self.ended_by = 0
        self.on_started: Callable[[], None] = lambda: None
        self.before_exit: Callable[[], Awaitable[None]] | None = None
        self.is_over: Callable[[], bool] = lambda: False
        self._connections = _Connections(self, limits)
        self._accepting: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])  # the lifespan only
        self._accepting = [asyncio.create_task(self._connections.accept(one)) for one in sockets or []]
        self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        self._connections.close()
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self.is_over()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        earlier = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        first = not self.ended_by
        self.ended_by = self.ended_by or sig
        # Callers that still follow a job are cut off after the grace period, which is not an error.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        if first and self.before_exit:
            # A signal handler runs between any two instructions: the rest belongs in the event loop.
            asyncio.get_running_loop().call_soon_threadsafe(self._begin_exit, self.before_exit, sig)
        else:
            super().handle_exit(sig, frame)

    def _begin_exit(self, before_exit: Callable[[], Awaitable[None]], sig: int) -> None:
        async def end() -> None:
            try:
                await before_exit()
            finally:
                super(HttpServer, self).handle_exit(sig, None)

        self._ending = asyncio.create_task(end())


class _Connections:
    """Accepts connections and knows which of them have no request in progress, longest first."""

    def __init__(self, server: HttpServer, limits: Limits) -> None:
        self.limits = limits
        self.idle: dict[_HttpProtocol, None] = {}
        self.open: set[_HttpProtocol] = set()
        self._server = server
        self._warned = dict.fromkeys(("accept", "full"), -_SECONDS_PER_WARNING)

    async def accept(self, listener: socket.socket) -> None:
        """Accept until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listener)
            except OSError as exc:  # no file descriptor is left, or the peer is gone already
                self._warn("accept", "no connection can be accepted: %s", exc.strerror or exc)
                self._close_idle()
                await asyncio.sleep(_RETRY_ACCEPT_SECONDS)
                continue
            if self._make_room():
                self._connect(accepted)
            else:
                accepted.close()
            await asyncio.sleep(
                0
            )  # sock_accept may not yield, and what has been sent must be read before more is accepted

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
        protocol = _HttpProtocol(server.config, server.server_state, server.lifespan.state)
        protocol.owner = self
        self.open.add(protocol)
        self.idle[protocol] = None
        protocol.connecting = task = asyncio.create_task(self._handshake(protocol, accepted))
        task.add_done_callback(lambda task: accepted.close() if task.cancelled() else None)

    async def _handshake(self, protocol: _HttpProtocol, accepted: socket.socket) -> None:
        tls = self._server.config.ssl
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                lambda: protocol, accepted, ssl=tls, ssl_handshake_timeout=self.limits.head_seconds if tls else None
            )
        except (OSError, TimeoutError):  # an ssl.SSLError is an OSError
            protocol.forget()
        finally:
            protocol.connecting = None

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


class _HttpProtocol(H11Protocol):
    """Closes a connection whose request head is not complete in time. uvicorn's keep-alive timer covers silent ones."""

    owner: _Connections
    connecting: asyncio.Task[None] | None = None
    _deadline: asyncio.TimerHandle | None = None

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

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self in self.owner.open and self._is_idle():
            self.owner.idle.setdefault(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._clear_deadline()
        self.forget()

    def forget(self) -> None:
        self.owner.open.discard(self)
        self.owner.idle.pop(self, None)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _set_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.owner.limits.head_seconds, self.transport.abort)

    def _clear_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
