"""Every row of the table of endpoints, through the queue of every engine, to a song."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any, get_args

import anyio
import httpx
import numpy as np
import pytest
import soundfile

from acestep_mcp.api.endpoints import ENDPOINTS, Endpoint
from acestep_mcp.api.requests import ApiRequest, EditRequest, EngineRequest, PromptToAudio
from acestep_mcp.engine_server.app import QueueOptions, serving
from acestep_mcp.engines import Engine
from acestep_mcp.engines.model.options import EngineOptions
from acestep_mcp.engines.registry import ENGINES

pytestmark = pytest.mark.anyio

SECONDS = 6
TEXT = "lofi, piano"


def source() -> str:
    """A data: URI of a tone of 6 s."""
    wave = np.sin(np.arange(SECONDS * 44_100) * 2 * np.pi * 220 / 44_100) / 4
    file = io.BytesIO()
    soundfile.write(file, np.stack([wave, wave], axis=1), 44_100, format="WAV", subtype="PCM_16")
    return "data:audio/wav;base64," + base64.b64encode(file.getvalue()).decode()


def body_of(endpoint: Endpoint) -> dict[str, Any]:
    """The shortest request: the required fields, and as little new music as the defaults allow."""
    fields = endpoint.request.model_fields
    short = {"duration": 5, "end_time": 2, "extend_after_duration": 2, "number_of_steps": 3, "seed": 1}
    body = {name: TEXT for name, field in fields.items() if field.is_required()}
    return (
        body
        | {name: short[name] for name in short if name in fields}
        | ({"audio_url": source()} if endpoint.source else {})
    )


@pytest.fixture(
    params=[
        "draft",
        pytest.param("ace-step-v1", marks=[pytest.mark.torch, pytest.mark.xdist_group("torch")]),
        pytest.param("ace-step-v1.5", marks=[pytest.mark.torch, pytest.mark.xdist_group("torch-v1.5")]),
    ]
)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Each engine of the registry, the models with tiny random weights."""
    weights = None
    if request.param == "ace-step-v1":
        weights = request.getfixturevalue("checkpoint")
    elif request.param == "ace-step-v1.5":
        weights = request.getfixturevalue("checkpoint15")(covers=True)
    vocabulary = {"lyric_vocab": weights / "vocab.json"} if request.param == "ace-step-v1" else {}
    made = ENGINES[request.param].create(EngineOptions(data_dir=tmp_path, weights=weights, device="cpu", **vocabulary))
    yield made
    made.close()


def test_the_engines_tested_are_those_of_the_registry_and_the_requests_those_of_the_table() -> None:
    assert set(ENGINES) == {"draft", "ace-step-v1", "ace-step-v1.5"}
    assert {endpoint.request for endpoint in ENDPOINTS} == {*get_args(EngineRequest), PromptToAudio}
    assert {*get_args(ApiRequest)} == {*get_args(EngineRequest), PromptToAudio}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.tool)
def test_an_endpoint_has_rules_for_a_source_exactly_when_its_request_has_one(endpoint: Endpoint) -> None:
    assert bool(endpoint.source) == issubclass(endpoint.request, EditRequest)


def assert_unchanged(endpoint: Endpoint, body: dict[str, Any], content: bytes) -> None:
    """The parts that the row's edit leaves unchanged are the source's own samples."""
    if not endpoint.source:
        return
    old, rate = soundfile.read(io.BytesIO(base64.b64decode(source().partition(",")[2])), dtype="int32")
    new, _ = soundfile.read(io.BytesIO(content), dtype="int32")
    for span in endpoint.edit(endpoint.request.parse(body), SECONDS).unchanged:
        start, end, shift = (round(seconds * rate) for seconds in (span.start, span.end, span.shift))
        assert np.array_equal(old[start:end], new[start + shift : end + shift]), (endpoint.id, span)


@pytest.mark.process
@pytest.mark.timeout(300)
async def test_an_engine_makes_a_song_of_every_endpoint_of_the_length_that_its_row_says(
    engine: Engine, tmp_path: Path
) -> None:
    async with serving(engine, folder=tmp_path / "queue", options=QueueOptions()) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=150) as http:
            for endpoint in ENDPOINTS:
                body = body_of(endpoint)
                with anyio.fail_after(150):
                    answer = await http.post(f"/run/{endpoint.id}", json=body)
                assert answer.status_code == 200, (endpoint.id, answer.text)
                file = await http.get(answer.json()["audio"]["url"])
                seconds = soundfile.info(io.BytesIO(file.content)).duration
                wanted = endpoint.seconds(endpoint.request.parse(body), SECONDS if endpoint.source else None)
                assert seconds == pytest.approx(wanted, abs=0.1), endpoint.id
                assert_unchanged(endpoint, body, file.content)
