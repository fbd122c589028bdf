"""A studio in memory, for what only the MCP layer decides; the whole house is in the tests that use `assembly`."""

import contextlib
import itertools
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import anyio
import pytest

from acestep_mcp import endpoints
from acestep_mcp.errors import InvalidRequest, NotFound
from acestep_mcp.library import Job, Status, Track
from acestep_mcp.settings import Settings


@dataclass(frozen=True)
class Outcome:
    job: Job
    track: Track | None = None


@dataclass(frozen=True)
class Page:
    tracks: tuple[Track, ...]
    next_cursor: str | None
    total: int


class StudioInMemory:
    """Jobs end when a test says so; every end that was told is written down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: dict[str, Job] = {}
        self.kept: dict[str, Track] = {}
        self.numbers = itertools.count(1)
        self.told: list[tuple[str, str]] = []
        self.started = anyio.Event()
        self.news = anyio.Event()
        self.by_itself = True
        self.open = 0
        self.watchers = Counter()

    async def start(self, tool, arguments, *, idempotency_key=None):
        request = endpoints.BY_TOOL[tool].request.parse(arguments)
        job = Job(f"job-{next(self.numbers)}", endpoints.BY_TOOL[tool].id, request.wire(), Status.IN_PROGRESS, "draft",
                  time.time(), request_id="r", options={"key": idempotency_key})
        self.records[job.id] = job
        self.started.set()
        self.told.append(("started", job.id))
        if self.by_itself:
            await self.finish(job.id)
        return job

    async def finish(self, job_id, status=Status.COMPLETED, error=None):
        job = self.records[job_id]
        track = self.keep(f"t{job_id}") if status is Status.COMPLETED else None
        result = {"audio": {"url": "http://inside/x.wav"}, "seed": 7, "tags": job.request.get("tags", ""), "lyrics": "[inst]",
                  "acestep": {"engine": "draft", "notes": ["a sketch"]}}
        self.records[job_id] = replace(job, status=status, error=error, ended_at=time.time(),
                                       result=result if track else None, track_id=track and track.id)
        await self.tell()

    def keep(self, name, size=1000):
        path = self.folder / f"{name} ü.wav"
        path.write_bytes(b"RIFF" + bytes(size - 4))
        sidecar = {"title": f"Song {name}", "tags": "lofi", "lyrics": "[inst]", "seed": 7, "created_at": "2026-11-22T00:00:00Z",
                   "audio": {"duration": 5.0, "size": size, "content_type": "audio/wav", "sample_rate": 48000, "channels": 2}}
        track = self.kept[name] = Track(name, path, sidecar)
        return track

    async def tell(self):
        news, self.news = self.news, anyio.Event()
        news.set()

    async def advance(self, job_id, progress):
        self.records[job_id] = replace(self.records[job_id], progress=progress)
        await self.tell()
        await anyio.wait_all_tasks_blocked()

    async def watched(self, job_id, callers):
        """Wait until so many calls follow the job."""
        with anyio.fail_after(5):
            while self.watchers[job_id] < callers:
                await self.news.wait()

    async def watch(self, job_id, seconds):
        self.watchers[job_id] += 1
        await self.tell()
        with anyio.move_on_after(seconds):
            while not self.records[job_id].status.is_terminal:
                yield self.records[job_id].progress
                await self.news.wait()

    async def outcome(self, job_id):
        if job_id not in self.records:
            raise NotFound(f"There is no job {job_id!r}.")
        job = self.records[job_id]
        return Outcome(job, self.kept.get(job.track_id))

    async def delivered(self, job_id):
        self.told.append(("delivered", job_id))
        await self.tell()

    async def cut(self, job_id):
        self.told.append(("cut", job_id))
        await self.tell()

    async def cancel(self, job_id):
        await self.outcome(job_id)
        if not self.records[job_id].status.is_terminal:
            await self.finish(job_id, Status.CANCELLED, {"code": "cancelled", "message": "Cancelled on request."})
        return await self.outcome(job_id)

    async def caller_cancelled(self, job_id):
        self.told.append(("cancelled", job_id))
        await self.cancel(job_id)

    async def jobs(self, limit=20):
        return list(self.records.values())[::-1][:limit]

    async def tracks(self, query="", *, limit=20, cursor=None):
        if cursor and not cursor.isdigit():
            raise InvalidRequest(f"cursor: {cursor!r} is none of ours")
        found = [t for t in list(self.kept.values())[::-1] if not t.deleted and query in t.title]
        first = int(cursor or 0)
        rest = first + limit < len(found)
        return Page(tuple(found[first : first + limit]), str(first + limit) if rest else None, len(found))

    async def track(self, name):
        name = name.removeprefix("acestep://tracks/")
        if name not in self.kept:
            raise NotFound(f"There is no track {name!r}.")
        return self.kept[name]

    async def delete(self, track_id):
        self.kept[track_id] = replace(await self.track(track_id), deleted=True)
        await self.tell()
        return self.kept[track_id]

    async def restore(self, track_id):
        self.kept[track_id] = replace(await self.track(track_id), deleted=False)
        await self.tell()
        return self.kept[track_id]

    async def status(self):
        return {"backend": "draft", "why": "no key", "reachable": True}

    async def changes(self) -> AsyncIterator[Track]:
        known = dict(self.kept)
        while True:
            await self.news.wait()
            for name, track in self.kept.items():
                if known.get(name) != track:
                    known[name] = track
                    yield track

    async def said(self, *what) -> None:
        """Wait until the studio was told this."""
        with anyio.fail_after(5):
            while what not in self.told:
                await self.news.wait()

    @asynccontextmanager
    async def __call__(self):
        self.open += 1
        try:
            yield self
        finally:
            self.open -= 1


class Process:
    """A server in its own process: JSON-RPC on its pipes, and what its studio is told on its stderr."""

    def __init__(self, transport, folder, *rest):
        self.folder = folder
        runner = Path(__file__).with_name("run_server.py")
        command = [sys.executable, str(runner), transport, str(folder), *rest]
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      text=True, encoding="utf-8")
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


@pytest.fixture
def spawn(tmp_path):
    """Starts a server process; those that still run at the end of the test are killed."""
    started = []

    def start(transport, *rest):
        folder = tmp_path / f"folder{len(started)}"
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
def anyio_backend():
    return "asyncio"


@pytest.fixture
def studio(tmp_path):
    return StudioInMemory(tmp_path)


@pytest.fixture
def settings(tmp_path):
    return Settings(music_dir=tmp_path / "music", data_dir=tmp_path / "data", wait_seconds=20)
