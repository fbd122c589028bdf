"""Servers to test: in this process with a StudioFactory, and in their own processes."""

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


class ServerProcess:
    """A server in its own process: JSON-RPC on its pipes, and its studio's events on stderr."""

    def __init__(self, transport, folder, *rest):
        self.folder = folder
        runner = Path(__file__).with_name("run_server.py")
        command = [sys.executable, str(runner), transport, str(folder), *rest]
        self.popen = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.lines = []

    def read_until(self, text):
        """Read stderr up to a line with this text, and return that line."""
        while line := self.popen.stderr.readline():
            self.lines.append(line)
            if text in line:
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
        """Wait until it ends; returns the studio's events and the exit code."""
        code = self.popen.wait(20)
        self.lines += self.popen.stderr.readlines()
        return [line.removeprefix("event ").strip() for line in self.lines if line.startswith("event ")], code


@contextmanager
def spawning(parent):
    """Start server processes; kill those still running at the end."""
    started = []

    def start(transport, *rest):
        folder = parent / f"folder{len(started)}"
        folder.mkdir()
        started.append(ServerProcess(transport, folder, *rest))
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
    """One HTTP server with the token "secret" for the tests of a module that do not change it: (process, address)."""
    with spawning(tmp_path_factory.mktemp("shared")) as start:
        process = start("http", "secret")
        yield process, process.read_until("served at http://").split("served at ")[1].strip().removesuffix("/mcp")


@pytest.fixture
def settings(tmp_path):
    return Settings(music_dir=tmp_path / "music", data_dir=tmp_path / "data", wait_seconds=20)


@pytest.fixture
def studio_factory(settings):
    from tests.server.recording import StudioFactory

    return StudioFactory(settings)


@pytest.fixture
def client(studio_factory, settings):
    """Connect in memory: `async with client("legacy", wait_seconds=0) as connected`."""

    @asynccontextmanager
    async def connected(era="auto", *, message_handler=None, **changed):
        server = create_server(studio_factory, settings.model_copy(update=changed), transport="stdio")
        async with Client(server, mode=era, message_handler=message_handler) as opened:
            yield opened

    return connected
