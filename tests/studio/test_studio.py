"""The studio with its client, queue and the real draft engine in one process."""

import hashlib
import json
import shutil
from contextlib import aclosing

import anyio
import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import ConfigurationError, InvalidRequest, NotFound, SpendLimitReached
from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.api.updates import Log
from acestep_mcp.assembly import open_studio
from acestep_mcp.client import SubmitOptions
from acestep_mcp.library.jobs import Jobs
from acestep_mcp.library.models import Progress, Status
from acestep_mcp.settings import load
from acestep_mcp.studio.backends import choose, costs, writer
from acestep_mcp.studio.run import progress_after
from tests.support.requests import request

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.usefixtures("tmp_path")]
SONG = {"tags": "lofi, chill", "duration": 5, "seed": 7}


@pytest.fixture
async def studio():
    async with open_studio(load()) as studio:
        yield studio


async def finished(studio, job):
    with anyio.fail_after(40):
        async for _ in studio.watch(job.id, 40):
            pass
    return await studio.outcome(job.id)


async def until(studio, job, status):
    with anyio.fail_after(40):
        async for _ in studio.watch(job.id, 40):
            if (await studio.outcome(job.id)).job.status is status:
                return
    pytest.fail(f"the job ended without having been {status}")


async def test_a_song_is_saved_with_everything_needed_to_make_it_again(studio):
    outcome = await finished(studio, await studio.start(request("text_to_audio", SONG)))
    track = outcome.track
    assert outcome.job.status is Status.COMPLETED
    assert outcome.job.request_id
    assert track.path.parent == studio.settings.music_dir
    assert track.duration == 5
    sidecar = json.loads(track.path.with_suffix(".json").read_text(encoding="utf-8"))
    assert sidecar["request"] == SONG | {"duration": 5.0}
    assert (sidecar["seed"], sidecar["lyrics"], sidecar["engine"]) == (7, "[inst]", "draft")
    assert sidecar["audio"]["sample_rate"] == 48000
    assert sidecar["checks"]["silent"] is False
    assert sidecar["cost"] == 0
    assert sorted(p.suffix for p in studio.settings.music_dir.iterdir()) == [".json", ".wav"]


@pytest.mark.parametrize(("given", "seconds"), [({}, 6), ({"duration": 5}, 5)])
async def test_a_prompt_that_names_a_length_gets_it_unless_a_duration_is_given(studio, given, seconds):
    outcome = await finished(
        studio, await studio.start(request("prompt_to_audio", {"prompt": "a 6 second jingle"} | given))
    )
    assert outcome.track.duration == seconds
    assert any("6 s long" in note for note in outcome.job.notes) == (not given)


async def test_progress_rises_to_one(studio):
    job = await studio.start(request("text_to_audio", SONG))
    with anyio.fail_after(40):
        seen = [progress async for progress in studio.watch(job.id, 40)]
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    # How much lies between two of them depends on how busy the machine is: the watcher is told the present state.
    assert len(set(fractions)) > 2, fractions
    assert all(progress.describe() for progress in seen)


async def test_watching_for_zero_seconds_returns_at_once(studio):
    job = await studio.start(request("text_to_audio", SONG))
    with anyio.fail_after(2):
        assert [p async for p in studio.watch(job.id, 0)]
    assert not (await studio.outcome(job.id)).job.status.is_terminal
    await finished(studio, job)


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("text_to_audio", {"tags": "x", "duration": 4}, "duration"),
        ("text_to_audio", {"lyrics": "x"}, "tags"),
        ("audio_inpaint", {"audio_url": "nosuch.wav", "tags": "x"}, "no file 'nosuch.wav'"),
        ("audio_inpaint", {"audio_url": "a/b.wav", "tags": "x"}, "relative path"),
        ("audio_inpaint", {"audio_url": "/etc/passwd", "tags": "x"}, "outside the folders"),
        ("audio_inpaint", {"audio_url": "ftp://x/y.wav", "tags": "x"}, "ftp: addresses are not accepted"),
        ("audio_inpaint", {"audio_url": "data:audio/wav;base64,AAAA", "tags": "x"}, "the data: URI"),
    ],
)
async def test_invalid_arguments_create_no_job(studio, tool, arguments, message):
    with pytest.raises(InvalidRequest, match=message):
        await studio.start(request(tool, arguments))
    assert await studio.jobs() == []


