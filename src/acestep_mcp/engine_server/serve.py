"""The engine server on a port, until a signal ends it."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import anyio
from starlette.applications import Starlette

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.engine_server.certificates import tls_files
from acestep_mcp.engine_server.device_lock import device_lock
from acestep_mcp.engine_server.file_store import storage_errors
from acestep_mcp.engine_server.idle_monitor import IdleMonitor
from acestep_mcp.engines import Engine
from acestep_mcp.net.listen import EVERYWHERE, Deadline, HttpServer, listen, own_names
from acestep_mcp.net.loopback import is_loopback

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 2


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the server listens and where its files are. Port 0 takes a free one; with `tls_folder` it speaks TLS.

    `lock_folder` holds the device locks; by default a folder that all users of this machine share.
    """

    host: str
    port: int
    folder: Path
    tls_folder: Path | None = None
    lock_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers: its address for callers, its port, and the certificate authority they have to trust."""

    address: str
    port: int
    authority: Path | None


OnStarted = Callable[[RunningServer], AbstractContextManager[None]]


def serve(
    engine: Engine,
    address: ServerAddress,
    options: QueueOptions,
    on_started: OnStarted,
    *,
    others: Sequence[Engine] = (),
    idle_exit: float | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT and return 128 + its number; return 0 after `idle_exit` seconds without requests.

    The context `on_started` is entered when the server answers and left when it stops answering. `others` are the
    same engine on further devices; each engine's device is locked meanwhile. Off loopback this machine's names are allowed hosts too. Unfinished jobs stay in
    `options.database` for the next start. Raises ConfigurationError when other machines could reach it and there is no
    key, or when the address cannot be had; Occupied when another server uses the database or the device; StorageError.
    """
    if not options.needs_key and not is_loopback(address.host):
        raise ConfigurationError(
            f"An engine on {address.host or 'all addresses'} without a key could be used by anyone on the network. "
            "Set ACESTEP_ENGINE_KEY (or --key-file or --keys), or serve on 127.0.0.1."
        )
    own = () if is_loopback(address.host) else own_names(address.host)
    options = replace(options, allowed_hosts=(*options.allowed_hosts, *own))
    tls = tls_files(address.tls_folder, _certified(options)) if address.tls_folder else None
    with ExitStack() as held:
        locks = [held.enter_context(device_lock(each.device, folder=address.lock_folder)) for each in (engine, *others)]
        listeners = listen(address.host, address.port, server="The engine")
        for listener in listeners:
            held.enter_context(closing(listener))
        with storage_errors(address.folder):
            # File names are the only protection of the files inside it.
            address.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        port = listeners[0].getsockname()[1]
        running = RunningServer(_url(address, options, port), port, tls.authority if tls else None)
        for set_address in locks:
            set_address(running.address)
        certificate = tls.server if tls else None
        opened = partial(serving, engine, *others, folder=address.folder, options=options)
        with Deadline() as deadline:
            return anyio.run(_serve, opened, listeners, certificate, lambda: on_started(running), idle_exit, deadline)


async def _serve(
    opened: Callable[[], AbstractAsyncContextManager[Starlette]],
    listeners: list[socket.socket],
    certificate: Path | None,
    on_started: Callable[[], AbstractContextManager[None]],
    idle_exit: float | None,
    deadline: Deadline,
) -> int:
    async with opened() as app:
        deadline.last_act = app.state.release

        async def drain() -> None:
            await app.state.drain(server.drain if server.ended_by == signal.SIGTERM else 0)

        idle = IdleMonitor(app, app.state.is_busy)
        with ExitStack() as answering:
            server = HttpServer(idle, grace=_GRACE_SECONDS, certificate=certificate)
            server.deadline, server.drain, server.before_exit = deadline, app.state.drain_seconds, drain
            server.on_started = lambda: answering.enter_context(on_started())
            server.is_over = lambda: idle_exit is not None and idle.is_over(idle_exit)
            await server.serve(listeners)
    if not server.ended_by:
        logger.info("no request for %d s: the server ends", idle_exit)
        return 0
    return 128 + server.ended_by


def _certified(options: QueueOptions) -> list[str]:
    """The names that callers use, beside those that every certificate holds."""
    public = urlsplit(options.public_url or "").hostname
    machine = socket.gethostname()
    # A machine may be called my_box; no certificate can be.
    unfit = {"*", *({machine, f"{machine}.local"} if "_" in machine else ())}
    return [name.strip("[]") for name in (*options.allowed_hosts, public) if name and name not in unfit]


def _url(address: ServerAddress, options: QueueOptions, port: int) -> str:
    if options.public_url:
        return options.public_url.rstrip("/")
    host = socket.gethostname() if address.host in EVERYWHERE else address.host.strip("[]")
    host = f"[{host}]" if ":" in host else host
    return f"{'https' if address.tls_folder else 'http'}://{host}:{port}"
