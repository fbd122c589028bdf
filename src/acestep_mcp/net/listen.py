"""Listening for HTTP, for both servers: sockets, this machine's names, and the uvicorn server."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Literal, Self

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import HANDLED_SIGNALS

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.api.unread_stderr import drain
from acestep_mcp.net.connections import Connections, HttpProtocol, Limits, OncePerMinute

logger = logging.getLogger(__name__)

EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - recognised, not bound
ENDS_WITHIN = 9.0
"""Seconds after the first signal; a service manager waits for 10 before it kills."""
_LAST_ACT_SECONDS = 0.5
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


class Deadline:
    """While it is entered, a server's first signal ends the process in time, whatever a thread or a peer still does.

    `last_act` runs in the event loop before the process is ended so; a process that ends by itself does not run it.
    """

    def __init__(self, seconds: float = ENDS_WITHIN) -> None:
        self.last_act: Callable[[], None] = lambda: None
        self._seconds = seconds
        self._over = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def begin(self, sig: int, more: float = 0) -> None:
        """Called in the event loop's thread, at each signal. `more` seconds are granted; the earliest end counts."""
        arguments = (asyncio.get_running_loop(), 128 + sig, self._seconds + more)
        threading.Thread(target=self._end, args=arguments, daemon=True).start()

    def _end(self, loop: asyncio.AbstractEventLoop, code: int, seconds: float) -> None:
        if self._over.wait(seconds):
            return
        logger.warning("not everything ended within %g s of the signal; the process ends now", seconds)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self.last_act)
        self._over.wait(_LAST_ACT_SECONDS)
        drain()
        os._exit(code)


class HttpServer(uvicorn.Server):
    """Serves an ASGI app on open sockets until a signal, or until `is_over` returns true.

    `ended_by` is then the signal's number, 0 without one; the signal is not raised again, so that the caller can close
    its own resources. `on_started` runs when connections are answered; `before_exit` runs at the first signal, before
    connections are closed.

    With a `deadline` the process ends in time after the signal; after SIGTERM `before_exit` may take `drain` seconds besides,
    which a second signal ends. At the limit of connections the one that has waited longest without a request is closed for each new one.
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
                http=HttpProtocol,
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
        self.deadline: Deadline | None = None
        self.on_started: Callable[[], None] = lambda: None
        self.before_exit: Callable[[], Awaitable[None]] | None = None
        self.drain = 0.0
        self.is_over: Callable[[], bool] = lambda: False
        self._connections = Connections(self, limits)
        self._log_filter = OncePerMinute()
        self._accepting: list[asyncio.Task[None]] = []
        self._ending: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").addFilter(self._log_filter)
        await super().startup([])  # the lifespan only
        self._accepting = [asyncio.create_task(self._connections.accept(one)) for one in sockets or []]
        self.on_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in self._accepting:
            task.cancel()
        await asyncio.gather(*self._accepting, return_exceptions=True)
        self._connections.close()
        await super().shutdown(sockets)
        logging.getLogger("uvicorn.error").removeFilter(self._log_filter)

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
        if self.deadline:
            self.deadline.begin(sig, self.drain if first and sig == signal.SIGTERM else 0)
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