async def test_invalid_settings_prevent_a_job_and_are_in_the_status(monkeypatch):
    monkeypatch.setenv("ACESTEP_FORMAT", "mp4")
    async with open_studio(load()) as studio:
        with pytest.raises(ConfigurationError, match="ACESTEP_FORMAT"):
            await studio.start(request("text_to_audio", SONG))
        assert "ACESTEP_FORMAT" in (await studio.status()).problems[0]


async def test_a_running_job_is_cancelled_within_a_second_and_leaves_no_file(studio):
    job = await studio.start(request("text_to_audio", SONG | {"duration": 240}))
    await until(studio, job, Status.IN_PROGRESS)
    with anyio.fail_after(1):
        outcome = await studio.cancel(job.id)
    assert (outcome.job.status, outcome.track) == (Status.CANCELLED, None)
    assert list(studio.settings.music_dir.iterdir()) == []


async def test_a_queued_job_is_cancelled_before_it_runs(studio):
    running = await studio.start(request("text_to_audio", SONG | {"duration": 240}))
    await until(studio, running, Status.IN_PROGRESS)
    queued = await studio.start(request("text_to_audio", SONG))
    await until(studio, queued, Status.IN_QUEUE)
    outcome = await studio.cancel(queued.id)
    assert (outcome.job.status, outcome.job.started_at) == (Status.CANCELLED, None)
    await studio.cancel(running.id)


async def test_cancelling_a_finished_job_returns_its_song(studio):
    done = await finished(studio, await studio.start(request("text_to_audio", SONG)))
    assert await studio.cancel(done.job.id) == done


@pytest.mark.parametrize(("setting", "status"), [("auto", Status.CANCELLED), ("never", Status.IN_PROGRESS)])
async def test_a_cancelled_caller_cancels_the_draft_unless_the_setting_is_never(monkeypatch, setting, status):
    monkeypatch.setenv("ACESTEP_CANCEL", setting)
    async with open_studio(load()) as studio:
        job = await studio.start(request("text_to_audio", SONG | {"duration": 240}))
        await until(studio, job, Status.IN_PROGRESS)
        await studio.caller_cancelled(job.id)
        assert (await studio.outcome(job.id)).job.status is status
        await studio.cancel(job.id)


async def test_an_undelivered_call_that_is_repeated_gets_the_first_song(studio):
    first = await studio.start(request("text_to_audio", SONG))
    await studio.undelivered(first.id)
    again = await studio.start(request("text_to_audio", SONG))
    assert (again.id, again.attached) == (first.id, True)
    assert (await finished(studio, again)).track.id == first.id
    await studio.delivered(first.id)
    assert (await studio.start(request("text_to_audio", SONG))).id != first.id


async def test_an_edit_records_its_parent_and_what_was_edited(studio):
    song = (await finished(studio, await studio.start(request("text_to_audio", SONG)))).track
    for name in (song.id, song.uri, str(song.path), song.path.name, song.path.as_uri()):
        job = await studio.start(
            request("audio_inpaint", {"audio_url": name, "tags": "lofi", "start_time": 1, "end_time": 2})
        )
        assert job.parent == song.id
    outcome = await finished(studio, job)
    assert outcome.track.sidecar["parent"] == song.id
    assert outcome.track.sidecar["edit"] == {"start": 1.0, "end": 2.0, "variance": 0.5, "tags": "lofi", "lyrics": ""}
    assert outcome.track.sidecar["checks"]["unchanged_outside"] is True


async def test_a_data_uri_is_a_source_and_is_not_stored_with_the_job(studio):
    import base64

    song = (await finished(studio, await studio.start(request("text_to_audio", SONG)))).track
    uri = "data:audio/wav;base64," + base64.b64encode(song.path.read_bytes()).decode()
    job = await studio.start(request("audio_outpaint", {"audio_url": uri, "tags": "lofi", "extend_after_duration": 5}))
    assert len(json.dumps(job.request.wire())) < 1000
    track = (await finished(studio, job)).track
    assert track.duration == pytest.approx(10, abs=0.001)
    assert track.sidecar["checks"]["unchanged_outside"] is True


