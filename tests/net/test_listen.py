"""Listening sockets, and a server that answers although hundreds of connections send nothing."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
from contextlib import ExitStack, asynccontextmanager, closing, suppress

import anyio
import httpx
import pytest

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.net.connections import Limits
from acestep_mcp.net.listen import HttpServer, listen
from tests.support.certificates import authority

pytestmark = pytest.mark.anyio


held = []
"""For each request to /held that runs, what ends it."""


async def app(scope, receive, send):
    if scope["path"] == "/body":
        size = 0
        while (message := await receive())["type"] == "http.request" and message["more_body"]:
            size += len(message["body"])
    if scope["path"] == "/long":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(200):
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
    if scope["path"] == "/slow":
        await anyio.sleep(1)
    if scope["path"] == "/held":
        held.append(anyio.Event())
        await held[-1].wait()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def serving(connections=100, head_seconds=10, stall_seconds=30, **options):
    """A server on loopback, and its port."""
    listeners = listen("127.0.0.1", 0, server="It")
    server = HttpServer(app, grace=1, limits=Limits(connections, head_seconds, stall_seconds), **options)
    started, ended = anyio.Event(), False
    server.on_started = started.set
    server.is_over = lambda: ended
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve, listeners)
        await started.wait()
        try:
            yield listeners[0].getsockname()[1]
        finally:
            ended = True


async def test_an_accepted_connection_does_not_wait_for_acknowledgements():
    [listener] = listen("127.0.0.1", 0, server="It")
    with closing(listener), socket.create_connection(listener.getsockname()[:2]):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_name_is_served_at_each_of_its_addresses_on_one_port(monkeypatch):
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, 1, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with ExitStack() as stack:
        listeners = [stack.enter_context(closing(one)) for one in listen("localhost", 0, server="It")]
        assert listeners[0].family == socket.AF_INET
        assert len({one.getsockname()[1] for one in listeners}) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "no.such.host.invalid", "xn--\ud800", "\ud800", "a" * 300])
async def test_an_address_that_cannot_be_had_is_a_configuration_error(host):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigurationError, match="It cannot listen"):
        listen(host, taken.getsockname()[1], server="It")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_hundreds_of_connections_without_a_request_keep_no_caller_waiting(sent, caplog):
    async with serving(connections=64) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        with ExitStack() as stack:
            silent = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(300)]
            for one in silent:
                with suppress(ConnectionError):  # closed already
                    one.sendall(sent)
                await anyio.sleep(0)
            for _ in range(3):
                with anyio.fail_after(2):
                    assert (await http.get("/", headers={"connection": "close"})).text == "ok"
            assert sum(map(_is_closed, silent)) >= 300 - 64
    assert sum(len(record.getMessage()) for record in caplog.records) < 2000  # characters


def _is_closed(one: socket.socket) -> bool:
    one.setblocking(False)
    try:
        return one.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


async def test_connections_that_never_finish_a_tls_handshake_keep_no_caller_waiting(tmp_path):
    _, trusting = authority(tmp_path, "localhost")
    async with serving(connections=16, certificate=tmp_path / "server.pem") as port:
        with ExitStack() as stack:
            for _ in range(60):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                await anyio.sleep(0)
            async with httpx.AsyncClient(verify=trusting) as http:
                with anyio.fail_after(3):
                    assert (await http.get(f"https://localhost:{port}/")).text == "ok"


@pytest.mark.slow
async def test_a_request_head_has_a_deadline_and_a_request_in_progress_has_none():
    async with serving(head_seconds=0.2) as port:
        stream = await anyio.connect_tcp("127.0.0.1", port)
        async with stream, httpx.AsyncClient() as http:
            await stream.send(b"GET / HTTP/1.1\r\n")
            with anyio.fail_after(5), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await stream.receive()
            assert (await http.get(f"http://127.0.0.1:{port}/slow")).text == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("head", [b"X: " + b"a" * 300_000, b"X: a\r\n" * 60_000, b"a" * 300_000])
async def test_a_request_head_has_a_largest_size(head):
    async with serving() as port:
        stream = await anyio.connect_tcp("127.0.0.1", port)
        async with stream:
            with anyio.fail_after(5):
                with suppress(anyio.BrokenResourceError):
                    await stream.send(b"GET / HTTP/1.1\r\nHost: x\r\n" + head)
                answer = b""
                with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                    while True:
                        answer += await stream.receive()
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))


async def test_more_requests_than_the_limit_are_answered_503():
    statuses = []
    held.clear()
    async with serving(connections=4) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:

        async def ask() -> None:
            statuses.append((await http.get("/held")).status_code)

        async with anyio.create_task_group() as group:
            for most in (4, 6):
                for _ in range(most - len(held)):
                    group.start_soon(ask)
                while len(held) + len(statuses) < most:
                    await anyio.sleep(0.01)
            for one in held:
                one.set()
    assert sorted(statuses) == [200] * 4 + [503] * 2


@pytest.mark.slow
async def test_a_lack_of_file_descriptors_is_logged_once_and_ends_nothing(monkeypatch, caplog):
    loop = asyncio.get_running_loop()
    real, failures = loop.sock_accept, [OSError(errno.EMFILE, "Too many open files")] * 3

    async def accept(listener):
        if failures:
            raise failures.pop()
        return await real(listener)

    monkeypatch.setattr(loop, "sock_accept", accept)
    with caplog.at_level(logging.WARNING):
        async with serving() as port, httpx.AsyncClient() as http:
            assert (await http.get(f"http://127.0.0.1:{port}/")).text == "ok"
    assert not failures
    assert len([record for record in caplog.records if "Too many open files" in record.getMessage()]) == 1


async def test_invalid_requests_are_logged_once(caplog):
    async with serving() as port:
        for _ in range(50):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(b"\x00\x01\r\n\r\n")
                assert (await stream.receive()).startswith(b"HTTP/1.1 400")
    assert [record.getMessage() for record in caplog.records] == ["Invalid HTTP request received."]


async def test_a_signal_ends_it_after_its_last_work(monkeypatch):
    from sse_starlette.sse import AppStatus

    monkeypatch.setattr(AppStatus, "should_exit", False)  # its patch of uvicorn remembers every signal in this process
    listeners, done = listen("127.0.0.1", 0, server="It"), []
    server = HttpServer(app, grace=1)

    async def last() -> None:
        await anyio.sleep(0.05)
        done.append(server.should_exit)

    server.before_exit = last
    server.on_started = lambda: signal.raise_signal(signal.SIGTERM)
    with anyio.fail_after(5):
        await server.serve(listeners)
    assert (done, server.ended_by) == ([False], signal.SIGTERM)


BODY = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"


async def connected(port, trusting=None):
    """Over TLS where there is somebody to trust."""
    if trusting is None:
        return await anyio.connect_tcp("127.0.0.1", port)
    return await anyio.connect_tcp("localhost", port, ssl_context=trusting, tls_standard_compatible=False)


async def sending(port: int, pieces: int, size: int, trusting=None) -> bytes:
    """What is answered to a body that arrives in pieces, one every 50 ms; nothing if the connection is closed."""
    stream = await connected(port, trusting)
    try:
        await stream.send(BODY)
        for _ in range(pieces):
            await stream.send(bytes(size))
            await anyio.sleep(0.05)
        return await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return b""
    finally:
        await anyio.aclose_forcefully(stream)


@pytest.mark.slow
async def test_a_body_that_hardly_arrives_is_cut_off_and_a_slow_one_is_read_to_its_end():
    async with serving(stall_seconds=0.2) as port:
        with anyio.fail_after(10):
            assert await sending(port, 200, 1) == b""
            assert b"200 OK" in await sending(port, 5, 20_000)


@pytest.mark.slow
async def test_a_body_that_hardly_arrives_over_tls_is_cut_off_and_a_slow_one_is_read_to_its_end(tmp_path):
    _, trusting = authority(tmp_path, "localhost")
    async with serving(stall_seconds=0.2, certificate=tmp_path / "server.pem") as port:
        with anyio.fail_after(10):
            assert await sending(port, 200, 1, trusting) == b""
            assert b"200 OK" in await sending(port, 5, 20_000, trusting)


async def test_who_does_not_read_makes_room_for_new_callers():
    async with serving(connections=4, stall_seconds=0.1) as port, httpx.AsyncClient(timeout=5) as http:
        stuck = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(4)]
        for stream in stuck:
            await stream.send(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = ""
        with anyio.fail_after(5):
            while answer != "ok":
                with suppress(httpx.HTTPError):
                    answer = (await http.get(f"http://127.0.0.1:{port}/")).text
                await anyio.sleep(0.02)
        for stream in stuck:
            await anyio.aclose_forcefully(stream)


@pytest.mark.slow
@pytest.mark.parametrize("over_tls", [False, pytest.param(True, marks=pytest.mark.slow)])
async def test_who_never_reads_is_cut_off(over_tls, tmp_path):
    trusting = authority(tmp_path, "localhost")[1] if over_tls else None
    certificate = tmp_path / "server.pem" if over_tls else None
    async with serving(stall_seconds=0.03, certificate=certificate) as port:
        stream = await connected(port, trusting)
        await stream.send(b"GET /long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        size = 0
        with anyio.fail_after(10), suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            await anyio.sleep(0.6)
            while True:
                size += len(await stream.receive(1 << 20))
        await anyio.aclose_forcefully(stream)
    assert size < 20_000_000


@pytest.mark.slow
async def test_who_reads_slowly_gets_everything():
    async with serving(stall_seconds=0.1) as port:
        stream = await anyio.connect_tcp("127.0.0.1", port)
        await stream.send(b"GET /long HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        size = 0
        with anyio.fail_after(10), suppress(anyio.EndOfStream):
            await anyio.sleep(0.3)
            while True:
                size += len(await stream.receive(1 << 20))
        await anyio.aclose_forcefully(stream)
    assert size > 20_000_000
