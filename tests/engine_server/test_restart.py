"""What survives the end of the server, however it ends."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import pytest

from acestep_mcp.api.errors import ConfigurationError, StorageError
from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.engine_server import job_store
from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.engine_server.job_store import JobStore
from acestep_mcp.engine_server.jobs import QueueJob

pytestmark = pytest.mark.process

SERVER = Path(__file__).with_name("run_engine.py")
APP = "/fal-ai/ace-step"


@contextmanager
def server(folder: Path, environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen, httpx.Client]]:
    """A server process; killed at the end if it has not ended by then."""
    command = [sys.executable, str(SERVER), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            with httpx.Client(base_url=process.stdout.readline().strip(), timeout=30) as http:
                yield process, http
        finally:
            process.kill()


def submit(http: httpx.Client, tags: str, **headers: str) -> str:
    return http.post(APP, json={"tags": tags, "duration": 5}, headers=headers).json()["request_id"]


def until(http: httpx.Client, request_id: str, status: str) -> dict:
    """Wait for a state by the status stream, which tells every one of them."""
    with http.stream("GET", f"{APP}/requests/{request_id}/status/stream") as reply:
        for line in reply.iter_lines():
            if f'"status":"{status}"' in line or "COMPLETED" in line:
                break
    state = http.get(f"{APP}/requests/{request_id}/status").json()
    assert state["status"] == status
    return state


def runs(folder: Path) -> list[str]:
    return (folder / "runs").read_text(encoding="utf-8").splitlines()


def until_run(folder: Path, count: int) -> None:
    """Wait until the engine has begun so many runs: a job is in progress a moment earlier."""
    deadline = time.monotonic() + 30
    while not (folder / "runs").exists() or len(runs(folder)) < count:
        assert time.monotonic() < deadline, f"no run {count}"
        time.sleep(0.02)


def test_submitted_work_survives_a_kill_and_is_finished_once_with_its_seed(tmp_path, environment):
    with server(tmp_path, environment) as (process, http):
        done = submit(http, "first")
        until(http, done, "COMPLETED")
        before = http.get(f"{APP}/requests/{done}").json()
        held, waiting = submit(http, "hold"), submit(http, "waiting")
        gone = submit(http, "gone")
        http.put(f"{APP}/requests/{gone}/cancel")
        until(http, held, "IN_PROGRESS")
        process.kill()
        process.wait()
    (tmp_path / "release").touch()
    with server(tmp_path, environment) as (_, http):
        until(http, waiting, "COMPLETED")
        bodies = {name: http.get(f"{APP}/requests/{name}") for name in (done, held, waiting, gone)}
        url = httpx.URL(bodies[held].json()["audio"]["url"])
        audio = http.get(url.path)
    assert [reply.status_code for reply in bodies.values()] == [200, 200, 200, 499]
    assert bodies[done].json()["seed"] == before["seed"]
    assert len(audio.content) == bodies[held].json()["audio"]["file_size"]
    held_runs = [run for run in runs(tmp_path) if run.startswith("hold")]
    assert held_runs == [f"hold {bodies[held].json()['seed']}"] * 2
    assert [run.split()[0] for run in runs(tmp_path)] == ["first", "hold", "hold", "waiting"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_song_that_was_stored_when_the_server_was_killed_is_not_made_again(tmp_path, environment):
    (tmp_path / "die").touch()
    with server(tmp_path, environment) as (process, http):
        job = submit(http, "once")
        assert process.wait(30) == -signal.SIGKILL
    (tmp_path / "die").unlink()
    with server(tmp_path, environment) as (_, http):
        until(http, job, "COMPLETED")
        body = http.get(f"{APP}/requests/{job}").json()
        audio = http.get(httpx.URL(body["audio"]["url"]).path)
    assert len(audio.content) == body["audio"]["file_size"]
    assert runs(tmp_path) == [f"once {body['seed']}"]
    assert len(list((tmp_path / "files" / "files").iterdir())) == 1
    assert list((tmp_path / "files" / "jobs").iterdir()) == []


def test_a_job_that_wants_no_second_run_is_ended_as_lost(tmp_path, environment):
    with server(tmp_path, environment) as (process, http):
        job = submit(http, "hold", **{"X-Fal-No-Retry": "1"})
        until(http, job, "IN_PROGRESS")
        process.kill()
        process.wait()
    with server(tmp_path, environment) as (_, http):
        state = http.get(f"{APP}/requests/{job}/status").json()
        result = http.get(f"{APP}/requests/{job}")
    assert (state["status"], state["error_type"]) == ("COMPLETED", "runner_disconnected")
    assert result.status_code == 503
    assert len(runs(tmp_path)) == 1


@pytest.mark.slow
def test_a_job_that_the_server_never_survives_is_given_up_after_three_runs(tmp_path, environment):
    job = None
    for number in range(3):
        with server(tmp_path, environment) as (process, http):
            job = job or submit(http, "hold")
            until_run(tmp_path, number + 1)
            process.kill()
            process.wait()
    with server(tmp_path, environment) as (_, http):
        assert http.get(f"{APP}/requests/{job}").status_code == 503
    assert len(runs(tmp_path)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to catch")
def test_an_orderly_stop_ends_the_run_and_it_starts_again(tmp_path, environment):
    with server(tmp_path, environment) as (process, http):
        job = submit(http, "hold")
        until(http, job, "IN_PROGRESS")
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    (tmp_path / "release").touch()
    with server(tmp_path, environment) as (_, http):
        until(http, job, "COMPLETED")
        assert http.get(f"{APP}/requests/{job}").status_code == 200


@pytest.mark.anyio
async def test_two_servers_never_share_a_database(embedded, tmp_path):
    database = tmp_path / "jobs.sqlite3"
    async with embedded(database=database) as desk:
        with pytest.raises(ConfigurationError, match="Another engine server"):
            async with serving(desk.engine, folder=tmp_path / "other", options=QueueOptions(database=database)):
                pass


@pytest.mark.anyio
async def test_a_cancelled_run_is_not_taken_up_again(embedded, tmp_path):
    database = tmp_path / "jobs.sqlite3"
    with anyio.fail_after(10):
        async with embedded(database=database) as desk:
            ticket = await desk.submit(body={"tags": "hold"})
            await desk.running()
            await desk.cancel(ticket)
        async with embedded(database=database) as desk:
            result = await desk.end(ticket)
    assert result.status_code == 499
    assert desk.engine.requests == []


@pytest.mark.anyio
async def test_orderly_stops_never_use_a_job_up(embedded, tmp_path):
    database = tmp_path / "jobs.sqlite3"
    ticket = None
    for _ in range(4):
        async with embedded(database=database) as desk:
            ticket = ticket or await desk.submit(body={"tags": "hold"})
            await desk.running()
    records = JobStore(database)
    assert [(job.state, job.attempts) for job in records.all()] == [("IN_QUEUE", 0)]
    records.close()
    async with embedded(database=database) as desk:
        desk.engine.release.set()
        assert (await desk.end(ticket)).status_code == 200


@pytest.mark.anyio
async def test_a_direct_caller_of_an_earlier_server_is_not_worked_for(embedded, tmp_path):
    database = tmp_path / "jobs.sqlite3"
    async with embedded(database=database) as desk:
        await desk.submit(body={"tags": "hold"})
        await desk.running()
        async with anyio.create_task_group() as group:

            async def run() -> None:
                await desk.http.post("/run/fal-ai/ace-step", json={"tags": "direct", "duration": 5})

            group.start_soon(run)
            with anyio.fail_after(5):
                while (await desk.http.get("/health")).json()["queued"] != 1:
                    await anyio.sleep(0.005)
            group.cancel_scope.cancel()
    async with embedded(database=database) as desk:
        desk.engine.release.set()
        await desk.end(await desk.submit())
    assert [request.tags for request in desk.engine.requests] == ["hold", "lofi, chill"]


@pytest.mark.anyio
async def test_a_database_that_cannot_be_used_says_so(embedded, tmp_path):
    database = tmp_path / "jobs.sqlite3"
    database.mkdir()
    with pytest.raises(StorageError, match="cannot be used"):
        async with embedded(database=database):
            pass


def garble(path, *, keep: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:keep] + bytes([0xFF]) * (len(content) - keep))


@pytest.mark.anyio
async def test_a_damaged_database_is_kept_beside_a_new_one_with_the_jobs_that_can_be_read(embedded, tmp_path, caplog):
    database = tmp_path / "jobs.sqlite3"
    async with embedded(database=database) as desk:
        tickets = [await desk.submit(body={"tags": f"{n} " + "long " * 150}) for n in range(12)]
        for ticket in tickets:
            await desk.end(ticket)
    content = database.read_bytes()
    assert len(content) > 4 * 4096
    leaves = [at for at in range(4096, len(content), 4096) if content[at] == 0x0A]  # of an index, as the table is one
    assert len(leaves) > 1
    database.write_bytes(content[: leaves[-1]] + b"\xff" * 4096 + content[leaves[-1] + 4096 :])
    async with embedded(database=database) as desk:
        found = [(await desk.get(ticket)).status_code for ticket in tickets]
        assert 0 < found.count(200) < len(found)
        assert (await desk.end(await desk.submit())).status_code == 200
    assert (tmp_path / "jobs.sqlite3.damaged-1").stat().st_size == len(content)
    assert "A copy of the damaged file is" in caplog.text


@pytest.mark.anyio
async def test_a_database_that_is_damaged_while_it_is_open_costs_no_job(embedded, tmp_path):
    database = tmp_path / "jobs.sqlite3"
    async with embedded(database=database) as desk:
        kept = await desk.submit(body={"tags": "hold"})
        await desk.running()
        wal = database.with_name("jobs.sqlite3-wal")
        for path in (database, wal):
            garble(path, keep=0)
        assert (await desk.http.get("/health")).status_code == 200
        desk.engine.release.set()
        assert (await desk.end(kept)).status_code == 200
        assert (await desk.end(await desk.submit())).status_code == 200
    async with embedded(database=database) as desk:
        assert (await desk.end(kept)).status_code == 200


@pytest.mark.anyio
async def test_a_database_of_an_older_version_is_updated_after_a_backup(tmp_path, monkeypatch):
    database = tmp_path / "jobs.sqlite3"
    with closing(JobStore(database)) as store:
        store.save(QueueJob("fal-ai/ace-step", TextToAudio(tags="old")))
    now = job_store.SCHEMA
    newer = replace(now, version=now.version + 1, steps={**now.steps, now.version: "ALTER TABLE job ADD COLUMN more"})
    monkeypatch.setattr(job_store, "SCHEMA", newer)
    for _ in range(2):
        with closing(JobStore(database)) as store:
            assert [job.request.tags for job in store.all()] == ["old"]
    with closing(sqlite3.connect(tmp_path / f"jobs.sqlite3.v{now.version}.backup")) as backup:
        assert backup.execute("PRAGMA user_version").fetchone() == (now.version,)
        assert len(backup.execute("SELECT * FROM job").fetchall()) == 1
    monkeypatch.undo()
    with pytest.raises(ConfigurationError, match="newer version"):
        JobStore(database)
