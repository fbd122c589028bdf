"""The engine server around a sine engine, in this process and on a loopback port."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import numpy as np
import pytest
import soundfile
import uvicorn
from starlette.applications import Starlette

from acestep_mcp.engine_server.app import QueueOptions, serving
from tests.engine_server.sine import Sine

APP = "/fal-ai/ace-step"
BODY = {"tags": "lofi, chill", "lyrics": "[verse]\nhello", "duration": 5, "seed": 42}


class EngineClient:
    """An HTTP client of the engine server, with the calls that every test makes."""

    def __init__(self, http: httpx.AsyncClient, engine: Any, app: Starlette) -> None:
        self.http, self.engine, self.app = http, engine, app

    async def submit(self, path: str = "", body: dict | None = None, **more: Any) -> dict[str, Any]:
        reply = await self.http.post(APP + path, json={**BODY, **(body or {})}, **more)
        assert reply.status_code == 200, reply.text
        return reply.json()

    async def get(self, ticket: dict, tail: str = "", **more: Any) -> httpx.Response:
        return await self.http.get(f"{APP}/requests/{ticket['request_id']}{tail}", **more)

    async def cancel(self, ticket: dict) -> httpx.Response:
        return await self.http.put(f"{APP}/requests/{ticket['request_id']}/cancel")

    async def events(self, ticket: dict, logs: int = 1) -> list[dict[str, Any]]:
        """Every event of the status stream; it ends when the job ends."""
        with anyio.fail_after(20):
            reply = await self.get(ticket, f"/status/stream?logs={logs}")
        assert reply.headers["content-type"].startswith("text/event-stream")
        return [json.loads(line.removeprefix("data: ")) for line in reply.text.splitlines() if line.startswith("data")]

    async def end(self, ticket: dict) -> httpx.Response:
        """The result, once there is one."""
        await self.events(ticket, logs=0)
        return await self.get(ticket)

    async def running(self) -> None:
        """Wait until the engine works on a job."""
        assert await anyio.to_thread.run_sync(self.engine.started.wait, 5)

    async def stopped(self) -> None:
        """Wait until the engine has stopped a job."""
        assert await anyio.to_thread.run_sync(self.engine.stopped.wait, 5)


@asynccontextmanager
async def _embedded(folder: Path, **options: Any) -> AsyncIterator[EngineClient]:
    engine = options.pop("engine", None) or Sine()
    async with serving(engine, folder=folder, options=QueueOptions(**options)) as app:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield EngineClient(http, engine, app)


@asynccontextmanager
async def _listening(folder: Path, **options: Any) -> AsyncIterator[EngineClient]:
    engine = Sine()
    async with serving(engine, folder=folder, options=QueueOptions(**options)) as app:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(app, lifespan="off", log_level="warning", timeout_graceful_shutdown=1)
            server = uvicorn.Server(config)
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with anyio.create_task_group() as group, httpx.AsyncClient(base_url=address, timeout=10) as http:
                group.start_soon(server.serve, [listener])
                try:
                    yield EngineClient(http, engine, app)
                finally:
                    engine.release.set()
                    server.should_exit = True


@pytest.fixture
def embedded(tmp_path: Path):
    """Open the app without a socket: `async with embedded(key="k") as desk`."""
    return lambda **options: _embedded(options.pop("folder", tmp_path / "queue"), **options)


@pytest.fixture
def listening(tmp_path: Path):
    """The same behind a real HTTP server on loopback."""
    return lambda **options: _listening(tmp_path / "queue", **options)


@pytest.fixture
def wav() -> bytes:
    """Five seconds of a real WAV file."""
    tone = (np.sin(np.arange(40_000) / 7) * 9000).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, tone, 8000, format="WAV", subtype="PCM_16")
    return file.getvalue()
