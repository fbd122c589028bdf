"""The studio and a host over a socket: what is sent, how often, and what happens when the connection breaks."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import httpx
import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import InvalidRequest, SpendLimitReached
from acestep_mcp.assembly import open_studio
from acestep_mcp.client import Host, QueueClient, SubmitOptions, retry
from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.engines import Audio
from acestep_mcp.library.database import Database
from acestep_mcp.library.jobs import Jobs, new_id
from acestep_mcp.library.models import Job, JobOptions, Status
from acestep_mcp.net.timeouts import Timeouts
from acestep_mcp.settings import load
from acestep_mcp.studio import transcripts
from acestep_mcp.studio.submitter import FateUnknown, Submitter
from tests.support import fal_replies as fal
from tests.support.engine import Tone, on_a_port
from tests.support.loopback import Reply, listening
from tests.support.requests import request
from tests.support.transcription import Listener

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("tmp_path")]

KEY = "kid:a-long-secret"
SONG = {"tags": "lofi", "duration": 5, "seed": 7}


class Recorder:
    """Records method, path and Authorization of every request to an app."""

    def __init__(self, app):
        self._app = app
        self.seen = []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            self.seen.append((scope["method"], scope["path"], headers.get("authorization")))
        await self._app(scope, receive, send)

    def count(self, method, end):
        return sum(1 for seen in self.seen if seen[0] == method and seen[1].endswith(end))


@asynccontextmanager
async def an_engine(folder, engine=None, **options):
    """An engine server on a port: its URL, its Recorder, its engine."""
    engine = engine or Tone()
    async with serving(engine, folder=folder, options=QueueOptions(**options)) as app:
        recorder = Recorder(app)
        async with on_a_port(recorder) as url:
            yield url, recorder, engine


async def submitted(studio, song):
    """The job as soon as the host has accepted it."""
    job = await studio.start(request("text_to_audio", song))
    with anyio.fail_after(20):
        while job.request_id is None:
            await anyio.sleep(0.01)
            job = (await studio.outcome(job.id)).job
    return job


async def ended(studio, job_id):
    with anyio.fail_after(20):
        async for _ in studio.watch(job_id, 20):
            pass
    return await studio.outcome(job_id)


def a_source(folder, seed=1):
    folder.mkdir(exist_ok=True)
    path = folder / f"source {seed}.wav"
    noise = np.random.default_rng(seed).integers(-(2**15), 2**15, 12_000).astype(np.int16)
    soundfile.write(path, noise, 8000, subtype="PCM_16")
    return path


@pytest.mark.slow
async def test_a_source_is_uploaded_once_and_again_when_the_host_has_lost_it(tmp_path):
    source = a_source(tmp_path / "music")
    copy = source.with_name("the same under another name.wav")
    copy.write_bytes(source.read_bytes())
    edit = {"tags": "x", "start_time": 0, "end_time": 1}
    async with an_engine(tmp_path / "q") as (url, recorder, engine):
        settings = load(backend="engine", engine_url=url)
        async with open_studio(settings) as studio:
            jobs = [
                await studio.start(request("audio_inpaint", edit | {"audio_url": str(path), "seed": seed}))
                for seed, path in enumerate((source, source, copy))
            ]
            outcomes = [await ended(studio, job.id) for job in jobs]
        async with open_studio(settings) as later:
            outcomes.append(
                await ended(
                    later,
                    (await later.start(request("audio_inpaint", edit | {"audio_url": str(source), "seed": 3}))).id,
                )
            )
            assert recorder.count("POST", "/storage/upload/initiate") == 1
            for file in (tmp_path / "q").rglob("*.wav"):
                file.unlink()
            outcomes.append(
                await ended(
                    later,
                    (await later.start(request("audio_inpaint", edit | {"audio_url": str(source), "seed": 4}))).id,
                )
            )
            other = await later.start(
                request("audio_inpaint", edit | {"audio_url": str(a_source(tmp_path / "music", 2))})
            )
            outcomes.append(await ended(later, other.id))
    assert [outcome.job.status for outcome in outcomes] == [Status.COMPLETED] * 6, outcomes
    assert recorder.count("POST", "/storage/upload/initiate") == 3, "once after the loss, and once for other bytes"
    received = [source.sound.pcm for source in engine.sources if source]
    assert all(np.array_equal(received[0], other) for other in received[:5])
    assert not np.array_equal(received[0], received[5])


@pytest.mark.slow
async def test_the_key_goes_to_the_configured_engine_and_not_to_an_old_job_s_engine(tmp_path):
    async with (
        an_engine(tmp_path / "old") as (old, recorder, _),
        an_engine(tmp_path / "new", key=KEY) as (new, _, _),
    ):
        async with open_studio(load(backend="engine", engine_url=old)) as studio:
            job = await submitted(studio, SONG | {"tags": "hold"})
        recorder.seen.clear()
        async with open_studio(load(backend="engine", engine_url=f"{new}/", engine_key=KEY)) as studio:
            second = await studio.start(request("text_to_audio", SONG))
            assert (await ended(studio, second.id)).job.status is Status.COMPLETED
            assert (await studio.cancel(job.id)).job.status is Status.CANCELLED
    assert recorder.count("PUT", "/cancel") == 1
    assert {authorization for _, _, authorization in recorder.seen} == {None}


@pytest.mark.slow
async def test_an_old_engine_that_requires_a_key_is_named_and_its_song_stays_collectable(tmp_path):
    async with an_engine(tmp_path / "old", key=KEY) as (old, _, _):
        async with open_studio(load(backend="engine", engine_url=old, engine_key=KEY)) as studio:
            job = await submitted(studio, SONG | {"tags": "hold"})
        async with open_studio(load(backend="engine", engine_url="http://127.0.0.1:1", engine_key=KEY)) as studio:
            lost = (await ended(studio, job.id)).job
    assert old in lost.error.message
    assert "ACESTEP_ENGINE_URL" in lost.error.message
    assert lost.error.collectable


async def test_a_submit_interrupted_after_sending_is_unknown_keeps_its_cost_and_is_never_repeated():
    def script(seen):
        return Reply(reset=True) if seen.method == "POST" else fal.NOT_FOUND

    async with listening(script) as server:
        settings = load(backend="engine", engine_url=server.url)
        async with open_studio(settings) as studio:
            job = await studio.start(request("text_to_audio", SONG))
            first = (await ended(studio, job.id)).job
        async with open_studio(settings) as studio:
            again = (await ended(studio, job.id)).job
    assert (first.status, again.status) == (Status.UNKNOWN, Status.UNKNOWN)
    assert len(server.requests("POST")) == 1
    assert "may have been accepted" in first.error.message
    assert "not sent again" in first.error.message
    assert first.cost is None, "its estimated cost still counts"


def of_a_dead_process(studio, url, **changes):
    """A job whose process ended between counting a submit and recording its answer."""
    job = replace(a_job(**changes), backend="engine", queue_url=url, created_at=time.time())
    dead = Jobs(studio._jobs._database)
    dead.leases.beat()
    dead.add(job)
    dead.count_attempt(job.id)
    dead.leases.leave()
    return job


@pytest.mark.slow
async def test_a_submit_of_a_dead_process_to_a_server_that_cannot_be_asked_is_unknown():
    async with (
        listening(lambda _: fal.NOT_FOUND) as server,
        open_studio(load(backend="engine", engine_url=server.url)) as studio,
    ):
        outcome = await ended(studio, of_a_dead_process(studio, server.url).id)
    assert outcome.job.status is Status.UNKNOWN
    assert "may have been accepted" in outcome.job.error.message
    assert server.requests("POST") == []


@pytest.mark.slow
async def test_a_submit_of_a_dead_process_that_our_engine_never_received_is_sent_again(tmp_path):
    async with (
        an_engine(tmp_path / "q") as (url, recorder, engine),
        open_studio(load(backend="engine", engine_url=url)) as studio,
    ):
        outcome = await ended(studio, of_a_dead_process(studio, url).id)
    assert outcome.job.status is Status.COMPLETED
    assert recorder.count("POST", "") == 1
    assert engine.seeds == [7]


@pytest.mark.slow
async def test_a_submit_of_a_dead_process_that_our_engine_received_is_collected_and_not_sent_again(tmp_path):
    async with (
        an_engine(tmp_path / "q") as (url, recorder, engine),
        open_studio(load(backend="engine", engine_url=url)) as studio,
        QueueClient(Host.engine(url)) as client,
    ):
        job = of_a_dead_process(studio, url)
        options = SubmitOptions(idempotency_key=job.id)
        handle = await client.submit(job.endpoint, job.request.wire(), options)
        assert handle.request_id == job.id
        outcome = await ended(studio, job.id)
    assert outcome.job.status is Status.COMPLETED
    assert recorder.count("POST", "") == 1
    assert engine.seeds == [7]


class Failing:
    """Answers submits with 500 although the app has accepted them."""

    def __init__(self, app):
        self._app = app
        self.submits = 0

    async def __call__(self, scope, receive, send):
        if scope["method"] != "POST":
            return await self._app(scope, receive, send)
        self.submits += 1
        await self._app(scope, receive, nothing)
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


async def nothing(_):
    pass


async def test_a_submit_that_our_engine_accepted_and_did_not_answer_is_collected(tmp_path):
    engine = Tone()
    async with serving(engine, folder=tmp_path / "q", options=QueueOptions()) as app:
        failing = Failing(app)
        async with on_a_port(failing) as url, open_studio(load(backend="engine", engine_url=url)) as studio:
            job = await studio.start(request("text_to_audio", SONG))
            outcome = await ended(studio, job.id)
    assert outcome.job.status is Status.COMPLETED
    assert failing.submits == 1
    assert engine.seeds == [7]


async def test_while_the_engine_of_an_unanswered_submit_is_away_the_job_stays_open(tmp_path):
    jobs = Jobs(Database(tmp_path / "jobs.sqlite3"))
    async with closed_port() as url:
        pass
    async with QueueClient(Host.engine(url, timeouts=Timeouts(outage=0.1))) as client:
        job = replace(a_job(), backend="engine", queue_url=url, attempts=1)
        with pytest.raises(FateUnknown, match="asked again"):
            await Submitter(jobs).submit(job, client, nothing)


@pytest.mark.slow
async def test_jobs_that_ended_while_no_process_ran_are_collected_without_submitting_again(tmp_path):
    async with an_engine(tmp_path / "q") as (url, recorder, engine):
        settings = load(backend="engine", engine_url=url)
        async with open_studio(settings) as studio:
            held = await submitted(studio, SONG | {"tags": "hold"})
            waiting = await submitted(studio, SONG | {"seed": 8})
        async with httpx.AsyncClient(base_url=f"{url}/fal-ai/ace-step/requests") as http:
            await http.put(f"{held.request_id}/cancel")
            with anyio.fail_after(20):
                while (await http.get(f"{waiting.request_id}/status")).status_code != 200:
                    await anyio.sleep(0.01)
        async with open_studio(settings) as studio:
            cancelled, song = await ended(studio, held.id), await ended(studio, waiting.id)
    assert cancelled.job.status is Status.CANCELLED
    assert (song.job.status, song.track.sidecar["seed"]) == (Status.COMPLETED, 8)
    assert engine.seeds == [7, 8]
    assert recorder.count("POST", "/fal-ai/ace-step") == 2


async def test_an_engine_that_does_not_answer_is_an_error_and_no_other_backend_is_used(monkeypatch):
    monkeypatch.setattr(retry, "SUBMITS", 1)
    async with closed_port() as url:
        settings = load(backend="auto", engine_url=url, fal_key="a:b")
        async with open_studio(settings) as studio:
            status = (await studio.status()).facts()
            job = (await ended(studio, (await studio.start(request("text_to_audio", SONG))).id)).job
    assert (status["backend"], status["reachable"]) == ("engine", False)
    assert url in status["trouble"] or "could be made" in status["trouble"]
    assert (job.status, job.backend, job.queue_url) == (Status.FAILED, "engine", url)
    assert f"the engine at {url}: no connection could be made" in job.error.message


@asynccontextmanager
async def closed_port():
    """A URL at which nothing listens."""
    async with listening(lambda _: fal.NOT_FOUND) as server:
        url = server.url
    yield url


def a_job(**changes):
    values = {
        "id": new_id(),
        "endpoint": "fal-ai/ace-step",
        "request": request("text_to_audio", SONG),
        "status": Status.NEW,
        "backend": "fal",
    }
    return Job(**values, created_at=0, options=JobOptions(format="wav", seconds=5.0, price=0.0002), **changes)


def test_concurrent_requests_never_exceed_the_daily_limit(tmp_path):
    """Each thread has its own connection, like a process."""
    path = tmp_path / "jobs.sqlite3"
    Database(path).close()
    bought, refused = [], []
    begin = threading.Barrier(6)

    def buy():
        database = Database(path)
        jobs = Jobs(database)
        jobs.leases.beat()  # otherwise these calls would join a dead caller's job
        begin.wait(10)
        for _ in range(5):
            job = replace(a_job(), created_at=time.time(), estimated_cost=0.01)
            try:
                bought.append(jobs.add(job, spend_limit=0.1).id)
            except SpendLimitReached as exc:
                refused.append(exc.message)
        database.close()

    threads = [threading.Thread(target=buy) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert (len(bought), len(refused)) == (10, 20)


class Singer(Tone):
    """Sings the lyrics that are asked for."""

    def generate(self, request, source):
        for part in super().generate(request, source):
            yield replace(part, lyrics=request.lyrics) if isinstance(part, Audio) and request.lyrics else part


WORDS = {"lyrics": "[verse]\nsalt on my skin\nwind in the trees"}


@pytest.mark.parametrize(
    ("engine", "song", "is_set", "is_sent"),
    [("tone", WORDS, True, True), ("tone", WORDS, False, False), ("tone", {}, True, False), ("draft", WORDS, True, False)],
    ids=["lyrics", "not set", "no lyrics", "draft"],
)  # fmt: skip
async def test_a_song_is_sent_to_be_heard_only_if_it_has_words_and_a_singer(tmp_path, engine, song, is_set, is_sent):
    listener = Listener("Salt on my skin")
    async with an_engine(tmp_path / "engine", Singer()) as (url, _, made_by), listening(listener) as server:
        made_by.name = engine
        asr = {"asr_url": server.url, "asr_key": KEY} if is_set else {}
        async with open_studio(load(engine_url=url, **asr)) as studio:
            outcome = await ended(studio, (await submitted(studio, SONG | song)).id)
    heard = outcome.track.sidecar["heard"]
    assert heard.get("words") == ({"share": 0.5, "missing": ["wind in the trees"]} if is_sent else None)
    assert len(server.seen) == is_sent
    if is_sent:
        [asked] = listener.asked
        assert soundfile.info(io.BytesIO(asked["file"])).format == "MP3"
        assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"


async def test_a_transcription_that_fails_is_a_note_of_a_song_that_is_saved(tmp_path):
    async with (
        an_engine(tmp_path / "engine", Singer()) as (url, _, _),
        listening(lambda _: Reply(500)) as server,
        open_studio(load(engine_url=url, asr_url=server.url)) as studio,
    ):
        outcome = await ended(studio, (await submitted(studio, SONG | WORDS)).id)
    assert outcome.job.status is Status.COMPLETED
    assert "words" not in outcome.track.sidecar["heard"]
    [note] = [note for note in outcome.track.sidecar["notes"] if "words could not be checked" in note]
    assert "The transcription service at 127.0.0.1 failed" in note


@pytest.mark.slow
async def test_a_slow_transcription_delays_no_other_song_and_its_words_come_later(tmp_path, monkeypatch):
    monkeypatch.setattr(transcripts, "PATIENCE", 0.2)
    go, listener = asyncio.Event(), Listener("Salt on my skin")

    def slow(seen):
        return replace(listener(seen), after=go)

    async with (
        an_engine(tmp_path / "engine", Singer()) as (url, _, _),
        listening(slow) as server,
        open_studio(load(engine_url=url, asr_url=server.url)) as studio,
    ):
        jobs = [await submitted(studio, SONG | WORDS | {"seed": seed}) for seed in range(4)]
        songs = [(await ended(studio, job.id)).track for job in jobs]
        assert not any("words" in song.sidecar["heard"] for song in songs)
        assert all("did not answer" in song.sidecar["notes"][-1] for song in songs)
        await studio.catalogue.delete(songs[3].id)
        marked = await studio.catalogue.mark(songs[0].id, [{"name": "verse", "start": 0, "end": songs[0].duration}])
        go.set()
        with anyio.fail_after(30):
            while "words" not in (song := await studio.catalogue.get(songs[0].id)).sidecar["heard"]:
                await anyio.sleep(0.02)
    assert song.sidecar["heard"]["summary"].endswith(", 50 % of the words heard")
    assert not any("did not answer" in note for note in song.sidecar["notes"])
    assert song.sidecar["sections"] == marked.sidecar["sections"]


class Adaptable(Tone):
    loras = ("jazz", "Night drive")


async def test_status_names_the_adapters_of_an_engine_and_a_tag_that_names_another_is_refused(tmp_path):
    async with an_engine(tmp_path / "q", Adaptable(), key=KEY) as (url, _, engine):
        async with open_studio(load(engine_url=url, engine_key=KEY)) as studio:
            status = await studio.status()
            wrong = await ended(studio, (await submitted(studio, SONG | {"tags": "lofi, lora:jaz"})).id)
            right = await ended(studio, (await submitted(studio, SONG | {"tags": "lofi, lora:JAZZ:0.5"})).id)
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"{url}/loras")).status_code == 401
    assert status.engine.loras == ["jazz", "Night drive"]
    assert "'lora:jaz' names no LoRA adapter that is here; there are: Night drive, jazz" in wrong.job.error.message
    assert right.job.status is Status.COMPLETED and len(engine.seeds) == 1


async def test_a_tag_that_names_an_adapter_is_refused_where_none_can_be_chosen(monkeypatch):
    monkeypatch.setenv("FAL_KEY", "id:secret")
    async with open_studio(load()) as studio:
        with pytest.raises(InvalidRequest, match="none can be chosen here"):
            await studio.start(request("text_to_audio", SONG | {"tags": "lora:jazz"}))
    async with open_studio(load(backend="draft")) as studio:
        job = await studio.start(request("text_to_audio", SONG | {"tags": "lora:jazz"}))
        assert "none can be chosen here" in (await ended(studio, job.id)).job.error.message
