"""No text that anybody gives as an address leads to a private host, by whichever way it comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from acestep_mcp.api.errors import InvalidRequest, NotFound, QueueError
from acestep_mcp.client import FAL_QUEUE, Host, QueueClient
from acestep_mcp.client.storage import HostStorage
from acestep_mcp.engine_server.file_store import FileStore
from acestep_mcp.engine_server.source_loader import SourceLoader
from acestep_mcp.library.database import Database
from acestep_mcp.library.tracks import Tracks
from acestep_mcp.net.download import download
from acestep_mcp.net.http_responses import HttpResponse, NoResponse
from acestep_mcp.net.ssrf import Body, Reach, origin, send
from acestep_mcp.net.timeouts import Timeouts
from tests.support.loopback import Reply, listening
from tests.support.private_addresses import resolve, vectors

pytestmark = pytest.mark.anyio

REACH = Reach(resolve=resolve)
QUICK = Timeouts(connect=1, answer=1, silence=1, transfer=2, outage=0, first_wait=0.001, longest_wait=0.001)
REFUSED = (InvalidRequest, QueueError)


@asynccontextmanager
async def private_host() -> AsyncIterator[tuple[int, list[str]]]:
    """A port that is open on both loopback addresses, and the connections that were made to it."""
    connections: list[str] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(str(writer.get_extra_info("sockname")))
        writer.close()

    first = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = first.sockets[0].getsockname()[1]
    servers = [first]
    with suppress(OSError):  # a machine without IPv6
        servers.append(await asyncio.start_server(connected, "::1", port))
    try:
        yield port, connections
    finally:
        for server in servers:
            server.close()


async def by_download(text: str, folder: Path) -> None:
    await download(text, folder / "a", reach=REACH, timeouts=QUICK)


async def by_post(text: str, folder: Path) -> None:
    """As a webhook is delivered."""
    await send("POST", text, body=Body(b"{}", 2), reach=REACH, timeouts=QUICK)


async def by_result(text: str, folder: Path) -> None:
    """As the file of a song of fal's."""
    client = QueueClient(Host.fal("key", timeouts=QUICK), reach=REACH)
    await client.download(text, folder / "a")


async def by_upload(text: str, folder: Path) -> None:
    """As the address that a host gives for an upload."""
    (folder / "a.wav").write_bytes(b"RIFF")

    async def ask(path: str, body: object) -> HttpResponse:
        return HttpResponse(200, {}, json.dumps({"upload_url": text, "file_url": text}).encode())

    await HostStorage(Host.fal("key", timeouts=QUICK), ask, REACH).upload(folder / "a.wav", "audio/wav", "a.wav")


async def by_source(text: str, folder: Path) -> None:
    """As the `audio_url` of a request to an engine server."""

    async def fetch(url: str, path: Path) -> None:
        await download(url, path, reach=REACH, timeouts=QUICK)

    loader = SourceLoader(FileStore(folder), fetch)
    url = await loader.accept(text, "job", "http://engine.example")
    if loader.must_download(url):
        await loader.download(url, "job")
    else:
        raise InvalidRequest("its bytes are in the address")


@pytest.mark.parametrize(
    "way",
    [by_download, by_post, *(pytest.param(way, marks=pytest.mark.slow) for way in (by_result, by_upload, by_source))],
)
async def test_no_private_host_is_reached(way, tmp_path: Path):
    async with private_host() as (port, connections):
        texts = vectors(port)
        accepted = []
        for text in texts:
            try:
                await way(text, tmp_path)
            except REFUSED:
                continue
            accepted.append(text)
    assert len(set(texts)) >= 150
    assert (accepted, connections) == ([], [])


@pytest.mark.parametrize("each", [pytest.param(1, marks=pytest.mark.slow), 20])
async def test_no_redirect_leads_to_a_private_host(each, tmp_path: Path):
    """`each`: of how many addresses one is tried."""
    target, followed = [""], []
    async with private_host() as (port, connections), listening(lambda _: redirect(target[0])) as server:
        reach = Reach(resolve=resolve, origins=frozenset({origin(server.url)}))
        for text in vectors(port)[::each]:
            if (
                not (text.isprintable() and text.isascii())
                or "127.0.0.1" in text.partition("://")[0]
                or "://" not in text
            ):
                continue  # no header carries it, or it is a path on the server itself
            target[0] = text
            try:
                await download(server.url, tmp_path / "a", reach=reach, timeouts=QUICK)
            except REFUSED:
                continue
            followed.append(text)
    assert (followed, connections) == ([], [])


def redirect(to: str) -> Reply:
    return Reply(302, b"", {"location": to})


def test_no_address_is_the_name_of_a_song(tmp_path: Path):
    """The tools of the player, of the resources and of the gallery take the names of songs."""
    tracks = Tracks(Database(tmp_path / "jobs.sqlite3"), tmp_path / "music")
    for text in vectors(8080):
        with pytest.raises(NotFound):
            tracks.get(text)


async def test_what_is_named_in_a_reply_gets_no_key():
    hosts = [Host.fal("key-of-fal"), Host.engine(FAL_QUEUE, "key"), Host.engine("http://127.0.0.1:9", "key")]
    assert [text for text in vectors(8080) for host in hosts if host.is_queue_url(text)] == []


async def test_a_name_that_changes_its_meaning_is_asked_once():
    """The address that was checked is the one that is connected to."""
    asked = []

    async def rebinding(name: str, port: int) -> list[str]:
        asked.append(name)
        return ["203.0.113.1"] if len(asked) == 1 else ["127.0.0.1"]

    async with private_host() as (port, connections):
        reach = Reach(resolve=rebinding, admits=lambda address: address == "203.0.113.1")
        with pytest.raises(NoResponse):
            hasty = Timeouts(connect=0.05, transfer=0.2)
            await send("GET", f"https://rebinding.example:{port}/", reach=reach, timeouts=hasty)
    assert (len(asked), connections) == (1, [])
