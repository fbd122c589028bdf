"""SIGTERM at an engine server: no new job, time for the running ones, and the others wait for the next server."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from tests.engine_server.test_restart import until

pytestmark = pytest.mark.anyio
APP = "/fal-ai/ace-step"


async def test_a_server_that_drains_refuses_new_jobs_finishes_the_running_one_and_leaves_the_rest(embedded, tmp_path):
    async with embedded(database=tmp_path / "jobs.sqlite3") as desk:
        running = await desk.submit(body={"tags": "hold"}, headers={"Idempotency-Key": "0123456789abcdef"})
        await desk.running()
        waiting = await desk.submit(body={"tags": "later"})
        async with anyio.create_task_group() as group:
            group.start_soon(desk.app.state.drain, 20)
            with anyio.fail_after(5):
                while (await desk.http.get("/ready")).status_code != 503:
                    await anyio.sleep(0.01)
            refused = await desk.http.post(APP, json={"tags": "new"})
            known = await desk.http.post(APP, json={"tags": "hold"}, headers={"Idempotency-Key": "0123456789abcdef"})
            assert (await desk.get(running, "/status")).json()["status"] == "IN_PROGRESS"
            desk.engine.release.set()
        assert (await desk.end(running)).status_code == 200
        assert (await desk.get(waiting, "/status")).json()["status"] == "IN_QUEUE"
        assert [request.tags for request in desk.engine.requests] == ["hold"]
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert "Submit again" in refused.json()["detail"]
    assert known.json()["request_id"] == running["request_id"]
    async with embedded(database=tmp_path / "jobs.sqlite3") as desk:
        assert (await desk.end(waiting)).status_code == 200
        assert (await desk.get(running)).status_code == 200


async def test_a_job_that_does_not_end_in_time_waits_again_without_a_lost_attempt_and_can_be_cancelled(embedded):
    async with embedded() as desk:
        first, second = [await desk.submit(body={"tags": f"hold {number}"}) for number in range(2)]
        await desk.running()
        with anyio.fail_after(5):
            await desk.app.state.drain(0)
        assert desk.engine.stopped.is_set()
        states = [(await desk.get(ticket, "/status")).json() for ticket in (first, second)]
        assert [(state["status"], state["queue_position"]) for state in states] == [("IN_QUEUE", 0), ("IN_QUEUE", 1)]
        assert (await desk.cancel(first)).status_code == 202
        assert (await desk.end(first)).status_code == 499
        assert (await desk.get(second, "/status")).json()["queue_position"] == 0


SERVER = """
import contextlib, sys
from pathlib import Path
from acestep_mcp.engine_server.options import QueueOptions
from acestep_mcp.engine_server.serve import ServerAddress, serve
from tests.engine_server.run_engine import Counted

@contextlib.contextmanager
def told(running):
    print(running.address, flush=True)
    yield

folder = Path(sys.argv[1])
options = QueueOptions(database=folder / "jobs.sqlite3", drain=float(sys.argv[2]))
sys.exit(serve(Counted(folder), ServerAddress("127.0.0.1", 0, folder), options, told))
"""


@contextmanager
def server(folder: Path, drain: float, environment: dict[str, str]):
    command = [sys.executable, "-c", SERVER, str(folder), str(drain)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            with httpx.Client(base_url=process.stdout.readline().strip(), timeout=30) as http:
                yield process, http
        finally:
            process.kill()


@pytest.mark.process
def test_a_second_signal_ends_a_server_that_drains_and_the_song_is_made_by_the_next(environment, tmp_path):
    folder = tmp_path / "engine"
    with server(folder, 300, environment) as (process, http):
        job = http.post(APP, json={"tags": "hold", "duration": 5}).json()["request_id"]
        until(http, job, "IN_PROGRESS")
        process.send_signal(signal.SIGTERM)
        while http.get("/ready").status_code != 503:
            time.sleep(0.01)
        assert http.get(f"{APP}/requests/{job}/status").json()["status"] == "IN_PROGRESS"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 143
    with closing(sqlite3.connect(folder / "jobs.sqlite3")) as db:
        assert db.execute("SELECT state, attempts FROM job").fetchall() == [("IN_QUEUE", 0)]
    with server(folder, 300, environment) as (process, http):
        until(http, job, "IN_PROGRESS")
        process.send_signal(signal.SIGTERM)
        while http.get("/ready").status_code != 503:
            time.sleep(0.01)
        (folder / "release").touch()
        assert process.wait(10) == 143
    with closing(sqlite3.connect(folder / "jobs.sqlite3")) as db:
        assert db.execute("SELECT state, attempts FROM job").fetchall() == [("COMPLETED", 1)]
