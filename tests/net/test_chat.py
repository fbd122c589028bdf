"""A chat endpoint is asked over a real connection, and only it."""

from __future__ import annotations

import logging

import anyio
import pytest

from acestep_mcp.api.errors import AceStepError, ConfigurationError, QueueError
from acestep_mcp.net.chat import Chat
from acestep_mcp.net.timeouts import Timeouts
from tests.support.chat import SONG, Model, completion
from tests.support.loopback import Reply, free_port, listening

pytestmark = pytest.mark.anyio

KEY = "sk-hunter2-hunter2"
SHORT = Timeouts(connect=1, silence=0.3, transfer=0.5)
HASTY = Timeouts(connect=1, silence=0.05, transfer=0.1)
"""For what never comes."""
MESSAGES = [{"role": "system", "content": "Write."}, {"role": "user", "content": "Ça va? 海"}]


async def ask(url: str, key: str | None = None, model: str = "small-model", timeouts: Timeouts = SHORT, **more) -> str:
    with anyio.fail_after(10):
        return await Chat(url, model, key, timeouts=timeouts, **more).ask(MESSAGES, seed=7)


async def refused(url: str, **more) -> AceStepError:
    with pytest.raises(AceStepError) as caught:
        await ask(url, **more)
    return caught.value


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
async def test_the_base_address_may_be_given_as_people_give_it(path):
    async with listening(Model("hello")) as server:
        assert await ask(server.url + path) == "hello"
    assert [seen.path for seen in server.seen] == ["/v1/chat/completions"]


async def test_the_question_is_whole_not_streamed_and_carries_the_key():
    model = Model("hello", key=KEY)
    async with listening(model) as server:
        await ask(server.url, KEY)
    [body] = model.asked
    assert (body["messages"], body["seed"], body["response_format"]) == (MESSAGES, 7, {"type": "json_object"})
    assert server.seen[0].headers["content-type"] == "application/json"


async def test_without_a_key_none_is_sent():
    async with listening(Model("hello")) as server:
        await ask(server.url)
    assert "authorization" not in server.seen[0].headers


async def test_a_service_that_refuses_what_not_every_one_knows_is_asked_plainly():
    model = Model("hello", plain=True)
    async with listening(model) as server:
        assert await ask(server.url) == "hello"
    assert [len(seen.json()) for seen in server.seen] == [5, 3]


@pytest.mark.parametrize(
    ("content", "text"),
    [("x", "x"), ([{"type": "text", "text": "a"}, {"type": "image"}, {"text": "b"}], "ab"), ("", "")],
)
async def test_the_text_is_one_or_in_parts(content, text):
    async with listening(Model(lambda _: Reply(200, completion(content)))) as server:
        assert await ask(server.url) == text


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "ACESTEP_LLM_KEY"), (403, "ACESTEP_LLM_KEY"), (402, "account"), (404, "ACESTEP_LLM_MODEL"),
        (429, "too many requests"), (400, "ACESTEP_LLM_MODEL"), (418, "ACESTEP_LLM_MODEL"), (500, "log"), (503, "log"),
    ],
)  # fmt: skip
async def test_a_refusal_says_what_to_change_and_repeats_nothing_that_the_service_said(status, advice):
    async with listening(lambda _: Reply(status, {"error": {"message": f"your key {KEY} is bad"}})) as server:
        error = await refused(server.url, key=KEY)
    assert advice in error.message
    assert f"({status})" in error.message
    assert KEY not in error.message
    assert len(server.seen) == (2 if status == 400 else 1)


async def test_a_redirect_is_not_followed_with_the_key_or_without():
    async with listening(Model("hello")) as other:
        for status in (301, 302, 307, 308):
            reply = Reply(status, headers={"location": f"{other.url}/v1/chat/completions"})
            async with listening(lambda _, reply=reply: reply) as server:
                assert "final address" in (await refused(server.url, key=KEY)).message
    assert other.seen == []


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, b"<html>Welcome</html>"), Reply(200, {"choices": []}), Reply(200, []), Reply(200, {"error": "x"}),
        Reply(200, completion(None, refusal="no")), Reply(200, completion(7)), Reply(200, b"[" * 100_000),
    ],
    ids=["page", "no choice", "list", "error", "refusal", "number", "deep"],
)  # fmt: skip
async def test_an_answer_that_is_not_a_completion_is_an_error(reply):
    async with listening(lambda _: reply) as server:
        error = await refused(server.url)
    assert "other than a chat completion" in error.message
    assert "ACESTEP_LLM_URL has to be" in error.message


@pytest.mark.parametrize(
    "reply",
    [
        Reply(stall=True),
        Reply(reset=True),
        Reply(200, completion("x"), cut=20),
        Reply(stream=[b" " * 100] * 3, hang=True),
        Reply(200, b" " * (2 << 20)),
    ],
    ids=["stall", "reset", "cut", "hang", "too large"],
)
async def test_no_whole_answer_in_time_is_an_error_with_advice(reply):
    async with listening(lambda _: reply) as server:
        error = await refused(server.url, timeouts=HASTY if reply.stall or reply.hang else SHORT)
    assert isinstance(error, QueueError)
    assert "Is it running" in error.message


async def test_nobody_there_is_an_error_with_advice():
    assert "nothing listens there" in (await refused(f"http://127.0.0.1:{free_port()}")).message


@pytest.mark.parametrize("url", ["http://192.0.2.1:1", "http://box:1/v1"])
async def test_a_key_does_not_go_in_clear_to_another_machine(url):
    error = await refused(url, key=KEY)
    assert isinstance(error, ConfigurationError)
    assert "ACESTEP_INSECURE" in error.message


@pytest.mark.parametrize(
    "url", ["http://", "ftp://x/v1", "http://a b/", "http://u:p@127.0.0.1:1/v1", "http://a\u2488com"]
)
async def test_an_address_that_is_none_is_an_error_of_ours(url):
    await refused(url)


async def test_the_key_is_in_no_log_and_no_text(caplog):
    caplog.set_level(logging.DEBUG)
    async with listening(Model("hello", key=KEY)) as server:
        await ask(server.url, KEY)
        await refused(server.url, key="sk-another")
    assert caplog.records
    assert "hunter2" not in caplog.text + repr(Chat(server.url, "m", KEY))
    assert "sk-another" not in caplog.text
    assert SONG["tags"] not in caplog.text


@pytest.mark.parametrize(
    "echoed",
    [
        KEY,
        KEY.upper(),
        f"Bearer {KEY}, please",
        "sk%2Dhunter2-hunter2",
        "".join(f"\\u{ord(letter):04x}" for letter in KEY),
        "sk\\u002dhunter2-hunter2",
    ],
)
async def test_a_key_that_the_service_echoes_is_not_in_the_text(echoed):
    answers = [f'{{"tags": "lofi, {echoed}", "lyrics": "{echoed}"}}', [{"text": echoed[:9]}, {"text": echoed[9:]}]]
    for content in answers:
        async with listening(Model(Reply(200, completion(content)), key=KEY)) as server:
            text = await ask(server.url, KEY)
        assert "hunter2" not in text.casefold().replace("\\u002d", "-")
        assert "0068" not in text and "***" in text
