"""acestep.cpp as an engine: what is sent, what comes back, and what is said of what has no effect."""

import io

import anyio
import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import ConfigurationError, GenerationFailed, InvalidRequest, QueueError, SubmissionUnknown
from acestep_mcp.engines.remote import ace_server
from acestep_mcp.net import chosen_server
from tests.engines.remote.test_attaching import left_at
from tests.support.ace_server import AceServer
from tests.support.ace_step_api import FOREIGN_LINE
from tests.support.loopback import Reply, listening

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("tmp_path")]
SONG = {"tags": "lofi", "duration": 5}


@pytest.fixture
def made(make):
    async def made(standin, tool, arguments, source=None, **options):
        async with listening(standin) as server:
            return await make(server.url, tool, arguments, source, **options)

    return made


async def test_a_song_is_made_with_a_seed_that_is_a_number(made):
    standin = AceServer()
    given = {
        "tags": "lofi, 80 bpm, D minor",
        "lyrics": "[verse]\nRain on the roof",
        "duration": 5,
        "number_of_steps": 20,
    }
    song = await made(standin, "text_to_audio", given)
    sent = standin.only.fields
    assert (sent["seed"], sent["caption"], sent["lyrics"]) == (7, given["tags"], given["lyrics"])
    assert (sent["bpm"], sent["keyscale"], sent["inference_steps"]) == (80, "D minor", 20)
    assert np.array_equal(song.audio.sound.pcm, soundfile.read(io.BytesIO(standin.last_song), dtype="int32")[0])
    assert song.notes == ""


async def test_what_has_no_effect_there_is_named(made):
    given = {"guidance_scale": 9, "guidance_interval": 0.4, "scheduler": "heun", "granularity_scale": 3}
    standin = AceServer()
    song = await made(standin, "text_to_audio", SONG | given)
    assert "no use for granularity_scale, guidance_interval, guidance_scale, scheduler" in song.notes
    assert "guidance_scale" not in standin.only.fields


@pytest.mark.slow
@pytest.mark.parametrize("form", ["wav", "mp3"])
async def test_a_song_is_taken_out_of_an_answer_of_several_parts(made, form):
    standin = AceServer()
    song = await made(standin, "text_to_audio", SONG, form=form)
    assert song.audio.file.read_bytes() == standin.last_song


@pytest.mark.slow
async def test_the_plain_answer_of_an_older_server_is_a_song_too(made):
    standin = AceServer()
    standin.is_plain = True
    song = await made(standin, "text_to_audio", SONG)
    assert song.audio.file.read_bytes() == standin.last_song


@pytest.mark.slow
async def test_of_three_songs_the_first_is_taken(made):
    standin = AceServer()
    song = await made(standin, "text_to_audio", {"tags": "three", "duration": 5})
    assert song.audio.file.read_bytes() == standin.last_song


@pytest.mark.slow
@pytest.mark.parametrize(("tags", "words"), [("fail", "does not say why"), ("none", "sent none")])
async def test_a_failure_is_told_as_the_server_tells_it(made, tags, words):
    with pytest.raises(GenerationFailed, match=words):
        await made(AceServer(), "text_to_audio", SONG | {"tags": tags})


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "task", "parts"), [("remix", "cover", 1), ("lyrics", "cover-nofsq", 2)])
async def test_a_song_is_made_again_from_the_song_itself(made, source, mode, task, parts):
    standin = AceServer()
    given = {"edit_mode": mode, "original_tags": "lofi", "tags": "rock"}
    song = await made(standin, "audio_to_audio", given, source)
    assert standin.only.fields["task_type"] == task
    files = standin.only.files
    assert set(files) == {"audio", "ref_audio"} if parts == 2 else {"audio"}
    assert np.array_equal(soundfile.read(io.BytesIO(files["audio"]), dtype="int32")[0], source.sound.pcm)
    assert ("cannot change words alone" in song.notes) is (mode == "lyrics")


@pytest.mark.slow
async def test_outside_an_edited_window_every_sample_is_our_own(made, source):
    standin = AceServer()
    song = await made(
        standin, "audio_inpaint", {"start_time": 2, "end_time": 4, "tags": "rock", "variance": 0.7}, source
    )
    sent = standin.only.fields
    assert (sent["repainting_start"], sent["repainting_end"], sent["output_format"]) == (2, 4, "wav32")
    assert "no use for variance" in song.notes
    rate, after = 44_100, song.audio.sound.pcm
    for part in (slice(0, 2 * rate), slice(4 * rate, None)):
        assert np.array_equal(after[part], source.sound.pcm[part])


@pytest.mark.slow
async def test_a_song_is_extended_on_both_sides_by_two_jobs(made, source):
    standin = AceServer()
    given = {"extend_before_duration": 3, "extend_after_duration": 2, "tags": "rock"}
    song = await made(standin, "audio_outpaint", given, source)
    first, second = (job.fields for job in standin.jobs.values())
    assert (first["repainting_start"], first["repainting_end"]) == (-3, -1)
    assert (second["repainting_start"], second["repainting_end"]) == (6, 8)
    assert np.array_equal(song.audio.sound.pcm[3 * 44_100 : 9 * 44_100], source.sound.pcm)


async def test_a_tag_names_an_adapter_for_one_song(made):
    standin = AceServer()
    song = await made(standin, "text_to_audio", SONG | {"tags": "lofi, lora:Night-Drive:0.7"})
    sent = standin.only.fields
    assert (sent["adapter"], sent["adapter_scale"], sent["caption"]) == ("night-drive.safetensors", 0.7, "lofi")
    assert song.audio.tags == "lofi, lora:Night-Drive:0.7"


