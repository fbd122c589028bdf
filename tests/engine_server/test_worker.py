"""From a prompt to words, and from steps to log lines; one job at a time."""

from __future__ import annotations

import time

import anyio
import anyio.to_thread
import pytest

from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.api.updates import step_in
from acestep_mcp.audio.read import read
from acestep_mcp.audio.tags.file_tags import read_tags
from acestep_mcp.songwriter.song_text import SongText

pytestmark = pytest.mark.anyio


async def test_a_prompt_becomes_tags_and_lyrics_and_keeps_every_shared_field(embedded):
    asked = []

    async def writer(prompt: str, instrumental: bool, duration: float, seed: int) -> SongText:
        asked.append((prompt, instrumental, duration, seed))
        return SongText("folk, guitar", "[verse]\nrain", "rules", ("a word of the writer",))

    async with embedded(writer=writer) as desk:
        body = {"prompt": "a rainy day", "duration": 6, "seed": 5, "guidance_scale": 7.5, "number_of_steps": 30}
        reply = await desk.http.post("/fal-ai/ace-step/prompt-to-audio", json=body)
        result = (await desk.end(reply.json())).json()
    assert asked == [("a rainy day", False, 6, 5)]
    request = desk.engine.requests[0]
    assert isinstance(request, TextToAudio)
    assert (request.tags, request.lyrics) == ("folk, guitar", "[verse]\nrain")
    assert (request.duration, request.seed, request.guidance_scale, request.number_of_steps) == (6, 5, 7.5, 30)
    assert result["acestep"]["notes"] == ["a word of the writer", "a note"]
    assert (result["tags"], result["lyrics"], result["acestep"]["writer"]) == ("folk, guitar", "[verse]\nrain", "rules")


@pytest.mark.parametrize(("given", "seconds"), [({}, 12), ({"duration": 6}, 6)])
async def test_a_prompt_that_names_a_length_gets_it_unless_a_duration_is_given(embedded, given, seconds):
    async with embedded() as desk:
        body = {"prompt": "lofi, a 12 second loop", "seed": 1, **given}
        reply = await desk.http.post("/fal-ai/ace-step/prompt-to-audio", json=body)
        result = (await desk.end(reply.json())).json()
    assert desk.engine.requests[0].duration == seconds
    assert any("12 s long" in note for note in result["acestep"]["notes"]) == (not given)


async def test_the_engines_own_writer_is_the_default(embedded):
    async with embedded() as desk:
        body = {"prompt": "calm piano for studying", "instrumental": True, "duration": 5, "seed": 1}
        reply = await desk.http.post("/fal-ai/ace-step/prompt-to-audio", json=body)
        result = (await desk.end(reply.json())).json()
    assert result["lyrics"] == "[inst]"
    assert "piano" in result["tags"]


async def test_a_job_can_be_cancelled_while_its_words_are_written(embedded):
    writing = anyio.Event()

    async def writer(*_: object) -> SongText:
        writing.set()
        await anyio.sleep_forever()
        raise AssertionError

    async with embedded(writer=writer) as desk:
        reply = await desk.http.post("/fal-ai/ace-step/prompt-to-audio", json={"prompt": "x"})
        await writing.wait()
        await desk.cancel(reply.json())
        result = await desk.end(reply.json())
    assert result.status_code == 499
    assert desk.engine.requests == []


async def test_steps_become_log_lines_on_change_only_that_clients_can_read(embedded):
    async with embedded() as desk:
        ticket = await desk.submit(body={"tags": "hold"})
        assert await anyio.to_thread.run_sync(desk.engine.held.wait, 5)  # it has yielded the same step five times
        desk.engine.release.set()
        await desk.end(ticket)
        logs = (await desk.get(ticket, "/status?logs=1")).json()["logs"]
    assert [step_in(line["message"]) for line in logs] == [(0, 3), (1, 3), (2, 3), (3, 3)]


