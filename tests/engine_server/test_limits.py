"""What callers can make the engine server keep: texts, files and bodies have limits, and their room is given back."""

from __future__ import annotations

import base64
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.routing import Route

from acestep_mcp.api.errors import QueueError
from acestep_mcp.api.requests import AudioToAudio, PromptToAudio, TextToAudio
from acestep_mcp.engine_server.bodies import Bodies
from acestep_mcp.engine_server.file_routes import FileRoutes
from acestep_mcp.engine_server.file_store import FileStore
from acestep_mcp.engine_server.job_queue import JobQueue
from acestep_mcp.engine_server.job_store import JobStore
from acestep_mcp.engine_server.jobs import QueueJob, StoredResponse
from acestep_mcp.engine_server.options import QueueOptions
from acestep_mcp.engine_server.uploads import OpenUploads
from tests.engine_server.conftest import APP, BODY

pytestmark = pytest.mark.anyio

LYRICS = "la la la la\n" * 1600


async def test_a_cancelled_job_gives_up_its_texts_in_memory_and_on_disk(embedded, tmp_path):
    database = tmp_path / "jobs.sqlite3"
    async with embedded(database=database) as desk:
        await desk.submit(body={"tags": "hold"})
        await desk.running()
        tickets = [await desk.submit(body={"lyrics": LYRICS}) for _ in range(5)]
        for ticket in tickets:
            await desk.cancel(ticket)
        codes = {(await desk.get(ticket)).status_code for ticket in tickets}
        desk.engine.release.set()
    with closing(sqlite3.connect(database)) as db:
        [(stored,)] = db.execute("SELECT sum(length(request)) FROM job").fetchall()
    assert codes == {499}
    assert stored < 2000


@pytest.mark.parametrize(
    "request_",
    [
        TextToAudio(tags="x" * 500, lyrics=LYRICS),
        PromptToAudio(prompt=" " * 300 + "a song" * 200),
        AudioToAudio(
            audio_url="https://host.example/" + "a" * 500, original_tags="a", tags="b", original_lyrics=LYRICS
        ),
    ],
    ids=["text", "prompt", "edit"],
)
async def test_an_ended_job_is_still_there_after_a_restart(tmp_path, request_):
    store = JobStore(tmp_path / "jobs.sqlite3")
    endpoint = {TextToAudio: "", PromptToAudio: "/prompt-to-audio", AudioToAudio: "/audio-to-audio"}[type(request_)]
    job = QueueJob(f"fal-ai/ace-step{endpoint}", request_)
    queue = JobQueue(store, limit=9)
    queue.add(job)
    queue.finish(job, StoredResponse(200, {"seed": 1}, file="a.wav"))
    store.close()
    with closing(JobStore(tmp_path / "jobs.sqlite3")) as later:
        [again] = later.all()
    assert again.answer == job.answer
    assert len(str(again.request)) < 1500
    assert again.request.wire().keys() == request_.wire().keys()


async def test_a_key_is_told_from_that_of_another_request_after_the_texts_are_given_up(embedded):
    async with embedded() as desk:
        headers = {"Idempotency-Key": "0123456789abcdef"}
        first = await desk.submit(body={"lyrics": LYRICS}, headers=headers)
        await desk.end(first)
        again = await desk.submit(body={"lyrics": LYRICS}, headers=headers)
        other = await desk.http.post(APP, json=BODY | {"lyrics": LYRICS + "la"}, headers=headers)
    assert again["request_id"] == first["request_id"]
    assert other.status_code == 422


