"""What was sent once is not sent again: after a restart of ours, after an answer that was lost, and by no retry."""

from __future__ import annotations

import json
from contextlib import closing

import anyio
import anyio.to_thread
import pytest

from acestep_mcp.api.endpoints import named
from acestep_mcp.api.errors import AceStepError, GenerationFailed, QueueError, SubmissionUnknown
from acestep_mcp.engine_server.upstream import Upstreams
from acestep_mcp.engines import JobRun, Step
from acestep_mcp.net.chosen_server import ChosenServer
from tests.support.ace_step_api import AceStepApi
from tests.support.loopback import Reply, listening

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("tmp_path")]
SONG = {"tags": "lofi", "duration": 5}


async def left_at(stage, url, folder, job, *, tags="lofi", cancelled=False):
    """An engine that is stopped, as by the end of its process, at its first step of a stage, or of denoising."""
    upstreams = Upstreams(lambda at: ChosenServer("ACESTEP_ENGINE", at), folder, "wav")
    playing = upstreams.engine(await upstreams.kind_at(url), url)
    song = named("text_to_audio").request.parse(SONG | {"seed": 7, "tags": tags})

    def play():
        parts = playing.resume(JobRun(job, lambda: cancelled), song, None)
        for part in parts:
            if isinstance(part, Step) and part.stage in (stage, "denoising"):
                break
        parts.close()

    with anyio.fail_after(20):
        await anyio.to_thread.run_sync(play)


async def test_a_job_that_a_killed_process_began_is_found_again(make, tmp_path):
    api = AceStepApi()
    async with listening(api) as server:
        await left_at("generating", server.url, tmp_path / "upstream", "job-of-a-killed-process")
        song = await make(server.url, "text_to_audio", SONG, job="job-of-a-killed-process")
    assert len(api.jobs) == 1
    assert song.audio.sound.seconds == 5


@pytest.mark.slow
async def test_another_job_with_the_same_request_is_a_job_of_its_own(make):
    api = AceStepApi()
    async with listening(api) as server:
        for job in ("one-job-of-some-sort", "two-jobs-of-some-sort"):
            await make(server.url, "text_to_audio", SONG, job=job)
    assert len(api.jobs) == 2


@pytest.mark.slow
async def test_a_song_that_has_arrived_needs_no_server(make):
    api = AceStepApi()
    async with listening(api) as server:
        first = await make(server.url, "text_to_audio", SONG)
        api.jobs.clear()
        again = await make(server.url, "text_to_audio", SONG)
    assert again.audio.file == first.audio.file
    assert api.jobs == {}


async def test_what_was_said_of_a_song_that_has_arrived_is_said_again(make, tmp_path):
    api = AceStepApi(model="acestep-v15-base")
    api.ignores_seed = True
    async with listening(api) as server:
        first = await make(server.url, "text_to_audio", SONG)
        again = await make(server.url, "text_to_audio", SONG)
        [record] = (tmp_path / "upstream").glob("*.json")
        record.write_bytes(b'{"notes": 3, "model": []}')
        unreadable = await make(server.url, "text_to_audio", SONG)
    assert "seed of this song is not known" in first.notes
    assert "is no turbo model" in first.notes
    assert again.notes == first.notes
    assert "seed" not in unreadable.notes
    assert len(api.jobs) == 1


@pytest.mark.parametrize("lost", [Reply(reset=True), Reply(504, b"<html>gateway</html>"), Reply(200, {"data": {}})])
async def test_a_submit_without_an_answer_is_unknown_and_never_sent_again(make, lost):
    api, sent = AceStepApi(), []

    def submitted(seen):
        sent.append(seen)
        return lost

    api.overrides["/release_task"] = submitted
    async with listening(api) as server:
        for _ in range(2):
            with pytest.raises(SubmissionUnknown, match="not sent again"):
                await make(server.url, "text_to_audio", SONG)
    assert len(sent) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (Reply(429, {"detail": "Server busy: queue is full"}), "queue is full"),
        (Reply(500, b"Internal Server Error"), "refused the request \\(500\\)"),
        (Reply(200, {"data": None, "code": 400, "error": "no such model"}), "no such model"),
        (Reply(503, {"detail": "API key is not configured"}), "API key is not configured"),
    ],
)
async def test_a_refused_submit_may_be_sent_again(make, refusal, words):
    api = AceStepApi()
    answers = [refusal]
    api.overrides["/release_task"] = lambda _: answers.pop() if answers else None
    async with listening(api) as server:
        with pytest.raises(AceStepError, match=words):
            await make(server.url, "text_to_audio", SONG)
        await make(server.url, "text_to_audio", SONG)
    assert len(api.jobs) == 1


async def test_a_damaged_record_is_a_submit_of_an_unknown_fate(make, tmp_path):
    api = AceStepApi()
    (tmp_path / "upstream").mkdir()
    (tmp_path / "upstream" / "job-with-a-long-id.0.json").write_bytes(b'{"id": 3}')
    async with listening(api) as server:
        with pytest.raises(SubmissionUnknown):
            await make(server.url, "text_to_audio", SONG)
    assert api.jobs == {}


@pytest.mark.slow
async def test_a_server_that_was_restarted_has_lost_what_it_was_making(make, tmp_path):
    """It reports a job that ran then as running for an hour; its counters show that it does not."""
    api = AceStepApi()
    async with listening(api) as server:
        await left_at("generating", server.url, tmp_path / "upstream", "job-of-a-killed-process", tags="hold")
        api.restart()
        with pytest.raises(GenerationFailed, match="was restarted"):
            await make(server.url, "text_to_audio", SONG, job="job-of-a-killed-process")
    assert len(api.jobs) == 1


