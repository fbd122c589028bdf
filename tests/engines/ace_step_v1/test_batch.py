"""Songs that are made at once with a small random checkpoint: each as if it were alone."""

import threading

import anyio
import httpx
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from acestep_mcp.api.errors import GenerationFailed, InvalidRequest  # noqa: E402
from acestep_mcp.api.requests import AudioInpaint, TextToAudio  # noqa: E402
from acestep_mcp.audio.splice import to_float  # noqa: E402
from acestep_mcp.engine_server.app import QueueOptions, serving  # noqa: E402
from acestep_mcp.engines import Source  # noqa: E402
from acestep_mcp.engines.ace_step_v1.engine import AceStepV1  # noqa: E402
from acestep_mcp.engines.ace_step_v1.published import unavailable_reason  # noqa: E402
from acestep_mcp.engines.model.graphs import again  # noqa: E402
from acestep_mcp.engines.model.options import EngineOptions  # noqa: E402
from acestep_mcp.engines.model.predictions import StaticPredictions  # noqa: E402

pytestmark = pytest.mark.xdist_group("torch")

WORDS = {"tags": "lofi, piano", "lyrics": "[verse]\nhello rain", "number_of_steps": 5, "duration": 5}
TOLERANCE = 2**-15
"""The difference between two samples of full scale 1: one step of 16 bits, where float32 differs and rounds otherwise."""


class CountedPredictions(StaticPredictions):
    """Counts the runs of each batch. A batch of more than `most` rows runs out of memory."""

    def __init__(self, transformer, most=99):
        def step(x, timestep, context):
            if len(x) > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")
            return transformer(x, timestep, context)

        super().__init__(transformer, step, again, batch=3)
        self.batches = []

    def answer(self, given):
        self.batches.append(len(given))
        return super().answer(given)


@pytest.fixture(scope="module")
def engine(checkpoint, tmp_path_factory):
    torch.set_num_threads(1)
    options = EngineOptions(data_dir=tmp_path_factory.mktemp("data"), weights=checkpoint, batch=3)
    engine = AceStepV1(options)
    *_, _ = engine.generate(TextToAudio(**WORDS | {"number_of_steps": 3}, seed=1), None)
    yield engine
    engine.close()


@pytest.fixture
def counted(engine):
    return counting(engine)


def counting(engine, **given):
    denoiser = engine._loaded.denoiser
    denoiser.predictions = CountedPredictions(denoiser.transformer, **given)
    return denoiser.predictions


