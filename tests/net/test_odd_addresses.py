"""Whatever text is given as an address, by whichever way, the outcome is a URL or one of our errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
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

pytestmark = pytest.mark.anyio


@contextmanager
def refused(text: str, kind: type[AceStepError], words: str = "") -> Iterator[None]:
    """What happens inside raises this error; a failure names the address."""
    with pytest.raises(AceStepError) as caught:
        try:
            yield
        except AceStepError:
            raise
        except Exception as exc:
            exc.add_note(f"with {text[:60]!a}")
            raise
        pytest.fail(f"{text[:60]!a} is accepted")
    assert isinstance(caught.value, kind) and words in caught.value.message, ascii(text[:60])


async def nowhere(host: str, port: int) -> list[str]:
    raise AssertionError(f"{host} was looked up")


REACH = Reach(resolve=nowhere)
QUICK = Timeouts(connect=1, answer=1, silence=1, transfer=1, outage=0.1, first_wait=0.01)


async def test_reading_it():
    for text in UNUSABLE:
        for read in (parse_url, origin, host_of):
            with refused(text, InvalidRequest):
                read(text)


async def test_fetching_from_it(tmp_path):
    for text in UNUSABLE:
        with refused(text, InvalidRequest):
            await download(text, tmp_path / "a", reach=REACH, timeouts=QUICK)
        with refused(text, InvalidRequest):
            await send("POST", text, reach=REACH, timeouts=QUICK)


async def test_an_engine_at_it():
    for text in UNUSABLE:
        with refused(text, ConfigurationError):
            Host.engine(text, "key-of-an-engine")
        assert not Host.fal("key").is_queue_url(text), ascii(text[:60])
        assert not Host.engine(FAL_QUEUE).is_queue_url(text), ascii(text[:60])


async def test_a_webhook_of_a_submit_to_it():
    for text in filter(None, UNUSABLE):
        with refused(text, InvalidRequest):
            SubmitOptions(webhook_url=text)


async def test_an_upload_to_it(tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    for text in UNUSABLE:
        body = json.dumps({"upload_url": text, "file_url": text}).encode()

        async def ask(path, _, body=body):
            return HttpResponse(200, {}, body)

        with refused(text, QueueError):
            await HostStorage(Host.fal("key"), ask, REACH).upload(tmp_path / "a.wav", "audio/wav", "a.wav")


async def test_a_language_model_at_it():
    for text in UNUSABLE:
        with refused(text, ConfigurationError, "ACESTEP_LLM_URL"):
            await Chat(text, "model", "key").ask([], seed=1)


async def test_a_redirect_to_it():
    given = [text for text in UNUSABLE if text == text.strip() and text.isascii() and text.isprintable()]
    carried = [text for text in given if len(text) <= 8000]  # no header carries the others
    assert len(carried) > len(UNUSABLE) / 2
    async with listening(lambda _: Reply(302, headers={"location": text})) as server:
        reach = Reach(origins=frozenset({origin(server.url)}), resolve=nowhere)
        for text in carried:
            asked = len(server.seen)
            with refused(text, AceStepError):
                await send("GET", server.url, reach=reach, timeouts=QUICK)
            assert len(server.seen) > asked