async def test_a_song_that_could_not_be_saved_is_saved_later_without_being_made_again(studio):
    music = studio.settings.music_dir
    job = await studio.start(request("text_to_audio", SONG | {"duration": 60}))
    await until(studio, job, Status.IN_PROGRESS)
    music.rename(music.with_name("elsewhere"))
    music.write_text("a file stands where the folder was", encoding="utf-8")
    failed = await finished(studio, job)
    assert (failed.job.status, failed.job.error.code) == (Status.FAILED, "storage")
    assert "ACESTEP_MUSIC_DIR" in failed.job.error.message
    music.unlink()
    music.mkdir()
    kept = await finished(studio, job)
    assert kept.job.status is Status.COMPLETED
    assert kept.job.request_id == failed.job.request_id


async def test_changes_reports_a_song_its_deletion_and_its_restoration_to_a_late_listener(studio):
    track = (await finished(studio, await studio.start(request("text_to_audio", SONG)))).track
    with anyio.fail_after(10):
        async with aclosing(studio.catalogue.changes()) as changes:
            kept = await anext(changes)
            await studio.catalogue.delete(track.id)
            deleted = await anext(changes)
            await studio.catalogue.restore(track.id)
            restored = await anext(changes)
    assert [(change.id, change.deleted) for change in (kept, deleted, restored)] == [
        (track.id, False),
        (track.id, True),
        (track.id, False),
    ]
    with pytest.raises(NotFound):
        await studio.catalogue.get("nosuchtrack")


async def test_nothing_is_submitted_when_the_limit_is_zero(monkeypatch):
    monkeypatch.setenv("FAL_KEY", "id:secret")
    monkeypatch.setenv("ACESTEP_MAX_SPEND_USD", "0")
    async with open_studio(load()) as studio:
        with pytest.raises(SpendLimitReached, match=r"\$0.0010"):
            await studio.start(request("text_to_audio", SONG))
        assert await studio.jobs() == []


@pytest.mark.parametrize(
    ("variables", "backend", "why"),
    [
        ({}, "draft", "neither"),
        ({"FAL_KEY": "a:b"}, "fal", "a fal key is set"),
        ({"FAL_KEY": "a:b", "ACESTEP_ENGINE_URL": "http://127.0.0.1:1"}, "engine", "ACESTEP_ENGINE_URL is set"),
        ({"FAL_KEY": "a:b", "ACESTEP_BACKEND": "draft"}, "draft", "ACESTEP_BACKEND is draft"),
    ],
)
def test_the_backend_follows_the_settings_and_says_why(monkeypatch, variables, backend, why):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    choice = choose(load())
    assert choice.name == backend
    assert why in choice.why


@pytest.mark.parametrize(
    ("price", "backend", "rate", "song", "basis"),
    [
        (None, "fal", 0.0002, 0.012, "not verified"),
        ("0.001", "fal", 0.001, 0.06, "ACESTEP_PRICE_PER_SECOND_USD"),
        ("0.001", "engine", 0, 0, "no charge"),
        (None, "draft", 0, 0, "draft engine: no charge"),
    ],
)
def test_the_cost_of_a_default_song_is_given_with_its_basis(price, backend, rate, song, basis):
    cost = costs(load(price_per_second_usd=price), backend)
    assert (cost["per_second_usd"], cost["default_song_seconds"], cost["default_song_usd"]) == (rate, 60, song)
    assert basis in cost["basis"]


async def test_status_gives_today_s_spend_and_the_limit(monkeypatch):
    monkeypatch.setenv("ACESTEP_MAX_SPEND_USD", "2")
    async with open_studio(load()) as studio:
        status = (await studio.status()).facts()
    assert (status["backend"], status["spent_today_usd"], status["max_spend_usd"]) == ("draft", 0, 2)
    assert status["cost"] == costs(studio.settings, "draft")
    assert status["writer"] == "the built-in rules"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "none (ACESTEP_ASR_URL is not set)"),
        ({"asr_url": "https://asr.example:8443/v1"}, "whisper-1 at asr.example, without a key"),
        (
            {"asr_url": "https://me:pass-7f3a@asr.example/v1", "asr_model": "large", "asr_key": "key-7f3a"},
            "large at asr.example, with a key",
        ),
        ({"asr_url": "http://[::1/v1"}, "none (ACESTEP_ASR_URL is no valid address)"),
    ],
)
async def test_status_names_the_transcription_service_and_shows_no_secret(settings, told):
    async with open_studio(load(**settings)) as studio:
        status = (await studio.status()).facts()
    assert status["transcriber"] == told
    assert "7f3a" not in str(status)