async def test_the_file_says_what_it_is_and_how_it_was_made(embedded, tmp_path):
    async with embedded() as desk:
        body = (await desk.end(await desk.submit())).json()
        path = tmp_path / "song.wav"
        path.write_bytes((await desk.http.get(body["audio"]["url"])).content)
    tags = read_tags(path)
    assert (tags.tags, tags.lyrics, tags.seed) == ("lofi, chill", "[verse]\nhello", 42)
    assert tags.software.startswith("acestep-mcp")
    assert tags.comment == (
        '{"acestep":{"engine":"sine","model":"sine-1","version":"1.0","seed":42,"plan":{"pitch":42}}}'
    )
    assert read(path).seconds == 5


async def test_the_seed_reaches_the_engine_even_when_none_was_given(embedded):
    async with embedded() as desk:
        body = (await desk.end(await desk.submit(body={"seed": None}))).json()
    assert desk.engine.requests[0].seed == body["seed"]


async def test_a_cancelled_job_ends_within_a_second_and_the_next_one_starts(embedded):
    async with embedded() as desk:
        first, second = await desk.submit(body={"tags": "hold"}), await desk.submit()
        await desk.running()
        began = time.monotonic()
        await desk.cancel(first)
        await desk.end(first)
        took = time.monotonic() - began
        result = await desk.end(second)
    assert took < 1
    assert result.status_code == 200


async def test_the_folder_of_a_job_is_gone_when_its_successor_runs(embedded, tmp_path):
    async with embedded() as desk:
        await desk.submit()
        ticket = await desk.submit(body={"tags": "hold"})
        desk.engine.release.set()
        await desk.end(ticket)
        await desk.end(await desk.submit())
        left = [path.name for path in (tmp_path / "queue" / "jobs").iterdir()]
    assert ticket["request_id"] not in left


@pytest.mark.slow
async def test_an_engine_without_work_unloads_and_the_next_job_works(embedded):
    async with embedded(idle_unload=0.1) as desk:
        await anyio.sleep(0.25)
        assert not desk.engine.unloaded.is_set(), "nothing was loaded yet"
        for _ in range(2):
            held = await desk.submit(body={"tags": "hold"})
            await desk.running()
            await anyio.sleep(0.15)
            assert not desk.engine.unloaded.is_set(), "a job runs"
            desk.engine.release.set()
            assert (await desk.end(held)).status_code == 200
            assert await anyio.to_thread.run_sync(desk.engine.unloaded.wait, 5)
            for event in (desk.engine.unloaded, desk.engine.release, desk.engine.started):
                event.clear()


async def test_an_engine_that_cannot_unload_goes_on_working(embedded):
    async with embedded(idle_unload=0.01) as desk:
        desk.engine.playing = True
        desk.engine.unload = desk.engine.generate  # takes other arguments
        for _ in range(2):
            assert (await desk.end(await desk.submit())).status_code == 200
            await anyio.sleep(0.05)


async def test_an_engine_gets_plain_lyrics_and_the_result_says_what_was_changed(embedded):
    async with embedded() as desk:
        lyrics = "**[Estribillo]**\n[00:12.00]Walk me home (softly)"
        result = (await desk.end(await desk.submit(body={"tags": "folk", "lyrics": lyrics}))).json()
    assert desk.engine.requests[0].lyrics == "[chorus]\nWalk me home"
    assert result["lyrics"] == "[chorus]\nWalk me home"
    notes = " ".join(result["acestep"]["notes"])
    assert "LRC" in notes
    assert "'[Estribillo]'" in notes
    assert "'(softly)'" in notes


async def test_plain_lyrics_reach_the_engine_as_they_are(embedded):
    async with embedded() as desk:
        lyrics = "[Verse 1]\n  Walk me home (ooh)\n\n[Chorus]\nHome  \n"
        result = (await desk.end(await desk.submit(body={"tags": "folk", "lyrics": lyrics}))).json()
    assert desk.engine.requests[0].lyrics == lyrics
    assert result["acestep"]["notes"] == ["a note"]
