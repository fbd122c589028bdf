"""The gallery over real sockets: who may see and change what, and what its routes answer."""

import json

import httpx2
import pytest

from acestep_mcp.server.browser_sessions import LIFETIME
from tests.server.conftest import spawning

pytestmark = [pytest.mark.anyio, pytest.mark.process]

TOKEN = "secret"
SIZE = 44 + 4 * 4800
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
AUDIO = "/gallery/tracks/kept/audio"


@pytest.fixture
async def browser(shared):
    """A browser at the server's own address."""
    async with httpx2.AsyncClient(base_url=shared[1], headers={"Origin": shared[1]}, timeout=30) as client:
        yield client


@pytest.fixture
async def visitor(browser):
    """A browser that is logged in."""
    assert (await browser.post("/gallery/session", json={"token": TOKEN})).status_code == 204
    return browser


@pytest.fixture(scope="module")
def open_server(tmp_path_factory):
    """The address of a server without a token."""
    with spawning(tmp_path_factory.mktemp("open")) as start:
        process = start("http")
        yield process.read_until("served at http://").split("served at ")[1].strip().removesuffix("/mcp")


def add(shared, track_id, **more):
    """Put a song into the music folder by copying the one that is there."""
    folder = shared[0].folder / "music"
    [source] = folder.glob("kept*.wav")
    path = folder / f"{track_id}.wav"
    path.write_bytes(source.read_bytes())
    sidecar = json.loads(source.with_suffix(".json").read_text())
    sidecar |= {"id": track_id, "title": f"Song {track_id}", "file_name": path.name, **more}
    path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path


async def test_a_browser_gets_the_page_and_a_program_gets_the_text(shared, browser):
    page, text = await browser.get("/", headers=HTML), await browser.get("/")
    refused = await browser.get("/", headers={"Accept": "application/json, text/html;q=0"})
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert text.headers["content-type"] == refused.headers["content-type"] == "text/plain; charset=utf-8"
    assert page.headers["vary"] == text.headers["vary"] == "accept"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "Song kept" not in page.text
    assert TOKEN not in page.text
    assert (await browser.get("/", headers=HTML | {"Host": "evil.example"})).status_code == 421
    assert (await browser.get("/", headers=HTML | {"Origin": "https://evil.example"})).status_code == 403


