"""A database that another program locks while a song is being made."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import anyio
import anyio.to_thread
import pytest

from acestep_mcp.assembly import open_studio
from acestep_mcp.engines import draft
from acestep_mcp.library import database
from acestep_mcp.settings import Settings
from acestep_mcp.studio import submitter
from tests.engine_server.sine import Sine
from tests.support.requests import request

pytestmark = pytest.mark.anyio


async def test_a_song_waits_for_a_locked_database_and_is_made_once(tmp_path, monkeypatch):
    engine = Sine()
    monkeypatch.setattr(draft, "DraftEngine", lambda **_: engine)
    monkeypatch.setattr(database, "_LOCK_SECONDS", 0.05)
    monkeypatch.setattr(submitter, "RECORD_PAUSE", 0.05)
    settings = Settings(music_dir=tmp_path / "music", data_dir=tmp_path / "data", backend="draft")
    (tmp_path / "data").mkdir()
    other = sqlite3.connect(tmp_path / "data" / "acestep.sqlite3", isolation_level=None, check_same_thread=False)
    with anyio.fail_after(30), closing(other):
        async with open_studio(settings) as studio:
            job = await studio.start(request("text_to_audio", {"tags": "hold", "duration": 5}))
            await anyio.to_thread.run_sync(engine.started.wait)
            other.execute("BEGIN IMMEDIATE")
            engine.release.set()
            while job.id not in studio._submitter.waits:
                await anyio.sleep(0.01)
            told = studio._submitter.waits[job.id]
            other.execute("ROLLBACK")
            async for _ in studio.watch(job.id, 20):
                pass
            outcome = await studio.outcome(job.id)
    assert "another program has locked it" in told
    assert (outcome.job.status, len(engine.requests)) == ("COMPLETED", 1)
