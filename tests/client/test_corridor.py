"""The client and our own queue app, meeting without a socket and over one."""

from __future__ import annotations

import io
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import anyio
import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import (
    ConfigurationError,
    GenerationFailed,
    InvalidRequest,
    JobCancelled,
    QueueError,
    RequestUnknown,
)
from acestep_mcp.api.updates import Completed, InProgress, step_in
from acestep_mcp.client import NOT_FINISHED, Host, QueueClient, RequestHandle, SubmitOptions, in_process
from acestep_mcp.client import storage as parts
from acestep_mcp.engine_server.app import serving
from acestep_mcp.net.timeouts import Timeouts
from tests.support.engine import RATE, Tone, behind_a_port, on_a_port, pcm_of

pytestmark = pytest.mark.anyio

SHORT = Timeouts(connect=2, answer=5, silence=20, outage=2, first_wait=0.02, longest_wait=0.1)
SONG, INPAINT = "fal-ai/ace-step", "fal-ai/ace-step/audio-inpaint"
BODY = {"tags": "lofi", "duration": 5, "seed": 42}


@asynccontextmanager
async def embedded(folder: Path, engine: Tone):
    async with (
        serving(engine, folder=folder) as app,
        QueueClient(Host.draft(timeouts=SHORT), transport=in_process(app)) as client,
    ):
        yield client


@asynccontextmanager
async def remote(folder: Path, engine: Tone):
    async with (
        behind_a_port(folder, engine, key=(key := "kid:a-long-secret")) as url,
        QueueClient(Host.engine(url, key, timeouts=SHORT)) as client,
    ):
        yield client


@pytest.fixture(params=[embedded, remote], ids=["in process", "over a socket"])
def house(request, tmp_path: Path):
    return lambda engine: request.param(tmp_path / "queue", engine)


async def updates_of(client: QueueClient, handle: RequestHandle, endpoint: str = SONG) -> list:
    with anyio.fail_after(20):
        return [update async for update in client.follow(endpoint, handle)]


async def test_the_result_comes_over_the_connection_that_was_watched(tmp_path: Path):
    seen: list[tuple[str, int]] = []

    async with serving(Tone(), folder=tmp_path) as app:

        async def noted(scope, receive, send):
            seen.append((scope["path"], scope["client"][1]))
            await app(scope, receive, send)

        async with on_a_port(noted) as url, QueueClient(Host.engine(url, None, timeouts=SHORT)) as client:
            handle = await client.submit(SONG, BODY)
            await updates_of(client, handle)
            await client.result(SONG, handle)
    (_, _), (watched, by_this), (fetched, by_that) = seen
    assert watched.endswith("/status/stream") and fetched.endswith(handle.request_id)
    assert by_this == by_that


async def test_a_song_goes_the_whole_way(house, tmp_path: Path):
    async with house(Tone()) as client:
        assert await client.reachable() is None
        handle = await client.submit(SONG, {**BODY, "original_seed": None}, SubmitOptions(priority="low"))
        updates = await updates_of(client, handle)
        song = await client.result(SONG, handle)
        part = tmp_path / "song.part"
        size = await client.download(song.audio.url, part, size=song.audio.file_size)
    logs = [log for update in updates if isinstance(update, InProgress | Completed) for log in update.logs]
    assert isinstance(updates[-1], Completed) and updates[-1].error is None
    assert len({(log.timestamp, log.message) for log in logs}) == len(logs)
    assert [step for log in logs if (step := step_in(log.message))][-1] == (3, 3)
    assert (song.seed, song.tags, song.lyrics) == (42, "lofi", "[inst]")
    assert song.acestep and song.acestep.engine == "tone"
    assert size == part.stat().st_size == song.audio.file_size
    pcm, rate = soundfile.read(part, dtype="int32", always_2d=True)
    assert rate == RATE and np.array_equal(pcm, pcm_of(42))


@pytest.mark.parametrize("limit", [None, 1000], ids=["whole", "in parts"])
async def test_a_source_is_uploaded_and_arrives_sample_for_sample(house, limit, tmp_path: Path, monkeypatch):
    if limit:
        monkeypatch.setattr(parts, "WHOLE_UP_TO", limit)
        monkeypatch.setattr(parts, "PART", 5000)
    noise = np.random.default_rng(1).integers(-(2**15), 2**15, 12_000).astype(np.int16)
    file = io.BytesIO()
    soundfile.write(file, noise, RATE, format="WAV", subtype="PCM_16")
    source = tmp_path / "mine.wav"
    source.write_bytes(file.getvalue())
    engine = Tone()
    async with house(engine) as client:
        url = await client.upload(source, "audio/wav", "mine.wav")
        body = {"audio_url": url, "tags": "x", "start_time": 0, "end_time": 1, "seed": 1}
        handle = await client.submit(INPAINT, body)
        await updates_of(client, handle, INPAINT)
        await client.result(INPAINT, handle)
    [heard] = engine.sources
    assert heard and np.array_equal(heard.sound.pcm[:, 0] >> 16, noise)


