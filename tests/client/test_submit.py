"""A submit is a purchase: sent once, sent again only when the first surely was not accepted."""

from __future__ import annotations

import asyncio
import json
import time

import anyio
import httpx
import pytest

from acestep_mcp.api.errors import AceStepError, ConfigurationError, InvalidRequest, QueueError, SubmissionUnknown
from acestep_mcp.client import Host, QueueClient, RequestHandle, SubmitOptions
from acestep_mcp.net.timeouts import Timeouts
from tests.support import fal_replies as fal
from tests.support.fal_replies import APP, ENDPOINT, ID
from tests.support.loopback import Reply, Server, free_port, listening

pytestmark = pytest.mark.anyio

NO_OPTIONS = SubmitOptions()
SHORT = Timeouts(connect=2, answer=2, submit=0.4, silence=2, outage=1, first_wait=0.01, longest_wait=0.05)


def host(server: Server, **more) -> Host:
    return Host(server.url, server.url, fal.KEY, "fal", (0.01, 0.02), timeouts=SHORT, **more)


async def submitting(server: Server, options: SubmitOptions = NO_OPTIONS) -> RequestHandle:
    with anyio.fail_after(10):
        async with QueueClient(host(server)) as client:
            return await client.submit(ENDPOINT, {"tags": "lofi", "seed": 7}, options)


async def test_the_body_is_the_request_itself_and_the_whole_id_is_the_address():
    async with listening(lambda _: fal.submitted(server.url)) as server:
        handle = await submitting(server)
    [seen] = server.seen
    assert (seen.method, seen.target, seen.json()) == ("POST", f"/{ENDPOINT}", {"tags": "lofi", "seed": 7})
    assert seen.headers["authorization"] == f"Key {fal.KEY}"
    assert seen.headers["content-type"] == "application/json"
    assert handle.request_id == ID and handle.status_url == f"{server.url}/{APP}/requests/{ID}/status"


async def test_every_option_arrives_as_fal_reads_it():
    options = SubmitOptions(
        priority="low", hint="hint1", start_timeout=30, object_lifecycle=86400, no_store=True, no_retry=True,
        webhook_url="https://h.example/cb?a=1&b=2",
    )  # fmt: skip
    async with listening(lambda _: fal.submitted(server.url)) as server:
        await submitting(server, options)
    [seen] = server.seen
    assert seen.target == f"/{ENDPOINT}?fal_webhook=https%3A%2F%2Fh.example%2Fcb%3Fa%3D1%26b%3D2"
    sent = {name: value for name, value in seen.headers.items() if name.startswith("x-fal")}
    assert sent == {
        "x-fal-queue-priority": "low",
        "x-fal-runner-hint": "hint1",
        "x-fal-request-timeout": "30.0",
        "x-fal-object-lifecycle-preference": '{"expiration_duration_seconds":86400}',
        "x-fal-store-io": "0",
        "x-fal-no-retry": "1",
    }


async def test_no_option_set_sends_no_header():
    async with listening(lambda _: fal.submitted(server.url)) as server:
        await submitting(server)
    assert not [name for name in server.seen[0].headers if name.startswith("x-fal")]


@pytest.mark.parametrize("wrong", [{"start_timeout": 1}, {"hint": "a\r\nb"}, {"priority": "high"}])
async def test_an_option_that_cannot_be_sent_is_refused_before_any_request(wrong):
    with pytest.raises(InvalidRequest):
        SubmitOptions(**wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        Reply(reset=True),
        Reply(stall=True),
        Reply(200, {"request_id": ID, "more": "x" * 200}, cut=50),
        Reply(500, {"detail": "oops"}),
        Reply(503, {"detail": "unavailable", "error_type": "internal_error"}),
        Reply(504),
        fal.INGRESS,
        fal.CANCELLED,
        Reply(200, b"<html>welcome to the hotel</html>", {"content-type": "text/html"}),
        Reply(200, {"status": "IN_QUEUE"}),
        Reply(200, {"request_id": "../../other"}),
        Reply(200, {"request_id": "x" * 65}),
        Reply(200, stream=[b"x" * (1 << 20)] * 9),
    ],
    ids=["reset", "stall", "half", "500", "503", "504", "502", "499", "html", "no id", "odd id", "long id", "huge"],
)
async def test_a_submit_of_unknown_fate_is_sent_once_and_says_so(fault):
    async with listening(lambda _: fault) as server:
        with pytest.raises(SubmissionUnknown) as error:
            await submitting(server)
    assert len(server.seen) == 1
    assert "billed" in error.value.message and "host's" in error.value.message


async def test_a_connection_that_is_refused_is_tried_four_times_and_is_no_unknown_submit():
    port, tries = free_port(), []

    class Counting(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request):
            tries.append(request)
            return await super().handle_async_request(request)

    here = Host.engine(f"http://127.0.0.1:{port}", timeouts=SHORT)
    async with QueueClient(here, transport=Counting()) as client:
        with pytest.raises(QueueError) as error:
            await client.submit(ENDPOINT, {})
    assert len(tries) == 4
    assert not isinstance(error.value, SubmissionUnknown)
    assert "nothing listens there" in error.value.message and "Check the address" in error.value.message


