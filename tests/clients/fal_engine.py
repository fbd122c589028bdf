"""An engine server of its own process for fal's clients: FOLDER KEY [TLS_FOLDER]. It names its address on stderr.

With ACESTEP_TESTS_RAY_ADDRESS its engine is a replica on that cluster.

Everything that any part of it logs, at every level, lies in `server.log` in the folder afterwards.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import uvicorn

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


async def main(folder: Path, key: str, tls_folder: str | None = None) -> None:
    logging.basicConfig(filename=folder / "server.log", encoding="utf-8", level=logging.DEBUG)
    options = QueueOptions(database=folder / "jobs.sqlite3", key=key)
    address = os.environ.get("ACESTEP_TESTS_RAY_ADDRESS")
    engines = replicas(address) if address else [Paced()]
    async with serving(*engines, folder=folder / "files", options=options) as app:
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
