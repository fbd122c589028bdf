"""Several devices behind one queue: each with a process, which may die at any moment."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import pytest

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.engines.processes.device_names import device_names
from tests.engine_server import own_process
from tests.engine_server.conftest import EngineClient
from tests.engine_server.test_fair_use import callers, keys_of
from tests.engine_server.test_metrics import Metrics, scraped
from tests.support.engine_process import running, until

pytestmark = pytest.mark.anyio
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")


class Fleet(EngineClient):
    """A client of a server with several devices, and the folder in which its engines note what they do."""

    folder: Path

    async def devices(self) -> list[dict]:
        return (await self.http.get("/health")).json()["devices"]

    async def until(self, *states: str) -> list[dict]:
        """Wait until the devices are in these states, in any order; gives them."""
        with anyio.fail_after(30):
            while True:
                found = await self.devices()
                if sorted(each["state"] for each in found) == sorted(states):
                    return found
                await anyio.sleep(0.02)

    def runs(self) -> list[tuple[int, str]]:
        """The process and the tags of each run so far."""
        path = self.folder / "runs"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [(int(pid), tags) for pid, tags in (line.split(" ", 1) for line in lines)]

    async def began(self, count: int) -> list[tuple[int, str]]:
        with anyio.fail_after(30):
            while len(found := self.runs()) < count:
                await anyio.sleep(0.02)
        return found

    def release(self) -> None:
        (self.folder / "release").touch()


@asynccontextmanager
async def fleet(folder: Path, count: int, **given):
    options = QueueOptions(database=folder / "jobs.sqlite3", **given.pop("options", {}))
    with ExitStack() as stack:
        engines = [stack.enter_context(closing(each)) for each in own_process.engines(folder, count, **given)]
        async with serving(*engines, folder=folder / "files", options=options) as app:
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
                client = Fleet(http, engines, app)
                client.folder = folder
                yield client


@pytest.mark.process
async def test_each_device_plays_a_job_and_that_of_a_killed_process_is_played_again_first(tmp_path):
    files = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else None
    async with fleet(tmp_path, 2, options={"metrics": Metrics()}) as desk:
        await desk.until("ready", "ready")
        tickets = [await desk.submit(body={"tags": f"hold {name}"}) for name in "abc"]
        first, second = await desk.began(2)
        state = await desk.until("playing", "playing")
        measured = await scraped(desk.http)
        assert [measured["acestep_device_jobs", f"test:{number}"] for number in (0, 1)] == [1, 1]
        assert measured["acestep_device_memory_bytes", "test:0", "resident"] > 1e6
        assert {each["job"] for each in state} == {ticket["request_id"] for ticket in tickets[:2]}
        assert (await desk.get(tickets[2], "/status")).json()["queue_position"] == 0
        assert {first[1], second[1]} == {"hold a", "hold b"}
        assert first[0] != second[0]
        os.kill(first[0], signal.SIGKILL)
        again = (await desk.began(3))[2]
        assert again[1] == first[1]
        assert again[0] not in (first[0], second[0])
        desk.release()
        assert [(await desk.end(ticket)).status_code for ticket in tickets] == [200, 200, 200]
        devices = await desk.until("ready", "ready")
        said = (await desk.get(tickets[0], "/status?logs=1")).json()["logs"]
        measured = await scraped(desk.http)
    assert sum(measured["acestep_device_restarts_total", f"test:{number}"] for number in (0, 1)) == 1
    assert measured["acestep_attempts_total", "interrupted"] == 1
    assert measured["acestep_job_wait_seconds_count",] == 3
    assert sum(each["songs"] for each in devices) == 3
    assert sum(each["restarts"] for each in devices) == 1
    assert sorted(tags for _, tags in desk.runs()) == sorted(["hold a", "hold b", "hold c", first[1]])
    if first[1] == "hold a":
        assert any("ended in the middle of the song" in line["message"] for line in said)
    assert files is None or len(os.listdir("/proc/self/fd")) == files


@pytest.mark.process
async def test_a_song_that_ends_every_process_fails_after_three_attempts_and_the_server_goes_on(tmp_path):
    async with fleet(tmp_path, 2) as desk:
        await desk.until("ready", "ready")
        songs = ["die", "once memory", "once lost"]
        tickets = [await desk.submit(body={"tags": tags, "seed": seed}) for seed, tags in enumerate(songs)]
        failed, *passed = [await desk.end(ticket) for ticket in tickets]
        last = await desk.submit(body={"tags": "die", "seed": 9}, headers={"X-Fal-No-Retry": "1"})
        refused, good = await desk.end(last), await desk.end(await desk.submit())
    assert failed.status_code == 500
    assert "ended in the middle of the song" in failed.json()["detail"]
    assert "3 times" in failed.json()["detail"]
    assert [ended.status_code for ended in (*passed, good)] == [200, 200, 200]
    assert "1 times" in refused.json()["detail"]
    tags = [tags for _, tags in desk.runs()]
    assert (tags.count("die"), tags.count("once memory"), tags.count("once lost")) == (4, 2, 2)


@pytest.mark.process
async def test_a_cancelled_song_stops_and_its_process_plays_the_next_with_its_source(tmp_path, wav):
    async with fleet(tmp_path, 1) as desk:
        await desk.until("ready")
        assert (await desk.http.get("/ready")).json() == {"ready": True}
        held = await desk.submit(body={"tags": "hold", "seed": 1})
        await desk.began(1)
        await desk.cancel(held)
        assert (await desk.end(held)).status_code == 499
        uploaded = await desk.http.post("/files/upload", content=wav, headers={"x-fal-file-name": "song.wav"})
        body = {"audio_url": uploaded.json()["access_url"], "original_tags": "x", "tags": "folk", "seed": 7}
        reply = await desk.http.post("/fal-ai/ace-step/audio-to-audio", json=body)
        assert reply.status_code == 200, reply.text
        result = (await desk.end(reply.json())).json()
    first, second = desk.runs()
    assert first[0] == second[0]
    assert second[1] == "folk, from 5 s"
    assert result["seed"] == 7


@pytest.mark.process
async def test_a_process_makes_its_next_song_while_the_last_waits_for_the_disk(tmp_path):
    async with fleet(tmp_path, 1) as desk:
        await desk.until("ready")
        songs = tmp_path / "files" / "files"
        songs.rmdir()
        songs.write_bytes(b"no folder can be here")
        first, second = [await desk.submit(body={"tags": tags}) for tags in ("x", "hold")]
        assert [tags for _, tags in await desk.began(2)] == ["x", "hold"]
        assert (await desk.get(first, "/status")).json()["status"] == "IN_PROGRESS"
        songs.unlink()
        desk.release()
        assert [(await desk.end(ticket)).status_code for ticket in (first, second)] == [200, 200]


@pytest.mark.process
async def test_of_several_keys_each_sees_its_own_job_on_a_device_and_they_take_turns(tmp_path):
    async with fleet(tmp_path, 1, options={"keys": keys_of(tmp_path)}) as desk:
        anna, bert, _ = callers(desk)
        await desk.until("ready")
        mine = [await anna.submit(body={"tags": f"hold a{number}"}) for number in range(3)]
        await desk.began(1)
        theirs = await bert.submit(body={"tags": "hold b0"})
        [anybody] = await desk.until("playing")
        seen = [(await each.http.get("/devices")).json()["devices"][0] for each in (anna, bert)]
        desk.release()
        for each, ticket in ((anna, mine[2]), (bert, theirs)):
            assert (await each.end(ticket)).status_code == 200
    assert [each["job"] for each in (anybody, *seen)] == [None, mine[0]["request_id"], None]
    assert {each["state"] for each in seen} == {"playing"}
    assert [tags for _, tags in desk.runs()] == ["hold a0", "hold b0", "hold a1", "hold a2"]


@pytest.mark.process
async def test_a_device_that_cannot_start_says_why_at_health_and_in_each_job(tmp_path):
    async with fleet(tmp_path, 1, refuses="The weights are not here. Fetch them.", options={"key": "k"}) as desk:
        [device] = await desk.until("failed")
        assert (await desk.http.get("/ready")).status_code == 503
        assert (await desk.http.get("/devices")).status_code == 401
        desk.http.headers["authorization"] = "Key k"
        assert (await desk.http.get("/devices")).json()["devices"][0]["device"] == "test:0"
        result = await desk.end(await desk.submit())
    assert "The weights are not here. Fetch them." in device["failure"]
    assert device["job"] is None
    assert "The weights are not here. Fetch them." in result.json()["detail"]


@needs_proc
@pytest.mark.process
@pytest.mark.parametrize(("number", "state"), [(signal.SIGTERM, ("IN_QUEUE", 0)), (signal.SIGKILL, ("IN_PROGRESS", 1))])
def test_no_process_outlives_its_server_and_the_next_one_has_the_job(environment, tmp_path, number, state):
    folder = tmp_path / "engine"
    with running(environment, "--devices", "cpu:2", "--data-dir", str(folder)) as server:
        with httpx.Client(base_url=server.address, timeout=30) as http:
            reply = http.post("/fal-ai/ace-step", json={"tags": "lofi", "duration": 240, "seed": 1}).json()
            until(http, "/fal-ai/ace-step", reply["request_id"], "composing")
        children = children_of(server.process.pid)
        for pid in children:
            os.kill(pid, signal.SIGTERM)  # as a service manager does; it changes nothing
        began = time.monotonic()
        server.stop(number)
        assert len(children) == 2
        while alive := [pid for pid in children if runs(pid)]:
            assert time.monotonic() - began < 10, alive
            time.sleep(0.02)
    with closing(sqlite3.connect(folder / "engine.sqlite3")) as db:
        assert db.execute("SELECT state, attempts FROM job").fetchall() == [state]


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in found for child in path.read_text(encoding="ascii").split()]


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


async def test_an_engine_in_the_servers_own_process_is_ready_at_once_and_any_caller_may_ask(embedded):
    async with embedded(key="k") as desk:
        reply = await desk.http.get("/ready")
        assert "devices" not in (await desk.http.get("/health")).json()
    assert (reply.status_code, reply.json()) == (200, {"ready": True})


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("cpu", ("cpu:0",)),
        ("cpu:3", ("cpu:0", "cpu:1", "cpu:2")),
        ("cuda:1, cuda:0", ("cuda:1", "cuda:0")),
        ("mps", ("mps",)),
    ],
)
def test_devices_are_named_one_by_one(given, names, monkeypatch):
    monkeypatch.setattr("acestep_mcp.engines.processes.device_names.gpu_count", lambda: 2)
    assert device_names(given) == names


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("cpu:0", "cannot be"),
        ("", "cannot be"),
        ("gpu", "cannot be"),
        ("cuda:0,cuda", "twice"),
        ("cuda:2", "cuda:0, cuda:1"),
        ("all,cuda:1", "twice"),
        ("cpu:65", "64 is the most"),
    ],
)
def test_devices_that_cannot_be_used_are_refused(given, said, monkeypatch):
    monkeypatch.setattr("acestep_mcp.engines.processes.device_names.gpu_count", lambda: 2)
    with pytest.raises(ConfigurationError, match=said):
        device_names(given)
    with pytest.raises(ConfigurationError, match="computes on the CPU"):
        device_names("cuda:1", computes_on_cpu=True)


def test_all_is_every_gpu_and_without_one_the_cpu(monkeypatch):
    monkeypatch.setattr("acestep_mcp.engines.processes.device_names.gpu_count", lambda: 2)
    assert device_names("all") == ("cuda:0", "cuda:1")
    assert device_names("all", computes_on_cpu=True) == ("cpu:0",)
    monkeypatch.setattr("acestep_mcp.engines.processes.device_names.gpu_count", lambda: None)
    monkeypatch.setattr("sys.platform", "linux")
    assert device_names("all") == ("cpu:0",)
