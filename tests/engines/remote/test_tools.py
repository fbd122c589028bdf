"""All five tools through MCP with a server of other people at ACESTEP_ENGINE_URL, which nobody has named."""

from __future__ import annotations

from pathlib import Path

import anyio
import httpx
import numpy as np
import pytest
import soundfile

from acestep_mcp.assembly import open_studio, status_only
from acestep_mcp.engine_server import app, upstream
from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.engine_server.upstream import Upstreams
from acestep_mcp.library.models import Status
from acestep_mcp.net.chosen_server import ChosenServer
from acestep_mcp.settings import Settings
from tests.support.ace_server import AceServer
from tests.support.ace_step_api import AceStepApi
from tests.support.loopback import Reply, free_port, listening
from tests.support.requests import request

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.usefixtures("tmp_path")]
KEY = "a-key-of-some-length"
STANDINS = {standin.name: standin for standin in (AceStepApi, AceServer)}


@pytest.fixture(params=STANDINS)
def standin(request):
    return STANDINS[request.param]()


async def called(client, tool, **arguments):
    answer = await client.call_tool(tool, {"seed": 7} | arguments)
    assert not answer.is_error, answer.content[0].text
    facts = answer.structured_content
    assert facts["status"] == "COMPLETED", facts
    return facts


def pcm(facts):
    return soundfile.read(facts["track"]["file_path"], dtype="int32", always_2d=True)[0]


async def test_every_tool_makes_a_song(tools, standin):
    async with tools(standin, engine_key=KEY) as client:
        song = await called(client, "text_to_audio", tags="lofi", duration=5)
        assert (song["engine"], song["seed"], song["cost"], song["backend"]) == (standin.name, 7, 0, "engine")
        described = await called(client, "prompt_to_audio", prompt="a slow waltz for a rainy night", duration=5)
        assert described["tags"]
        edit = {"audio_url": song["track"]["id"], "tags": "rock"}
        await called(client, "audio_to_audio", **edit, original_tags="lofi")
        inpainted = await called(client, "audio_inpaint", **edit, start_time=1, end_time=3)
        longer = await called(client, "audio_outpaint", **edit, extend_after_duration=2)
        status = (await client.call_tool("status", {})).structured_content
    old, rate = pcm(song), 48_000
    for part in (slice(0, rate), slice(3 * rate, None)):
        assert np.array_equal(pcm(inpainted)[part], old[part])
    assert np.array_equal(pcm(longer)[: 5 * rate], old)
    assert len(pcm(longer)) == 7 * rate
    assert (status["reachable"], status["engine"]["name"], status["engine"]["model"]) == (
        True,
        standin.name,
        standin.model,
    )
    assert standin.name in status["queue_url"]


async def test_an_mp3_file_stays_the_one_that_came(tools, standin):
    async with tools(standin, format="mp3") as client:
        facts = await called(client, "text_to_audio", tags="lofi", duration=5)
    # The frames of sound are the server's own, whatever tags stand before them.
    assert standin.last_song[-4096:] in Path(facts["track"]["file_path"]).read_bytes()


async def test_a_restart_of_ours_makes_no_second_song(settings, standin):
    standin.steps = 10**6
    async with listening(standin) as server:
        async with open_studio(settings(server.url)) as studio:
            job = await studio.start(request("text_to_audio", {"tags": "lofi", "duration": 5, "seed": 7}))
            with anyio.fail_after(20):
                while not standin.jobs or standin.only.polls < 3:
                    await anyio.sleep(0.01)
        standin.steps = 2
        async with open_studio(settings(server.url)) as studio:
            studio.adopt_jobs()
            async for _ in studio.watch(job.id, 20):
                pass
            outcome = await studio.outcome(job.id)
    assert outcome.job.status is Status.COMPLETED, outcome.job.error
    assert len(standin.jobs) == 1


async def test_a_submit_without_an_answer_leaves_the_job_unknown(settings, standin):
    sent = []

    def submitted(seen):
        sent.append(seen)
        return Reply(reset=True)

    standin.overrides[standin.submit_path] = submitted
    async with listening(standin) as server, open_studio(settings(server.url)) as studio:
        job = await studio.start(request("text_to_audio", {"tags": "lofi", "duration": 5}))
        async for _ in studio.watch(job.id, 20):
            pass
        outcome = await studio.outcome(job.id)
    assert (outcome.job.status, len(sent)) == (Status.UNKNOWN, 1)
    assert "not sent again" in outcome.job.error.message


async def test_a_cancelled_job_is_stopped_there_if_the_server_can(settings, standin):
    standin.steps = 10**6
    async with listening(standin) as server, open_studio(settings(server.url)) as studio:
        job = await studio.start(request("text_to_audio", {"tags": "lofi", "duration": 5}))
        with anyio.fail_after(20):
            while not standin.jobs or standin.only.polls < 3:
                await anyio.sleep(0.01)
        outcome = await studio.cancel(job.id)
        assert outcome.job.status is Status.CANCELLED
        assert standin.only.cancelled is standin.cancels
        assert ("cannot cancel" in outcome.job.error.message) is not standin.cancels


async def test_a_song_for_a_sentence_has_the_wanted_length_where_the_server_writes_only_with_a_song(tools):
    standin = AceStepApi(llm=True, has_sample=False)
    async with tools(standin) as client:
        song = await called(client, "prompt_to_audio", prompt="a slow waltz for a rainy night", duration=6)
    assert (song["tags"], song["lyrics"]) == (
        "slow waltz, accordion, 92 bpm, D minor",
        "[verse]\nA lamp in the window",
    )
    assert len(pcm(song)) == 6 * 48_000
    assert [job.fields["inference_steps"] for job in standin.jobs.values() if "inference_steps" in job.fields] == [1]
    assert len(standin.jobs) == 2


