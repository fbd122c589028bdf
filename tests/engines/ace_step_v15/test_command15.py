"""ACE-Step 1.5 end to end: an engine process, the command line, and files in a folder."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import httpx
import pytest
import soundfile

from tests.support.engine_process import OURS, engines_below, log_below, started_for, until

pytest.importorskip("torch", reason="the engine's packages are not installed")

pytestmark = [pytest.mark.xdist_group("torch-v1.5"), pytest.mark.slow, pytest.mark.timeout(240)]

ENGINE = "ace-step-v1.5"
APP = "/fal-ai/ace-step"
WORDS = {"tags": "lofi, piano", "lyrics": "[verse]\nhello rain", "seed": 3}


@pytest.fixture(scope="module")
def own(environment_in, tmp_path_factory, checkpoint15):
    """The environment of a machine that has the model's files and whose settings choose it. All tests share its folders."""
    chosen = {"ACESTEP_LOCAL_ENGINE": ENGINE, "ACESTEP_BACKEND": "engine", "ACESTEP_WAIT_SECONDS": "200"}
    files = {"ACESTEP_WEIGHTS": str(checkpoint15()), "ACESTEP_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    own = environment_in(tmp_path_factory.mktemp("engine")) | chosen | files
    with started_for(own):
        yield own


@pytest.fixture(scope="module")
def first(own):
    """The first song, for which the engine starts that makes the others: each would import the models' packages."""
    return made(own, "text-to-audio", **WORDS, duration=6)


def ours(environment, *arguments):
    return subprocess.run(
        [*OURS, *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        encoding="utf-8", timeout=200, check=False,
    )  # fmt: skip


def made(environment, endpoint, **values):
    words = [word for name, value in values.items() for word in (f"--{name}", str(value))]
    done = ours(environment, "make", endpoint, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_all_five_endpoints_make_songs_whose_sidecars_name_the_model(own, first):
    song = first["track"]["file_path"]
    others = [
        made(own, "prompt-to-audio", prompt="a sad piano waltz", duration=5),
        made(own, "audio-to-audio", **WORDS, **{"audio-url": song, "original-tags": "lofi", "edit-mode": "remix"}),
        made(own, "audio-inpaint", **WORDS, **{"audio-url": song, "start-time": 2, "end-time": 4}),
        made(own, "audio-outpaint", **WORDS, **{"audio-url": song, "extend-after-duration": 5}),
    ]
    assert [round(soundfile.info(told["track"]["file_path"]).duration, 2) for told in others] == [5, 6, 6, 11]
    for path in (song, *(told["track"]["file_path"] for told in others)):
        sidecar = json.loads(Path(path).with_suffix(".json").read_text(encoding="utf-8"))
        assert (sidecar["engine"], sidecar["model"]) == (ENGINE, "ACE-Step-v1.5 turbo")


def test_the_settings_choose_it_as_the_engine_that_starts_automatically(own, first):
    assert (first["engine"], first["backend"]) == (ENGINE, "engine")
    assert [engine["engine"] for engine in engines_below(own)] == [ENGINE]
    assert "ACE-Step 1.5" in log_below(own)


def test_a_running_song_is_cancelled_within_a_step(own, first):
    [engine] = engines_below(own)
    headers = {"Authorization": f"Key {engine['key']}"} if engine["key"] else {}
    with httpx.Client(base_url=engine["address"], timeout=100, headers=headers) as http:
        body = {"tags": "drone", "duration": 240, "number_of_steps": 20}
        job = http.post(APP, json=body).json()["request_id"]
        until(http, APP, job, '"denoising 1/20"')
        assert http.put(f"{APP}/requests/{job}/cancel").status_code == 202
        until(http, APP, job, '"COMPLETED"')
        logs = http.get(f"{APP}/requests/{job}/status", params={"logs": 1}).json()["logs"]
        steps = [line["message"] for line in logs if line["message"].startswith("denoising")]
        assert len(steps) < 6


def test_the_weights_of_another_model_are_refused_by_the_file_that_is_missing(environment, tmp_path):
    other = tmp_path / "v1"
    other.mkdir()
    done = ours(environment | {"ACESTEP_WEIGHTS": str(other)}, "engine", "--engine", ENGINE, "--port", "0")
    assert done.returncode == 1
    assert f"{other / 'model_index.json'} is missing" in done.stderr
    assert "Traceback" not in done.stderr
