"""An engine server of its own process, for tests that kill it: FOLDER [JOBS FILES]; prints its address."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import anyio
import uvicorn

from acestep_mcp.engine_server import results
from acestep_mcp.engine_server.app import QueueOptions, serving
from tests.engine_server.sine import Sine


class Counted(Sine):
    """Notes each run in a file, and continues when a file named `release` exists."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def generate(self, request, source):
        with (self._folder / "runs").open("a", encoding="utf-8") as file:
            file.write(f"{request.tags} {request.seed}\n")
        for part in super().generate(request, source):
            if (self._folder / "release").exists():
                self.release.set()
            yield part


def die_after_storing(folder: Path) -> None:
    """The process ends after it has stored a song and before it records this, if a file named `die` exists."""
    store_result = results.store_result

    def stored(*args):
        response = store_result(*args)
        if (folder / "die").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return response

    results.store_result = stored


async def main(folder: Path, jobs: str | None = None, files: str | None = None) -> None:
    folder.mkdir(exist_ok=True)
    die_after_storing(folder)
    options = QueueOptions(database=folder / "jobs.sqlite3", jobs=jobs, files=files, lease=1)
    async with serving(Counted(folder), folder=folder / "files", options=options) as app:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
            sys.stdout.flush()
            config = uvicorn.Config(app, lifespan="off", log_level="warning", timeout_graceful_shutdown=1)
            await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), *sys.argv[2:])
