"""Both official clients' ways to bring a file, and how files are given out."""

from __future__ import annotations

from datetime import datetime

import anyio
import pytest

pytestmark = pytest.mark.anyio

PARTS = [b"a" * 1000, b"b" * 1000, b"c" * 10]


async def test_pythons_small_upload(embedded, wav):
    async with embedded() as desk:
        token = (await desk.http.post("/storage/auth/token?storage_type=fal-cdn-v3", json={})).json()
        headers = {"Content-Type": "audio/wav", "X-Fal-File-Name": "../my song.WAV", "Authorization": "Bearer x"}
        reply = await desk.http.post("/files/upload", content=wav, headers=headers)
        file = await desk.http.get(reply.json()["access_url"])
    assert set(token) == {"token", "token_type", "base_url", "expires_at"}
    assert datetime.fromisoformat(token["expires_at"]).tzinfo is not None
    assert file.content == wav
    assert file.headers["content-type"] == "audio/wav"
    assert "song" not in reply.json()["access_url"]


async def test_pythons_multipart_in_any_order_and_at_once(embedded):
    etags: dict[int, str] = {}
    async with embedded() as desk:
        begun = (await desk.http.post("/files/upload/multipart", headers={"X-Fal-File-Name": "a.flac"})).json()

        async def put(number: int, content: bytes) -> None:
            url = f"{begun['access_url']}/multipart/{begun['uploadId']}/{number}"
            etags[number] = (await desk.http.put(url, content=content)).headers["etag"]

        async with anyio.create_task_group() as group:
            for number, content in reversed(list(enumerate(PARTS, 1))):
                group.start_soon(put, number, content)
        parts = [{"partNumber": number, "etag": etags[number]} for number in (3, 1, 2)]
        url = f"{begun['access_url']}/multipart/{begun['uploadId']}/complete"
        early = await desk.http.get(begun["access_url"])
        done = await desk.http.post(url, json={"parts": parts})
        file = await desk.http.get(begun["access_url"])
    assert early.status_code == 404
    assert done.status_code == 200
    assert file.content == b"".join(PARTS)
    assert file.headers["content-type"] == "audio/flac"


async def test_javascripts_upload_needs_no_key_after_the_first_call(embedded, wav):
    async with embedded(key="k") as desk:
        wish = {"content_type": "audio/wav", "file_name": "a.wav"}
        refused = await desk.http.post("/storage/upload/initiate?storage_type=fal-cdn-v3", json=wish)
        begun = (await desk.http.post("/storage/upload/initiate", json=wish, headers={"authorization": "Key k"})).json()
        put = await desk.http.put(begun["upload_url"], content=wav)
        again = await desk.http.put(begun["upload_url"], content=wav)
        file = await desk.http.get(begun["file_url"])
    assert refused.status_code == 401
    assert (put.status_code, again.status_code) == (200, 200)
    assert file.content == wav


async def test_javascripts_multipart(embedded):
    async with embedded() as desk:
        begun = (
            await desk.http.post("/storage/upload/initiate-multipart", json={"content_type": "audio/x-wav"})
        ).json()
        parts = []
        for number, content in enumerate(PARTS, 1):
            reply = await desk.http.put(f"{begun['upload_url']}/{number}", content=content)
            parts.append(reply.json())
        done = await desk.http.post(f"{begun['upload_url']}/complete", json={"parts": parts})
        file = await desk.http.get(begun["file_url"])
    assert set(parts[0]) == {"partNumber", "etag"}
    assert done.status_code == 200
    assert file.content == b"".join(PARTS)
    assert file.headers["content-type"] == "audio/wav"


@pytest.mark.parametrize(
    "parts",
    [
        None,
        [],
        ["x"],
        [{"partNumber": 2, "etag": "x"}],
        [{"partNumber": 1, "etag": '"0000"'}],
        [{"partNumber": "1"}],
    ],
)
async def test_a_wrong_list_of_parts_completes_nothing_and_can_be_repeated(embedded, parts):
    async with embedded() as desk:
        begun = (await desk.http.post("/storage/upload/initiate-multipart", json={})).json()
        right = (await desk.http.put(f"{begun['upload_url']}/1", content=b"x")).json()
        wrong = await desk.http.post(f"{begun['upload_url']}/complete", json={"parts": parts})
        absent = await desk.http.get(begun["file_url"])
        good = await desk.http.post(f"{begun['upload_url']}/complete", json={"parts": [right]})
    assert (wrong.status_code, absent.status_code, good.status_code) == (400, 404, 200)