async def test_a_full_queue_forgets_ended_jobs_without_a_song_first_and_then_refuses(embedded):
    async with embedded(max_remembered=120_000) as desk:
        song = await desk.submit()
        assert (await desk.end(song)).status_code == 200
        await desk.submit(body={"tags": "hold"})
        await desk.running()
        cancelled = []
        for _ in range(40):
            cancelled.append(await desk.submit())
            await desk.cancel(cancelled[-1])
        waiting = [await desk.http.post(APP, json=BODY | {"lyrics": LYRICS}) for _ in range(8)]
        codes = [reply.status_code for reply in waiting]
        accepted = codes.index(429)
        first, kept = await desk.get(cancelled[0]), await desk.get(song)
        await desk.http.put(f"{APP}/requests/{waiting[0].json()['request_id']}/cancel")
        again = await desk.http.post(APP, json=BODY | {"lyrics": LYRICS})
    assert 3 <= accepted <= 6
    assert set(codes[accepted:]) == {429}
    assert "The queue is full" in waiting[-1].json()["detail"]
    assert (first.status_code, kept.status_code, again.status_code) == (404, 200, 200)


async def test_songs_that_were_fetched_make_room_first_fetched_first_gone_and_others_are_kept(tmp_path):
    path, started = tmp_path / "jobs.sqlite3", time.time()
    with closing(JobStore(path)) as store:
        queue = JobQueue(store, limit=500, most_bytes=100_000)

        def song(name: str) -> QueueJob:
            job = QueueJob("fal-ai/ace-step", TextToAudio(tags="x"))
            queue.add(job)
            queue.finish(job, StoredResponse(200, {"audio": {"url": f"/files/{name}"}}, file=name))
            return job

        kept, second, first = song("kept.wav"), song("second.wav"), song("first.wav")
        for name in ("first.wav", "second.wav", "of nobody.wav"):
            queue.mark_fetched(name)
        noted = {job.answer.file: job.answer.fetched for job in store.all()}
        number = 0
        while queue.find(first.id):
            queue.mark_fetched(song(f"{number}.wav").answer.file)
            number += 1
        assert 20 < number < 60
        for more in range(100):
            queue.mark_fetched(song(f"more {more}.wav").answer.file)
        assert (queue.find(second.id), queue.find(kept.id)) == (None, kept)
        assert queue.files >= {"kept.wav", "more 99.wav"}
        with pytest.raises(QueueError, match="songs that nobody has fetched"):
            for unheard in range(100):
                song(f"unheard {unheard}.wav")
        assert queue.find(kept.id) is kept
    assert noted["kept.wav"] is None
    assert started <= noted["first.wav"] <= noted["second.wav"] <= time.time()