@pytest.mark.slow
async def test_an_adapter_that_is_not_there_is_named_before_anything_is_sent(made):
    standin = AceServer()
    with pytest.raises(InvalidRequest, match=r"night-drive"):
        await made(standin, "text_to_audio", SONG | {"tags": "lofi, lora:other"})
    assert standin.jobs == {}


async def test_a_job_that_a_killed_process_began_is_found_again(make, tmp_path):
    standin = AceServer()
    async with listening(standin) as server:
        await left_at("generating", server.url, tmp_path / "upstream", "job-of-a-killed-process")
        await make(server.url, "text_to_audio", SONG, job="job-of-a-killed-process")
    assert len(standin.jobs) == 1


@pytest.mark.slow
async def test_a_server_that_was_restarted_has_lost_the_job(make, tmp_path):
    standin = AceServer()
    async with listening(standin) as server:
        await left_at("generating", server.url, tmp_path / "upstream", "job-of-a-killed-process")
        standin.restart()
        with pytest.raises(GenerationFailed, match="lack of memory"):
            await make(server.url, "text_to_audio", SONG, job="job-of-a-killed-process")
    assert standin.jobs == {}


async def test_a_cancelled_job_is_cancelled_there(tmp_path):
    standin = AceServer()
    async with listening(standin) as server:
        await left_at("generating", server.url, tmp_path / "upstream", "job-that-is-cancelled", cancelled=True)
    assert standin.only.cancelled


async def test_the_log_tells_how_far_a_song_is(made, monkeypatch):
    monkeypatch.setattr(chosen_server, "SILENCE", 0.1)
    standin = AceServer()
    song = await made(standin, "text_to_audio", SONG)
    told = [(step.stage, step.number, step.total) for step in song.steps]
    assert told[-2:] == [("denoising", 45, 100), ("denoising", 90, 100)]
    assert FOREIGN_LINE not in str(song)


@pytest.mark.slow
@pytest.mark.parametrize("reply", [Reply(404), Reply(200, b"<html>"), Reply(reset=True), Reply(stall=True)])
async def test_without_a_log_a_song_is_made_all_the_same(made, reply, monkeypatch):
    monkeypatch.setattr(ace_server, "_LOG_SECONDS", 0.1)
    standin = AceServer()
    standin.overrides["/logs"] = lambda _: reply
    song = await made(standin, "text_to_audio", SONG)
    assert {step.stage for step in song.steps} == {"generating"}


@pytest.mark.slow
async def test_a_server_that_dies_in_mid_job_is_waited_for_and_then_named(make):
    """Out of memory ends its process: the connection breaks, then nothing listens."""
    standin = AceServer()
    standin.overrides["/job"] = lambda seen: Reply(reset=True) if "?" in seen.target else None
    async with listening(standin) as server:
        with anyio.fail_after(15), pytest.raises(QueueError, match="broke off"):
            await make(server.url, "text_to_audio", SONG)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [Reply(reset=True), Reply(502, b""), Reply(200, b""), Reply(200, {"id": 3})])
async def test_a_submit_without_an_answer_is_unknown_and_never_sent_again(make, lost):
    standin, sent = AceServer(), []
    standin.overrides["/synth"] = lambda seen: sent.append(seen) or lost
    async with listening(standin) as server:
        for _ in range(2):
            with pytest.raises(SubmissionUnknown, match="not sent again"):
                await make(server.url, "text_to_audio", SONG)
    assert len(sent) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (Reply(400, {"error": "Caption is required"}), "Caption is required"),
        (Reply(413), r"\(413\)"),
        (Reply(501, {"error": "No synth models in registry"}), "No synth models"),
        (Reply(503, {"error": "Server busy"}), "has no queue"),
    ],
)
async def test_a_refused_submit_may_be_sent_again(make, refusal, words):
    standin, answers = AceServer(), [refusal]
    standin.overrides["/synth"] = lambda _: answers.pop() if answers else None
    async with listening(standin) as server:
        with pytest.raises(QueueError, match=words):
            await make(server.url, "text_to_audio", SONG)
        await make(server.url, "text_to_audio", SONG)
    assert len(standin.jobs) == 1


@pytest.mark.slow
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b'{"status": 3}', b"<html>\xff</html>", b"[" * 99_999])
async def test_an_odd_answer_ends_in_a_clear_error(make, body):
    async with listening(standin := AceServer()) as server:
        standin.overrides["/job"] = lambda seen: Reply(200, body) if "?" in seen.target else None
        with pytest.raises(QueueError, match="something other than"):
            await make(server.url, "text_to_audio", SONG)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/mixed", b"--x\r\n\r\n"),
        ("multipart/mixed; boundary=x", b""),
        ("multipart/mixed; boundary=x", b"--x\r\nContent-Type: audio/wav\r\n\r\nRIFF"),
        ("multipart/mixed; boundary=x", b"--x\r\nContent-Type: audio/wav\r\n\r\nRIFF\r\n--x--"),
        ("audio/wav", b"<html>no song</html>"),
        ("", b""),
    ],
)
async def test_what_is_no_song_ends_in_a_clear_error(make, kind, body):
    async with listening(standin := AceServer()) as server:
        standin.overrides["/job"] = lambda seen: (
            Reply(200, body, {"content-type": kind}) if "result" in seen.target else None
        )
        with pytest.raises(QueueError, match="is no song|sent none|something other than"):
            await make(server.url, "text_to_audio", SONG)


async def test_a_server_without_its_models_says_which_are_missing(made):
    standin = AceServer()
    standin.models["vae"] = []
    with pytest.raises(ConfigurationError, match="no model for vae"):
        await made(standin, "text_to_audio", SONG)
