"""An engine server of its own process for fal's clients: FOLDER KEY [TLS_FOLDER]. It names its address on stderr.

With ACESTEP_TESTS_RAY_ADDRESS its engine is a replica on that cluster, with ACESTEP_TESTS_DEVICES it has so many processes.
With ACESTEP_TESTS_JOBS, the address of a database, it is two servers that share their jobs and take the requests in turn.

Everything that any part of it logs, at every level, lies in `server.log` in the folder afterwards.
"""

from __future__ import annotations

import itertools
import logging
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from acestep_mcp.api.requests import Request
from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.engine_server.certificates import tls_files
from acestep_mcp.engines import Audio, Source, Step
from tests.support.engine import Tone


class Paced(Tone):
    """Takes its time, so that clients who look many times a second see it run."""

    def generate(self, request: Request, source: Source | None) -> Iterator[Step | Audio]:
        for part in super().generate(request, source):
            if isinstance(part, Step):
                time.sleep(0.06 if "slow" in getattr(request, "tags", "") else 0.01)
            yield part


def build(_: dict[str, Any]) -> Paced:
    return Paced()


def replicas(address: str) -> list[Any]:
    from acestep_mcp.engines.fleet.connection import connect
    from acestep_mcp.engines.fleet.fleet import Bounds, Fleet
    from acestep_mcp.engines.processes.device_spec import DeviceSpec

    spec = DeviceSpec("test", "tests.clients.fal_engine:build", {})
    return Fleet(connect(address), Paced(), lambda _: spec, Bounds(), resources={"num_cpus": 1.0}).engines


def processes(count: int) -> list[Any]:
    from acestep_mcp.engines.processes.device_engine import DeviceEngine
    from acestep_mcp.engines.processes.device_spec import DeviceSpec

    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    specs = [DeviceSpec(f"test:{number}", "tests.clients.fal_engine:build", {}, environment) for number in range(count)]
    return [DeviceEngine(Paced(), spec) for spec in specs]


@asynccontextmanager
async def at_two_fronts(jobs: str, folder: Path, key: str) -> AsyncIterator[ASGIApp]:
    options = QueueOptions(jobs=jobs, files=(folder / "songs").as_uri(), key=key)
    async with (
        serving(Paced(), folder=folder / "first", options=options) as first,
        serving(Paced(), folder=folder / "second", options=options) as second,
    ):
        turns = itertools.cycle((first, second))

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await next(turns)(scope, receive, send)

        yield app


@asynccontextmanager
async def engine_server(folder: Path, key: str) -> AsyncIterator[ASGIApp]:
    if jobs := os.environ.get("ACESTEP_TESTS_JOBS"):
        async with at_two_fronts(jobs, folder, key) as app:
            yield app
        return
    address, count = os.environ.get("ACESTEP_TESTS_RAY_ADDRESS"), int(os.environ.get("ACESTEP_TESTS_DEVICES", "0"))
    options = QueueOptions(database=folder / "jobs.sqlite3", key=key)
    with ExitStack() as stack:
        engines = replicas(address) if address else processes(count) if count else [Paced()]
        for engine in engines:
            stack.callback(engine.close)
        async with serving(*engines, folder=folder / "files", options=options) as app:
            yield app


async def main(folder: Path, key: str, tls_folder: str | None = None) -> None:
    logging.basicConfig(filename=folder / "server.log", encoding="utf-8", level=logging.DEBUG)
    async with engine_server(folder, key) as app:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            sys.stderr.write(f"{'https' if tls_folder else 'http'}://127.0.0.1:{listener.getsockname()[1]}\n")
            sys.stderr.flush()
            config = uvicorn.Config(
                app, lifespan="off", log_config=None, log_level="trace", timeout_graceful_shutdown=1,
                ssl_certfile=tls_files(Path(tls_folder)).server if tls_folder else None,
            )  # fmt: skip
            await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), *sys.argv[2:])
