"""Two fronts in one process, each with its own engine, on one database and one folder of files."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from acestep_mcp.engine_server.shared.database import Postgres
from tests.engine_server.conftest import _embedded
from tests.engine_server.test_metrics import Metrics, scraped

pytestmark = [pytest.mark.anyio, pytest.mark.process]


@pytest.fixture
def front(tmp_path: Path, jobs: str):
    """Open a front: `async with front("a") as desk`."""

    def opened(name: str, **options: Any):
        files = (tmp_path / "shared").as_uri()
        return _embedded(tmp_path / name, jobs=jobs, files=files, **{"lease": 1.0, **options})

    return opened


async def test_a_song_is_submitted_at_one_front_played_and_heard_at_another(front, wav) -> None:
    async with front("a", metrics=Metrics()) as a, front("b", metrics=Metrics()) as b:
        await a.submit(body={"tags": "hold"})
        await a.submit(body={"tags": "hold"})
        await a.running()
        await b.running()
        ticket = await a.submit(body={"tags": "third"})
        for desk in (a, b):
            found = await scraped(desk.http)
            assert (found["acestep_jobs", "queued"], found["acestep_jobs", "running"]) == (1, 2)
            assert found["acestep_device_jobs", "own"] == 1
        assert (await b.get(ticket, "/status")).json()["queue_position"] == 0
        b.engine.release.set()
        result = await b.end(ticket)
        assert result.json()["seed"] == 42
        for desk in (a, b):
            audio = await desk.http.get(result.json()["audio"]["url"])
            assert len(audio.content) == result.json()["audio"]["file_size"]
        assert [event["status"] for event in await a.events(ticket)][-1] == "COMPLETED"
        assert ("acestep_attempts_total", "song") not in await scraped(a.http)
        assert (await scraped(b.http))["acestep_attempts_total", "song"] == 2
        a.engine.release.set()


async def test_one_queue_has_one_order_and_every_job_is_played_once(front) -> None:
    async with front("a") as a, front("b") as b:
        for _ in range(2):
            await a.submit(body={"tags": "hold"})
        await a.running()
        await b.running()
        low = {"X-Fal-Queue-Priority": "low"}
        tickets = [
            await desk.submit(body={"tags": f"{number}"}, headers=low if number < 2 else {})
            for number, desk in enumerate((a, b, a, b))
        ]
        places = [(await a.get(ticket, "/status")).json()["queue_position"] for ticket in tickets]
        b.engine.release.set()
        for ticket in tickets:
            await a.end(ticket)
        a.engine.release.set()
        assert places == [2, 3, 0, 1]
        assert [request.tags for request in b.engine.requests[1:]] == ["2", "3", "0", "1"]
        assert len(a.engine.requests) == 1


async def test_a_job_is_cancelled_through_a_front_that_does_not_run_it(front) -> None:
    async with front("a") as a:
        held = await a.submit(body={"tags": "hold"})
        await a.running()
        async with front("b") as b:
            assert (await b.cancel(held)).status_code == 202
            await a.stopped()
            assert (await b.end(held)).status_code == 499
            assert (await b.cancel(held)).status_code == 400


async def test_the_key_of_a_submit_counts_at_every_front(front) -> None:
    async with front("a") as a, front("b") as b:
        key = {"Idempotency-Key": "0123456789abcdef"}
        first = await a.submit(headers=key)
        second = await b.submit(headers=key)
        await b.end(second)
        assert first["request_id"] == second["request_id"]
        assert len(a.engine.requests) + len(b.engine.requests) == 1


async def test_the_parts_of_an_upload_may_come_to_different_fronts(front, wav) -> None:
    async with front("a") as a, front("b") as b:
        begun = (await a.http.post("/storage/upload/initiate-multipart", json={"file_name": "x.wav"})).json()
        put = begun["upload_url"].removeprefix("http://localhost")
        half = len(wav) // 2
        etags = [
            (await desk.http.put(f"{put}/{number}", content=piece)).json()["etag"]
            for number, (desk, piece) in enumerate(((b, wav[:half]), (a, wav[half:])), 1)
        ]
        parts = [{"partNumber": number, "etag": etag} for number, etag in enumerate(etags, 1)]
        done = await b.http.post(f"{put}/complete", json={"parts": parts})
        assert done.status_code == 200, done.text
        assert (await a.http.get(done.json()["file_url"])).content == wav
        ticket = await a.submit("/audio-to-audio", {"audio_url": done.json()["file_url"], "original_tags": "x"})
        assert (await b.end(ticket)).status_code == 200


async def test_a_front_that_ends_gives_its_jobs_back_at_once_and_its_callers_see_them_go_on(front, tmp_path) -> None:
    async with front("a", lease=600) as a:
        held = await a.submit(body={"tags": "hold"})
        await a.running()
        async with front("b", lease=600, metrics=Metrics()) as b:
            with anyio.fail_after(10):
                await a.app.state.drain(0)
                b.engine.release.set()
                assert (await a.end(held)).status_code == 200
            assert (await a.http.get("/ready")).status_code == 503
            assert (await a.http.post("/fal-ai/ace-step", json={"tags": "new"})).status_code == 503
            assert (await scraped(b.http))["acestep_job_wait_seconds_count",] == 1  # the first run does not count
            assert (await b.end(await b.submit())).status_code == 200
    assert len(a.engine.requests) == 1


async def test_a_front_that_drains_gives_back_a_job_whose_source_it_downloads_while_another_job_runs(
    front, wav
) -> None:
    begun = anyio.Event()

    async def without_end(url: str, path: Path) -> None:
        begun.set()
        await anyio.sleep_forever()

    async def at_once(url: str, path: Path) -> None:
        path.write_bytes(wav)

    async with front("a", lease=600, fetch=without_end) as a:
        edit = {"audio_url": "https://example.com/a.wav", "duration": None}
        set_aside = await a.submit("/audio-outpaint", edit)
        with anyio.fail_after(10):
            await begun.wait()
        await a.submit(body={"tags": "hold"})
        await a.running()
        async with front("b", lease=600, fetch=at_once) as b, anyio.create_task_group() as group:
            group.start_soon(a.app.state.drain, 60)
            assert (await b.end(set_aside)).status_code == 200
            assert a.engine.playing
            a.engine.release.set()
    assert (a.engine.sources, b.engine.sources[0].sound.seconds) == ([None], 5)


async def test_a_source_that_comes_before_the_database_has_answered_is_downloaded_once(front, wav, monkeypatch) -> None:
    changing, downloads = Postgres.changing, []

    @asynccontextmanager
    async def slowly(database: Postgres):
        async with changing(database) as cursor:
            yield cursor
            await anyio.sleep(0.1)

    async def at_once(url: str, path: Path) -> None:
        downloads.append(url)
        path.write_bytes(wav)

    monkeypatch.setattr(Postgres, "changing", slowly)
    async with front("a", lease=600, fetch=at_once) as a:
        edit = {"audio_url": "https://example.com/a.wav", "duration": None}
        assert (await a.end(await a.submit("/audio-outpaint", edit))).status_code == 200
    assert len(downloads) == 1


async def test_while_the_database_is_away_requests_are_told_to_come_again_and_nothing_is_lost(front, postgres) -> None:
    async with front("a", lease=5, metrics=Metrics()) as a:
        held, waiting = await a.submit(body={"tags": "hold"}), await a.submit()
        await a.running()
        postgres.stop()
        try:
            away = await a.get(held, "/status")
            found = await scraped(a.http)
            a.engine.release.set()
        finally:
            postgres.start()
        assert (away.status_code, away.headers["retry-after"]) == (503, "2")
        assert (found["acestep_queue_up",], found["acestep_device_jobs", "own"]) == (0, 1)
        assert ("acestep_jobs", "queued") not in found
        with anyio.fail_after(20):
            while (await a.get(waiting, "/status")).json().get("status") != "COMPLETED":
                await anyio.sleep(0.1)
        assert [(await a.get(ticket)).status_code for ticket in (held, waiting)] == [200, 200]
        assert len(a.engine.requests) == 2


async def test_a_queue_that_is_full_is_full_at_every_front(front) -> None:
    async with front("a", max_queue=1) as a, front("b", max_queue=1) as b:
        for desk in (a, b):
            await desk.submit(body={"tags": "hold"})
            while (await desk.http.get("/health")).json()["queued"]:
                await anyio.sleep(0.01)
        await b.submit()
        assert (await a.http.post("/fal-ai/ace-step", json={"tags": "x"})).status_code == 429
        for desk in (a, b):
            desk.engine.release.set()


async def test_songs_that_were_fetched_at_any_front_make_room_for_new_jobs_and_the_others_are_kept(front) -> None:
    async with front("a", max_remembered=16_000) as a, front("b", max_remembered=16_000) as b:
        kept, fetched = await a.submit(), []
        assert (await a.end(kept)).status_code == 200
        with anyio.fail_after(50):
            while not fetched or (await a.get(fetched[0])).status_code == 200:
                reply = await a.http.post("/fal-ai/ace-step", json={"tags": "x", "duration": 5, "seed": len(fetched)})
                if reply.status_code == 429:  # the last fetch is not written yet
                    await anyio.sleep(0.1)
                    continue
                fetched.append(reply.json())
                await b.http.get((await b.end(fetched[-1])).json()["audio"]["url"])
        assert (await b.get(kept)).status_code == 200
        assert 3 <= len(fetched) <= 20  # a front estimates what new jobs take until it counts again


async def test_a_run_that_its_front_has_lost_meanwhile_does_not_end_the_job(front, jobs, caplog) -> None:
    import psycopg

    async with front("a", lease=30) as a:
        held = await a.submit(body={"tags": "hold"})
        await a.running()
        # As if it had been taken again. Asynchronously: the front may hold the row, and goes on in this loop.
        connection = await psycopg.AsyncConnection.connect(jobs, autocommit=True)
        async with connection:
            await connection.execute("UPDATE acestep_job SET attempts = attempts + 1")
        a.engine.release.set()
        with anyio.fail_after(20):
            while "is not ended here" not in caplog.text:
                await anyio.sleep(0.01)
        assert (await a.get(held, "/status")).json()["status"] == "IN_PROGRESS"


async def test_tables_of_a_newer_version_are_refused(front, jobs) -> None:
    import psycopg

    from acestep_mcp.api.errors import ConfigurationError

    async with front("a"):
        pass
    with psycopg.connect(jobs, autocommit=True) as connection:
        connection.execute("INSERT INTO acestep_schema VALUES (99)")
    with pytest.raises(ConfigurationError, match="version 99"):
        async with front("b"):
            pass
