"""The key goes to the queue and its storage, and nowhere else: no other host, no text, no log."""

from __future__ import annotations

import logging
from dataclasses import asdict

import anyio
import pytest
from pydantic import SecretStr

from acestep_mcp.api.errors import AceStepError, ConfigurationError
from acestep_mcp.client import Host, QueueClient, RequestHandle
from acestep_mcp.net.timeouts import Timeouts
from tests.support import fal_replies as fal
from tests.support.fal_replies import ENDPOINT, ID, KEY
from tests.support.loopback import Reply, listening

SHORT = Timeouts(connect=2, answer=0.5, submit=0.5, silence=0.5, outage=0.3, first_wait=0.01, longest_wait=0.05)
SECRET = KEY.partition(":")[2]


@pytest.mark.parametrize("key", [f" {KEY}\n", SecretStr(f"{KEY}\r\n"), f"\t{KEY}"])
def test_white_space_around_a_pasted_key_is_taken_off(key):
    assert Host.fal(key).authorization() == {"Authorization": f"Key {KEY}"}


@pytest.mark.parametrize("key", ["", "  \n", None])
def test_no_key_is_no_header(key):
    assert Host.fal(key).authorization() == {}


@pytest.mark.parametrize("key", ["a b", "kid:sec\nret", "kid:sécret", "x" * 2000])
def test_a_key_that_no_header_can_carry_is_refused_without_being_repeated(key):
    with pytest.raises(ConfigurationError) as error:
        Host.fal(key)
    assert key not in error.value.message


@pytest.mark.parametrize(
    "url", ["http://gpu-box:8765", "http://192.168.1.5:8765", "http://localhost.example", "http://[::2]"]
)
def test_a_key_over_plain_http_off_loopback_is_refused(url):
    with pytest.raises(ConfigurationError, match="plain http"):
        Host.engine(url, KEY)
    assert Host.engine(url, KEY, insecure=True).queue_url == url
    assert Host.engine(url).queue_url == url


def test_the_storage_needs_a_safe_address_as_much_as_the_queue():
    with pytest.raises(ConfigurationError, match="plain http"):
        Host("https://queue.example", "http://rest.example", KEY)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8765", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9", "https://gpu-box"]
)
def test_a_key_on_loopback_or_over_tls_is_fine(url):
    assert Host.engine(f"{url}/", KEY).queue_url == url


@pytest.mark.parametrize(
    "url",
    ["", "gpu-box:8765", "ftp://x", "http://", "http://u:p@host", "https://h/?x=1", "http://h:99999", "http://a b"],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigurationError, match="engine's address"):
        Host.engine(url)


def test_the_key_is_in_no_text_of_a_host():
    host = Host.fal(KEY)
    assert SECRET not in f"{host} {host!r} {asdict(host)}"


ECHO = {"detail": f"no user for {KEY}, secret {SECRET}"}


@pytest.mark.anyio
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 503])
async def test_a_host_that_repeats_the_key_does_not_get_it_into_errors_or_logs(status, caplog):
    caplog.set_level(logging.DEBUG)
    texts = []
    detail = [{"loc": ["body", "tags"], "msg": KEY, "type": KEY, "input": KEY}] if status == 422 else ECHO["detail"]
    reply = Reply(status, {"detail": detail}, {"x-fal-error-type": SECRET, "retry-after": "99"})
    async with (
        listening(lambda _: reply) as server,
        QueueClient(Host.engine(server.url, KEY, timeouts=SHORT)) as client,
    ):
        for call in (
            client.submit(ENDPOINT, {}),
            client.result(ENDPOINT, RequestHandle(ID)),
            client.cancel(ENDPOINT, RequestHandle(ID)),
        ):
            with pytest.raises(AceStepError) as error:
                await call
            texts.append(f"{error.value!r} {vars(error.value)}")
        texts.append(str(await client.reachable()))
    assert len(server.seen) >= 4 and all(SECRET in seen.headers["authorization"] for seen in server.seen)
    # httpcore's own DEBUG lines show every header a host sends; our logging keeps that logger at WARNING.
    ours = "".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpcore"))
    assert SECRET not in "".join(texts) + ours
    assert not any(f"Key {KEY}" in record.getMessage() for record in caplog.records)


@pytest.mark.anyio
async def test_a_key_repeated_in_a_log_line_or_a_song_is_taken_out():
    def script(seen):
        if "/stream" in seen.target:
            text = f'data: {{"status": "COMPLETED", "logs": [{{"message": "Key {KEY}", "timestamp": "t"}}]}}\n\n'
            return Reply(
                200, headers={"content-type": "text/event-stream"}, stream=[text[:80].encode(), text[80:].encode()]
            )
        return fal.song(tags=KEY)

    async with listening(script) as server, QueueClient(Host.engine(server.url, KEY, timeouts=SHORT)) as client:
        [update] = [update async for update in client.follow(ENDPOINT, RequestHandle(ID))]
        song = await client.result(ENDPOINT, RequestHandle(ID))
    assert update.logs[0].message == "Key ***"
    assert song.tags == "***"


@pytest.mark.anyio
async def test_a_key_that_is_repeated_in_another_spelling_is_taken_out():
    escaped = "".join(f"\\u{ord(letter):04X}" for letter in SECRET)
    body = f'{{"audio": {{"url": "https://x.example/{SECRET}"}}, "tags": "{escaped}", "lyrics": "{SECRET.upper()}"}}'
    async with (
        listening(lambda seen: Reply(200, body.encode()) if seen.method == "GET" else redirect) as server,
        QueueClient(Host.engine(server.url, KEY, timeouts=SHORT)) as client,
    ):
        redirect = Reply(302, b"", {"location": "https://x.example/?key=" + "".join(f"%{ord(c):02x}" for c in SECRET)})
        song = await client.result(ENDPOINT, RequestHandle(ID))
        with pytest.raises(AceStepError) as error:
            await client.cancel(ENDPOINT, RequestHandle(ID))
    assert (song.audio.url, song.tags, song.lyrics) == ("https://x.example/***", "***", "***")
    assert "https://x.example/?key=***" in error.value.message


@pytest.mark.anyio
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_with_the_key(status):
    async with listening(lambda _: fal.submitted("http://x")) as stranger:
        away = Reply(status, b"", {"location": f"{stranger.url}/x"})
        async with (
            listening(lambda _: away) as server,
            QueueClient(Host.engine(server.url, KEY, timeouts=SHORT)) as client,
        ):
            for call in (
                client.submit(ENDPOINT, {}),
                client.result(ENDPOINT, RequestHandle(ID)),
                client.cancel(ENDPOINT, RequestHandle(ID)),
            ):
                with pytest.raises(AceStepError, match="redirects"):
                    await call
    assert stranger.seen == []
    assert len(server.seen) == 3


@pytest.mark.anyio
async def test_plain_http_ignores_a_proxy_of_the_environment(monkeypatch):
    async with listening(lambda _: fal.NOT_FOUND) as proxy, listening(lambda _: fal.NOT_FOUND) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with anyio.fail_after(5):
            async with QueueClient(Host.engine(server.url, KEY, timeouts=SHORT)) as client:
                assert await client.reachable() is None
    assert (len(proxy.seen), len(server.seen)) == (0, 1)
