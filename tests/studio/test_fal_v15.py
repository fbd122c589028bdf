"""ACE-Step 1.5 at fal: what is sent there, and what the song says about it."""

from __future__ import annotations

import io
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import numpy as np
import pytest
import soundfile

from acestep_mcp import assembly
from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.api.requests import AudioInpaint, TextToAudio
from acestep_mcp.client import Host, QueueClient
from acestep_mcp.library.job_rows import fingerprint_of
from acestep_mcp.library.models import Status
from acestep_mcp.net.ssrf import Reach
from acestep_mcp.settings import load
from acestep_mcp.studio.backends import Choice, costs
from acestep_mcp.studio.fal_v15 import in_v15_terms
from acestep_mcp.studio.new_job import new_job
from tests.support.loopback import Reply, Seen, listening
from tests.support.requests import request

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("tmp_path")]

KEY = "kid:a-long-secret"
ID = "019e1951-7c5a-7b41-9d0a-5f2f8a6f0c11"
FIELDS = {
    "/fal-ai/ace-step-1.5": {"prompt", "lyrics", "duration", "num_inference_steps", "seed"},
    "/fal-ai/ace-step-1.5/repaint": {
        "prompt", "lyrics", "source_audio_url", "start_time", "end_time", "repaint_strength", "seed", "vocal_language",
    },
    "/fal-ai/ace-step/audio-outpaint": {"tags", "audio_url", "extend_after_duration", "seed"},
}  # fmt: skip


def audio(kind: str, seconds: float = 5) -> bytes:
    noise = np.random.default_rng(1).uniform(-0.3, 0.3, (round(seconds * 8000), 2))
    file = io.BytesIO()
    soundfile.write(file, noise, 8000, format=kind)
    return file.getvalue()


@dataclass
class StandIn:
    """Refuses unknown fields and other addresses than the app's own, and answers with an MP3 and no more than its address."""

    base: str = ""
    submits: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def __call__(self, seen: Seen) -> Reply:
        if seen.method == "POST" and seen.path == "/storage/upload/initiate":
            return Reply(200, {"upload_url": f"{self.base}/put", "file_url": f"{self.base}/source.wav"})
        if seen.method == "POST":
            return self._submitted(seen.path, seen.json())
        if seen.method == "GET" and "/requests/" in seen.path:
            app, _, rest = seen.path.partition("/requests/")
            self.asked.add(app)
            if rest.endswith("/stream"):
                return Reply(404, {"detail": "no stream"})
            if rest.endswith("/status"):
                return Reply(200, {"status": "COMPLETED", "request_id": ID, "logs": []})
            return Reply(200, {"audio": {"url": f"{self.base}/song.mp3"}})
        return Reply(200, audio("MP3") if seen.path == "/song.mp3" else b"")

    def _submitted(self, path: str, body: dict[str, Any]) -> Reply:
        unknown = body.keys() - FIELDS.get(path, set())
        if unknown:
            detail = [{"loc": ["body", name], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}
                      for name in sorted(unknown)]  # fmt: skip
            return Reply(422, {"detail": detail})
        self.submits.append((path, body))
        return Reply(200, {"status": "IN_QUEUE", "request_id": ID})


@asynccontextmanager
async def fal(monkeypatch, **settings):
    """A studio that takes a stand-in on loopback for fal."""
    stand_in = StandIn()
    async with listening(stand_in) as server:
        stand_in.base = server.url

        class Clients(assembly.QueueClients):
            def _remote(self, name, host):
                there = Host(server.url, server.url, KEY, "fal", (0.01, 0.02))
                return QueueClient(there, reach=Reach(origins=frozenset({server.url})))

        monkeypatch.setattr(assembly, "QueueClients", Clients)
        async with assembly.open_studio(load(backend="fal", fal_key=KEY, **settings)) as studio:
            yield studio, stand_in


async def made(studio, tool, arguments):
    job = await studio.start(request(tool, arguments))
    with anyio.fail_after(20):
        async for _ in studio.watch(job.id, 20):
            pass
    outcome = await studio.outcome(job.id)
    assert outcome.job.status is Status.COMPLETED, outcome.job.error
    return outcome