def test_the_writer_for_prompts_depends_on_the_backend():
    settings = load(llm_url="http://127.0.0.1:1/v1", llm_model="small-model")
    assert writer(settings, "draft") == "the language model small-model, or the built-in rules"
    assert writer(settings, "fal") == writer(settings, "engine") == "the host's own"


@pytest.mark.parametrize(("backend", "missing"), [("fal", "FAL_KEY"), ("engine", "ACESTEP_ENGINE_URL")])
def test_an_unavailable_backend_is_an_error_and_no_other_backend_is_used(monkeypatch, backend, missing):
    monkeypatch.setenv("ACESTEP_BACKEND", backend)
    with pytest.raises(ConfigurationError, match=missing):
        choose(load())


async def test_an_error_in_an_open_studio_is_raised_without_a_group():
    with pytest.raises(NotFound):
        async with open_studio(load()) as studio:
            await studio.catalogue.get("nosuchtrack")


async def test_a_paid_song_shows_host_and_price_before_it_is_submitted_and_has_the_host_s_options(monkeypatch):
    monkeypatch.setenv("FAL_KEY", "id:secret")
    monkeypatch.setenv("ACESTEP_PRIORITY", "low")
    monkeypatch.setenv("ACESTEP_OBJECT_LIFETIME", "3600")
    settings = load()
    async with open_studio(settings) as studio:
        song = TextToAudio(tags="x", duration=60)
        paid = studio._new_job(song, choose(settings))
        free = studio._new_job(song, choose(load(backend="draft")))
    assert paid.progress.describe() == "fal, about $0.0120"
    assert paid.estimated_cost == 0.012
    assert SubmitOptions(**paid.options.submit) == SubmitOptions(priority="low", object_lifecycle=3600)
    assert free.progress.describe() == "preparing"
    assert free.options.submit == {}


async def test_fal_gets_plain_lyrics_and_the_job_says_what_was_changed(monkeypatch):
    monkeypatch.setenv("FAL_KEY", "id:secret")
    song = TextToAudio(tags="x", lyrics="**[Chorus]**\\nWalk me home")
    settings = load()
    async with open_studio(settings) as studio:
        paid = studio._new_job(song, choose(settings))
        free = studio._new_job(song, choose(load(backend="draft")))
    assert paid.request.lyrics == "[Chorus]\nWalk me home"
    assert any("Markdown" in note for note in paid.notes)
    # The engine reads them itself and adds the notes to its result.
    assert (free.request, free.notes) == (song, ())


async def test_a_preview_is_made_once_and_cached(studio):
    track = (await finished(studio, await studio.start(request("text_to_audio", SONG)))).track
    first = await studio.catalogue.preview(track, 60_000)
    assert 10_000 < len(first) <= 60_000
    [kept] = (studio.settings.data_dir / "previews").iterdir()
    assert kept.read_bytes() == first
    track.path.unlink()
    assert await studio.catalogue.preview(track, 60_000) == first, "the song itself is not read again"


def test_progress_never_falls_from_one_stage_to_the_next():
    lines = ["composing 1/1", "rendering 0/12", "rendering 6/12", "denoising 27/27", "decoding 1/5", "a word"]
    progress, fractions = Progress(), []
    for message in lines:
        progress = progress_after((Log(message),), progress)
        fractions.append(progress.fraction)
    assert fractions == pytest.approx([0.34, 0.34, 0.5, 0.9, 0.9, 0.9])
    assert (progress.stage, progress.step, progress.total) == ("decoding", 1, 5)


async def test_a_sidecar_that_cannot_be_used_is_reported_in_the_status_and_hides_no_song(studio):
    track = (await finished(studio, await studio.start(request("text_to_audio", SONG)))).track
    odd = track.path.with_name("odd.wav")
    odd.write_bytes(track.path.read_bytes())
    odd.with_suffix(".json").write_text('{"id": 5}', encoding="utf-8")
    problems = (await studio.status()).problems
    assert len(problems) == 1
    assert "odd.json" in problems[0]
    assert [kept.id for kept in (await studio.catalogue.page()).tracks] == [track.id]


