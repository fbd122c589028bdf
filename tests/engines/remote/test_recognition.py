"""Which server answers at an address: each is told from the others, and one that cannot be used is named."""

from __future__ import annotations

import pytest

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engine_server.upstream import Upstreams
from acestep_mcp.net.chosen_server import ChosenServer
from tests.support.ace_server import DEFAULT, AceServer
from tests.support.ace_step_api import AceStepApi
from tests.support.engine import Tone, behind_a_port
from tests.support.loopback import Reply, listening

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("tmp_path")]


@pytest.fixture
def upstreams(tmp_path):
    return Upstreams(lambda url: ChosenServer("ACESTEP_ENGINE", url), tmp_path / "upstream", "wav")


@pytest.mark.parametrize("standin", [AceStepApi(), AceStepApi(key="a-key-that-is-not-given"), AceServer()])
async def test_each_server_is_recognised_without_a_key(upstreams, standin):
    async with listening(standin) as server:
        assert await upstreams.kind_at(server.url) == standin.name


async def test_an_engine_server_of_ours_is_a_queue(upstreams, tmp_path):
    async with behind_a_port(tmp_path / "engine", Tone()) as url:
        assert await upstreams.kind_at(url) is None


LLAMA = {"default_generation_settings": {}, "total_slots": 1, "model_path": "llama.gguf"}


@pytest.mark.parametrize(
    "answers",
    [
        {"/health": Reply(200, {"status": "ok"}), "/props": Reply(200, LLAMA)},
        {"/health": Reply(200, {"status": "ok"}), "/props": Reply(200, {"models": {"dit": "a", "vae": []}})},
        {"/health": Reply(200, {"status": "ok"})},
        {"/health": Reply(200, b"<html>hello</html>")},
        {"/health": Reply(302, b"", {"location": "http://169.254.169.254/"})},
        {"/health": Reply(200, {"data": {"service": {"ACE-Step API": 1}}})},
        {"/health": Reply(200, {"service": ["ACE-Step OpenRouter API"]})},
        {"/health": Reply(200, b"x" * 100_000)},
        {},
    ],
)
async def test_any_other_server_is_not_taken_for_one(upstreams, answers):
    async with listening(lambda seen: answers.get(seen.path, Reply(404))) as server:
        assert await upstreams.kind_at(server.url) is None
        assert all(seen.method == "GET" for seen in server.seen)


@pytest.mark.parametrize(
    ("health", "words"),
    [
        ({"data": {"service": "ACE-Step Gradio API"}, "code": 200}, "web interface"),
        ({"status": "ok", "service": "ACE-Step OpenRouter API"}, "chat API"),
    ],
)
async def test_a_server_without_jobs_is_refused_with_the_one_to_start(upstreams, health, words):
    async with listening(lambda _: Reply(200, health)) as server:
        with pytest.raises(ConfigurationError, match=words) as caught:
            await upstreams.kind_at(server.url)
    assert "acestep.api_server" in caught.value.message


def without_task_type():
    standin = AceServer()
    standin.default = {name: value for name, value in DEFAULT.items() if name != "task_type"}
    return standin


def synchronous():
    standin = AceServer()
    standin.overrides["/job"] = lambda _: Reply(404)
    return standin


@pytest.mark.parametrize("standin", [AceServer(version="0123456 (2026-04-11)"), without_task_type(), synchronous()])
async def test_an_acestep_cpp_without_jobs_is_refused(upstreams, standin):
    async with listening(standin) as server:
        with pytest.raises(ConfigurationError, match="Update it"):
            await upstreams.kind_at(server.url)


async def test_a_server_that_hangs_is_what_it_was(upstreams, monkeypatch):
    """A model is loaded inside its event loop."""
    api = AceStepApi()
    async with listening(api) as server:
        assert await upstreams.kind_at(server.url) == "ace-step-api"
        api.overrides["/health"] = lambda _: Reply(reset=True)
        assert await upstreams.kind_at(server.url) == "ace-step-api"
    assert await upstreams.kind_at(server.url) is None
