"""What may stand in audio_url, and what the engine then gets."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import anyio
import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.api.requests import AudioOutpaint
from acestep_mcp.engine_server.file_store import FileStore
from acestep_mcp.engine_server.job_queue import JobQueue
from acestep_mcp.engine_server.job_store import JobStore
from acestep_mcp.engine_server.jobs import QueueJob
from acestep_mcp.engine_server.source_downloads import SourceDownloads
from acestep_mcp.engine_server.source_loader import SourceLoader

pytestmark = pytest.mark.anyio

OUTPAINT = "/audio-outpaint"


def data_url(content: bytes) -> str:
    return "data:audio/wav;base64," + base64.b64encode(content).decode()


async def test_a_data_address_reaches_the_engine_as_sound(embedded, wav):
    async with embedded() as desk:
        result = await desk.end(await desk.submit(OUTPAINT, {"audio_url": data_url(wav), "duration": None}))
    assert result.status_code == 200
    sound = desk.engine.sources[0].sound
    assert (sound.seconds, sound.sample_rate, sound.channels) == (5, 8000, 1)


@pytest.mark.parametrize("endpoint", ["/audio-inpaint", "/audio-outpaint", "/audio-to-audio"])
async def test_a_source_above_full_scale_reaches_the_engine_turned_down_with_one_note(embedded, endpoint):
    hot = (1.6 * np.sin(np.arange(5 * 8000) / 5)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, hot, 8000, format="WAV", subtype="FLOAT")
    body = {"audio_url": data_url(file.getvalue()), "original_tags": "x", "duration": None}
    async with embedded() as desk:
        result = await desk.end(await desk.submit(endpoint, body))
    pcm = desk.engine.sources[0].sound.pcm[:, 0] / 2**31
    assert np.abs(pcm / (10 ** (-0.1 / 20) / np.abs(hot).max()) - hot).max() < 1e-6
    assert sum("turned down by 4.2 dB" in note for note in result.json()["acestep"]["notes"]) == 1


async def test_a_data_address_with_line_ends_and_parameters_reaches_the_engine_too(embedded, wav):
    text = base64.encodebytes(wav).decode().replace("+", "-").rstrip("=\n")
    async with embedded() as desk:
        url = f" DATA:audio/wav;charset=utf-8;base64,{text}"
        result = await desk.end(await desk.submit(OUTPAINT, {"audio_url": url, "duration": None}))
    assert result.status_code == 200
    assert desk.engine.sources[0].sound.seconds == 5


async def test_a_result_of_this_server_can_be_edited_and_brings_its_plan(embedded):
    async with embedded() as desk:
        first = (await desk.end(await desk.submit())).json()
        result = await desk.end(await desk.submit(OUTPAINT, {"audio_url": first["audio"]["url"], "duration": None}))
    assert result.status_code == 200
    comment = desk.engine.sources[1].comment
    assert '"plan":{"pitch":42}' in comment
    assert '"engine":"sine"' in comment


async def test_a_file_taken_for_a_waiting_job_outlives_its_address(embedded, wav, tmp_path):
    async with embedded() as desk:
        await desk.submit(body={"tags": "hold"})
        await desk.running()
        url = (await desk.http.post("/files/upload", content=wav)).json()["access_url"]
        ticket = await desk.submit(OUTPAINT, {"audio_url": url, "duration": None})
        (tmp_path / "queue" / "files" / url.rsplit("/", 1)[1]).unlink()
        desk.engine.release.set()
        result = await desk.end(ticket)
    assert result.status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.wav",
        "file:///etc/passwd",
        "job:source",
        "/etc/passwd",
        "http://localhost/files/../../etc/passwd",
        "http://localhost/files/" + "a" * 32 + ".wav",
        "data:audio/wav;base64,$$$",
        "http://[",
        "x" * 20_000,
    ],
)
async def test_an_address_that_cannot_be_used_is_refused_at_the_submit(embedded, url, tmp_path):
    async with embedded() as desk:
        reply = await desk.http.post(f"/fal-ai/ace-step{OUTPAINT}", json={"audio_url": url, "tags": "x"})
        left = list((tmp_path / "queue" / "jobs").iterdir())
    assert reply.status_code == 422
    entry = reply.json()["detail"][0]
    assert (entry["loc"], entry["type"]) == (["body", "audio_url"], "file_download_error")
    assert left == []


async def test_what_is_no_sound_is_refused_with_the_result(embedded):
    async with embedded() as desk:
        url = data_url(b"this is not a song")
        result = await desk.end(await desk.submit(OUTPAINT, {"audio_url": url, "duration": None}))
    assert result.status_code == 422
    assert result.json()["detail"][0]["loc"] == ["body", "audio_url"]
    assert desk.engine.sources == []


async def test_a_song_damaged_inside_is_refused_when_it_is_decoded(embedded):
    whole = io.BytesIO()
    soundfile.write(whole, np.random.default_rng(1).normal(0, 0.1, 80_000), 8000, format="FLAC")
    data = bytearray(whole.getvalue())
    middle = len(data) // 2
    data[middle : middle + 20_000] = bytes(20_000)
    async with embedded() as desk:
        body = {"audio_url": data_url(bytes(data)), "duration": None}
        result = await desk.end(await desk.submit(OUTPAINT, body))
    assert result.status_code == 422
    entry = result.json()["detail"][0]
    assert (entry["loc"], entry["type"]) == (["body", "audio_url"], "unsupported_audio_format")
    assert entry["msg"].startswith("the song cannot be decoded")
    assert "accepted is WAV, FLAC, MP3, OGG, AIFF, AU, CAF or W64" in entry["msg"]


async def test_an_https_source_is_downloaded_when_the_job_runs_and_not_before(embedded, wav):
    asked: list[str] = []

    async def fetch(url: str, path: Path) -> None:
        asked.append(url)
        path.write_bytes(wav)

    async with embedded(fetch=fetch) as desk:
        await desk.submit(body={"tags": "hold"})
        await desk.running()
        ticket = await desk.submit(OUTPAINT, {"audio_url": "https://example.com/a.wav", "duration": None})
        before = list(asked)
        desk.engine.release.set()
        result = await desk.end(ticket)
    assert before == []
    assert asked == ["https://example.com/a.wav"]
    assert result.status_code == 200
    assert desk.engine.sources[1].sound.seconds == 5


async def test_a_download_that_fails_names_the_field(embedded):
    async def fetch(url: str, path: Path) -> None:
        raise InvalidRequest("the host is private")

    async with embedded(fetch=fetch) as desk:
        result = await desk.end(await desk.submit(OUTPAINT, {"audio_url": "https://10.0.0.1/a.wav", "duration": None}))
    assert result.status_code == 422
    assert result.json()["detail"][0]["type"] == "file_download_error"
    assert "private" in result.json()["detail"][0]["msg"]


async def test_a_remix_source_over_240_seconds_is_refused(embedded):
    long = io.BytesIO()
    soundfile.write(long, np.zeros(241 * 8000, np.int16), 8000, format="FLAC")
    async with embedded() as desk:
        body = {"audio_url": data_url(long.getvalue()), "original_tags": "x", "duration": None}
        remix = await desk.end(await desk.submit("/audio-to-audio", body))
        outpaint = await desk.end(await desk.submit(OUTPAINT, {"audio_url": body["audio_url"], "duration": None}))
    assert remix.status_code == 422
    assert remix.json()["detail"][0]["type"] == "audio_duration_too_long"
    assert outpaint.status_code == 200


async def test_a_slow_download_holds_no_other_job_and_is_decoded_when_it_is_here(embedded, wav):
    here, begun = anyio.Event(), anyio.Event()

    async def fetch(url: str, path: Path) -> None:
        begun.set()
        await here.wait()
        path.write_bytes(wav)

    async with embedded(fetch=fetch) as desk:
        slow = await desk.submit(OUTPAINT, {"audio_url": "https://example.com/a.wav", "duration": None})
        await begun.wait()
        quick = await desk.end(await desk.submit())
        waiting = (await desk.get(slow, "/status")).json()["status"]
        here.set()
        result = await desk.end(slow)
    assert (quick.status_code, waiting, result.status_code) == (200, "IN_QUEUE", 200)
    assert desk.engine.sources[1].sound.seconds == 5


async def test_a_job_can_be_cancelled_while_its_source_is_downloaded(embedded, tmp_path):
    begun, stopped = anyio.Event(), anyio.Event()

    async def fetch(url: str, path: Path) -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    async with embedded(fetch=fetch) as desk:
        waits = await desk.submit(OUTPAINT, {"audio_url": "https://example.com/a.wav", "duration": None})
        await begun.wait()
        await desk.cancel(waits)
        with anyio.fail_after(5):
            await stopped.wait()
        result = await desk.end(waits)
        assert (await desk.end(await desk.submit())).status_code == 200
    assert result.status_code == 499


async def test_a_job_whose_download_was_interrupted_is_downloaded_by_the_next_server(embedded, wav, tmp_path):
    begun = anyio.Event()

    async def never(url: str, path: Path) -> None:
        begun.set()
        await anyio.sleep_forever()

    async def fetch(url: str, path: Path) -> None:
        path.write_bytes(wav)

    database = tmp_path / "jobs.sqlite3"
    async with embedded(fetch=never, database=database) as desk:
        ticket = await desk.submit(
            OUTPAINT,
            {"audio_url": "https://example.com/a.wav", "duration": None},
            headers={"x-fal-no-retry": "1"},
        )
        await begun.wait()
    async with embedded(fetch=fetch, database=database) as desk:
        assert (await desk.end(ticket)).status_code == 200


async def test_a_job_that_asks_for_its_source_again_right_after_a_download_gets_it(tmp_path, wav):
    asked = anyio.Event()
    store = JobStore(None)
    queue = JobQueue(store, limit=9)
    job = QueueJob("fal-ai/ace-step/audio-outpaint", AudioOutpaint(audio_url="https://example.com/a.wav", tags="x"))
    queue.add(job)

    async def fetch(url: str, path: Path) -> None:
        fetched.append(url)
        path.write_bytes(wav)
        if len(fetched) == 2:
            asked.set()

    fetched: list[str] = []
    downloads = SourceDownloads(queue, SourceLoader(FileStore(tmp_path), fetch))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(downloads.run, lambda job: None)
        with anyio.fail_after(5):
            for url in ("https://example.com/a.wav", "https://example.com/b.wav"):
                job.request = job.request.model_copy(update={"audio_url": url})
                assert not downloads.is_ready(job)
                while not downloads.is_ready(job):
                    await anyio.sleep(0.005)
            await asked.wait()
        tasks.cancel_scope.cancel()
    store.close()
    assert fetched == ["https://example.com/a.wav", "https://example.com/b.wav"]
