"""Streamable HTTP with a real process: how calls end, and which requests are authorized."""

import io
import json
from contextlib import asynccontextmanager

import anyio
import httpx2
import numpy as np
import pytest
import soundfile
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import ResourceListChangedNotification
from starlette.requests import Request

from acestep_mcp import __version__
from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.library.models import Track
from acestep_mcp.server import http, transfers
from acestep_mcp.server.app import create_server

pytestmark = [pytest.mark.anyio, pytest.mark.process]

MODERN = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {}}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
BOTH = {"Accept": "application/json, text/event-stream"}


SIZE = 44 + 4 * 4800


class ServerWithClient:
    """A server process and an HTTP client for it."""

    def __init__(self, process, http_client):
        self.process = process
        self.http = http_client

    async def read_until(self, text):
        with anyio.fail_after(15):
            return await anyio.to_thread.run_sync(self.process.read_until, text, abandon_on_cancel=True)

    async def end(self):
        self.process.popen.terminate()
        return await anyio.to_thread.run_sync(self.process.end)


@pytest.fixture
async def start_server(spawn):
    clients = []

    async def start(*token):
        process = spawn("http", *token)
        line = await anyio.to_thread.run_sync(process.read_until, "served at http://")
        url = line.split("served at ")[1].strip().removesuffix("/mcp")
        clients.append(httpx2.AsyncClient(base_url=url, timeout=30))
        return ServerWithClient(process, clients[-1])

    yield start
    for client in clients:
        await client.aclose()


class RawCall:
    """One raw `tools/call`; `dropped` closes its connection, `answer` reads to its end."""

    def __init__(self, server, era, request_id, seed):
        params = {"name": "text_to_audio", "arguments": {"tags": "hold", "seed": seed}}
        self.message = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}
        self.server, self.era = server, era

    async def __aenter__(self):
        if self.era == "legacy":
            self.headers = BOTH | {"Mcp-Session-Id": await session(self.server), "MCP-Protocol-Version": "2025-11-25"}
        else:
            self.message["params"]["_meta"] = MODERN | {"progressToken": "p"}
            routing = {"Mcp-Method": "tools/call", "Mcp-Name": "text_to_audio"}
            self.headers = BOTH | routing | {"MCP-Protocol-Version": "2026-07-28"}
        self.stream = self.server.http.stream("POST", "/mcp", json=self.message, headers=self.headers)
        self.response = await self.stream.__aenter__()
        return self

    async def __aexit__(self, *error):
        await self.stream.__aexit__(*error)

    async def answer(self):
        async for line in self.response.aiter_lines():
            if line.startswith("data: ") and "method" not in (message := json.loads(line[6:])):
                return message
        return None


async def session(server):
    answer = await server.http.post("/mcp", json=message("initialize", HELLO, id=0), headers=BOTH)
    headers = BOTH | {"Mcp-Session-Id": answer.headers["mcp-session-id"]}
    await server.http.post("/mcp", json=message("notifications/initialized"), headers=headers)
    return answer.headers["mcp-session-id"]


def message(method, params=None, **more):
    return {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {}), **more}


async def test_over_http_only_an_explicit_notification_cancels(start_server):
    server = await start_server()
    async with RawCall(server, "modern", 1, seed=1):
        await server.read_until("started job-1")
    await server.read_until("undelivered job-1")
    async with RawCall(server, "legacy", 2, seed=2):
        await server.read_until("started job-2")
    await server.read_until("undelivered job-2")
    async with RawCall(server, "legacy", 3, seed=3) as call:
        await server.read_until("started job-3")
        late = message("notifications/cancelled", {"requestId": 3, "reason": "Request timed out"})
        await server.http.post("/mcp", json=late, headers=call.headers)
        assert (await call.answer())["error"]["code"] == -32800
    await server.read_until("undelivered job-3")
    async with RawCall(server, "legacy", 4, seed=4) as call:
        await server.read_until("started job-4")
        cancel = message("notifications/cancelled", {"requestId": 4, "reason": "the user stopped it"})
        await server.http.post("/mcp", json=cancel, headers=call.headers)
        await server.read_until("cancelled job-4")
    events, _ = await server.end()
    assert [line for line in events if line.startswith(("cancelled", "delivered"))] == ["cancelled job-4"]


