"""SIGTERM for each server, at its busiest: a song in progress, open streams, idle sessions.

    python -m tests.faults.sigterm [--runs N]

Prints a line for each run: which server, seconds until it ended, its exit code, processes that were left, and whether the
song was made afterwards.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

OURS = (sys.executable, "-m", "acestep_mcp")
HELLO = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
BOTH = {"Accept": "application/json, text/event-stream"}
SONG = {"tags": "lofi, piano", "duration": 15, "seed": 5}
STREAMS, IDLE = 20, 20


@dataclass(frozen=True)
class Ended:
    """How a server ended. `children` are those that lived a second later, `song` what became of the song."""

    server: str
    seconds: float
    code: int
    children: tuple[int, ...]
    song: str


def children_of(pid: int) -> tuple[int, ...]:
    direct: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a thread may end meanwhile
            direct += [int(child) for child in path.read_text(encoding="ascii").split()]
    return (*direct, *(below for child in direct for below in children_of(child)))


def alive(pids: tuple[int, ...], seconds: float = 2) -> tuple[int, ...]:
    """Those that still run after so many seconds."""
    deadline = time.monotonic() + seconds
    while (left := tuple(pid for pid in pids if _runs(pid))) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def ended(process: subprocess.Popen, *, group: bool = False) -> tuple[float, tuple[int, ...]]:
    """Send SIGTERM, with `group` to its children too, and wait: the seconds it took, and the children that are left."""
    children = children_of(process.pid)
    assert children, "no worker: the song is not in progress"
    began = time.monotonic()
    for pid in (*(children if group else ()), process.pid):
        os.kill(pid, signal.SIGTERM)
    process.wait(60)
    return time.monotonic() - began, alive(children)


@contextmanager
def server(environment: dict[str, str], *arguments: str, mark: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """A server process and its address, from the line on stderr that contains `mark`."""
    with subprocess.Popen(
        [*OURS, *arguments], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True, encoding="utf-8",
    ) as process:  # fmt: skip
        try:
            line = next((line for line in process.stderr if mark in line), "")
            yield process, re.search(r"https?://[^/\s]+", line)[0]
        finally:
            process.kill()


def idle_connections(address: str, stack: ExitStack) -> None:
    """Silent ones, and one that has sent half a request."""
    host, port = address.removeprefix("http://").split(":")
    for number in range(IDLE):
        connection = stack.enter_context(socket.create_connection((host, int(port))))
        if number % 2:
            connection.sendall(b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{")


def on_engine(environment: dict[str, str], *, group: bool) -> Ended:
    arguments = ("engine", "--port", "0", "--data-dir", environment["ACESTEP_DATA_DIR"] + "/engine")
    with ExitStack() as stack, server(environment, *arguments, mark="served at") as (process, address):
        http = stack.enter_context(httpx.Client(base_url=address, timeout=30, limits=httpx.Limits(max_connections=200)))
        job = http.post("/fal-ai/ace-step", json=SONG).json()["request_id"]
        path = f"/fal-ai/ace-step/requests/{job}"
        until(lambda: http.get(f"{path}/status").json()["status"] == "IN_PROGRESS" and children_of(process.pid))
        for _ in range(STREAMS):
            stack.enter_context(http.stream("GET", f"{path}/status/stream"))
        idle_connections(address, stack)
        seconds, left = ended(process, group=group)
    with server(environment, *arguments, mark="served at") as (_, address), httpx.Client(base_url=address) as http:
        until(lambda: http.get(f"{path}/status").json()["status"] == "COMPLETED")
        song = str(http.get(path).status_code)
    return Ended("engine" + " and its worker" * group, round(seconds, 2), process.returncode, left, song)


def on_http(environment: dict[str, str], *, group: bool) -> Ended:
    arguments = ("serve", "--http", "--port", "0")
    with ExitStack() as stack, server(environment, *arguments, mark="MCP is served") as (process, address):
        http = stack.enter_context(httpx.Client(base_url=address, timeout=60, limits=httpx.Limits(max_connections=200)))
        sessions = [session(http) for _ in range(STREAMS)]
        for headers in sessions:
            stack.enter_context(http.stream("GET", "/mcp", headers=headers))
        stack.enter_context(http.stream("POST", "/mcp", json=call(), headers=session(http)))
        until(lambda: children_of(process.pid))
        idle_connections(address, stack)
        seconds, left = ended(process, group=group)
    return Ended(
        "serve --http" + " and its worker" * group, round(seconds, 2), process.returncode, left, later(environment)
    )


def on_stdio(environment: dict[str, str], *, group: bool) -> Ended:
    with subprocess.Popen(
        [*OURS, "serve"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, encoding="utf-8",
    ) as process:  # fmt: skip
        try:
            for message in ({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}, call()):
                process.stdin.write(json.dumps(message) + "\n")
                process.stdin.flush()
            until(lambda: children_of(process.pid))
            seconds, left = ended(process, group=group)
        finally:
            process.kill()
    return Ended("stdio" + " and its worker" * group, round(seconds, 2), process.returncode, left, later(environment))


def call() -> dict:
    return {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "text_to_audio", "arguments": SONG}}


def session(http: httpx.Client) -> dict[str, str]:
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
    answer = http.post("/mcp", json=hello, headers=BOTH)
    return BOTH | {"Mcp-Session-Id": answer.headers["mcp-session-id"]}


def later(environment: dict[str, str]) -> str:
    """The end of the only job, which the next process takes over."""
    with closing(sqlite3.connect(environment["ACESTEP_DATA_DIR"] + "/acestep.sqlite3")) as db:
        [(job,)] = db.execute("SELECT id FROM jobs").fetchall()
    command = [*OURS, "jobs", "wait", job, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return str(json.loads(done.stdout)["status"])


def until(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.02)


SERVERS = {"stdio": on_stdio, "http": on_http, "engine": on_engine}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1)
    runs = parser.parse_args().runs
    for _ in range(runs):
        for run in SERVERS.values():
            for group in (False, True):
                with tempfile.TemporaryDirectory() as folder:
                    kept = {
                        name: value for name, value in os.environ.items() if not name.startswith(("ACESTEP", "FAL"))
                    }
                    places = {"ACESTEP_MUSIC_DIR": f"{folder}/music", "ACESTEP_DATA_DIR": f"{folder}/data"}
                    sys.stdout.write(
                        json.dumps(asdict(run(kept | places | {"ACESTEP_BACKEND": "draft"}, group=group))) + "\n"
                    )
                    sys.stdout.flush()


if __name__ == "__main__":
    main()
