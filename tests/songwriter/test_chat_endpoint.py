"""A prompt, a language model on loopback, and the song that comes of it, through the whole server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from acestep_mcp.assembly import open_studio
from acestep_mcp.settings import load
from tests.support.chat import SONG, Model
from tests.support.loopback import Reply, free_port, listening
from tests.support.requests import request

pytestmark = [pytest.mark.anyio, pytest.mark.process]

KEY = "sk-hunter2-hunter2"
REQUEST = {"prompt": "a sad song about the sea, trip hop", "duration": 20, "seed": 7}


async def song(**settings):
    """The sidecar of a song for REQUEST, and its job."""
    async with open_studio(load(**{"llm_model": "small-model"} | settings)) as studio:
        job = await studio.start(request("prompt_to_audio", REQUEST))
        with anyio.fail_after(30):
            async for _ in studio.watch(job.id, 30):
                pass
        outcome = await studio.outcome(job.id)
    assert outcome.track, outcome.job.error
    return outcome.track.sidecar, outcome.job


async def test_a_language_model_writes_tags_and_lyrics_and_its_key_leaks_nowhere(tmp_path, capfd):
    model = Model(f"Here it is:\n```json\n{json.dumps(SONG)}\n```", key=KEY)
    async with listening(model) as server:
        sidecar, job = await song(llm_url=server.url, llm_key=KEY)
    assert (sidecar["tags"], sidecar["lyrics"], sidecar["writer"]) == (SONG["tags"], SONG["lyrics"], "small-model")
    assert REQUEST["prompt"] in model.asked[0]["messages"][1]["content"]
    assert not any("rules" in note for note in sidecar["notes"])
    assert [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []
    output = capfd.readouterr()
    assert KEY not in output.out + output.err + repr(job)


@pytest.mark.parametrize(
    ("answer", "settings", "why"),
    [
        ("I would rather not.", {}, "JSON object"),
        (Reply(429, {}), {}, "too many requests"),
        (json.dumps(SONG), {"llm_model": None}, "ACESTEP_LLM_MODEL is not"),
        (json.dumps(SONG), {"llm_key": "two words"}, "ACESTEP_LLM_KEY"),
        (json.dumps(SONG), {"llm_url": f"http://127.0.0.1:{free_port()}/v1"}, "nothing listens there"),
        (json.dumps(SONG), {"llm_url": "http://192.0.2.1/v1", "llm_key": KEY}, "ACESTEP_INSECURE"),
    ],
    ids=["nonsense", "refused", "no model", "bad key", "down", "in clear"],
)
@pytest.mark.slow
async def test_if_the_model_fails_the_song_is_made_anyway_and_a_note_says_what_to_fix(answer, settings, why):
    await assert_falls_back(answer, settings, why)


async def test_a_rejected_key_does_not_fail_the_song():
    await assert_falls_back(Reply(401, {"error": {"message": f"bad key {KEY}"}}), {"llm_key": KEY}, "ACESTEP_LLM_KEY")


async def assert_falls_back(answer, settings, why) -> None:
    async with listening(Model(answer)) as server:
        sidecar, _ = await song(**{"llm_url": server.url} | settings)
    assert sidecar["writer"] == "rules"
    [note] = [note for note in sidecar["notes"] if "The built-in rules wrote" in note]
    assert why in note
    assert KEY not in note


@pytest.mark.slow
async def test_an_engine_server_uses_the_model_too(environment, tmp_path):
    llm_settings = {"ACESTEP_LLM_MODEL": "small-model", "ACESTEP_LLM_KEY": KEY, "ACESTEP_ENGINE_KEY": "engine-key"}
    make = ("make", "prompt-to-audio", "--prompt", REQUEST["prompt"], "--duration", "20", "--json")
    async with listening(Model(key=KEY)) as server:
        environment |= llm_settings | {"ACESTEP_LLM_URL": f"{server.url}/v1"}
        with subprocess.Popen(
            [sys.executable, "-m", "acestep_mcp", "engine", "--port", "0", "--data-dir", str(tmp_path / "engine")],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        ) as engine:  # fmt: skip
            try:
                line = await anyio.to_thread.run_sync(engine.stderr.readline)
                address = line.split("served at ")[1].split()[0]
                done = await anyio.run_process(
                    [sys.executable, "-m", "acestep_mcp", *make], env=environment | {"ACESTEP_ENGINE_URL": address}
                )
            finally:
                engine.kill()
    answer = json.loads(done.stdout)
    sidecar = json.loads(Path(answer["track"]["file_path"]).with_suffix(".json").read_text(encoding="utf-8"))
    assert (answer["backend"], sidecar["writer"]) == ("engine", "small-model")
    assert (answer["tags"], answer["lyrics"]) == (SONG["tags"], SONG["lyrics"])
