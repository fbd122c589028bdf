"""What goes wrong in the background ends one round of it, and never the server."""

from __future__ import annotations

import json
import logging
import re

import anyio
import pytest

from acestep_mcp.api.errors import StorageError
from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.engine_server import app, job_queue
from acestep_mcp.engine_server.file_store import FileStore
from acestep_mcp.engine_server.job_queue import JobQueue
from acestep_mcp.engine_server.job_store import JobStore
from acestep_mcp.engine_server.jobs import QueueJob, RunOptions, State, StoredResponse
from acestep_mcp.engine_server.waiting import WaitingJobs
from acestep_mcp.net.ssrf import Reach, send
from tests.support.odd_addresses import UNUSABLE
from tests.support.parameters import few

pytestmark = pytest.mark.anyio

FULL = StorageError("The disk is full.")


def failing(monkeypatch, owner: type, name: str, error: Exception, times: int) -> list[None]:
    """Let a method raise so many times; gives the calls."""
    real, calls = getattr(owner, name), []

    def fails(*arguments, **options):
        calls.append(None)
        if len(calls) <= times:
            raise error
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, fails)
    return calls


@pytest.mark.parametrize("error", few([FULL, ZeroDivisionError("a mistake")], 1))
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (JobStore, "forget"),
        (FileStore, "sweep"),
        (FileStore, "clear_job"),
        (WaitingJobs, "late"),
        (JobQueue, "next_job"),
        (JobQueue, "forget"),
    ],
)
async def test_an_error_in_the_background_is_logged_and_the_server_goes_on(
    embedded, monkeypatch, caplog, owner, name, error
):
    monkeypatch.setattr(app, "RETRY_SECONDS", 0.01)
    calls = failing(monkeypatch, owner, name, error, times=2)
    with caplog.at_level(logging.WARNING), anyio.fail_after(15):
        async with embedded(retention=0.1) as desk:
            while len(calls) < 3:
                handle = await desk.submit()
                assert (await desk.end(handle)).status_code in (200, 404)  # a short retention
            assert (await desk.http.get("/health")).status_code == 200
    said = ("tried again", "is not cleared")
    logged = [record for record in caplog.records if any(words in record.getMessage() for words in said)]
    assert len(logged) >= 2
    assert all(bool(record.exc_info) is (error is not FULL) for record in logged)  # a mistake has its traceback


async def test_a_job_whose_end_cannot_be_recorded_ends_all_the_same(embedded, monkeypatch):
    real = JobStore.save

    def save(store, job):
        if job.state is not State.QUEUED:
            raise TypeError("not for a database")
        real(store, job)

    monkeypatch.setattr(JobStore, "save", save)
    async with embedded() as desk:
        with anyio.fail_after(10):
            for _ in range(2):
                assert (await desk.end(await desk.submit())).status_code == 200


async def test_an_error_of_the_queue_ends_the_job_that_runs(embedded, monkeypatch):
    monkeypatch.setattr(app, "RETRY_SECONDS", 0.01)
    real, failures = QueueJob.notify, [ZeroDivisionError("a mistake")]

    def notify(job):
        if job.state is State.RUNNING and failures:
            raise failures.pop()
        real(job)

    monkeypatch.setattr(QueueJob, "notify", notify)
    async with embedded() as desk:
        with anyio.fail_after(10):
            assert (await desk.end(await desk.submit())).status_code == 500
            assert (await desk.end(await desk.submit())).status_code == 200


async def test_positions_go_on_after_an_error(embedded, monkeypatch):
    monkeypatch.setattr(app, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(job_queue, "POSITION_SECONDS", 0.01)
    real, failures = QueueJob.notify, [ZeroDivisionError("a mistake")] * 3

    def notify(job):
        if job.state is State.QUEUED and failures:
            raise failures.pop()
        real(job)

    monkeypatch.setattr(QueueJob, "notify", notify)
    async with embedded() as desk:
        with anyio.fail_after(10):
            await desk.submit(body={"tags": "hold"})
            await desk.running()
            while failures:
                await desk.submit(body={"tags": "waiting"})
                await anyio.sleep(0.02)
            desk.engine.release.set()
            assert (await desk.end(await desk.submit())).status_code == 200


async def never(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was looked up")


async def post(url, body, headers):
    return (await send("POST", url, reach=Reach(resolve=never))).status


async def test_no_address_is_accepted_as_a_webhook_that_is_none(embedded):
    async with embedded(post=post, fetch=post) as desk:
        for url in UNUSABLE:
            shown = ascii(url[:60])
            if len(url) < 60_000 and not re.search("[\ud800-\udfff]", url):  # no query carries these
                refused = await desk.http.post("/fal-ai/ace-step", params={"fal_webhook": url}, json={"tags": "x"})
                assert refused.status_code == 400, shown
            source = json.dumps({"audio_url": url, "tags": "x", "original_tags": "y"})
            refused = await desk.http.post("/fal-ai/ace-step/audio-to-audio", content=source)
            assert refused.status_code == 422, shown
        assert (await desk.end(await desk.submit())).status_code == 200


async def test_no_webhook_address_in_the_database_ends_the_server(embedded, tmp_path):
    tried = []

    async def counted(url, body, headers):
        tried.append(url)
        return await post(url, body, headers)

    database = tmp_path / "jobs.sqlite3"
    store = JobStore(database)
    jobs = []
    for number, url in enumerate(text for text in UNUSABLE if text and text.isprintable()):
        options = RunOptions(webhook=url, base="http://localhost")
        job = QueueJob("fal-ai/ace-step", TextToAudio(tags="x", seed=1), options, sequence=number)
        job.state, job.answer, job.ended_at = State.ENDED, StoredResponse(200, {"seed": 1}), job.created_at
        store.save(job)
        jobs.append(job)
    store.close()
    async with embedded(post=counted, database=database) as desk:
        with anyio.fail_after(10):
            while len(tried) < len(jobs):
                await anyio.sleep(0.01)
        assert (await desk.end(await desk.submit())).status_code == 200
    store = JobStore(database)
    done = {job.id for job in store.all() if job.webhook_done}
    store.close()
    assert done >= {job.id for job in jobs}


async def test_an_error_of_a_delivery_ends_no_other(embedded, monkeypatch):
    delivered = []

    async def once(url, body, headers):
        if not delivered:
            delivered.append("failed")
            raise ZeroDivisionError("a mistake")
        delivered.append(url)
        return 200

    async with embedded(post=once) as desk:
        with anyio.fail_after(10):
            while len(delivered) < 2:
                reply = await desk.http.post(
                    "/fal-ai/ace-step", params={"fal_webhook": "https://h.example/"}, json={"tags": "x", "duration": 5}
                )
                await desk.end(reply.json())
    assert delivered == ["failed", "https://h.example/"]
