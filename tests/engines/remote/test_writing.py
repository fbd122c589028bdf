"""Tags and lyrics for a description: by the server's language model, or else by the built-in rules."""

from __future__ import annotations

import pytest

from acestep_mcp.engine_server.upstream import Upstreams
from acestep_mcp.engines.remote import ace_server, rest
from acestep_mcp.net.chosen_server import ChosenServer
from acestep_mcp.songwriter.song_text import SongText
from tests.support.ace_server import AceServer
from tests.support.ace_step_api import AceStepApi
from tests.support.loopback import Reply, listening

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("tmp_path")]
PATHS = {"ace-step-api": "/v1/create_sample", "acestep.cpp": "/lm"}


@pytest.fixture
def write(tmp_path, monkeypatch):
    async def by_rules(prompt, instrumental, duration, seed):
        return SongText("by rules", "", "rules")

    for wire in (ace_server, rest):
        monkeypatch.setattr(wire, "_WRITING_PAUSE", 0.02)

    async def write(standin, *, instrumental=False):
        async with listening(standin) as server:
            upstreams = Upstreams(lambda url: ChosenServer("ACESTEP_ENGINE", url), tmp_path / "upstream", "wav")
            writer = upstreams.writer(await upstreams.kind_at(server.url), server.url, by_rules)
            return await writer("a waltz for a rainy night", instrumental, 60.0, 7)

    return write


@pytest.mark.parametrize("standin", [AceStepApi(llm=True), AceServer(lm=True)], ids=lambda standin: standin.name)
async def test_the_servers_language_model_writes(write, standin):
    song = await write(standin)
    assert song.tags == "slow waltz, accordion, 92 bpm, D minor"
    assert song.lyrics == "[verse]\nA lamp in the window"
    assert (song.writer, song.notes) == (f"the language model of {standin.name}", ())


@pytest.mark.parametrize("instrumental", [False, True])
async def test_an_older_server_writes_with_a_song_of_one_step(write, instrumental):
    standin = AceStepApi(llm=True, has_sample=False)
    song = await write(standin, instrumental=instrumental)
    assert song.tags == "slow waltz, accordion, 92 bpm, D minor"
    assert song.lyrics == ("[Instrumental]" if instrumental else "[verse]\nA lamp in the window")
    assert (song.writer, song.notes) == ("the language model of ace-step-api", ())
    sent = standin.only.fields
    assert (sent["inference_steps"], sent["batch_size"], sent["seed"]) == (1, 1, 7)
    assert ("instrumental" in sent["sample_query"]) is instrumental


async def test_an_older_server_whose_writing_fails_is_said_in_a_note(write):
    standin = AceStepApi(llm=True, has_sample=False)
    standin.overrides["/query_result"] = lambda seen: Reply(
        200, {"data": [{"task_id": seen.json()["task_id_list"][0], "status": 2, "result": "[]"}], "code": 200}
    )
    song = await write(standin)
    assert song.tags == "by rules"
    assert "language model has not finished" in song.notes[0]


@pytest.mark.parametrize("standin", [AceStepApi(llm=True), AceServer(lm=True)], ids=lambda standin: standin.name)
async def test_without_vocals_it_is_told_so(write, standin):
    assert (await write(standin, instrumental=True)).lyrics == "[Instrumental]"


@pytest.mark.parametrize("standin", [AceStepApi(), AceServer()], ids=lambda standin: standin.name)
async def test_without_a_language_model_the_rules_write(write, standin):
    song = await write(standin)
    assert (song.tags, song.notes) == ("by rules", ())


@pytest.mark.parametrize("standin", [AceStepApi(llm=True), AceServer(lm=True)], ids=lambda standin: standin.name)
@pytest.mark.parametrize(
    "reply",
    [
        Reply(503, {"detail": "LLM not initialized"}),
        Reply(200, {"data": {"caption": 3}}),
        Reply(200, b"[]"),
        Reply(reset=True),
    ],
)
async def test_where_it_fails_the_rules_write_and_a_note_says_so(write, standin, reply):
    standin.overrides[PATHS[standin.name]] = lambda _: reply
    song = await write(standin)
    assert song.tags == "by rules"
    assert "language model wrote nothing" in song.notes[0]