@pytest.mark.slow
async def test_a_server_that_is_busy_loading_its_model_is_waited_for(make):
    """It answers nobody meanwhile."""
    api, hangs = AceStepApi(), [Reply(reset=True)] * 3
    api.overrides["/query_result"] = lambda _: hangs.pop() if hangs else None
    async with listening(api) as server:
        song = await make(server.url, "text_to_audio", SONG)
    assert "waiting for the server to answer" in {step.stage for step in song.steps}
    assert len(api.jobs) == 1


@pytest.mark.slow
async def test_leaving_a_job_at_the_end_of_the_process_stops_nothing(tmp_path):
    api = AceStepApi()
    async with listening(api) as server:
        await left_at("generating", server.url, tmp_path / "upstream", "job-of-a-killed-process")
        assert {seen.path for seen in server.seen} == {
            "/health",
            "/v1/model_inventory",
            "/release_task",
            "/query_result",
        }


ODD = [b"", b"null", b"[]", b"{", b'"text"', b'{"data": 3}', b'{"data": [null]}', b"<html>\xff</html>", b"[" * 99_999]
ODD_RESULTS = [
    None,
    3,
    "",
    "{}",
    "null",
    "[3]",
    "[",
    "[" * 99_999,
    '[{"progress": 1e999}]',
    '[{"stage": {}}]',
    "[" + "9" * 9_999 + "]",
]


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/v1/model_inventory", "/query_result", "/release_task"])
async def test_an_odd_answer_ends_in_a_clear_error(make, path):
    async with listening(api := AceStepApi()) as server:
        for number, body in enumerate(ODD):
            api.overrides[path] = lambda _, body=body: Reply(200, body)
            with pytest.raises(QueueError, match="something other than|names no job"):
                await make(server.url, "text_to_audio", SONG, job=f"odd-job-number-{number}")


@pytest.mark.slow
@pytest.mark.parametrize("status", [0, 1, 2, 7, None, "1", [1]])
async def test_an_odd_result_ends_in_a_clear_error(make, status):
    async with listening(api := AceStepApi()) as server:
        for number, result in enumerate(ODD_RESULTS):
            looks = iter(range(3))

            def state(seen, result=result, looks=looks):
                if next(looks, None) is None:  # an odd state may go on; then it ends
                    return Reply(200, {"data": [], "code": 200})
                item = {"task_id": seen.json()["task_id_list"][0], "status": status, "result": result}
                return Reply(200, {"data": [item], "code": 200})

            api.overrides["/query_result"] = state
            with pytest.raises(QueueError) as caught:
                await make(server.url, "text_to_audio", SONG, job=f"odd-job-number-{number}")
            assert len(caught.value.message) < 500


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("http://169.254.169.254/latest", "something other than the address of the song"),
        ("/etc/passwd", "something other than the address of the song"),
        ("/v1/audio?path=a\r\nX: y", "something other than the address of the song"),
        ("/v1/audio?path=gone.wav", "no longer has the song's file"),
    ],
)
async def test_only_the_servers_own_audio_is_fetched(make, file, words):
    entry = {"file": file, "seed_value": "7", "dit_model": "turbo"}
    async with listening(api := AceStepApi()) as server:
        api.overrides["/query_result"] = lambda seen: Reply(
            200,
            {
                "data": [{"task_id": seen.json()["task_id_list"][0], "status": 1, "result": json.dumps([entry])}],
                "code": 200,
            },
        )
        with pytest.raises(QueueError, match=words):
            await make(server.url, "text_to_audio", SONG)


@pytest.mark.slow
@pytest.mark.parametrize("body", [b"<html>no song</html>", b"RIFF", b"ID3" + bytes(2000)])
async def test_what_is_no_song_ends_in_a_clear_error(make, body):
    async with listening(api := AceStepApi()) as server:
        api.overrides["/v1/audio"] = lambda _: Reply(200, body)
        with pytest.raises(GenerationFailed, match="is no song"):
            await make(server.url, "text_to_audio", SONG)


@pytest.mark.slow
async def test_an_answer_that_cannot_be_read_is_asked_for_twice_more(make):
    api, pages = AceStepApi(), [Reply(200, b"<html>sign in</html>")] * 2
    api.overrides["/query_result"] = lambda _: pages.pop() if pages else None
    async with listening(api) as server:
        await make(server.url, "text_to_audio", SONG)
    assert len(api.jobs) == 1


@pytest.mark.slow
async def test_a_job_that_is_stopped_at_any_moment_ends_at_once(tmp_path):
    api = AceStepApi()
    api.steps = 10**9
    song = named("text_to_audio").request.parse(SONG | {"seed": 7})
    async with listening(api) as server:
        upstreams = Upstreams(lambda at: ChosenServer("ACESTEP_ENGINE", at), tmp_path / "upstream", "wav")
        playing = upstreams.engine(await upstreams.kind_at(server.url), server.url)

        def play(number):
            with closing(playing.resume(JobRun(f"job-number-{number}", lambda: True), song, None)) as parts:
                for _ in parts:
                    anyio.from_thread.check_cancelled()

        for number in range(25):
            with anyio.fail_after(10):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(anyio.to_thread.run_sync, play, number)
                    await anyio.sleep(number / 400)
                    tasks.cancel_scope.cancel()
