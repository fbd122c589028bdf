"""The ACE-Step engine end to end: an engine process, the command line, and files in a folder."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from time import sleep

import httpx
import numpy as np
import pytest
import soundfile

from tests.support.engine_process import OURS, engines_below, log_below, started_for, until

pytest.importorskip("torch", reason="the engine's packages are not installed")

# A process's first song waits for its imports, which take up to half a minute on a busy machine.
# test_engine.py is the short form of this file, without processes.
pytestmark = [pytest.mark.xdist_group("torch"), pytest.mark.slow, pytest.mark.timeout(240)]

APP = "/fal-ai/ace-step"
RATE = 48_000
FRAME = 4096 / 44_100
"""Seconds per latent frame."""
SEAM = 0.03
IDLE = 5
"""Seconds without a song after which the engine frees its model: more than between a cancelled song and the next."""
WORDS = {"tags": "lofi, piano", "lyrics": "[verse]\nhello rain", "number-of-steps": 4}
LONG = {"tags": "drone", "lyrics": "[inst]", "duration": 240, "number_of_steps": 60, "seed": 1}
SHORT = {"tags": "drone", "lyrics": "[inst]", "duration": 5, "number_of_steps": 3, "seed": 1}


def making(environment, endpoint, **values):
    words = [word for name, value in values.items() for word in (f"--{name}", str(value))]
    return subprocess.Popen(
        [*OURS, "make", endpoint, *words, "--json"], env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
    )  # fmt: skip


def result_of(process):
    """The JSON that a `make` printed, after checks of its sidecar and stderr."""
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    result = json.loads(out)
    assert result["engine"] == "ace-step-v1"
    assert "sketch" not in err
    file = Path(result["track"]["file_path"])
    sidecar = json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    made_by = {name: sidecar[name] for name in ("engine", "model", "version")}
    assert made_by == {"engine": "ace-step-v1", "model": "ACE-Step-v1-3.5B", "version": "1"}
    return result


def made(environment, endpoint, **values):
    result = result_of(making(environment, endpoint, **values))
    return Path(result["track"]["file_path"]), result


def samples_of(file):
    samples, rate = soundfile.read(file, dtype="int32", always_2d=True)
    assert rate == RATE
    return samples


def loud(samples):
    """Whether each half second has sound in it."""
    parts = np.abs(samples[: len(samples) // (RATE // 2) * (RATE // 2)].astype(np.int64)).reshape(-1, RATE)
    return bool((parts.max(axis=1) > 2**16).all())


@pytest.fixture(scope="module")
def own(environment_in, tmp_path_factory, checkpoint):
    """The environment of a machine that has the model's files. All tests share its folders."""
    weights = {"ACESTEP_WEIGHTS": str(checkpoint), "ACESTEP_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    limits = {"ACESTEP_LOCAL_IDLE_UNLOAD": str(IDLE), "ACESTEP_WAIT_SECONDS": "200", "ACESTEP_BACKEND": "engine"}
    return environment_in(tmp_path_factory.mktemp("end-to-end")) | weights | limits


@pytest.fixture(scope="module")
def first_two(own):
    """Six seconds by each of two processes at once, which find no engine. Theirs serves the file, then ends.

    Each engine would import the models' packages, which takes longer than its songs.
    """
    with started_for(own):
        both = [making(own, "text-to-audio", **WORDS, duration=6, seed=seed) for seed in (3, 4)]
        yield [result_of(process) for process in both]


@pytest.fixture(scope="module")
def to_engine(own, first_two):
    return own


@pytest.fixture
def http(own, first_two):
    """A client of the engine that was started."""
    [engine] = engines_below(own)
    headers = {"Authorization": f"Key {engine['key']}"} if engine["key"] else {}
    with httpx.Client(base_url=engine["address"], timeout=200, headers=headers) as client:
        yield client


@pytest.fixture(scope="module")
def song(first_two):
    return Path(first_two[0]["track"]["file_path"])


def test_one_seed_gives_the_same_file_to_the_byte_and_another_seed_another(to_engine, song, first_two):
    samples = samples_of(song)
    assert samples.shape[1] == 2
    assert 6 - FRAME < len(samples) / RATE <= 6
    assert loud(samples)
    again, _ = made(to_engine, "text-to-audio", **WORDS, duration=6, seed=3)
    assert again != song
    assert again.read_bytes() == song.read_bytes()
    assert not np.array_equal(samples_of(Path(first_two[1]["track"]["file_path"])), samples)


def test_a_sentence_becomes_tags_lyrics_and_a_song(to_engine):
    file, result = made(
        to_engine, "prompt-to-audio", **{"prompt": "a sad piano waltz", "duration": 5, "number-of-steps": 3, "seed": 5}
    )
    assert "piano" in result["tags"]
    assert result["lyrics"]
    assert 5 - FRAME < len(samples_of(file)) / RATE <= 5
    assert loud(samples_of(file))


@pytest.mark.parametrize("mode", ["lyrics", "remix"])
def test_audio_to_audio_keeps_the_length_and_changes_the_song(to_engine, song, mode):
    values = WORDS | {"tags": "metal", "original-tags": "lofi, piano", "edit-mode": mode, "audio-url": song}
    file, result = made(to_engine, "audio-to-audio", **values, seed=6)
    assert len(samples_of(file)) == len(samples_of(song))
    assert not np.array_equal(samples_of(file), samples_of(song))
    assert result["track"]["parent"], "the source"


def test_an_inpainted_song_equals_the_source_outside_its_window(to_engine, song):
    values = WORDS | {"audio-url": song, "start-time": 2, "end-time": 4, "variance": 1}
    file, _ = made(to_engine, "audio-inpaint", **values, seed=7)
    before, after = samples_of(song), samples_of(file)
    assert before.shape == after.shape
    differs = np.flatnonzero((before != after).any(axis=1)) / RATE
    assert 2 <= differs[0] < 2 + SEAM
    assert 4 - SEAM < differs[-1] < 4
    assert len(differs) > RATE, "more than half of the two seconds"


def test_an_outpainted_song_is_longer_on_both_sides_and_has_the_whole_source_between(to_engine, song):
    values = WORDS | {"audio-url": song, "extend-before-duration": 2, "extend-after-duration": 3}
    file, _ = made(to_engine, "audio-outpaint", **values, seed=8)
    old, new = samples_of(song), samples_of(file)
    assert len(new) == len(old) + 5 * RATE
    assert np.array_equal(new[2 * RATE : 2 * RATE + len(old)], old)
    assert loud(new[: 2 * RATE])
    assert loud(new[-3 * RATE :])


def lines(http, job):
    return http.get(f"{APP}/requests/{job}/status", params={"logs": 1}).json()["logs"]


def test_a_cancelled_song_ends_within_one_step_and_the_next_one_is_made(http):
    long = http.post(APP, json=LONG).json()["request_id"]
    until(http, APP, long, '"denoising 1/60"')
    assert http.put(f"{APP}/requests/{long}/cancel").status_code == 202
    answered = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    following = http.post(APP, json=SHORT).json()["request_id"]
    until(http, APP, following, '"COMPLETED"')
    assert http.get(f"{APP}/requests/{following}").json()["acestep"]["engine"] == "ace-step-v1"
    steps = [line for line in lines(http, long) if line["message"].startswith("denoising")]
    assert len([line for line in steps if line["timestamp"] > answered]) <= 1
    assert steps[-1]["message"] != "denoising 60/60"
    assert http.get(f"{APP}/requests/{long}").status_code >= 400
    assert "loading the model 0/1" not in [line["message"] for line in lines(http, following)]


def test_a_model_that_was_idle_is_freed_and_loaded_again_by_the_next_song(http):
    for song in range(5):
        job = http.post(APP, json=SHORT).json()["request_id"]
        until(http, APP, job, '"COMPLETED"')
        assert http.get(f"{APP}/requests/{job}").json()["acestep"]["engine"] == "ace-step-v1"
        loads = "loading the model 0/1" in [line["message"] for line in lines(http, job)]
        if song and loads:
            return
        sleep(IDLE + 1)
    pytest.fail("the model was never freed")


@pytest.mark.anyio
async def test_one_engine_starts_automatically_and_serves_every_program(own, first_two):
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client

    assert {result["backend"] for result in first_two} == {"engine"}
    nothing_chosen = {name: value for name, value in own.items() if name != "ACESTEP_BACKEND"}
    server = StdioServerParameters(command=OURS[0], args=list(OURS[1:]), env=nothing_chosen)
    async with Client(stdio_client(server)) as client:
        status = (await client.call_tool("status", {})).structured_content
        answer = await client.call_tool("text_to_audio", {"tags": "lofi", "duration": 5, "number_of_steps": 3})
    assert status["backend"] == "engine"
    assert "neither an engine's address nor a fal key is set, and the local engine ace-step-v1" in status["why"]
    made = answer.structured_content
    assert (made["status"], made["engine"]) == ("COMPLETED", "ace-step-v1"), answer.content[0].text
    assert len(engines_below(own)) == 1
    assert log_below(own).count("is served at") == 1