def at_once(*songs):
    """Play each `(parts, stop_after)` in its own thread, begun when all are there: its last part, or its error."""
    ends, ready = {}, threading.Barrier(len(songs))

    def play(number, parts, stop_after):
        ready.wait()
        try:
            for count, part in enumerate(parts):
                ends[number] = part
                if count == stop_after:
                    parts.close()
        except (GenerationFailed, InvalidRequest) as error:
            ends[number] = error

    threads = [threading.Thread(target=play, args=(number, *song)) for number, song in enumerate(songs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return [ends[number] for number in range(len(songs))]


def alone(engine, request, source=None):
    *_, audio = engine.generate(request, source)
    return audio


def difference(ours, theirs):
    return np.abs(to_float(ours.sound) - to_float(theirs.sound)).max()


def test_songs_of_one_length_are_one_batch_and_have_the_samples_that_they_have_alone(engine, counted):
    other = {"lyrics": "[verse]\n" + "la la rain and sun\n" * 8, "scheduler": "heun", "duration": 5.3}
    edit = {name: value for name, value in WORDS.items() if name != "duration"}
    source = Source(alone(engine, TextToAudio(**WORDS, seed=9)).sound)
    given = [
        (TextToAudio(**WORDS, seed=1), None),
        (TextToAudio(**WORDS | other, seed=2, tag_guidance_scale=0), None),
        (AudioInpaint(**edit, audio_url="song.wav", seed=3, start_time=1, end_time=3), source),
    ]
    expected = [alone(engine, *each) for each in given]
    counted.batches.clear()
    songs = at_once(*((engine.generate(*each), None) for each in given))
    assert max(counted.batches) == 3
    assert [difference(ours, theirs) <= TOLERANCE for ours, theirs in zip(songs, expected, strict=True)] == [True] * 3
    assert difference(songs[0], alone(engine, TextToAudio(**WORDS, seed=4))) > 20 * TOLERANCE


def test_a_song_that_is_stopped_or_fails_leaves_the_batch_and_the_others_go_on(engine, counted):
    request = TextToAudio(**WORDS, seed=1)
    expected = alone(engine, request)
    fails = TextToAudio(**WORDS, seed=2).model_copy(update={"guidance_scale": 1e38, "tag_guidance_scale": 0})
    counted.batches.clear()
    stopped, failed, song = at_once(
        (engine.generate(TextToAudio(**WORDS, seed=3), None), 3),
        (engine.generate(fails, None), None),
        (engine.generate(request, None), None),
    )
    assert max(counted.batches) == 3
    assert (stopped.stage, stopped.number < stopped.total) == ("denoising", True)
    assert "lower guidance_scale" in failed.message
    assert difference(song, expected) <= TOLERANCE


def test_songs_whose_batch_does_not_fit_in_memory_are_played_one_by_one(engine):
    requests = [TextToAudio(**WORDS, seed=seed) for seed in (1, 2)]
    expected = [alone(engine, request) for request in requests]
    tight = counting(engine, most=3)
    songs = at_once(*((engine.generate(request, None), None) for request in requests))
    assert [difference(ours, theirs) <= TOLERANCE for ours, theirs in zip(songs, expected, strict=True)] == [True] * 2
    assert 2 in tight.batches
    later = at_once(*((engine.generate(request, None), None) for request in requests))
    assert tight.batches.count(2) >= 2, "the next songs are tried together again"
    assert all(difference(ours, theirs) <= TOLERANCE for ours, theirs in zip(later, expected, strict=True))


def test_a_song_that_does_not_fit_even_alone_fails_and_the_model_stays_for_the_others(engine):
    expected = alone(engine, request := TextToAudio(**WORDS, seed=1))
    counting(engine, most=3)
    huge = TextToAudio(**WORDS, seed=1).model_copy(update={"duration": 1e13})
    failed, song = at_once((engine.generate(huge, None), None), (engine.generate(request, None), None))
    assert "ran out of memory" in failed.message
    assert difference(song, expected) <= TOLERANCE


def test_a_song_of_another_length_waits_and_both_are_whole(engine, counted):
    requests = [TextToAudio(**WORDS | {"duration": duration}, seed=1) for duration in (5, 6.5)]
    expected = [alone(engine, request) for request in requests]
    counted.batches.clear()
    songs = at_once(*((engine.generate(request, None), None) for request in requests))
    assert set(counted.batches) == {1}
    assert all(difference(ours, theirs) <= TOLERANCE for ours, theirs in zip(songs, expected, strict=True))


@pytest.mark.anyio
async def test_jobs_of_the_queue_are_one_batch_and_each_ends_by_itself(engine, counted, tmp_path):
    path = "/fal-ai/ace-step"

    async def end(http, ticket):
        with anyio.fail_after(60):
            await http.get(f"{path}/requests/{ticket}/status/stream")
        return await http.get(f"{path}/requests/{ticket}")

    async with serving(
        engine, folder=tmp_path / "queue", options=QueueOptions(database=tmp_path / "jobs.sqlite3")
    ) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            bodies = [{**WORDS, "seed": seed} for seed in (1, 2, 1)]
            tickets = [(await http.post(path, json=body)).json()["request_id"] for body in bodies]
            assert (await http.put(f"{path}/requests/{tickets[1]}/cancel")).status_code == 202
            first, cancelled, same = [await end(http, ticket) for ticket in tickets]
            logs = (await http.get(f"{path}/requests/{tickets[0]}/status?logs=1")).json()["logs"]
    assert max(counted.batches) >= 2
    assert (first.status_code, cancelled.status_code, same.status_code) == (200, 499, 200)
    assert [line["message"] for line in logs if "denoising" in line["message"]] == [
        f"denoising {n}/5" for n in range(1, 6)
    ]
    assert first.json()["audio"]["url"] != same.json()["audio"]["url"]


def test_a_batch_needs_the_whole_model_on_the_device(checkpoint, tmp_path):
    given = {"data_dir": tmp_path, "weights": checkpoint, "batch": 2}
    assert "--offload" in unavailable_reason(EngineOptions(**given, offload=True))
    assert unavailable_reason(EngineOptions(**given)) is None
