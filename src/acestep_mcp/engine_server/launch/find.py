"""Finding the engine server of this machine, and having one started when there is none."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from acestep_mcp import __version__
from acestep_mcp.api.errors import ConfigurationError, InvalidRequest, QueueError
from acestep_mcp.engine_server.launch.process import Process
from acestep_mcp.engine_server.launch.state import Running, folder_of, proof, read
from acestep_mcp.files import DATA_ADVICE, storage_errors
from acestep_mcp.net.timeouts import Patience

OCCUPIED = 75
"""The exit code of a server that found its folder or its device taken: by one that is just leaving, perhaps."""

START_SECONDS = 120.0
LEAVING_SECONDS = 15.0
_LOOK = 0.05
_AGAIN = 0.5
_PROBE = Patience(connect=2, silence=5, transfer=5)


@dataclass(frozen=True, slots=True)
class Idle:
    """Seconds without a job after which a server frees its model, and without any request after which it ends."""

    unload: float
    end: float


@dataclass(frozen=True, slots=True)
class Local:
    """The server of one engine below a data folder; every program with the same folder shares it."""

    engine: str
    data_dir: Path
    idle: Idle

    @property
    def folder(self) -> Path:
        return folder_of(self.data_dir, self.engine)

    async def find(self) -> Running | None:
        """The server, if it runs and is the one that wrote the state file. Being asked counts as work for it."""
        found = await self._asked()
        return found and found[0]

    async def running(self) -> Running:
        """The server; it is started when there is none, once, however many processes ask at the same time.

        One of an older version of this package that has nothing to do is replaced; a busy one is used as it is.
        Raises ConfigurationError with the log's last lines when it does not start, StorageError.
        """
        if found := await self._current():
            return found
        async with self._alone():
            return await self._current(replace=True) or await self._started()

    async def _current(self, *, replace: bool = False) -> Running | None:
        """The server, unless it is to be replaced; that is then done here and now if `replace`."""
        found = await self._asked()
        if found is None or not _is_outdated(*found):
            return found and found[0]
        if replace:
            with suppress(OSError):  # it has just proved that this is its number
                os.kill(found[0].pid, signal.SIGTERM)
            with anyio.move_on_after(LEAVING_SECONDS):
                while await self._asked():  # noqa: ASYNC110 - another process's end is no event of ours
                    await anyio.sleep(_LOOK)
        return None

    async def _asked(self) -> tuple[Running, Mapping[str, Any]] | None:
        """A server that has proved itself, and its /health. No key is sent: anybody may listen on an old port."""
        running = await anyio.to_thread.run_sync(read, self.folder)
        if running is None:
            return None
        from acestep_mcp.net.ssrf import Reach, origin, send  # only where there is somebody to ask

        challenge = secrets.token_hex(16)
        reach = Reach(origins=frozenset({origin(running.address)}))
        try:
            answer = await send("GET", f"{running.address}/health?challenge={challenge}", reach=reach, patience=_PROBE)
        except (QueueError, InvalidRequest):
            return None
        told = answer.json()
        wanted = proof(running.secret, challenge, urlsplit(running.address).port or 0)
        given = told.get("proof") if isinstance(told, Mapping) else None
        is_ours = isinstance(given, str) and hmac.compare_digest(given.encode(), wanted.encode())
        return (running, told) if is_ours else None

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Only one process at a time starts a server; the others wait, and then find it."""
        from filelock import lock_descriptor

        file = await anyio.to_thread.run_sync(self._lock_file)
        try:
            give_up = anyio.current_time() + START_SECONDS + LEAVING_SECONDS
            while not lock_descriptor(file, blocking=False):
                if anyio.current_time() > give_up:
                    raise ConfigurationError(
                        f"Another program has been starting the engine server in {self.folder} for two minutes. "
                        "Look at engine.log there, or use ACESTEP_BACKEND=draft."
                    )
                await anyio.sleep(_LOOK)
            yield
        finally:
            os.close(file)

    def _lock_file(self) -> int:
        with storage_errors("write in", self.folder, DATA_ADVICE):
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            return os.open(self.folder / "starting.lock", os.O_RDWR | os.O_CREAT, 0o600)

    async def _started(self) -> Running:
        """Start one and wait until it answers; again while an earlier one is still leaving."""
        patient_until = anyio.current_time() + LEAVING_SECONDS
        while True:
            process = await anyio.to_thread.run_sync(Process, self._arguments(), self.folder)
            if found := await self._answering(process):
                return found
            if process.code != OCCUPIED or anyio.current_time() > patient_until:
                raise process.failure(f"{self.engine} ended with code {process.code} before it answered")
            await anyio.sleep(_AGAIN)

    async def _answering(self, process: Process) -> Running | None:
        """The server as soon as it answers, whoever started it; None when the process has ended before."""
        with anyio.move_on_after(START_SECONDS):
            while process.code is None:
                if found := await self.find():
                    process.leave_alone()
                    return found
                await anyio.sleep(_LOOK)
            return await self.find()
        await anyio.to_thread.run_sync(process.kill)
        raise process.failure(f"{self.engine} did not answer within {START_SECONDS:.0f} s and was ended")

    def _arguments(self) -> list[str]:
        idle = ("--idle-unload", str(self.idle.unload), "--idle-exit", str(self.idle.end))
        return ["engine", "--detached", "--engine", self.engine, "--port", "0", "--data-dir", str(self.folder), *idle]


def _is_outdated(running: Running, health: Mapping[str, Any]) -> bool:
    """Whether it is older than we are, was started by no person, and has nothing to do."""
    is_free = not health.get("queued") and not health.get("running")
    return running.detached and is_free and _order(running.version) < _order(__version__)


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
