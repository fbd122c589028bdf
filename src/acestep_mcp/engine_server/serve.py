"""The engine server on a port, until a signal ends it."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

import anyio
import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import HANDLED_SIGNALS

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.engine_server.certificates import identity
from acestep_mcp.engine_server.device_lock import held
from acestep_mcp.engine_server.file_store import storage_errors
from acestep_mcp.engine_server.idle_exit import Idle
from acestep_mcp.engines import Engine
from acestep_mcp.net.loopback import is_loopback

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 2
_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - recognised, not bound


@dataclass(frozen=True, slots=True)
class Place:
    """Where the server listens, and where its files lie. Port 0 takes a free one; with `tls_folder` it speaks TLS.

    `locks` is where the locks of devices lie, by default in a folder that all users of this machine share.
    """

    host: str
    port: int
    folder: Path
    tls_folder: Path | None = None
    locks: Path | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A server that answers now: its address for callers, its port, and, with TLS of our own, whom they have to trust."""

    address: str
    port: int
    authority: Path | None


Told = Callable[[Opened], AbstractContextManager[None]]


def serve(engine: Engine, place: Place, options: QueueOptions, told: Told, *, idle_exit: float | None = None) -> int:
    """Serve until SIGTERM or SIGINT and return 128 + its number; 0 after `idle_exit` seconds that nobody asked for it.

    `told` is entered once, when the server answers, and left when it does no more. The engine's device is ours alone.
    Off loopback this machine's names are allowed hosts too. Jobs that are not done stay in `options.database` for the
    next start. Raises ConfigurationError when others could reach it and there is no key, when the address cannot be
    had; Occupied when another server uses the database or the device; StorageError.
    """
    if not options.key and not is_loopback(place.host):
        raise ConfigurationError(
            f"An engine on {place.host or 'all addresses'} without a key could be used by anyone on the network. "
            "Set ACESTEP_ENGINE_KEY (or --key-file), or serve on 127.0.0.1."
        )
    options = replace(options, allowed_hosts=(*options.allowed_hosts, *_own_names(place.host)))
    tls = identity(place.tls_folder, _certified(options)) if place.tls_folder else None

    async def open_until_signal(listener: socket.socket) -> int:
        port = listener.getsockname()[1]
        opened = Opened(_address(place, options, port), port, tls.authority if tls else None)
        engage(opened.address)
        async with serving(engine, folder=place.folder, options=options) as app:
            idle = Idle(app, app.state.is_busy)
            with ExitStack() as answering:
                server = _Uvicorn(
                    _config(idle, tls.server if tls else None),
                    lambda: answering.enter_context(told(opened)),
                    lambda: idle_exit is not None and idle.is_over(idle_exit),
                )
                await server.serve([listener])
        if not server.ended_by:
            logger.info("nobody asked for anything in %d s: this is the end", idle_exit)
            return 0
        return 128 + server.ended_by

    with held(engine.device, folder=place.locks) as engage, closing(listening(place)) as listener:
        with storage_errors(place.folder):
            place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # the files' names are all that guards them
        return anyio.run(open_until_signal, listener)


class _Uvicorn(uvicorn.Server):
    """Ends on a signal without raising it once more: what is around the server still has to close in good order."""

    def __init__(self, config: uvicorn.Config, answers: Callable[[], None], is_over: Callable[[], bool]) -> None:
        super().__init__(config)
        self._answers = answers
        self._is_over = is_over
        self.ended_by = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._answers()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._is_over()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        earlier = {number: signal.signal(number, self.handle_exit) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.ended_by = self.ended_by or sig
        # Callers that still follow a job are cut off after the grace period, which is no error of ours.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        super().handle_exit(sig, frame)


def _config(app: ASGIApp, certificate: Path | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # a proxy's address is said by public_url, not by whoever sends a header
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_certfile=certificate,
    )


def listening(place: Place) -> socket.socket:
    """A socket that listens; of a name's addresses an IPv4 one goes first, since that is what callers try.

    Raises ConfigurationError when the address cannot be had.
    """
    host = place.host.strip("[]") or "0.0.0.0"  # noqa: S104 - asked for
    try:
        found = socket.getaddrinfo(host, place.port, type=socket.SOCK_STREAM)
        family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        both = host == "::" and socket.has_dualstack_ipv6()
        listener = socket.create_server(address[:2], family=family, dualstack_ipv6=both)
        # Of a socket handed to it asyncio does not ask this, and the end of an answer on a kept connection then waits
        # 40 ms for the other side's acknowledgement of its beginning. What is accepted inherits it.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as exc:
        raise ConfigurationError(
            f"The engine cannot listen on {place.host or 'all addresses'}, port {place.port}: {exc.strerror or exc}. "
            "Choose another --port (0 takes a free one) or --host, or stop what listens there."
        ) from exc
    return listener


def _own_names(host: str) -> tuple[str, ...]:
    if host in _EVERYWHERE:
        name = socket.gethostname()
        return (name, f"{name}.local")
    return () if is_loopback(host) else (host.strip("[]"),)


def _certified(options: QueueOptions) -> list[str]:
    """The names under which callers come, beside those that every certificate holds."""
    public = urlsplit(options.public_url or "").hostname
    return [name.strip("[]") for name in (*options.allowed_hosts, public) if name and name != "*"]


def _address(place: Place, options: QueueOptions, port: int) -> str:
    if options.public_url:
        return options.public_url.rstrip("/")
    host = socket.gethostname() if place.host in _EVERYWHERE else place.host.strip("[]")
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if place.tls_folder else 'http'}://{host}:{port}"
