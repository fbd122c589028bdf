"""Servers to test: in this process over the whole house, and in processes of their own."""

import contextlib
import json
import subprocess
import sys
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from mcp import Client

from acestep_mcp.server.app import create_server
from acestep_mcp.settings import Settings


class Process:
    """A server in its own process: JSON-RPC on its pipes, and what its studio is told on its stderr."""

    def __init__(self, transport, folder, *rest):
        self.folder = folder
        runner = Path(__file__).with_name("run_server.py")
        command = [sys.executable, str(runner), transport, str(folder), *rest]
        self.popen = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.lines = []

    def hear(self, words):
        """Read stderr up to the line with these words, and give that line."""
        while line := self.popen.stderr.readline():
            self.lines.append(line)
            if words in line:
                return line
        raise AssertionError("".join(self.lines))

    def send(self, **message):
        self.popen.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.popen.stdin.flush()

    def receive(self):
        return json.loads(self.popen.stdout.readline())

    def answer_to(self, request_id):
        while (message := self.receive()).get("id") != request_id:
            pass
        return message

    def end(self):
        """Wait for its own end; gives everything its studio was told, and the exit code."""
        code = self.popen.wait(20)
        self.lines += self.popen.stderr.readlines()
        return [line.removeprefix("told ").strip() for line in self.lines if line.startswith("told ")], code


@contextmanager
def spawning(parent):
    """Starts server processes; those that still run at the end are killed."""
    started = []

    def start(transport, *rest):
        folder = parent / f"folder{len(started)}"
        folder.mkdir()
        started.append(Process(transport, folder, *rest))
        return started[-1]

    yield start
    for process in started:
        process.popen.kill()
        process.popen.wait()
        for pipe in (process.popen.stdin, process.popen.stdout, process.popen.stderr):
            with contextlib.suppress(OSError, ValueError):
                pipe.close()


@pytest.fixture
def spawn(tmp_path):
    with spawning(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One HTTP server with the token "secret" for all tests of a module that leave it as it was: (process, address)."""
    with spawning(tmp_path_factory.mktemp("shared")) as start:
        process = start("http", "secret")
        yield process, process.hear("served at http://").split("served at ")[1].strip().removesuffix("/mcp")


@pytest.fixture
def settings(tmp_path):
    return Settings(music_dir=tmp_path / "music", data_dir=tmp_path / "data", wait_seconds=20)


@pytest.fixture
def house(settings):
    from tests.server.overheard import House

    return House(settings)


@pytest.fixture
def client(house, settings):
    """Connects in memory: `async with client("legacy", wait_seconds=0) as connected`."""

    @asynccontextmanager
    async def connected(era="auto", *, message_handler=None, **changed):
        server = create_server(house, settings.model_copy(update=changed), transport="stdio")
        async with Client(server, mode=era, message_handler=message_handler) as opened:
            yield opened

    return connected