async def test_a_song_is_asked_of_1_5_in_its_own_fields_and_says_so(monkeypatch):
    song = {"tags": "lofi, piano", "lyrics": "[verse]\nhello rain", "duration": 5, "seed": 7, "number_of_steps": 8}
    async with fal(monkeypatch, fal_model="ace-step-1.5") as (studio, host):
        outcome = await made(studio, "text_to_audio", song | {"guidance_scale": 7, "scheduler": "heun"})
        assert host.asked == {"/fal-ai/ace-step-1.5"}
        status = await studio.status()
    texts = {"prompt": "lofi, piano", "lyrics": "[verse]\nhello rain"}
    assert host.submits == [("/fal-ai/ace-step-1.5", texts | {"duration": 5, "seed": 7, "num_inference_steps": 8})]
    assert (outcome.job.endpoint, outcome.job.host_endpoint) == ("fal-ai/ace-step", "fal-ai/ace-step-1.5")
    stored = outcome.track.sidecar
    assert (stored["engine"], stored["model"]) == ("fal", "ACE-Step 1.5")
    assert (stored["tags"], stored["lyrics"], stored["seed"]) == ("lofi, piano", "[verse]\nhello rain", 7)
    assert stored["cost"] == round(0.0003 * stored["audio"]["duration"], 6)
    assert outcome.job.estimated_cost == 0.0015
    [made_by, unused] = stored["notes"][:2]
    assert made_by.startswith("fal-ai/ace-step-1.5 made it") and "never checked" in made_by
    assert unused == "ACE-Step 1.5 at fal has no field for guidance_scale, scheduler: without effect."
    assert "ACE-Step 1.5 (unverified)" in status.engine.model


@pytest.mark.slow
async def test_a_window_is_repainted_by_1_5_and_the_other_edits_stay_with_v1(monkeypatch, tmp_path):
    source = tmp_path / "music" / "song.wav"
    source.parent.mkdir()
    source.write_bytes(audio("WAV", 10))
    edit = {"audio_url": str(source), "tags": "jazz", "seed": 3}
    window = {"start_time": 4, "start_time_relative_to": "end", "end_time": 9, "variance": 0.7}
    async with fal(monkeypatch, fal_model="ace-step-1.5", music_dir=source.parent) as (studio, host):
        repainted = await made(studio, "audio_inpaint", edit | window | {"number_of_steps": 60})
        extended = await made(studio, "audio_outpaint", edit | {"extend_after_duration": 5})
    url = f"{host.base}/source.wav"
    assert host.submits == [
        ("/fal-ai/ace-step-1.5/repaint", {
            "prompt": "jazz", "lyrics": "[Instrumental]", "source_audio_url": url, "start_time": 6, "end_time": 9,
            "repaint_strength": 0.7, "seed": 3,
        }),
        ("/fal-ai/ace-step/audio-outpaint", {"tags": "jazz", "audio_url": url, "extend_after_duration": 5, "seed": 3}),
    ]  # fmt: skip
    assert repainted.job.estimated_cost == 0.003
    assert "no field for number_of_steps" in str(repainted.track.sidecar["notes"])
    assert extended.job.estimated_cost == 0.003  # 15 s of v1
    assert extended.track.sidecar["model"] == "ACE-Step"
    assert "1.5" not in str(extended.track.sidecar["notes"])


async def test_v1_makes_every_song_unless_1_5_is_chosen(monkeypatch):
    async with fal(monkeypatch) as (studio, host):
        monkeypatch.setitem(FIELDS, "/fal-ai/ace-step", {"tags", "duration"})
        await made(studio, "text_to_audio", {"tags": "lofi", "duration": 5})
    assert host.submits == [("/fal-ai/ace-step", {"tags": "lofi", "duration": 5})]


def test_a_call_for_one_model_does_not_join_the_job_of_the_other():
    song, choice = TextToAudio(tags="lofi", seed=1), Choice("fal", "", "")
    models = ("ace-step", "ace-step-1.5", "ace-step-1.5")
    first, other, again = (fingerprint_of(new_job(song, choice, load(fal_model=model), None)) for model in models)
    assert first != other == again


def test_a_song_without_lyrics_or_seed_is_sent_both():
    sent, notes = in_v15_terms(TextToAudio(tags="lofi", lyrics="no vocals"), {})
    assert sent.body.keys() == {"prompt", "lyrics", "duration", "seed"}
    assert (sent.body["lyrics"], sent.body["duration"]) == ("[Instrumental]", 60)
    assert len(notes) == 1
    other, _ = in_v15_terms(TextToAudio(tags="lofi", lyrics="no vocals"), {})
    assert sent.body["seed"] != other.body["seed"]


@pytest.mark.parametrize("name", ["start_time", "end_time"])
def test_a_time_from_the_end_of_a_song_of_unknown_length_is_refused_by_name(name):
    edit = AudioInpaint(tags="x", audio_url="https://example.org/a.wav", **{f"{name}_relative_to": "end"})
    with pytest.raises(InvalidRequest, match=f"{name}_relative_to.*give {name} from the start"):
        in_v15_terms(edit, {})


@pytest.mark.parametrize(("model", "rate"), [("ace-step", 0.0002), ("ace-step-1.5", 0.0003)])
def test_the_price_of_a_song_is_that_of_its_model(model, rate):
    cost = costs(load(fal_model=model), "fal")
    assert (cost["per_second_usd"], "the others cost 0.0002" in cost["basis"]) == (rate, model == "ace-step-1.5")
    assert costs(load(fal_model=model, price_per_second_usd=0.1), "fal")["per_second_usd"] == 0.1
