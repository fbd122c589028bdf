"""The engine server on a port, until a signal ends it."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import anyio

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.engine_server.certificates import identity
from acestep_mcp.engine_server.device_lock import held
from acestep_mcp.engine_server.file_store import storage_errors
from acestep_mcp.engine_server.idle_exit import Idle
from acestep_mcp.engines import Engine
from acestep_mcp.net.listen import EVERYWHERE, HttpServer, listen, own_names
from acestep_mcp.net.loopback import is_loopback

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 2


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
    own = () if is_loopback(place.host) else own_names(place.host)
    options = replace(options, allowed_hosts=(*options.allowed_hosts, *own))
    tls = identity(place.tls_folder, _certified(options)) if place.tls_folder else None

    async def open_until_signal(listeners: list[socket.socket]) -> int:
        port = listeners[0].getsockname()[1]
        opened = Opened(_address(place, options, port), port, tls.authority if tls else None)
        engage(opened.address)
        async with serving(engine, folder=place.folder, options=options) as app:
            idle = Idle(app, app.state.is_busy)
            with ExitStack() as answering:
                server = HttpServer(idle, grace=_GRACE_SECONDS, certificate=tls.server if tls else None)
                server.on_started = lambda: answering.enter_context(told(opened))
                server.is_over = lambda: idle_exit is not None and idle.is_over(idle_exit)
                await server.serve(listeners)
        if not server.ended_by:
            logger.info("nobody asked for anything in %d s: this is the end", idle_exit)
            return 0
        return 128 + server.ended_by

    with held(engine.device, folder=place.locks) as engage, ExitStack() as opened_sockets:
        listeners = listen(place.host, place.port, server="The engine")
        for listener in listeners:
            opened_sockets.enter_context(closing(listener))
        with storage_errors(place.folder):
            place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # the files' names are all that guards them
        return anyio.run(open_until_signal, listeners)


def _certified(options: QueueOptions) -> list[str]:
    """The names that callers use, beside those that every certificate holds."""
    public = urlsplit(options.public_url or "").hostname
    machine = socket.gethostname()
    # A machine may be called my_box; no certificate can be.
    unfit = {"*", *({machine, f"{machine}.local"} if "_" in machine else ())}
    return [name.strip("[]") for name in (*options.allowed_hosts, public) if name and name not in unfit]


def _address(place: Place, options: QueueOptions, port: int) -> str:
    if options.public_url:
        return options.public_url.rstrip("/")
    host = socket.gethostname() if place.host in EVERYWHERE else place.host.strip("[]")
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if place.tls_folder else 'http'}://{host}:{port}"
