"""Who may reach a route over HTTP, and what every response carries: the app in this process, without a socket."""

import httpx2
import pytest
from pydantic import SecretStr

from acestep_mcp.server import http
from acestep_mcp.server.app import create_server

pytestmark = pytest.mark.anyio

ROUTES = [
    ("GET", "/"), ("GET", "/health"), ("GET", "/tracks/kept/x"), ("POST", "/uploads"), ("POST", "/mcp"), ("GET", "/mcp"),
    ("DELETE", "/mcp"), ("GET", "/gallery/tracks"), ("DELETE", "/gallery/tracks/kept"), ("POST", "/gallery/session"),
    ("GET", "/gallery/tracks/kept/audio"), ("GET", "/nowhere"), ("OPTIONS", "/mcp"), ("PUT", "/uploads"),
]  # fmt: skip
OWN = {"host": "127.0.0.1:8766"}


@pytest.fixture
def client(studio_factory, settings):
    def build(token="", **options):
        changed = settings.model_copy(update={"token": SecretStr(token)} if token else {})
        server = create_server(studio_factory, changed, transport="http")
        app = http.http_app(server, changed, host="127.0.0.1", **options)
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url="http://127.0.0.1:8766"
        )

    return build


@pytest.mark.parametrize("host", ["127.0.0.1:evil", "localhost@evil.example", "evil.example", "127.0.0.1:80:80", ""])
async def test_no_route_answers_to_a_host_that_is_not_its_own(client, host):
    async with client() as callers:
        codes = [(await callers.request(method, path, headers={"host": host})).status_code for method, path in ROUTES]
    assert set(codes) == {421}


@pytest.mark.parametrize(
    "origin",
    ["http://127.0.0.1:9", "http://localhost:8766", "http://localhost:x.evil.test", "https://evil.example", "null", ""],
)
@pytest.mark.parametrize("token", ["", "secret"])
async def test_no_route_answers_to_a_page_of_another_origin_or_port(client, origin, token):
    headers = OWN | {"origin": origin, "authorization": f"Bearer {token}"}
    async with client(token) as callers:
        codes = [(await callers.request(method, path, headers=headers)).status_code for method, path in ROUTES]
    assert set(codes) == {403}


async def test_an_upload_by_a_form_of_another_site_without_an_origin_is_refused(client):
    async with client() as callers:
        for site, expected in (("cross-site", 403), ("same-site", 403), ("same-origin", 422)):
            sent = await callers.post("/uploads", content=b"not audio", headers=OWN | {"sec-fetch-site": site})
            assert sent.status_code == expected, site


async def test_every_response_forbids_framing_sniffing_and_scripts(client):
    async with client() as callers:
        for method, path in ROUTES[:2] + ROUTES[2:4] + ROUTES[11:]:
            for headers in (OWN, {"host": "evil.example"}, OWN | {"accept": "text/html"}):
                answer = await callers.request(method, path, headers=headers)
                policy = answer.headers["content-security-policy"]
                assert "default-src 'none'" in policy, path
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert answer.headers["x-frame-options"] == "DENY"
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["referrer-policy"] == "no-referrer"
                assert len(answer.headers.get_list("content-security-policy")) == 1


@pytest.mark.parametrize("announced", ["9" * 18, "9" * 5000, "\u00b2"])
async def test_an_upload_that_announces_any_size_is_answered(client, announced):
    async with client() as callers:
        headers = [(b"host", b"127.0.0.1:8766"), (b"content-length", announced.encode("latin-1"))]
        sent = await callers.post("/uploads", content=b"not audio", headers=headers)
    assert sent.status_code in (413, 422)


@pytest.mark.parametrize(
    ("method", "path", "code"), [("POST", "/mcp", 413), ("POST", "/gallery/session", 401), ("GET", "/health", 200)]
)
@pytest.mark.parametrize("announced", [True, False])
async def test_no_route_reads_a_body_without_end(client, method, path, code, announced):
    sent = 0

    async def body():
        nonlocal sent
        for _ in range(100):
            sent += 2**20
            yield b"x" * 2**20

    async with client("secret") as callers:
        headers = OWN | {
            "authorization": "Bearer secret",
            "content-type": "application/json",
            "origin": f"http://{OWN['host']}",
        }
        content = b"x" * (5 * 2**20) if announced else body()
        answer = await callers.request(method, path, content=content, headers=headers)
    assert answer.status_code == code
    assert sent <= 8 * 2**20
    if path == "/mcp":
        assert "at most 4 MiB" in answer.json()["error"]["message"]
        assert "POST /uploads" in answer.json()["error"]["message"]