async def test_a_cancel_ends_a_running_song_and_comes_too_late_the_second_time(house):
    async with house(Tone()) as client:
        handle = await client.submit(SONG, {**BODY, "tags": "hold"})
        async with aclosing(client.follow(SONG, handle)) as updates:
            async for update in updates:
                if isinstance(update, InProgress):
                    break
        with pytest.raises(QueueError) as early:
            await client.result(SONG, handle)
        assert early.value.error_type == NOT_FINISHED
        assert await client.cancel(SONG, handle) is True
        assert (await updates_of(client, handle))[-1].error_type == "client_cancelled"
        assert await client.cancel(SONG, handle) is False
        with pytest.raises(JobCancelled):
            await client.result(SONG, handle)


async def test_a_failure_of_the_engine_is_a_failed_generation(house):
    async with house(Tone()) as client:
        handle = await client.submit(SONG, {**BODY, "tags": "fail"})
        assert (await updates_of(client, handle))[-1].error == "The string broke."
        with pytest.raises(GenerationFailed, match="string broke"):
            await client.result(SONG, handle)


async def test_input_that_the_engine_refuses_names_its_field(house):
    async with house(Tone()) as client:
        handle = await client.submit(SONG, {**BODY, "tags": "refuse"})
        await updates_of(client, handle)
        with pytest.raises(InvalidRequest) as error:
            await client.result(SONG, handle)
    assert [(field.field, field.value) for field in error.value.fields] == [("start_time", 9)]


async def test_input_that_the_queue_refuses_names_its_fields_and_no_job_begins(house):
    engine = Tone()
    async with house(engine) as client:
        with pytest.raises(InvalidRequest) as error:
            await client.submit(SONG, {"duration": 2})
    assert {field.field for field in error.value.fields} == {"tags", "duration"}
    assert engine.seeds == []


async def test_a_request_the_queue_does_not_know_is_unknown_everywhere(house):
    stranger = RequestHandle("00000000-0000-4000-8000-000000000001")
    async with house(Tone()) as client:
        for call in (client.result(SONG, stranger), client.cancel(SONG, stranger), updates_of(client, stranger)):
            with pytest.raises(RequestUnknown):
                await call


async def test_a_finished_song_can_be_followed_again_by_its_record(house):
    async with house(Tone()) as client:
        handle = await client.submit(INPAINT.removesuffix("/audio-inpaint"), BODY)
        await updates_of(client, handle)
        again = RequestHandle.from_dict({"request_id": handle.request_id})
        [ended] = await updates_of(client, again, INPAINT)
        assert isinstance(ended, Completed) and ended.logs
        assert (await client.result(INPAINT, again)).seed == 42


async def test_an_engine_with_a_key_says_what_is_missing(tmp_path: Path):
    async with behind_a_port(tmp_path / "q", Tone(), key="kid:a-long-secret") as url:
        for key, words in ((None, "a key is needed"), ("kid:other-secret", "key was not accepted")):
            async with QueueClient(Host.engine(url, key, timeouts=SHORT)) as client:
                assert words in str(await client.reachable())
                with pytest.raises(ConfigurationError, match=words):
                    await client.submit(SONG, BODY)


@pytest.mark.slow
async def test_an_app_that_breaks_is_a_queue_error_and_one_that_hangs_ends_in_time():
    async def broken(scope, receive, send):
        raise ZeroDivisionError

    async def hanging(scope, receive, send):
        await anyio.sleep_forever()

    hasty = Timeouts(connect=0.05, answer=0.1, outage=0.2, first_wait=0.01, longest_wait=0.02)
    for app, words in ((broken, "500"), (hanging, "no answer came in time")):
        async with QueueClient(Host.draft(timeouts=hasty), transport=in_process(app)) as client:
            with pytest.raises(QueueError, match=words), anyio.fail_after(10):
                await client.result(SONG, RequestHandle("a"))