@pytest.fixture
def brisk_queue(monkeypatch):
    monkeypatch.setattr(app, "STOP_SECONDS", 0.05)


async def left_running(settings, standin, url):
    """The id of a job that was sent to the server, and that this program left when it ended."""
    standin.steps = 10**6
    async with open_studio(settings(url)) as studio:
        job = await studio.start(request("text_to_audio", {"tags": "lofi", "duration": 5, "seed": 7}))
        await happened(lambda: standin.jobs and standin.only.polls >= 3)
    assert not standin.only.cancelled
    return job.id


async def happened(condition):
    with anyio.fail_after(20):
        while not condition():
            await anyio.sleep(0.01)


@pytest.mark.usefixtures("brisk_queue")
async def test_a_job_that_was_cancelled_before_its_server_was_asked_again_is_stopped_there(settings):
    standin = AceServer()
    async with listening(standin) as server:
        job = await left_running(settings, standin, server.url)
        # Of a restarted server, the worker asks it first what it is, before it finds the job again.
        standin.overrides["/props"] = lambda _: Reply(reset=True)
        async with open_studio(settings(server.url)) as studio:
            studio.adopt_jobs()
            asked = len(server.seen)
            await happened(lambda: any(seen.path == "/props" for seen in server.seen[asked:]))
            outcome = await studio.cancel(job)
            assert outcome.job.status is Status.CANCELLED
            await happened(lambda: standin.only.cancelled)


@pytest.mark.usefixtures("brisk_queue")
async def test_a_job_that_was_cancelled_while_no_process_worked_on_it_is_stopped_by_the_next(settings):
    standin = AceServer()
    async with listening(standin) as server:
        job = await left_running(settings, standin, server.url)
        async with open_studio(settings(server.url)) as studio:
            # Waiting for it makes it this process's own.
            await studio.cancel(job)
            await happened(lambda: standin.only.cancelled)


@pytest.mark.usefixtures("brisk_queue")
async def test_a_job_that_is_cancelled_while_its_server_is_away_is_stopped_when_it_answers_again(settings):
    standin = AceServer()
    async with listening(standin) as server:
        standin.steps = 10**6
        async with open_studio(settings(server.url)) as studio:
            job = await studio.start(request("text_to_audio", {"tags": "lofi", "duration": 5}))
            await happened(lambda: standin.jobs and standin.only.polls >= 3)
            standin.overrides["/job"] = lambda _: Reply(reset=True)
            outcome = await studio.cancel(job.id)
            assert outcome.job.status is Status.CANCELLED
            assert not standin.only.cancelled
            standin.overrides.clear()
            await happened(lambda: standin.only.cancelled)


async def test_a_job_that_is_cancelled_while_it_waits_again_says_that_its_server_makes_it_to_the_end(tmp_path):
    """Both were begun by an earlier server; the next one works on the first, and the second waits."""
    standin = AceStepApi()
    standin.steps = 10**6
    folder, options = tmp_path / "files", QueueOptions(database=tmp_path / "jobs.sqlite")
    async with listening(standin) as server:
        upstreams = Upstreams(lambda at: ChosenServer("ACESTEP_ENGINE", at, None), tmp_path / "upstream", "wav")
        engine = upstreams.engine(standin.name, server.url)
        async with serving(engine, engine, folder=folder, options=options) as both, client_of(both) as http:
            body = {"tags": "lofi", "duration": 5}
            jobs = [(await http.post("/fal-ai/ace-step", json=body)).json()["request_id"] for _ in range(2)]
            await happened(lambda: len(engine.begun()) == 2)
        async with serving(engine, folder=folder, options=options) as one, client_of(one) as http:
            address = f"/fal-ai/ace-step/requests/{jobs[1]}"
            assert (await http.get(f"{address}/status")).json()["status"] == "IN_QUEUE"
            await http.put(f"{address}/cancel")
            assert "made to the end" in (await http.get(address)).json()["detail"]


def client_of(served):
    return httpx.AsyncClient(transport=httpx.ASGITransport(served), base_url="http://localhost")


async def test_a_server_that_runs_at_its_usual_address_is_preferred_to_drafts(tmp_path, monkeypatch):
    async with (
        listening(AceServer()) as unfit,
        listening(AceStepApi(key="not-ours-at-all")) as closed,
        listening(AceServer()) as fit,
    ):
        unfit.script.models["vae"] = []
        monkeypatch.setattr(upstream, "USUAL", (f"http://127.0.0.1:{free_port()}", unfit.url, closed.url, fit.url))
        folders = {"music_dir": tmp_path / "music", "data_dir": tmp_path / "data"}
        async with open_studio(Settings(**folders)) as studio:
            status = await studio.status()
        async with open_studio(Settings(**folders, backend="draft")) as studio:
            told = await studio.status()
    assert (status.backend, status.queue_url, status.reachable) == ("engine", f"acestep.cpp:{fit.url}", True)
    assert f"acestep.cpp (ace-server) runs at {fit.url}" in status.why
    assert told.backend == "draft"


async def test_doctor_names_the_server_and_writes_nothing(settings, standin, tmp_path):
    async with listening(standin) as server:
        report = await status_only(settings(server.url))
    assert (report.reachable, report.queue_url) == (True, f"{standin.name}:{server.url}")
    assert report.engine.model == standin.model
    assert not (tmp_path / "data").exists()
