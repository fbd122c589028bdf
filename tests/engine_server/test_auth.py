"""Who may come in."""

from __future__ import annotations

import time

import pytest

from acestep_mcp.engine_server.auth import is_token, new_token

pytestmark = pytest.mark.anyio

KEY = "kid:secret"
BODY = {"tags": "x", "duration": 5}


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "a b",
        "[",
        "127.0.0.1:evil",
        "evil@localhost",
    ],
)
async def test_a_host_name_that_is_not_ours_is_misdirected(embedded, host):
    async with embedded() as desk:
        replies = [
            await desk.http.get("/health", headers={"host": host}),
            await desk.http.post("/fal-ai/ace-step", json=BODY, headers={"host": host}),
            await desk.http.get("/files/x", headers={"host": host}),
        ]
    assert [reply.status_code for reply in replies] == [421, 421, 421]


@pytest.mark.parametrize(
    "host",
    ["localhost:8765", "127.0.0.1", "LOCALHOST", "[::1]:8765", "192.168.1.5:8765", "gpu-box:8765", "music.example"],
)
async def test_our_own_names_and_addresses_in_digits_are_answered(embedded, host):
    async with embedded(allowed_hosts=("gpu-box",), public_url="https://music.example/x") as desk:
        reply = await desk.http.get("/health", headers={"host": host})
    assert reply.status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:9", "http://localhost:x.evil.test", "http://[", ""]
)
async def test_a_page_of_another_origin_is_refused_with_and_without_a_key(embedded, origin):
    headers = {"origin": origin, "host": "localhost:8765", "authorization": f"Key {KEY}"}
    codes = []
    for key in (None, KEY):
        async with embedded(key=key) as desk:
            codes.append((await desk.http.post("/fal-ai/ace-step", json=BODY, headers=headers)).status_code)
    assert codes == [403, 403]


async def test_our_own_page_is_let_in(embedded):
    async with embedded(public_url="https://music.example/x") as desk:
        own = {"origin": "http://localhost:8765", "host": "localhost:8765", "sec-fetch-site": "same-origin"}
        public = {"origin": "https://music.example", "host": "localhost:8765"}
        codes = [(await desk.http.post("/fal-ai/ace-step", json=BODY, headers=h)).status_code for h in (own, public)]
    assert codes == [200, 200]


async def test_a_foreign_pages_image_cannot_submit_by_get(embedded):
    async with embedded() as desk:
        reply = await desk.http.get("/fal-ai/ace-step?tags=x", headers={"sec-fetch-site": "cross-site"})
    assert reply.status_code == 403


async def test_no_reply_lets_another_origin_read_it(embedded):
    async with embedded() as desk:
        reply = await desk.http.get("/health", headers={"origin": "https://evil.example"})
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize("scheme", ["Key", "key", "Bearer"])
async def test_the_key_opens_everything(embedded, scheme):
    async with embedded(key=KEY) as desk:
        desk.http.headers["authorization"] = f"{scheme} {KEY}"
        assert (await desk.end(await desk.submit())).status_code == 200


NOT_THE_KEY = [None, "Key wrong", "Key", "Basic kid:secret", KEY, "Key kid:secre", "Key \u00e9"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/fal-ai/ace-step"),
        ("GET", "/fal-ai/ace-step/requests/x/status"),
        ("GET", "/fal-ai/ace-step/requests/x"),
        ("PUT", "/fal-ai/ace-step/requests/x/cancel/"),
        ("POST", "/run/fal-ai/ace-step"),
        ("POST", "/storage/auth/token"),
        ("POST", "/storage/upload/initiate"),
        ("POST", "/files/upload"),
        ("POST", "/files/upload/multipart"),
        ("PUT", "/files/x/multipart/y/1"),
        ("GET", "//files/x"),
    ],
)
async def test_without_the_key_nothing_opens(embedded, method, path):
    async with embedded(key=KEY) as desk:
        for given in NOT_THE_KEY:
            headers = {} if given is None else {"authorization": given.encode()}
            reply = await desk.http.request(method, path, headers=headers)
            assert reply.status_code == 401, given
            assert "detail" in reply.json(), given
            assert KEY not in reply.text, given


async def test_a_token_opens_uploads_only_and_not_for_ever():
    later = int(time.time()) + 60
    assert is_token(KEY, new_token(KEY, later))
    assert not is_token(KEY, new_token("other", later))
    assert not is_token(KEY, new_token(KEY, int(time.time()) - 1))
    forged = f"{later + 9999}.{new_token(KEY, later).partition('.')[2]}"
    assert not is_token(KEY, forged)
    assert not is_token(KEY, "")


async def test_a_token_is_no_key(embedded):
    async with embedded(key=KEY) as desk:
        token = (await desk.http.post("/storage/auth/token", headers={"authorization": f"Key {KEY}"})).json()
        headers = {"authorization": f"{token['token_type']} {token['token']}"}
        submit = await desk.http.post("/fal-ai/ace-step", json=BODY, headers=headers)
        upload = await desk.http.post("/files/upload", content=b"x", headers=headers)
    assert (submit.status_code, upload.status_code) == (401, 200)


async def test_a_body_that_is_too_large_is_refused_by_its_length_and_by_counting(embedded):
    async def endless():
        for _ in range(100):
            yield b" " * 100

    async with embedded(max_body=1000) as desk:
        known = await desk.http.post("/fal-ai/ace-step", content=b" " * 1001)
        counted = await desk.http.post("/fal-ai/ace-step", content=endless())
        small = await desk.http.post("/fal-ai/ace-step", json=BODY)
    assert (known.status_code, counted.status_code, small.status_code) == (413, 413, 200)
    assert "1000 bytes" in known.json()["detail"]


async def test_every_reply_forbids_framing_sniffing_and_scripts(embedded):
    async with embedded(key=KEY) as desk:
        replies = [
            await desk.http.get("/"),
            await desk.http.get("/health"),
            await desk.http.get("/files/x"),
            await desk.http.post("/fal-ai/ace-step", json=BODY),
            await desk.http.get("/health", headers={"host": "evil.example"}),
        ]
    assert [reply.status_code for reply in replies] == [200, 200, 404, 401, 421]
    for reply in replies:
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert reply.headers["x-frame-options"] == "DENY"
        assert reply.headers["x-content-type-options"] == "nosniff"
