"""The real queue app around a small engine: in this process, or behind a real server on loopback."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import uvicorn
from starlette.types import ASGIApp

from acestep_mcp.api.errors import FieldError, GenerationFailed, InvalidRequest
from acestep_mcp.api.requests import Request
from acestep_mcp.audio import Sound
from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.engines import Audio, Source, Step

RATE = 8000


class Tone:
    """Makes a tone whose pitch follows the seed. Tags: "hold" runs until stopped, "fail" and "refuse" raise."""

    name, model, version, device = "tone", "tone-1", "1", None

    def __init__(self) -> None:
        self.seeds: list[int | None] = []
        self.sources: list[Source | None] = []

    def generate(self, request: Request, source: Source | None) -> Iterator[Step | Audio]:
        self.seeds.append(request.seed)
        self.sources.append(source)
        tags = getattr(request, "tags", "")
        for number in range(4):
            yield Step("rendering", number, 3)
        while "hold" in tags:
            yield Step("rendering", 3, 3)
        if "fail" in tags:
            raise GenerationFailed("The string broke.")
        if "refuse" in tags:
            raise InvalidRequest.of(FieldError("start_time", "lies past the end of the song", "value_error", 9))
        yield Audio(Sound(pcm_of(request.seed or 0), RATE), tags, "[inst]")

    def unload(self) -> None:
        pass

    def close(self) -> None:
        pass


def pcm_of(seed: int) -> np.ndarray:
    """The samples of the song of a seed: half a second."""
    wave = np.sin(np.arange(RATE // 2) * 2 * np.pi * (200 + seed % 400) / RATE)
    return (wave * 2**14).astype(np.int32)[:, None] << 16


@asynccontextmanager
async def behind_a_port(folder: Path, engine: Tone, **options: Any) -> AsyncIterator[str]:
    async with serving(engine, folder=folder, options=QueueOptions(**options)) as app, on_a_port(app) as url:
        yield url


class _Deaf(uvicorn.Server):
    """Leaves signals to the tested server, which may run in the same process, and ends without uvicorn's pauses."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.leave = anyio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.leave.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with anyio.move_on_after(1):
            while self.server_state.connections or self.server_state.tasks:
                await anyio.sleep(0.002)
        for task in self.server_state.tasks:
            task.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def on_a_port(app: ASGIApp) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, lifespan="off", log_level="warning")
        server = _Deaf(config)
        async with anyio.create_task_group() as group:
            group.start_soon(server.serve, [listener])
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.leave.set()
