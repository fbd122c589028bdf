"""Who is next, who waits too long, and what is too many."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import anyio
import pytest

from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.engine_server.job_queue import UNPACKED_SECONDS, JobQueue
from acestep_mcp.engine_server.job_store import JobStore
from acestep_mcp.engine_server.jobs import QueueJob, StoredResponse

pytestmark = pytest.mark.anyio


async def positions(desk, tickets):
    return [(await desk.get(ticket, "/status")).json().get("queue_position") for ticket in tickets]


async def test_low_priority_waits_behind_normal_and_equals_keep_their_order(embedded):
    async with embedded() as desk:
        await desk.submit(body={"tags": "hold"})
        await desk.running()
        low = {"X-Fal-Queue-Priority": "low"}
        tickets = [
            await desk.submit(body={"tags": "low 1"}, headers=low),
            await desk.submit(body={"tags": "normal 1"}),
            await desk.submit(body={"tags": "low 2"}, headers=low),
            await desk.submit(body={"tags": "normal 2"}, headers={"X-Fal-Queue-Priority": "normal"}),
        ]
        places = await positions(desk, tickets)
        desk.engine.release.set()
        await desk.end(tickets[2])
    assert places == [2, 0, 3, 1]
    assert [request.tags for request in desk.engine.requests] == ["hold", "normal 1", "normal 2", "low 1", "low 2"]


async def test_a_cancelled_job_leaves_its_place_to_those_behind(embedded):
    async with embedded() as desk:
        await desk.submit(body={"tags": "hold"})
        await desk.running()
        tickets = [await desk.submit() for _ in range(3)]
        await desk.cancel(tickets[0])
        assert await positions(desk, tickets) == [None, 0, 1]


async def test_a_job_that_cannot_start_in_time_ends_with_the_users_timeout(embedded):
    async with embedded() as desk:
        await desk.submit(body={"tags": "hold"})
        await desk.running()
        ticket = await desk.submit(headers={"X-Fal-Request-Timeout": "0.05"})
        patient = await desk.submit(headers={"X-Fal-Request-Timeout": "60.0"})
        result = await desk.end(ticket)
        desk.engine.release.set()
        other = await desk.end(patient)
    assert (result.status_code, result.json()["error_type"]) == (504, "request_timeout")
    assert result.headers["x-fal-request-timeout-type"] == "user"
    assert other.status_code == 200
    assert len(desk.engine.requests) == 2


async def test_a_running_job_is_not_ended_by_the_time_to_start(embedded):
    async with embedded() as desk:
        ticket = await desk.submit(body={"tags": "hold"}, headers={"X-Fal-Request-Timeout": "0.2"})
        await desk.running()
        await anyio.sleep(0.25)
        desk.engine.release.set()
        assert (await desk.end(ticket)).status_code == 200


@pytest.mark.parametrize("value", ["soon", "-1", "nan", "inf"])
async def test_a_time_to_start_that_cannot_be_kept_is_refused(embedded, value):
    async with embedded() as desk:
        reply = await desk.http.post("/fal-ai/ace-step", json={"tags": "x"}, headers={"X-Fal-Request-Timeout": value})
    assert reply.status_code == 400


async def test_a_queue_longer_than_the_caller_wants_is_a_429(embedded):
    async with embedded() as desk:
        await desk.submit(body={"tags": "hold"})
        await desk.running()
        for _ in range(2):
            await desk.submit()
        body = {"tags": "x", "duration": 5}
        short = await desk.http.post("/fal-ai/ace-step?fal_max_queue_length=1", json=body)
        long = await desk.http.post("/fal-ai/ace-step?fal_max_queue_length=2", json=body)
    assert (short.status_code, long.status_code) == (429, 200)
    assert "2 requests are waiting" in short.json()["detail"]


async def test_the_server_has_a_limit_of_its_own(embedded):
    async with embedded(max_queue=1) as desk:
        await desk.submit(body={"tags": "hold"})
        await desk.running()
        await desk.submit()
        reply = await desk.http.post("/fal-ai/ace-step", json={"tags": "x"})
    assert reply.status_code == 429


@pytest.mark.parametrize("count", [12, pytest.param(100, marks=pytest.mark.long)])
async def test_jobs_with_8_watchers_each_all_end_and_none_is_mixed_up(embedded, count):
    async with embedded() as desk:
        tickets = [await desk.submit(body={"seed": seed}) for seed in range(count)]
        last: dict[str, set] = {}

        async def watch(ticket):
            events = await desk.get(ticket, "/status/stream")
            last.setdefault(ticket["request_id"], set()).add(events.text.strip().splitlines()[-1])

        with anyio.fail_after(50):
            async with anyio.create_task_group() as group:
                for ticket in tickets:
                    for _ in range(8):
                        group.start_soon(watch, ticket)
        seeds = [(await desk.get(ticket)).json()["seed"] for ticket in tickets]
    assert seeds == list(range(count))
    assert len(last) == count
    assert all(len(ends) == 1 and "COMPLETED" in next(iter(ends)) for ends in last.values())


async def test_answers_and_files_are_gone_when_their_time_is_over(embedded, tmp_path):
    async with embedded(retention=0.2) as desk:
        ticket = await desk.submit()
        url = (await desk.end(ticket)).json()["audio"]["url"]
        with anyio.fail_after(5):
            while (await desk.get(ticket)).status_code != 404 or (await desk.http.get(url)).status_code != 404:
                await anyio.sleep(0.02)
        assert list((tmp_path / "queue" / "files").iterdir()) == []


async def test_the_log_of_an_old_job_is_kept_small_and_whole(tmp_path: Path):
    records = JobStore(tmp_path / "jobs.sqlite3")
    line, job = JobQueue(records, limit=9), QueueJob("fal-ai/ace-step", TextToAudio(tags="x"))
    line.add(job)
    await line.next_job()
    for number in range(60):
        line.log(job, f"rendering {number}/60")
    line.finish(job, StoredResponse(200, {}))
    whole = list(job.lines)
    line.forget(0)
    assert job.packed is None, "those who watched it come for the rest now"
    job.ended_at -= 2 * UNPACKED_SECONDS
    line.forget(0)
    assert (job.logs, job.lines, len(whole)) == ([], whole, 60)
    assert len(job.packed) < 2000
    line.mark_webhook_done(job)
    records.close()
    with closing(JobStore(tmp_path / "jobs.sqlite3")) as later:
        [again] = later.all()
    assert again.lines == whole


async def test_a_job_that_was_cancelled_as_its_server_died_says_what_becomes_of_it_elsewhere(tmp_path):
    with closing(JobStore(tmp_path / "jobs.sqlite")) as store:
        before = JobQueue(store, limit=9)
        job = QueueJob("fal-ai/ace-step", TextToAudio(tags="lofi", lyrics="", duration=5))
        before.add(job)
        await before.next_job()
        before.cancel(job)
        after = JobQueue(store, limit=9)
        after.restore({job.id: "It is made to the end there."})
        answer = after.find(job.id).answer
    assert answer.body["detail"] == "Request cancelled by the client. It is made to the end there."