async def test_a_submit_goes_through_once_the_connection_can_be_made():
    tries = []

    def answer(request):
        tries.append(request)
        if len(tries) <= 3:
            raise [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout][len(tries) - 1]("no")
        return httpx.Response(200, json={"request_id": ID})

    async with QueueClient(Host.fal(fal.KEY, timeouts=SHORT), transport=httpx.MockTransport(answer)) as client:
        handle = await client.submit(ENDPOINT, {})
    assert (handle.request_id, len(tries)) == (ID, 4)


async def test_a_busy_queue_is_asked_again_and_accepts_one_request():
    async def one(server):
        return await submitting(server)

    answers = iter([fal.TOO_MANY, fal.TOO_MANY])
    async with listening(lambda _: next(answers, None) or fal.submitted(server.url)) as server:
        assert (await one(server)).request_id == ID
    assert len(server.seen) == 3


async def test_a_queue_that_stays_busy_is_asked_four_times():
    async with listening(lambda _: fal.TOO_MANY) as server:
        with pytest.raises(QueueError) as error:
            await submitting(server)
    assert len(server.seen) == 4
    assert (error.value.status, error.value.error_type) == (429, "concurrent_requests_limit")
    assert not isinstance(error.value, SubmissionUnknown)


@pytest.mark.slow
async def test_the_pause_a_busy_queue_asks_for_is_kept():
    busy = Reply(429, {"detail": "slow down"}, {"retry-after": "1"})
    answers = iter([busy])
    async with listening(lambda _: next(answers, None) or fal.submitted(server.url)) as server:
        began = time.monotonic()
        await submitting(server)
    assert time.monotonic() - began >= 1


async def test_a_pause_too_long_to_wait_for_ends_the_submit_and_is_named():
    async with listening(lambda _: Reply(429, {"detail": "tomorrow"}, {"retry-after": "3600"})) as server:
        with pytest.raises(QueueError, match="3600 s"):
            await submitting(server)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (fal.UNKNOWN_KEY, ConfigurationError, "key was not accepted"),
        (fal.ODD_KEY, ConfigurationError, "key was not accepted"),
        (fal.NO_ACCESS, ConfigurationError, "Cannot access"),
        (fal.NO_BALANCE, ConfigurationError, "billing"),
        (Reply(402, {"detail": "Payment required"}), ConfigurationError, "balance"),
        (Reply(403, {"detail": "Forbidden"}), ConfigurationError, "permissions"),
        (fal.NO_APP, QueueError, "no such endpoint"),
        (fal.WRONG_METHOD, QueueError, "405"),
        (Reply(409, {"detail": "conflict"}), QueueError, "conflict"),
        (Reply(307, headers={"location": "https://elsewhere.example/x"}), QueueError, "elsewhere.example"),
        (Reply(507, {"detail": "disk full"}), QueueError, "disk full"),
        (fal.WRONG_INPUT, InvalidRequest, "duration"),
        (Reply(413, {"detail": "too large"}), InvalidRequest, "too large"),
    ],
)
async def test_a_refusal_is_not_repeated_and_says_what_to_do(reply, kind, words):
    async with listening(lambda _: reply) as server:
        with pytest.raises(AceStepError) as error:
            await submitting(server)
    assert len(server.seen) == 1
    assert type(error.value) is kind
    assert words in error.value.message


async def test_a_missing_key_is_told_from_a_wrong_one():
    async with (
        listening(lambda _: fal.NO_KEY) as server,
        QueueClient(Host(server.url, server.url, None, "fal", timeouts=SHORT)) as client,
    ):
        with pytest.raises(ConfigurationError, match="a key is needed"):
            await client.submit(ENDPOINT, {})


@pytest.mark.parametrize("endpoint", ["ace-step", "", "../x/y", "fal-ai/../x", "a/b?c", "workflows/owner", "a//b"])
async def test_an_id_that_is_none_is_refused_before_any_request(endpoint):
    async with listening(lambda _: fal.submitted(server.url)) as server, QueueClient(host(server)) as client:
        with pytest.raises(InvalidRequest, match="not an endpoint id"):
            await client.submit(endpoint, {})
    assert server.seen == []


async def test_a_ticket_survives_the_job_record():
    handle = RequestHandle(ID, "https://a.example/s", None, "https://a.example/c", "gateway-1")
    assert RequestHandle.from_dict(json.loads(json.dumps(handle.to_dict()))) == handle
    with pytest.raises(QueueError):
        RequestHandle.from_dict({"request_id": "a/b"})


async def test_a_submit_never_travels_on_a_connection_used_before():
    """One that the host has closed meanwhile would leave the submit's fate open."""
    ports = []

    async def app(reader, writer):
        ports.append(writer.get_extra_info("peername")[1])
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                await reader.readexactly(length[0] if length else 0)
                body = json.dumps({"request_id": ID, "status": "NOT_FOUND"}).encode()
                status = b"200 OK" if head.startswith(b"POST") else b"404 No"
                writer.write(b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
        except EOFError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(app, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with QueueClient(Host.engine(url, timeouts=SHORT)) as client:
        assert await client.reachable() is None
        assert await client.reachable() is None
        assert len(ports) == 1
        await client.submit(ENDPOINT, {})
        await client.submit(ENDPOINT, {})
    server.close()
    assert len(set(ports)) == 3
