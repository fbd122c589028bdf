"""Whatever text is given as an address, by whichever way, the outcome is a URL or one of our errors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from acestep_mcp.api.errors import AceStepError, ConfigurationError, InvalidRequest, QueueError
from acestep_mcp.client import FAL_QUEUE, Host, SubmitOptions
from acestep_mcp.client.storage import HostStorage
from acestep_mcp.net.addresses import parse_url
from acestep_mcp.net.chat import Chat
from acestep_mcp.net.download import download
from acestep_mcp.net.http_responses import HttpResponse
from acestep_mcp.net.ssrf import Reach, host_of, origin, send
from acestep_mcp.net.timeouts import Timeouts
from tests.support.loopback import Reply, listening
from tests.support.odd_addresses import UNUSABLE

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("text", UNUSABLE, ids=lambda text: ascii(text[:30]))]


async def nowhere(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was looked up")


REACH = Reach(resolve=nowhere)
QUICK = Timeouts(connect=1, answer=1, silence=1, transfer=1, outage=0.1, first_wait=0.01)


async def test_reading_it(text):
    for read in (parse_url, origin, host_of):
        with pytest.raises(InvalidRequest):
            read(text)


async def test_fetching_from_it(text, tmp_path):
    with pytest.raises(InvalidRequest):
        await download(text, tmp_path / "a", reach=REACH, timeouts=QUICK)
    with pytest.raises(InvalidRequest):
        await send("POST", text, reach=REACH, timeouts=QUICK)


async def test_an_engine_at_it(text):
    with pytest.raises(ConfigurationError):
        Host.engine(text, "key-of-an-engine")
    assert not Host.fal("key").is_queue_url(text)
    assert not Host.engine(FAL_QUEUE).is_queue_url(text)


async def test_a_webhook_of_a_submit_to_it(text):
    if text:
        with pytest.raises(InvalidRequest):
            SubmitOptions(webhook_url=text)


async def test_an_upload_to_it(text, tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")

    async def ask(path, body):
        return HttpResponse(200, {}, json.dumps({"upload_url": text, "file_url": text}).encode())

    with pytest.raises(QueueError):
        await HostStorage(Host.fal("key"), ask, REACH).upload(tmp_path / "a.wav", "audio/wav", "a.wav")


async def test_a_language_model_at_it(text):
    with pytest.raises(ConfigurationError, match="ACESTEP_LLM_URL"):
        await Chat(text, "model", "key").ask([], seed=1)


async def test_a_redirect_to_it(text):
    if text != text.strip() or not text.isascii() or not text.isprintable() or len(text) > 8000:
        pytest.skip("no header carries it")
    async with listening(lambda _: Reply(302, headers={"location": text})) as server:
        reach = Reach(origins=frozenset({origin(server.url)}), resolve=nowhere)
        with pytest.raises(AceStepError):
            await send("GET", server.url, reach=reach, timeouts=QUICK)
