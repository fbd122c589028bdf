"""Songs fetched and sources uploaded, without the key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import anyio
import pytest

from acestep_mcp.api.errors import ConfigurationError, QueueError, StorageError
from acestep_mcp.client import Host, QueueClient
from acestep_mcp.client import storage as parts
from acestep_mcp.net.ssrf import Reach
from acestep_mcp.net.timeouts import Timeouts
from tests.support import fal_replies as fal
from tests.support.certificates import authority
from tests.support.fal_replies import KEY
from tests.support.loopback import Reply, Server, listening

pytestmark = pytest.mark.anyio

SHORT = Timeouts(connect=2, answer=2, silence=2, outage=0.5, first_wait=0.01, longest_wait=0.05)
SONG = b"RIFF" + bytes(range(256)) * 500


def client_of(server: Server, **more) -> QueueClient:
    return QueueClient(Host.engine(server.url, KEY, timeouts=SHORT), **more)


async def test_a_song_of_the_engines_own_is_streamed_to_disk_without_the_key(tmp_path: Path):
    async with listening(lambda _: Reply(200, SONG)) as server, client_of(server) as client:
        assert await client.download(f"{server.url}/files/a.wav", tmp_path / "a.part", size=len(SONG)) == len(SONG)
    assert (tmp_path / "a.part").read_bytes() == SONG
    assert "authorization" not in server.seen[0].headers


async def test_fal_may_not_name_a_private_address(tmp_path: Path):
    async with listening(lambda _: Reply(200, SONG)) as server:
        host = Host(server.url, server.url, KEY, "fal", timeouts=SHORT)
        async with QueueClient(host) as client:
            for url in (
                f"{server.url}/a.wav",
                f"https://127.0.0.1:{server.port}/a.wav",
                "file:///etc/passwd",
                "/a.wav",
            ):
                with pytest.raises(QueueError, match="not used"):
                    await client.download(url, tmp_path / "a.part", size=None)
    assert server.seen == [] and not (tmp_path / "a.part").exists()


async def test_an_engine_may_not_name_another_private_address(tmp_path: Path):
    async with (
        listening(lambda _: Reply(200, SONG)) as other,
        listening(lambda _: Reply(200)) as server,
        client_of(server) as client,
    ):
        with pytest.raises(QueueError, match="not used"):
            await client.download(f"{other.url}/a.wav", tmp_path / "a.part", size=None)
    assert other.seen == []


async def test_an_upload_is_begun_with_the_key_and_put_without(tmp_path: Path):
    source = tmp_path / "source.wav"
    source.write_bytes(SONG)

    def script(seen):
        if seen.method == "PUT":
            return Reply(200)
        base = server.url
        return Reply(200, {"upload_url": f"{base}/put/secret?sig=1", "file_url": f"{base}/files/b/source.wav"})

    async with listening(script) as server, client_of(server) as client:
        url = await client.upload(source, "audio/wav", "source.wav")
    begin, put = server.seen
    assert url == f"{server.url}/files/b/source.wav"
    assert begin.target == "/storage/upload/initiate?storage_type=fal-cdn-v3"
    assert begin.json() == {"content_type": "audio/wav", "file_name": "source.wav"}
    assert begin.headers["authorization"] == f"Key {KEY}"
    assert (put.method, put.target, put.body) == ("PUT", "/put/secret?sig=1", SONG)
    assert put.headers["content-type"] == "audio/wav"
    assert "authorization" not in put.headers


async def test_fals_upload_goes_to_the_public_storage_it_names_over_checked_tls(tmp_path: Path):
    source = tmp_path / "source.wav"
    source.write_bytes(SONG)
    tls, trusting = authority(tmp_path, "storage.example")

    async def resolve(name, port):
        return ["127.0.0.1"]

    async with listening(lambda _: Reply(200), tls=tls) as store:
        upload = f"https://storage.example:{store.port}/bucket/x?sig=1"
        begun = Reply(200, {"upload_url": upload, "file_url": "https://v3.fal.media/files/x.wav"})
        async with listening(lambda _: begun) as server:
            host = Host(server.url, server.url, KEY, "fal", timeouts=SHORT)
            reach = Reach(resolve=resolve, admits=lambda _: True, certificates=trusting)
            async with QueueClient(host, reach=reach) as client:
                assert await client.upload(source, "audio/wav", "s.wav") == "https://v3.fal.media/files/x.wav"
    [put] = store.seen
    assert put.body == SONG and put.headers["host"] == f"storage.example:{store.port}"
    assert KEY.partition(":")[2].encode() not in store.everything()


async def test_a_large_file_goes_up_in_parts_that_make_it_whole_again(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(parts, "WHOLE_UP_TO", 1000)
    monkeypatch.setattr(parts, "PART", 50_000)
    source = tmp_path / "source.wav"
    source.write_bytes(SONG)
    faults = iter([Reply(reset=True), Reply(503)])

    def script(seen):
        if seen.path.startswith("/storage"):
            return Reply(200, {"upload_url": f"{server.url}/put/s?sig=1", "file_url": f"{server.url}/files/s"})
        if seen.path == "/put/s/complete":
            return Reply(200, {})
        number = int(seen.path.rpartition("/")[2])
        if number == 2 and (fault := next(faults, None)):
            return fault
        return Reply(200, {"partNumber": number, "etag": f'"{hashlib.md5(seen.body).hexdigest()}"'})

    async with listening(script) as server, client_of(server) as client:
        await client.upload(source, "audio/wav", "source.wav")
    begin, *puts, complete = server.seen
    assert begin.path == "/storage/upload/initiate-multipart"
    assert [put.target for put in puts] == [f"/put/s/{n}?sig=1" for n in (1, 2, 2, 2, 3)]
    assert b"".join(put.body for put in (puts[0], *puts[3:])) == SONG
    bodies = [puts[0].body, puts[3].body, puts[4].body]
    etags = [{"partNumber": n, "etag": f'"{hashlib.md5(b).hexdigest()}"'} for n, b in enumerate(bodies, 1)]
    assert (complete.method, complete.target, complete.json()) == ("POST", "/put/s/complete?sig=1", {"parts": etags})
    assert all("authorization" not in seen.headers for seen in (*puts, complete))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("begun", "kind", "words"),
    [
        (fal.UNKNOWN_KEY, ConfigurationError, "key"),
        (Reply(200, {}), QueueError, "no upload address"),
        (Reply(200, {"upload_url": "https://x.example/a", "file_url": 7}), QueueError, "no upload address"),
        (Reply(200, {"upload_url": "http://x.example/a", "file_url": "https://x.example/b"}), QueueError, "not https"),
        (Reply(200, {"upload_url": "https://127.0.0.1/a", "file_url": "https://x.example/b"}), QueueError, "not used"),
        (Reply(500, {"detail": "x"}), QueueError, "500"),
    ],
)
async def test_an_upload_that_cannot_begin_says_why(begun, kind, words, tmp_path: Path):
    source = tmp_path / "source.wav"
    source.write_bytes(SONG)
    async with listening(lambda _: begun) as server, client_of(server) as client:
        with pytest.raises(kind, match=words), anyio.fail_after(10):
            await client.upload(source, "audio/wav", "source.wav")


async def test_a_source_that_is_gone_is_named(tmp_path: Path):
    async with listening(lambda _: Reply(200)) as server, client_of(server) as client:
        with pytest.raises(StorageError, match=r"gone\.wav"):
            await client.upload(tmp_path / "gone.wav", "audio/wav", "gone.wav")
    assert server.seen == []