@pytest.mark.parametrize("era", [pytest.param("legacy", marks=pytest.mark.slow), "modern"])
async def test_a_signal_lets_a_waiting_call_answer_with_its_job_over_http(start_server, era):
    server = await start_server()
    async with RawCall(server, era, 1, seed=1) as call:
        await server.read_until("started job-1")
        server.process.popen.terminate()
        with anyio.fail_after(15):
            answer = await call.answer()
    events, _ = await server.end()
    assert answer["result"]["structuredContent"]["status"] in ("NEW", "IN_QUEUE", "IN_PROGRESS")
    assert events == ["opened", "started job-1", "delivered job-1", "closed"]


TOKEN = {"Authorization": "Bearer secret"}


@pytest.fixture
async def http_client(shared):
    async with httpx2.AsyncClient(base_url=shared[1], timeout=30) as client:
        yield client


@asynccontextmanager
async def client_of(shared, **options):
    async with (
        httpx2.AsyncClient(headers=TOKEN, timeout=30) as with_token,
        Client(streamable_http_client(shared[1] + "/mcp", http_client=with_token), **options) as client,
    ):
        yield client


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_song_s_url_is_a_download_that_needs_its_key_or_the_token(shared, http_client, era):
    async with client_of(shared, mode=era) as client:
        answer = await client.call_tool("get_track", {"track_id": "kept"})
    address = answer.structured_content["url"]
    bare = address.split("?")[0]
    whole = await http_client.get(address)
    assert (whole.status_code, len(whole.content), whole.headers["content-type"]) == (200, SIZE, "audio/wav")
    part = await http_client.get(address, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"IFF", f"bytes 1-3/{SIZE}")
    assert (await http_client.head(bare, headers=TOKEN)).status_code == 200
    for wrong in (bare, bare + "?key=" + "0" * 32, address.replace("tracks/kept", "tracks/other")):
        assert (await http_client.get(wrong)).status_code == 401
    assert (await http_client.get(bare.rsplit("/", 1)[0] + "/other.wav", headers=TOKEN)).status_code == 404
    assert (await http_client.get(bare.replace("tracks/kept", "tracks/other"), headers=TOKEN)).status_code == 404


async def test_every_route_needs_token_host_and_origin(shared, http_client):
    for method, path in (
        ("POST", "/health"),
        ("GET", "/tracks/kept/x"),
        ("POST", "/uploads"),
        ("POST", "/mcp"),
        ("GET", "/x"),
    ):
        for headers, expected in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": "Basic secret"}, 401),
            (TOKEN | {"Host": "evil.example"}, 421),
            (TOKEN | {"Origin": "https://evil.example"}, 403),
        ):
            refused = await http_client.request(method, path, headers=headers)
            assert refused.status_code == expected, (method, path, headers)
    allowed = await http_client.get("/tracks/kept/x", headers=TOKEN | {"Origin": str(http_client.base_url).rstrip("/")})
    assert allowed.status_code == 404


async def test_whether_it_lives_is_told_to_anyone_and_nothing_else_is(http_client):
    answer = await http_client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": __version__})
    assert (await http_client.head("/health")).status_code == 200
    assert (await http_client.get("/health", headers={"Host": "evil.example"})).status_code == 421
    assert (await http_client.get("/health", headers={"Origin": "https://evil.example"})).status_code == 403


async def test_the_address_itself_says_what_to_give_to_a_client_and_needs_no_token(shared, http_client):
    answer = await http_client.get(shared[1] + "/")
    assert answer.status_code == 200
    assert f"{shared[1]}/mcp" in answer.text
    assert "Authorization: Bearer TOKEN" in answer.text
    assert TOKEN["Authorization"].split()[1] not in answer.text
    assert (await http_client.get(shared[1] + "/", headers={"Host": "evil.example"})).status_code == 421
    assert (await http_client.post(shared[1] + "/")).status_code == 401


async def test_an_upload_must_be_audio_and_returns_a_url_for_audio_url(shared, http_client):
    song = io.BytesIO()
    soundfile.write(song, np.zeros((48000, 2), np.int16), 48000, format="FLAC")
    answer = await http_client.post("/uploads", content=song.getvalue(), headers=TOKEN)
    assert answer.status_code == 201
    facts = answer.json()
    scheme, _, name = facts["url"].partition("://")
    assert (scheme, facts["content_type"], facts["duration"]) == ("upload", "audio/flac", 1)
    assert name.endswith(".flac")
    refused = await http_client.post("/uploads", content=b"#!/bin/sh\n" * 100, headers=TOKEN)
    assert refused.status_code == 422
    assert "WAV, FLAC, MP3, OGG, AIFF, AU, CAF or W64" in refused.json()["error"]["message"]
    kept = shared[0].folder / "data" / "uploads"
    assert [path.name for path in kept.iterdir()] == [name]


