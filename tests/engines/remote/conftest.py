"""A stand-in for a server of other people on a loopback socket: behind the engine alone, and behind the MCP tools."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import anyio.to_thread
import pytest
from mcp import Client

from acestep_mcp.api.endpoints import named
from acestep_mcp.assembly import open_studio
from acestep_mcp.audio.splice import from_float
from acestep_mcp.engine_server.upstream import Upstreams
from acestep_mcp.engines import Audio, JobRun, Source
from acestep_mcp.engines.remote import engine
from acestep_mcp.engines.remote.patience import Patience
from acestep_mcp.net import chosen_server
from acestep_mcp.net.chosen_server import ChosenServer
from acestep_mcp.server.app import create_server
from acestep_mcp.settings import Settings
from tests.support.ace_step_api import tone
from tests.support.loopback import listening


@pytest.fixture(autouse=True)
def brisk(monkeypatch):
    """Looks at a job often, and gives up soon."""
    monkeypatch.setattr(engine, "PATIENCE", Patience(first=0.005, longest=0.01, outage=0.3, busy=5.0))
    monkeypatch.setattr(chosen_server, "SILENCE", 0.01)


@pytest.fixture
def source():
    """Six seconds of a quiet tone, which an edit starts from."""
    return Source(from_float(tone(3, 6, 44_100) * 0.25, 44_100, 16))


@dataclass
class Made:
    steps: list
    audio: Audio

    @property
    def notes(self):
        return " ".join(self.audio.notes)


@pytest.fixture
def make(tmp_path):
    """What the engine of the server that answers at an address makes of a tool's arguments."""

    async def made(url, tool, arguments, source=None, *, form="wav", key=None, job="job-with-a-long-id", kind=None):
        upstreams = Upstreams(lambda at: ChosenServer("ACESTEP_ENGINE", at, key), tmp_path / "upstream", form)
        song = named(tool).request.parse({"seed": 7} | arguments | ({"audio_url": "x"} if source else {}))
        playing = upstreams.engine(kind or await upstreams.kind_at(url), url)
        run = partial(playing.resume, JobRun(job, lambda: False), song, source)
        with anyio.fail_after(20):
            *steps, audio = await anyio.to_thread.run_sync(lambda: list(run()))
        return Made(steps, audio)

    return made


@pytest.fixture
def settings(tmp_path):
    """Settings for an engine at an address."""

    def of(url, **given):
        folders = {"music_dir": tmp_path / "music", "data_dir": tmp_path / "data"}
        return Settings(**folders, engine_url=url, wait_seconds=20, **given)

    return of


@pytest.fixture
def tools(settings):
    """The MCP client of a server whose engine is the stand-in."""

    @asynccontextmanager
    async def serving(standin, **given):
        async with listening(standin) as server:
            own = settings(server.url, **given)
            app = create_server(lambda: open_studio(own), own, transport="stdio")
            async with Client(app) as client:
                yield client

    return serving
