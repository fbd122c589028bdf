"""Finding the engine server of this machine, and starting one when there is none."""

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
from acestep_mcp.engine_server.launch.process import EngineProcess
from acestep_mcp.engine_server.launch.state import RunningEngine, folder_of, proof, read
from acestep_mcp.files import DATA_ADVICE, storage_errors
from acestep_mcp.net.timeouts import Timeouts

OCCUPIED = 75
"""The exit code of a server whose folder or device was in use, perhaps by one that is still ending."""

START_SECONDS = 120.0
LEAVING_SECONDS = 15.0
_POLL_SECONDS = 0.05
_RETRY_SECONDS = 0.5
_PROBE_TIMEOUTS = Timeouts(connect=2, silence=5, transfer=5)


@dataclass(frozen=True, slots=True)
class IdleLimits:
    """Seconds without a job after which a server unloads its model, and without a request after which it ends."""

    unload: float
    end: float


@dataclass(frozen=True, slots=True)
class EngineLauncher:
    """The server of one engine below a data folder; every program with the same folder shares it."""

    engine: str
    data_dir: Path
    idle: IdleLimits

    @property
    def folder(self) -> Path:
        return folder_of(self.data_dir, self.engine)

    async def find(self) -> RunningEngine | None:
        """The server, if it runs and wrote the state file. This counts as a request to it."""
        found = await self._probe()
        return found and found[0]

    async def running(self) -> RunningEngine:
        """The server; started when there is none, once, however many processes call this at the same time.

        An idle server of an older version of this package is replaced; a busy one is used.
        Raises ConfigurationError with the log's last lines when it does not start, StorageError.
        """
        if found := await self._current():
            return found
        async with self._start_lock():
            return await self._current(replace=True) or await self._start()

    async def _current(self, *, replace: bool = False) -> RunningEngine | None:
        """The server, unless it is outdated; with `replace` an outdated one is ended."""
        found = await self._probe()
        if found is None or not _is_outdated(*found):
            return found and found[0]
        if replace:
            with suppress(OSError):  # it has just proved that this is its process id
                os.kill(found[0].pid, signal.SIGTERM)
            with anyio.move_on_after(LEAVING_SECONDS):
                while await self._probe():  # noqa: ASYNC110 - the end of another process sets no event
                    await anyio.sleep(_POLL_SECONDS)
        return None

    async def _probe(self) -> tuple[RunningEngine, Mapping[str, Any]] | None:
        """A server that has proved its identity, and its /health. No key is sent: anyone may listen on an old port."""
        running = await anyio.to_thread.run_sync(read, self.folder)
        if running is None:
            return None
        from acestep_mcp.net.ssrf import Reach, origin, send  # only when there is a state file

        challenge = secrets.token_hex(16)
        try:
            reach = Reach(origins=frozenset({origin(running.address)}))
            answer = await send(
                "GET", f"{running.address}/health?challenge={challenge}", reach=reach, timeouts=_PROBE_TIMEOUTS
            )
        except (QueueError, InvalidRequest):
            return None
        health = answer.json()
        wanted = proof(running.secret, challenge, urlsplit(running.address).port or 0)
        given = health.get("proof") if isinstance(health, Mapping) else None
        is_ours = isinstance(given, str) and hmac.compare_digest(given.encode(), wanted.encode())
        return (running, health) if is_ours else None

    @asynccontextmanager
    async def _start_lock(self) -> AsyncIterator[None]:
        """Only one process at a time starts a server; the others wait and then find it."""
        file = await anyio.to_thread.run_sync(self._lock_file)
        try:
            give_up = anyio.current_time() + START_SECONDS + LEAVING_SECONDS
            while not _is_locked(file):
                if anyio.current_time() > give_up:
                    raise ConfigurationError(
                        f"Another program has been starting the engine server in {self.folder} for two minutes. "
                        "See engine.log there, or use ACESTEP_BACKEND=draft."
                    )
                await anyio.sleep(_POLL_SECONDS)
            yield
        finally:
            os.close(file)

    def _lock_file(self) -> int:
        with storage_errors("write in", self.folder, DATA_ADVICE):
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            return os.open(self.folder / "starting.lock", os.O_RDWR | os.O_CREAT, 0o600)

    async def _start(self) -> RunningEngine:
        """Start a server and wait until it answers; retry while an earlier one is still ending."""
        patient_until = anyio.current_time() + LEAVING_SECONDS
        while True:
            process = await anyio.to_thread.run_sync(EngineProcess, self._arguments(), self.folder)
            if found := await self._wait_until_answering(process):
                return found
            if process.code != OCCUPIED or anyio.current_time() > patient_until:
                raise process.failure(f"{self.engine} ended with code {process.code} before it answered")
            await anyio.sleep(_RETRY_SECONDS)

    async def _wait_until_answering(self, process: EngineProcess) -> RunningEngine | None:
        """The server as soon as one answers; None when the process ends before."""
        with anyio.move_on_after(START_SECONDS):
            while process.code is None:
                if found := await self.find():
                    process.detach()
                    return found
                await anyio.sleep(_POLL_SECONDS)
            return await self.find()
        await anyio.to_thread.run_sync(process.kill)
        raise process.failure(f"{self.engine} did not answer within {START_SECONDS:.0f} s and was killed")

    def _arguments(self) -> list[str]:
        idle = ("--idle-unload", str(self.idle.unload), "--idle-exit", str(self.idle.end))
        return ["engine", "--detached", "--engine", self.engine, "--port", "0", "--data-dir", str(self.folder), *idle]


def _is_locked(file: int) -> bool:
    """Whether this process has the lock, or there are none here: of two servers, one then finds the folder in use and ends."""
    from filelock import lock_descriptor

    try:
        return lock_descriptor(file, blocking=False)
    except OSError:
        return True


def _is_outdated(running: RunningEngine, health: Mapping[str, Any]) -> bool:
    """Whether it is of an older version, detached, and idle."""
    is_free = not health.get("queued") and not health.get("running")
    return running.detached and is_free and _version_key(running.version) < _version_key(__version__)


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
