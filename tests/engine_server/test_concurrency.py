"""An engine that takes several jobs at once: each is still one job of its own."""

from __future__ import annotations

import threading

import anyio
import anyio.to_thread
import pytest

from acestep_mcp.engine_server.job_store import JobStore
from acestep_mcp.engine_server.jobs import State
from acestep_mcp.engine_server.slots import Slots
from acestep_mcp.engines import Step
from tests.engine_server.sine import Sine

pytestmark = pytest.mark.anyio


class Choir(Sine):
    """Takes two jobs at once. A job with the tag "overlap" lets the next one begin before it ends."""

    def __init__(self, concurrency=2):
        super().__init__()
        self.concurrency = concurrency
        self.lock = threading.Lock()
        self.now, self.most = 0, 0

    def generate(self, request, source):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            if "overlap" in request.tags:
                yield Step("decoding", 0, 2, overlaps=True)
                yield Step("decoding", 1, 2, overlaps=True)
            yield from super().generate(request, source)
        finally:
            with self.lock:
                self.now -= 1

    def unload(self):
        assert not self.now
        self.unloaded.set()


async def until_running(desk, number):
    with anyio.fail_after(5):
        while (await desk.http.get("/health")).json()["running"] != number:
            await anyio.sleep(0.005)


async def test_as_many_jobs_run_at_once_as_the_engine_takes_and_the_next_one_waits(embedded):
    async with embedded(engine=Choir()) as desk:
        tickets = [await desk.submit(body={"tags": "hold", "seed": seed}) for seed in (1, 2, 3)]
        await until_running(desk, 2)
        waiting = (await desk.get(tickets[2], "/status")).json()
        desk.engine.release.set()
        bodies = [(await desk.end(ticket)).json() for ticket in tickets]
    assert (waiting["status"], waiting["queue_position"]) == ("IN_QUEUE", 0)
    assert [body["seed"] for body in bodies] == [1, 2, 3]
    assert desk.engine.most == 2


async def test_of_two_running_jobs_one_is_cancelled_alone(embedded):
    async with embedded(engine=Choir()) as desk:
        gone, stays = [await desk.submit(body={"tags": "hold"}) for _ in range(2)]
        await until_running(desk, 2)
        await desk.cancel(gone)
        assert (await desk.end(gone)).status_code == 499
        assert (await desk.get(stays, "/status")).json()["status"] == "IN_PROGRESS"
        desk.engine.release.set()
        assert (await desk.end(stays)).status_code == 200


@pytest.mark.parametrize(("tags", "status"), [("fail", 500), ("bug", 500), ("refuse", 422)])
async def test_of_two_running_jobs_one_fails_alone(embedded, tags, status):
    async with embedded(engine=Choir()) as desk:
        stays, fails = await desk.submit(body={"tags": "hold"}), await desk.submit(body={"tags": tags})
        assert (await desk.end(fails)).status_code == status
        assert (await desk.get(stays, "/status")).json()["status"] == "IN_PROGRESS"
        desk.engine.release.set()
        assert (await desk.end(stays)).status_code == 200


async def test_an_orderly_stop_puts_all_running_jobs_back(embedded, tmp_path):
    database = tmp_path / "jobs.sqlite3"
    async with embedded(engine=Choir(), database=database) as desk:
        tickets = [await desk.submit(body={"tags": "hold"}) for _ in range(2)]
        await until_running(desk, 2)
    async with embedded(engine=Choir(), database=database) as desk:
        desk.engine.release.set()
        assert [(await desk.end(ticket)).status_code for ticket in tickets] == [200, 200]


async def test_jobs_that_an_earlier_server_did_not_survive_run_alone(embedded, tmp_path):
    """One of them may be what ended it: two that run together would be lost together."""
    database = tmp_path / "jobs.sqlite3"
    async with embedded(engine=Choir(), database=database) as desk:
        tickets = [await desk.submit(body={"tags": "hold"}) for _ in range(3)]
        await until_running(desk, 2)
    records = JobStore(database)
    for job in records.all()[:2]:
        job.state, job.attempts = State.RUNNING, 1  # as after a kill
        records.save(job)
    records.close()
    async with embedded(engine=Choir(), database=database) as desk:
        await desk.running()
        health = (await desk.http.get("/health")).json()
        assert (health["running"], health["queued"]) == (1, 2)
        desk.engine.release.set()
        assert [(await desk.end(ticket)).status_code for ticket in tickets] == [200, 200, 200]
        assert desk.engine.most == 1


async def test_a_job_that_runs_alone_waits_for_those_that_run(embedded, tmp_path):
    database = tmp_path / "jobs.sqlite3"
    low = {"X-Fal-Queue-Priority": "low"}
    async with embedded(engine=Choir(), database=database) as desk:
        held = await desk.submit(body={"tags": "hold"})
        alone = await desk.submit(body={"tags": "alone"}, headers=low)
        await until_running(desk, 2)
    records = JobStore(database)
    job = next(job for job in records.all() if job.id == alone["request_id"])
    job.state, job.attempts = State.QUEUED, 1  # an earlier server ended while it ran
    records.save(job)
    records.close()
    async with embedded(engine=Choir(), database=database) as desk:
        await until_running(desk, 2)  # it is taken, and waits
        desk.engine.release.set()
        assert [(await desk.end(ticket)).status_code for ticket in (held, alone)] == [200, 200]
        assert desk.engine.most == 1


async def test_a_job_that_is_stopped_while_it_waits_to_run_alone_frees_what_it_took():
    slots = Slots(3)
    for _ in range(2):
        await slots.take()
    with anyio.move_on_after(0.01):
        await slots.take_others()  # gets the third, and waits for the second
    slots.leave("first", alone=True)
    slots.leave("second")
    with anyio.fail_after(1):
        for _ in range(3):
            await slots.take()


async def test_the_next_job_begins_while_one_is_in_a_step_that_overlaps_but_not_two_at_once(embedded):
    async with embedded(engine=Choir(1)) as desk:
        tickets = [await desk.submit(body={"tags": "hold overlap"}) for _ in range(3)]
        await until_running(desk, 2)
        with anyio.fail_after(5):
            while desk.engine.now < 2:
                await anyio.sleep(0.005)
        assert (await desk.get(tickets[2], "/status")).json()["status"] == "IN_QUEUE"
        desk.engine.release.set()
        assert [(await desk.end(ticket)).status_code for ticket in tickets] == [200, 200, 200]
    assert desk.engine.most == 2


@pytest.mark.slow
async def test_an_engine_unloads_only_when_none_of_its_jobs_runs(embedded):
    async with embedded(engine=Choir(), idle_unload=0.05) as desk:
        held = await desk.submit(body={"tags": "hold"})
        await until_running(desk, 1)
        await desk.end(await desk.submit())
        await anyio.sleep(0.12)
        assert not desk.engine.unloaded.is_set()
        desk.engine.release.set()
        await desk.end(held)
        assert await anyio.to_thread.run_sync(desk.engine.unloaded.wait, 5)