@pytest.fixture
def uploading(settings):
    """The upload route alone, with a small limit."""

    async def post(content, *, most):
        async def app(scope, receive, send):
            from starlette.requests import Request

            await (await transfers.upload(settings, Request(scope, receive), most=most))(scope, receive, send)

        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
            return await client.post("/", content=content)

    return post


async def test_an_upload_over_the_limit_is_rejected_with_or_without_a_content_length_and_leaves_no_file(
    uploading, settings
):
    async def unannounced():
        for _ in range(3):
            yield b"x" * 1000

    for content in (b"x" * 3000, unannounced()):
        answer = await uploading(content, most=2000)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "invalid_request")
    assert list((settings.data_dir / "uploads").iterdir()) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "", "::", "music.example"])
def test_off_loopback_it_refuses_to_start_without_a_token(studio_factory, settings, host):
    server = create_server(studio_factory, settings, transport="http")
    with pytest.raises(ConfigurationError, match="ACESTEP_TOKEN"):
        http.http_app(server, settings, host=host)


@pytest.mark.parametrize(
    ("host", "name"), [("192.0.2.7", "192.0.2.7"), ("2001:db8::7", "[2001:db8::7]"), ("127.0.0.1", "localhost")]
)
async def test_with_a_token_it_answers_to_its_own_names_only(studio_factory, settings, host, name):
    from pydantic import SecretStr

    settings = settings.model_copy(update={"token": SecretStr("secret")})
    app = http.http_app(
        create_server(studio_factory, settings, transport="http"), settings, host=host, allowed_hosts=["proxy.example"]
    )
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), headers={"Authorization": "Bearer secret"}
    ) as client:
        for host_name, expected in ((f"{name}:8765", 200), (name, 200), ("proxy.example", 200), ("192.0.2.8", 421)):
            answer = await client.get("http://192.0.2.7/health", headers={"Host": host_name})
            assert answer.status_code == expected, host_name


async def test_clients_of_both_eras_are_notified_when_a_song_is_deleted(shared):
    changed = anyio.Event()

    async def on_message(message):
        if isinstance(message, ResourceListChangedNotification):
            changed.set()

    async with (
        client_of(shared, mode="legacy", message_handler=on_message) as legacy,
        client_of(shared) as modern,
        modern.listen(resources_list_changed=True) as events,
    ):
        await legacy.list_resources()
        with anyio.fail_after(15):
            while not changed.is_set():  # the legacy client's own stream may not be open yet
                await modern.call_tool("delete_track", {"track_id": "kept"})
                await anext(events)
                await modern.call_tool("delete_track", {"track_id": "kept", "restore": True})
                with anyio.move_on_after(0.2):
                    await changed.wait()


async def test_a_closed_session_is_removed(studio_factory, settings):
    """Tests the private part of the SDK that `ChangeNotifier` uses."""
    server = create_server(studio_factory, settings, transport="http")
    app = http.http_app(server, settings, host="127.0.0.1")
    transport = httpx2.ASGITransport(app)
    async with (
        server.session_manager.run(),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        [state] = server._states
        headers = BOTH | {"Mcp-Session-Id": await session(ServerWithClient(None, client))}
        with anyio.fail_after(5):
            while not state.notifier.sessions:
                await anyio.sleep(0)
            await client.delete("/mcp", headers=headers)
            while state.notifier.sessions:
                await anyio.sleep(0)


@pytest.mark.parametrize(
    ("content_type", "served", "how"),
    [
        ("audio/flac", "audio/flac", "inline"),
        ("text/html", "application/octet-stream", "attachment"),
        ("image/svg+xml", "application/octet-stream", "attachment"),
    ],
)
async def test_only_audio_is_served_as_what_its_sidecar_says(tmp_path, content_type, served, how):
    path = tmp_path / "song.wav"
    path.write_bytes(b"<script>alert(1)</script>")
    track = Track("t01", path, {"audio": {"content_type": content_type}})

    class Studio:
        async def get(self, _):
            return track

        catalogue = property(lambda self: self)

    async def open_studio():
        return Studio()

    scope = {"type": "http", "method": "GET", "headers": [], "path_params": {"id": "t01", "file_name": "song.wav"}}
    response = await transfers.download(open_studio, Request(scope))
    assert response.headers["content-type"] == served
    assert response.headers["content-disposition"].startswith(how)
    assert response.headers["x-content-type-options"] == "nosniff"
