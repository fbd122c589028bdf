"""Engine servers alone, without music: submits a second, streams held, and how fast a status is answered meanwhile.

    python bench/fronts.py [--fronts 1,2,4] [--seconds S] [--at-once N] [--streams N] [--no-fsync]

First one server with SQLite, then so many with one queue in PostgreSQL, which is started for it and writes to the disk
as it does by default (fsync). Each server is a process of its own, whose engine holds its only song for ever: what is
submitted waits. For each number of servers: `at-once` callers for each of them submit for `seconds`; then `streams` status
streams for each are opened and held, each on a job that waits, and a status is asked for 500 times, 50 times a second. The
callers run in this process, on the same processors. Prints a line of JSON for each. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import anyio
import uvicorn
from anyio.abc import ByteStream

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support import postgres  # noqa: E402

from acestep_mcp.engine_server.app import QueueOptions, serving  # noqa: E402
from acestep_mcp.engines import Step  # noqa: E402
from acestep_mcp.net.listen import listen  # noqa: E402

APP = "/fal-ai/ace-step"
BODY = json.dumps({"tags": "lofi, chill", "lyrics": "[verse]\nhello", "duration": 60, "seed": 1}).encode()
STATUSES, STATUSES_A_SECOND = 500, 50


class Held:
    name, model, version, device = "held", "held-1", "1", None
    end = threading.Event()

    def generate(self, *_):
        while not self.end.wait(0.5):
            yield Step("held", 0, 1)

    def unload(self) -> None:
        pass

    def close(self) -> None:
        pass


async def serve(folder: Path, jobs: str | None = None) -> None:
    folder.mkdir(parents=True)
    shared = (
        {"jobs": jobs, "files": (folder.parent / "songs").as_uri()} if jobs else {"database": folder / "jobs.sqlite3"}
    )
    options = QueueOptions(max_queue=10**6, max_remembered=8 << 30, **shared)
    async with serving(Held(), folder=folder, options=options) as app:
        [listener] = listen("127.0.0.1", 0, server="The bench")
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(app, lifespan="off", log_level="error", backlog=4096, timeout_graceful_shutdown=1)
        await uvicorn.Server(config).serve([listener])


class Caller:
    """A kept connection. httpx would take more processor time than the server that is measured."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream, self._read = stream, b""

    @classmethod
    async def to(cls, port: int) -> Caller:
        return cls(await anyio.connect_tcp("127.0.0.1", port))

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        await self.send(method, path, body)
        head = await self.until(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        size = next(int(line.partition(":")[2]) for line in lines if line.startswith("content-length:"))
        while len(self._read) < size:
            self._read += await self._stream.receive()
        content, self._read = self._read[:size], self._read[size:]
        return int(lines[0].split()[1]), content

    async def send(self, method: str, path: str, body: bytes = b"") -> None:
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
        await self._stream.send(head.encode() + body)

    async def until(self, end: bytes) -> bytes:
        while end not in self._read:
            self._read += await self._stream.receive()
        found, _, self._read = self._read.partition(end)
        return found

    async def close(self) -> None:
        await self._stream.aclose()


@contextmanager
def servers(folder: Path, count: int, jobs: str | None) -> Iterator[tuple[list[int], list[int]]]:
    """The ports of so many servers, and their process ids."""
    with ExitStack() as stack:
        ports = []
        for number in range(count):
            command = [sys.executable, __file__, "--serve", str(folder / f"front{number}"), *([jobs] if jobs else [])]
            process = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            ports.append(process)
        found = [int(process.stdout.readline()) for process in ports]
        yield found, [process.pid for process in ports]
        for process in ports:
            process.send_signal(signal.SIGKILL)


async def submits(ports: list[int], at_once: int, seconds: float) -> tuple[list[str], list[float]]:
    """The ids of what was accepted, and how long each submit took."""
    ids, took = [], []

    async def submit(port: int, until: float) -> None:
        caller = await Caller.to(port)
        while (began := time.monotonic()) < until:
            status, content = await caller.ask("POST", APP, BODY)
            assert status == 200, content
            took.append(time.monotonic() - began)
            ids.append(json.loads(content)["request_id"])
        await caller.close()

    until = time.monotonic() + seconds
    async with anyio.create_task_group() as group:
        for port in ports:
            for _ in range(at_once):
                group.start_soon(submit, port, until)
    return ids, took


async def statuses(ports: list[int], ids: list[str], streams: int) -> tuple[int, list[float]]:
    """How many streams said where their job is, and how long each status took while they were held."""
    held, took = [], []
    wanted = [(port, ids[-1 - number % (len(ids) // 2)]) for number in range(streams) for port in ports]
    for port, job in wanted:
        caller = await Caller.to(port)
        await caller.send("GET", f"{APP}/requests/{job}/status/stream")
        await caller.until(b'"status":"IN_QUEUE"')
        held.append(caller)
    asking = [await Caller.to(port) for port in ports]
    for number in range(STATUSES):
        began = time.monotonic()
        status, content = await asking[number % len(ports)].ask(
            "GET", f"{APP}/requests/{ids[number % len(ids)]}/status"
        )
        took.append(time.monotonic() - began)
        assert status in (200, 202), content
        await anyio.sleep(max(0, 1 / STATUSES_A_SECOND - took[-1]))
    for caller in (*held, *asking):
        await caller.close()
    return len(held), took


def processor(pids: list[int]) -> float:
    """Seconds that these processes have used, with those that they started."""
    used = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        used += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            used += processor([int(child) for child in path.read_text(encoding="ascii").split()])
    return used


def share(took: list[float], part: float) -> float:
    """Milliseconds."""
    return round(1000 * sorted(took)[min(len(took) - 1, int(part * len(took)))], 1)


def measured(folder: Path, count: int, jobs: str | None, given: argparse.Namespace) -> dict:
    load = os.getloadavg()[0]
    with servers(folder, count, jobs) as (ports, pids):
        database = Path(given.folder, "pg", "data", "postmaster.pid")
        of_database = [int(database.read_text(encoding="ascii").split()[0])] if jobs else []
        before, before_there, began = processor(pids), processor(of_database), time.monotonic()
        ids, took = anyio.run(submits, ports, given.at_once, given.seconds)
        rate = len(ids) / (time.monotonic() - began)
        used = [processor(pids) - before, processor(of_database) - before_there]
        held, asked = anyio.run(statuses, ports, ids, given.streams)
    row = {"servers": count, "queue": "PostgreSQL" if jobs else "SQLite", "submits a second": round(rate)}
    row |= {
        "processor ms a submit": round(1000 * used[0] / len(ids), 1),
        "in PostgreSQL": round(1000 * used[1] / len(ids), 1),
    }
    row |= {"submit, half in ms": share(took, 0.5), "submit, 99 % in ms": share(took, 0.99), "streams held": held}
    row |= {"status, half in ms": share(asked, 0.5), "status, 99 % in ms": share(asked, 0.99)}
    return row | {"load before": round(load, 1), "load after": round(os.getloadavg()[0], 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--serve", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--fronts", default="1,2,4", help="0: only SQLite")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--at-once", type=int, default=16)
    parser.add_argument("--streams", type=int, default=250)
    parser.add_argument("--no-fsync", action="store_true", help="PostgreSQL does not wait for the disk")
    given = parser.parse_args()
    if given.serve:
        anyio.run(serve, Path(given.serve[0]), *given.serve[1:])
        return 0
    folder = Path(tempfile.mkdtemp(prefix="acestep-fronts-"))
    folder.chmod(0o755)
    given.folder = folder
    try:
        print(json.dumps(measured(folder / "sqlite", 1, None, given)), flush=True)
        if given.fronts == "0":
            return 0
        bin_folder = postgres.programs()
        assert bin_folder, "PostgreSQL is not installed (apt-get install postgresql)"
        (folder / "pg").mkdir(mode=0o755)
        database = postgres.Postgres(folder / "pg", bin_folder)
        with (folder / "pg" / "data" / "postgresql.conf").open("a") as file:
            file.write(f"fsync = {'off' if given.no_fsync else 'on'}\nautovacuum = on\nshared_buffers = 128MB\n")
        database.start()
        try:
            for count in map(int, given.fronts.split(",")):
                row = measured(folder / f"fronts{count}", count, database.database(f"jobs_{count}"), given)
                print(json.dumps(row), flush=True)
        finally:
            database.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
