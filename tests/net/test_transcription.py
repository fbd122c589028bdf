"""A transcription endpoint is asked over a real connection, and only it."""

from __future__ import annotations

import anyio
import pytest

from acestep_mcp.api.errors import AceStepError, ConfigurationError
from acestep_mcp.net.timeouts import Timeouts
from acestep_mcp.net.transcription import Transcription
from tests.support.loopback import Reply, free_port, listening
from tests.support.transcription import Listener

pytestmark = pytest.mark.anyio

KEY = "sk-hunter2-hunter2"
SHORT = Timeouts(connect=1, silence=0.3, transfer=0.5)
MP3 = b"\xff\xfb\x90\r\n--\x00 not text \xff\n"


async def words(url: str, key: str | None = None) -> str:
    with anyio.fail_after(10):
        return await Transcription(url, "whisper-1", key, timeouts=SHORT).words_of(MP3)


async def refused(url: str, key: str | None = None) -> AceStepError:
    with pytest.raises(AceStepError) as caught:
        await words(url, key)
    return caught.value


@pytest.mark.parametrize("path", ["", "/v1/", "/v1/audio/transcriptions"])
async def test_the_recording_is_sent_whole_with_the_model_and_the_key(path):
    listener = Listener("Ça va? 海", key=KEY)
    async with listening(listener) as server:
        assert await words(server.url + path, KEY) == "Ça va? 海"
    assert listener.asked == [{"model": b"whisper-1", "response_format": b"json", "file": MP3}]


@pytest.mark.parametrize(
    ("reply", "advice"),
    [
        (Reply(401, {"error": KEY}), "ACESTEP_ASR_KEY"), (Reply(404), "ACESTEP_ASR_MODEL"), (Reply(500), "log"),
        (Reply(307, headers={"location": "http://127.0.0.1:1/"}), "final address"),
        (Reply(200, {"words": []}), "other than a transcript"), (Reply(200, b"<html>"), "other than a transcript"),
        (Reply(200, []), "other than a transcript"), (Reply(stall=True), "Is it running"),
        (Reply(200, b" " * (2 << 20)), "larger than"), (Reply(reset=True), "did not answer"),
    ],
    ids=["key", "model", "failed", "redirect", "other", "page", "list", "stall", "too large", "reset"],
)  # fmt: skip
async def test_an_answer_without_a_transcript_is_an_error_with_advice(reply, advice):
    async with listening(lambda _: reply) as server:
        error = await refused(server.url, KEY)
    assert advice in error.message
    assert "ACESTEP_LLM" not in error.message
    assert KEY not in error.message


async def test_nobody_there_a_key_in_clear_and_an_address_that_is_none_are_errors():
    assert "nothing listens there" in (await refused(f"http://127.0.0.1:{free_port()}")).message
    in_clear = await refused("http://192.0.2.1:1", KEY)
    assert isinstance(in_clear, ConfigurationError)
    assert "ACESTEP_ASR_KEY" in in_clear.message
    assert "ACESTEP_ASR_URL has to be" in (await refused("http://a b/")).message