@pytest.mark.parametrize(
    ("method", "headers", "counts"),
    [
        ("GET", {}, True),
        ("GET", {"Range": "bytes=100-"}, True),
        ("GET", {"Range": "bytes=0-99"}, False),
        ("GET", {"Range": "bytes=-99"}, False),
        ("HEAD", {}, False),
    ],
)
async def test_a_song_counts_as_fetched_when_it_is_asked_for_to_its_end(method, headers, counts, tmp_path):
    names = []
    store = FileStore(tmp_path)
    (tmp_path / "files" / "0123456789abcdef01234567_-abcdef.wav").write_bytes(bytes(1000))
    routes = FileRoutes(store, OpenUploads(), lambda *_: "", names.append, QueueOptions())
    app = Starlette(routes=[Route("/files/{name}", routes.download, methods=["GET"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        reply = await http.request(method, "/files/0123456789abcdef01234567_-abcdef.wav", headers=headers)
        assert (await http.get("/files/0123456789abcdef01234567_-abcde0.wav")).status_code == 404
    assert reply.status_code in (200, 206)
    assert len(names) == counts


async def test_the_space_of_forgotten_jobs_goes_back_to_the_disk(tmp_path):
    path = tmp_path / "jobs.sqlite3"
    with closing(JobStore(path)) as store:
        queue = JobQueue(store, limit=500)
        jobs = [QueueJob("fal-ai/ace-step", TextToAudio(tags="x", lyrics=LYRICS)) for _ in range(30)]
        for job in jobs:
            queue.add(job)
            job.logs = [{"message": LYRICS}]
            queue.cancel(job)
        queue.forget(jobs[-1].ended_at + 1)
    assert path.stat().st_size < 100_000


async def test_a_database_of_an_earlier_server_learns_to_give_space_back(tmp_path):
    path = tmp_path / "jobs.sqlite3"
    with closing(JobStore(path)) as store:
        store.save(QueueJob("fal-ai/ace-step", TextToAudio(tags="x")))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA auto_vacuum = NONE")
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("VACUUM")
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    with closing(JobStore(path)) as store:
        assert len(store.all()) == 1
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA auto_vacuum").fetchone() == (2,)


async def accepted(desk, path, **body):
    """What arrives while the files are counted may be counted twice, until they are counted again."""
    with anyio.fail_after(10):
        while (reply := await desk.http.post(path, **body)).status_code == 507:
            await anyio.sleep(0.05)
    assert reply.status_code == 200, reply.text
    return reply


async def test_uploads_and_sources_have_a_sum_that_is_free_again_after_they_are_gone(embedded, wav):
    source = "data:audio/wav;base64," + base64.b64encode(wav).decode()
    edit = {"audio_url": source, "original_tags": "a", "tags": "hold"}
    async with embedded(max_stored=2 * len(wav) + 10, retention=0.2) as desk:
        reply = await accepted(desk, f"{APP}/audio-to-audio", json=edit)
        await accepted(desk, "/files/upload", content=wav)
        more = await desk.http.post("/files/upload", content=wav)
        edit_more = await desk.http.post(f"{APP}/audio-to-audio", json=edit)
        part = (await desk.http.post("/storage/upload/initiate-multipart", json={})).json()["upload_url"]
        piece = await desk.http.put(f"{part}/1", content=wav)
        await desk.running()
        desk.engine.release.set()
        await desk.end(reply.json())
        await accepted(desk, "/files/upload", content=wav)
    assert [one.status_code for one in (more, edit_more, piece)] == [507, 507, 507]
    assert "is the most" in more.json()["detail"]


def request_of(*pieces: bytes, held: anyio.Event | None = None) -> HttpRequest:
    """A request whose body arrives in pieces, the last one after `held`."""
    waiting = list(pieces)

    async def receive():
        piece = waiting.pop(0)
        if held and not waiting:
            await held.wait()
        return {"type": "http.request", "body": piece, "more_body": bool(waiting)}

    return HttpRequest({"type": "http", "method": "POST", "headers": []}, receive)


async def test_large_bodies_in_use_at_one_time_have_a_sum_and_small_ones_are_always_read():
    bodies, held = Bodies(2_000_000), anyio.Event()
    large = b" " * 1_900_000

    async def read(request):
        async with bodies.read(request):
            pass

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(read, request_of(large, b"{}", held=held))
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(HTTPException) as refused:
            await read(request_of(large, b"{}"))
        await read(request_of(b"{}"))
        held.set()
    await read(request_of(large, b"{}"))
    assert refused.value.status_code == 429


async def test_an_ended_request_is_removed_with_its_file_and_no_other(embedded, tmp_path):
    async with embedded() as desk:
        done, other = await desk.submit(), await desk.submit()
        url = (await desk.end(done)).json()["audio"]["url"]
        await desk.end(other)
        hold = await desk.submit(body={"tags": "hold"})
        await desk.running()
        path = f"{APP}/requests/{{}}"
        early = await desk.http.delete(path.format(hold["request_id"]))
        gone = await desk.http.delete(path.format(done["request_id"]))
        twice = await desk.http.delete(path.format(done["request_id"]))
        codes = [(await desk.get(ticket)).status_code for ticket in (done, other)]
        file: httpx.Response = await desk.http.get(url)
        left = [path.name for path in Path(tmp_path / "queue" / "files").iterdir()]
    assert [reply.status_code for reply in (early, gone, twice)] == [400, 200, 404]
    assert (codes, file.status_code, len(left)) == ([404, 200], 404, 1)