async def test_an_upload_larger_than_allowed_leaves_nothing(embedded, tmp_path):
    async def unannounced():
        for _ in range(4):
            yield b"x" * 500

    async with embedded(max_upload=1500) as desk:
        whole = await desk.http.post("/files/upload", content=b"x" * 1501)
        counted = await desk.http.post("/files/upload", content=unannounced())
        begun = (await desk.http.post("/storage/upload/initiate-multipart", json={})).json()
        codes = [
            (await desk.http.put(f"{begun['upload_url']}/{number}", content=b"x" * 1000)).status_code
            for number in (1, 2, 1)
        ]
        files = [path for path in (tmp_path / "queue").rglob("*") if path.is_file()]
    assert (whole.status_code, counted.status_code) == (413, 413)
    assert codes == [200, 413, 200]
    assert [path.name for path in files] == ["1"]


async def test_parts_are_not_joined_to_a_file_larger_than_allowed(embedded, tmp_path):
    async with embedded(max_upload=1500) as desk:
        begun = (await desk.http.post("/storage/upload/initiate-multipart", json={})).json()
        part = (await desk.http.put(f"{begun['upload_url']}/1", content=b"x" * 1000)).json()
        twice = await desk.http.post(f"{begun['upload_url']}/complete", json={"parts": [part, part]})
        absent = await desk.http.get(begun["file_url"])
        once = await desk.http.post(f"{begun['upload_url']}/complete", json={"parts": [part]})
    assert (twice.status_code, absent.status_code, once.status_code) == (413, 404, 200)


@pytest.mark.parametrize("path", ["/put/nobody", "/put/nobody/1", "/files/x/multipart/y/1"])
async def test_an_unknown_upload_is_a_404(embedded, path):
    async with embedded() as desk:
        assert (await desk.http.put(path, content=b"x")).status_code == 404


@pytest.mark.parametrize("number", ["0", "10001", "x", "-1", "1.5", "9" * 5000, "\u0661"])
async def test_a_part_has_a_number_that_fits(embedded, number):
    async with embedded() as desk:
        begun = (await desk.http.post("/storage/upload/initiate-multipart", json={"file_name": "a.wav"})).json()
        assert (await desk.http.put(f"{begun['upload_url']}/{number}", content=b"x")).status_code == 400
        assert (await desk.http.put(f"/put/nobody/{number}", content=b"x")).status_code == 404


async def test_a_secret_of_one_file_does_not_open_another(embedded):
    async with embedded() as desk:
        one = (await desk.http.post("/files/upload/multipart")).json()
        other = (await desk.http.post("/files/upload/multipart")).json()
        reply = await desk.http.put(f"{one['access_url']}/multipart/{other['uploadId']}/1", content=b"x")
    assert reply.status_code == 404


@pytest.mark.parametrize(
    ("asked", "code", "content"),
    [
        ("bytes=0-3", 206, slice(0, 4)),
        ("bytes=100-", 206, slice(100, None)),
        ("bytes=-7", 206, slice(-7, None)),
        ("bytes=99999999-", 416, slice(0, 0)),
    ],
)
async def test_a_range_of_a_file_is_given_alone(embedded, wav, asked, code, content):
    async with embedded() as desk:
        url = (await desk.http.post("/files/upload", content=wav)).json()["access_url"]
        reply = await desk.http.get(url, headers={"range": asked})
    assert reply.status_code == code
    assert reply.content == wav[content]


async def test_a_file_is_public_to_whoever_knows_its_name_and_can_be_asked_about(embedded, wav):
    async with embedded(key="k") as desk:
        reply = await desk.http.post("/files/upload", content=wav, headers={"authorization": "Key k"})
        url = reply.json()["access_url"]
        head = await desk.http.head(url)
        get = await desk.http.get(f"{url}/", headers={"sec-fetch-site": "cross-site", "origin": "null"})
    assert len(url.rsplit("/", 1)[1]) >= 32
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(wav)))
    assert head.headers["accept-ranges"] == "bytes"
    assert get.content == wav


async def test_an_uploaded_page_is_never_served_as_a_page(embedded):
    async with embedded() as desk:
        headers = {"content-type": "text/html", "x-fal-file-name": "a.html"}
        url = (await desk.http.post("/files/upload", content=b"<script>", headers=headers)).json()["access_url"]
        reply = await desk.http.get(url)
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "a", "a" * 32 + ".wav", "%00", "%2e%2e", "a" * 5000])
async def test_any_other_name_is_a_404(embedded, name):
    async with embedded() as desk:
        assert (await desk.http.get(f"/files/{name}")).status_code == 404
