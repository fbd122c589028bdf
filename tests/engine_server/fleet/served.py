"""An engine server whose engines are replicas on a cluster, as a program of its own; prints its address.

    python -m tests.engine_server.fleet.served CLUSTER FOLDER LEAST MOST [QUIET [WEIGHTS]]

The engine is that of `own_process`, which notes its runs in the folder; the log is `server.log` there.
"""

from __future__ import annotations

import logging
import socket
import sys
from contextlib import ExitStack, closing
from pathlib import Path

import anyio
import uvicorn

from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.engines.fleet.connection import connect
from acestep_mcp.engines.fleet.fleet import Bounds, Fleet
from acestep_mcp.engines.processes.device_spec import DeviceSpec
from tests.support.engine import Tone


async def main(address: str, folder: Path, bounds: Bounds, weights: str | None) -> None:
    def build(found: str | None) -> DeviceSpec:
        given = {"folder": str(folder), "weights": found}
        return DeviceSpec("test", "tests.engine_server.own_process:build", given)

    fleet = Fleet(connect(address), Tone(), build, bounds, resources={"num_cpus": 1.0}, weights=weights)
    options = QueueOptions(database=folder / "jobs.sqlite3", scale=fleet.scale)
    with ExitStack() as stack:
        each = [stack.enter_context(closing(engine)) for engine in fleet.engines]
        async with serving(*each, folder=folder / "files", options=options) as app:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
                config = uvicorn.Config(app, lifespan="off", log_level="error", timeout_graceful_shutdown=1)
                await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    given = sys.argv[1:]
    logging.basicConfig(filename=Path(given[1], "server.log"), level=logging.INFO)
    bounds = Bounds(int(given[2]), int(given[3]), *map(float, given[4:5]))
    anyio.run(main, given[0], Path(given[1]), bounds, given[5] if given[5:] else None)