async def test_the_token_is_exchanged_for_a_cookie_that_opens_the_gallery_and_nothing_else(shared, browser):
    assert (await browser.get("/gallery/tracks")).status_code == 401
    for body in (
        b'{"token": "wrong"}',
        b'{"token": ""}',
        b'{"token": null}',
        b"[]",
        b"{",
        b'{"token": "' + b"x" * 9999,
    ):
        answer = await browser.post("/gallery/session", content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
        assert "set-cookie" not in answer.headers
    entered = await browser.post("/gallery/session", json={"token": TOKEN})
    name_and_value, *attributes = entered.headers["set-cookie"].split("; ")
    name, value = name_and_value.split("=")
    assert {one.lower() for one in attributes} == {"httponly", "samesite=strict", "path=/", f"max-age={LIFETIME}"}
    assert name.endswith(shared[1].rsplit(":")[-1])
    assert TOKEN not in value
    assert len(value) > 40
    assert (await browser.get("/gallery/tracks")).status_code == 200
    assert (await browser.get(AUDIO)).status_code == 200
    for path in ("/mcp", "/uploads", "/tracks/kept/kept%20%C3%BC.wav"):
        assert (await browser.get(path)).status_code == 401, path
    left = await browser.delete("/gallery/session")
    assert (left.status_code, "Max-Age=0" in left.headers["set-cookie"]) == (204, True)
    for headers in ({}, {"Cookie": name_and_value}):  # who kept the value does not get in with it
        assert (await browser.get("/gallery/tracks", headers=headers)).status_code == 401


async def test_behind_tls_the_cookie_is_secure(shared, browser):
    proxied = {"X-Forwarded-Proto": "https", "Origin": shared[1].replace("http:", "https:")}
    answer = await browser.post("/gallery/session", json={"token": TOKEN}, headers=proxied)
    assert answer.headers["set-cookie"].startswith("__Host-acestep=")
    assert "; Secure" in answer.headers["set-cookie"]


FOREIGN = [
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": None},
    {"Sec-Fetch-Site": "none"},
    {"Origin": None},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("with_token", [True, False])
async def test_a_page_of_another_origin_or_port_can_change_nothing(shared, open_server, headers, with_token):
    address = shared[1] if with_token else open_server
    sent = {"Origin": address} | headers
    sent = {name: value for name, value in sent.items() if value}
    async with httpx2.AsyncClient(base_url=address) as client:
        if with_token:
            await client.post("/gallery/session", json={"token": TOKEN}, headers={"Origin": address})
        for method, path in (
            ("DELETE", "/gallery/tracks/kept"),
            ("POST", "/gallery/tracks/kept/restore"),
            ("POST", "/gallery/session"),
            ("DELETE", "/gallery/session"),
        ):
            answer = await client.request(method, path, headers=sent)
            assert answer.status_code == 403, (method, path)
        own = await client.get("/gallery/tracks/kept", headers={"Origin": address})
        assert own.json().get("deleted") is False


async def test_another_site_cannot_embed_a_song(visitor):
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        assert (await visitor.get(AUDIO, headers=headers)).status_code == 403
    plain = await visitor.get(AUDIO)
    assert plain.headers["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in plain.headers if name.startswith("access-control")]


async def test_a_program_with_the_token_needs_no_origin(shared):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx2.AsyncClient(base_url=shared[1], headers=headers) as client:
        assert (await client.post("/gallery/tracks/kept/restore")).status_code == 200


async def test_a_song_is_played_in_parts_and_downloaded(visitor):
    part = await visitor.get(AUDIO, headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"IFF", f"bytes 1-3/{SIZE}")
    assert part.headers["content-type"] == "audio/wav"
    assert part.headers["content-disposition"].startswith("inline")
    whole = await visitor.get(AUDIO, params={"download": 1})
    assert len(whole.content) == SIZE
    assert whole.headers["content-disposition"].startswith("attachment")
    assert "kept%20%C3%BC.wav" in whole.headers["content-disposition"]


async def test_routes_take_ids_and_never_the_name_or_the_path_of_a_file(shared, visitor):
    [path] = (shared[0].folder / "music").glob("kept*.wav")
    for name in (
        path.name,
        str(path),
        "../data",
        "%2e%2e%2fdata",
        "..%2f..%2fetc%2fpasswd",
        "kept%20%C3%BC",
        "KEPT",
        "nothing",
    ):
        for tail in ("", "/audio"):
            answer = await visitor.get(f"/gallery/tracks/{name}{tail}")
            assert answer.status_code == 404, name
            assert "list_tracks" not in answer.text, "a person has no tools"
        assert (await visitor.delete(f"/gallery/tracks/{name}")).status_code in (404, 405)


async def test_the_list_goes_on_from_a_cursor_and_finds_by_words(shared, visitor):
    for number in range(31):
        add(
            shared,
            f"many{number:02}",
            tags=f"brass, number{number:02}",
            created_at=f"2026-10-01T00:00:{number:02}.000+00:00",
        )
    first = (await visitor.get("/gallery/tracks", params={"q": "brass"})).json()
    rest = (await visitor.get("/gallery/tracks", params={"q": "brass", "cursor": first["next_cursor"]})).json()
    assert [row["id"] for row in first["tracks"] + rest["tracks"]] == [
        f"many{number:02}" for number in range(30, -1, -1)
    ]
    assert (first["total"], rest.get("next_cursor")) == (31, None)
    [only] = (await visitor.get("/gallery/tracks", params={"q": "number07 BRASS"})).json()["tracks"]
    assert only["id"] == "many07"
    for wrong in ({"cursor": "x"}, {"q": "x" * 501}):
        assert (await visitor.get("/gallery/tracks", params=wrong)).status_code == 422


async def test_a_song_shows_what_it_was_made_from_and_what_was_made_from_it(shared, visitor):
    add(shared, "parent")
    add(shared, "child", parent={"id": "parent", "window": [1, 2]}, created_at="2026-11-23T00:00:01.000+00:00")
    add(shared, "other", parent="parent", created_at="2026-11-23T00:00:02.000+00:00")
    add(shared, "orphan", parent={"id": "gone for good"})
    parent = (await visitor.get("/gallery/tracks/parent")).json()
    child = (await visitor.get("/gallery/tracks/child")).json()
    assert [row["id"] for row in parent["versions"]] == ["child", "other"]
    assert (child["made_from"]["id"], child["versions"]) == ("parent", [])
    assert child["url"] == "gallery/tracks/child/audio"
    assert "made_from" not in parent
    assert "made_from" not in (await visitor.get("/gallery/tracks/orphan")).json()
    await visitor.delete("/gallery/tracks/child")
    assert [row["id"] for row in (await visitor.get("/gallery/tracks/parent")).json()["versions"]] == ["other"]


async def test_a_deleted_song_is_in_the_trash_and_comes_back(shared, visitor):
    path = add(shared, "passing", tags="passing")
    listed = {"q": "passing"}
    deleted = await visitor.delete("/gallery/tracks/passing")
    assert (deleted.status_code, deleted.json()["deleted"], path.exists()) == (200, True, False)
    assert (await visitor.get("/gallery/tracks", params=listed)).json()["total"] == 0
    [row] = (await visitor.get("/gallery/tracks", params=listed | {"trash": 1})).json()["tracks"]
    assert row["id"] == "passing"
    assert (await visitor.get("/gallery/tracks/passing")).json()["deleted"]
    assert (await visitor.get("/gallery/tracks/passing/audio")).status_code == 404
    assert (await visitor.post("/gallery/tracks/passing/restore")).json()["deleted"] is False
    assert path.is_file()
    assert (await visitor.get("/gallery/tracks", params=listed | {"trash": 1})).json()["total"] == 0


async def test_without_a_token_the_gallery_is_open_on_this_machine(open_server):
    async with httpx2.AsyncClient(base_url=open_server) as client:
        assert (await client.get("/gallery/tracks")).json()["total"] == 1
        assert (await client.delete("/gallery/tracks/kept", headers={"Origin": open_server})).json()["deleted"]
        restored = await client.post("/gallery/tracks/kept/restore", headers={"Sec-Fetch-Site": "same-origin"})
        assert not restored.json()["deleted"]