async def test_a_song_that_was_kept_before_its_process_ended_completes_its_job_and_is_not_made_again(studio):
    outcome = await finished(studio, await studio.start(request("text_to_audio", SONG)))
    job, track = outcome.job, outcome.track
    written = track.path.stat().st_mtime_ns
    later = Jobs(studio._jobs._database)
    with studio._jobs._database.writing() as db:  # as a process leaves it that is killed after its third attempt
        db.execute(
            "UPDATE jobs SET status = 'IN_PROGRESS', track_id = NULL, ended_at = NULL, attempts = 3, owner = 'x'"
        )
    assert (await finished(studio, job)).job.status is Status.COMPLETED
    again = later.get(job.id)
    assert (again.track_id, again.cost) == (track.id, 0)
    assert track.path.stat().st_mtime_ns == written


async def test_a_song_whose_process_ended_before_its_sidecar_was_written_gets_one_and_is_not_made_again(studio):
    outcome = await finished(studio, await studio.start(request("text_to_audio", SONG)))
    job, track = outcome.job, outcome.track
    with soundfile.SoundFile(track.path) as made:
        samples = made.read()
    left_without_a_sidecar(studio, track)
    again = await finished(studio, job)
    assert (again.job.status, again.job.attempts) == (Status.COMPLETED, 3)
    assert sorted(song.name for song in track.path.parent.glob("*.*")) == [
        track.path.with_suffix(".json").name,
        track.path.name,
    ]
    assert (again.track.path, again.track.sidecar["seed"]) == (track.path, track.sidecar["seed"])
    assert again.track.sidecar["checks"] == track.sidecar["checks"]
    assert again.track.sidecar["audio"]["sha256"] == hashlib.sha256(track.path.read_bytes()).hexdigest()
    with soundfile.SoundFile(track.path) as kept:
        assert (kept.read() == samples).all()


async def test_a_file_of_somebody_else_under_the_name_of_a_song_does_not_become_that_song(studio):
    outcome = await finished(studio, await studio.start(request("text_to_audio", SONG)))
    job, track = outcome.job, outcome.track
    left_without_a_sidecar(studio, track)
    soundfile.write(track.path, np.zeros((48_000, 2)), 48_000)
    again = await finished(studio, job)
    assert again.job.status is Status.FAILED
    assert "3 times" in again.job.error.message
    with soundfile.SoundFile(track.path) as file:
        assert not file.read().any()


def left_without_a_sidecar(studio, track):
    """As a process leaves a song that is killed in its third attempt, after the audio has its name."""
    track.path.with_suffix(".json").unlink()
    with studio._jobs._database.writing() as db:
        db.execute("DELETE FROM tracks")
        db.execute(
            "UPDATE jobs SET status = 'IN_PROGRESS', track_id = NULL, ended_at = NULL, attempts = 3, owner = 'x'"
        )


async def test_a_job_that_only_waited_when_its_process_ended_has_used_up_no_attempt(studio):
    """Three kills of a process that makes another song do not end it."""
    long, waiting = [await studio.start(request("text_to_audio", SONG | {"duration": d})) for d in (120, 5)]
    await until(studio, long, Status.IN_PROGRESS)
    with anyio.fail_after(20):
        while (await studio.outcome(waiting.id)).job.status is not Status.IN_QUEUE:
            await anyio.sleep(0.01)
    counted = [(await studio.outcome(job.id)).job.attempts for job in (long, waiting)]
    for job in (waiting, long):
        await studio.cancel(job.id)
    assert counted == [1, 0]


async def test_a_song_is_made_after_the_folder_of_the_queue_was_deleted(studio):
    """The queue keeps its songs there until they are saved."""
    first = await finished(studio, await studio.start(request("text_to_audio", SONG)))
    shutil.rmtree(studio.settings.data_dir / "draft")
    edit = {"audio_url": first.track.uri, "tags": "x", "start_time": 0, "end_time": 1}
    outcome = await finished(studio, await studio.start(request("audio_inpaint", edit)))
    assert outcome.job.status is Status.COMPLETED, outcome


async def test_the_engines_copy_of_a_draft_is_removed_once_the_song_is_kept(studio):
    outcome = await finished(studio, await studio.start(TextToAudio(**SONG)))
    assert outcome.track.path.is_file()
    copy = outcome.job.result.audio.url.rpartition("/")[2]
    with anyio.fail_after(5):
        while list((studio.settings.data_dir / "draft").rglob(copy)):
            await anyio.sleep(0.01)
