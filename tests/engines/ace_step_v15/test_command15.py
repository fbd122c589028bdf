"""ACE-Step 1.5 end to end: an engine process, the command line, and files in a folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest
import soundfile

from tests.support.engine_process import OURS, running, until

pytest.importorskip("torch", reason="the engine's packages are not installed")

pytestmark = [pytest.mark.xdist_group("torch-v1.5"), pytest.mark.slow, pytest.mark.timeout(240)]

ENGINE = "ace-step-v1.5"
APP = "/fal-ai/ace-step"


@pytest.fixture(scope="module")
def files(checkpoint15):
    """The settings of a machine that has the model's files."""
    return {"ACESTEP_WEIGHTS": str(checkpoint15()), "ACESTEP_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def own(environment, files):
    return environment | files


@pytest.fixture(scope="module")
def engine(environment_in, tmp_path_factory, files):
    """One engine for the file: each would import the models' packages, which takes longer than its songs."""
    with running(environment_in(tmp_path_factory.mktemp("engine")) | files, "--engine", ENGINE) as engine:
        yield engine


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


def test_all_five_endpoints_make_songs_whose_sidecars_name_the_model(engine, own):
    assert "ACE-Step 1.5" in engine.told
    there = own | {"ACESTEP_ENGINE_URL": engine.address}
    words = {"tags": "lofi, piano", "lyrics": "[verse]\nhello rain", "seed": 3}
    song = made(there, "text-to-audio", **words, duration=6)["track"]["file_path"]
    others = [
        made(there, "prompt-to-audio", prompt="a sad piano waltz", duration=5),
        made(there, "audio-to-audio", **words, **{"audio-url": song, "original-tags": "lofi", "edit-mode": "remix"}),
        made(there, "audio-inpaint", **words, **{"audio-url": song, "start-time": 2, "end-time": 4}),
        made(there, "audio-outpaint", **words, **{"audio-url": song, "extend-after-duration": 5}),
    ]
    assert [round(soundfile.info(told["track"]["file_path"]).duration, 2) for told in others] == [5, 6, 6, 11]
    for path in (song, *(told["track"]["file_path"] for told in others)):
        sidecar = json.loads(Path(path).with_suffix(".json").read_text(encoding="utf-8"))
        assert (sidecar["engine"], sidecar["model"]) == (ENGINE, "ACE-Step-v1.5 turbo")


def test_a_running_song_is_cancelled_within_a_step(engine):
    with httpx.Client(base_url=engine.address, timeout=100) as http:
        body = {"tags": "drone", "duration": 240, "number_of_steps": 20}
        job = http.post(APP, json=body).json()["request_id"]
        until(http, APP, job, '"denoising 1/20"')
        assert http.put(f"{APP}/requests/{job}/cancel").status_code == 202
        until(http, APP, job, '"COMPLETED"')
        logs = http.get(f"{APP}/requests/{job}/status", params={"logs": 1}).json()["logs"]
        steps = [line["message"] for line in logs if line["message"].startswith("denoising")]
        assert len(steps) < 6


def test_the_settings_choose_it_as_the_engine_that_starts_automatically(own, tmp_path):
    chosen = own | {"ACESTEP_LOCAL_ENGINE": ENGINE}
    try:
        told = made(chosen, "text-to-audio", tags="piano", duration=5, seed=1)
        assert told["engine"] == ENGINE
    finally:
        for file in tmp_path.rglob("engine.json"):
            os.kill(json.loads(file.read_text(encoding="utf-8"))["pid"], getattr(signal, "SIGKILL", signal.SIGTERM))


def test_the_weights_of_another_model_are_refused_by_the_file_that_is_missing(environment, tmp_path):
    other = tmp_path / "v1"
    other.mkdir()
    done = ours(environment | {"ACESTEP_WEIGHTS": str(other)}, "engine", "--engine", ENGINE, "--port", "0")
    assert done.returncode == 1
    assert f"{other / 'model_index.json'} is missing" in done.stderr
    assert "Traceback" not in done.stderr
