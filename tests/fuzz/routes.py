"""Generated requests to the routes of the engine server and of `serve --http`, without a socket in between."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

import anyio
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from acestep_mcp.api.endpoints import ENDPOINTS
from acestep_mcp.api.schemas import input_schema
from tests.fuzz.arguments import KEPT, MEGABYTE, arguments, hostile, texts
from tests.fuzz.tool_calls import kind_of

SECONDS = 20
HOST = "127.0.0.1:80"
OPENED = "OPENED"
"""In a path: the id of a job, an upload or a session that is there."""


@dataclass(slots=True)
class Sent:
    """A request as a server gets it. Its path may hold `OPENED`."""

    method: str
    path: str
    query: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    def __repr__(self) -> str:
        head = {name: value[:60] for name, value in self.headers}
        return f"{self.method} {self.path[:200]!r} ?{self.query[:200]!r} {head} {self.body[:200]!r} ({len(self.body)})"


@dataclass(slots=True)
class Got:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


App = Callable[[Any, Any, Any], Awaitable[None]]


async def answer(app: App, sent: Sent) -> Got:
    """What the app answers; what it raises is raised. A stream is left after its first 100 kB, or after a second of it."""
    path = sent.path.encode("utf-8", "surrogatepass")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": sent.method,
        "path": unquote(quote(path), errors="replace"), "raw_path": quote(path).encode(), "query_string": sent.query,
        "root_path": "", "headers": [(b"host", HOST.encode()), *sent.headers], "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    pieces = [sent.body[:MEGABYTE], sent.body[MEGABYTE:]] if len(sent.body) > MEGABYTE else [sent.body]
    got, left = Got(), anyio.Event()

    async def receive() -> dict[str, Any]:
        if pieces:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            got.status = message["status"]
            got.headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in message["headers"]
            }
        else:
            got.body += message.get("body", b"")
            if len(got.body) > 100_000:
                left.set()

    with anyio.fail_after(SECONDS):
        async with anyio.create_task_group() as group:
            group.start_soon(_leave, left, got)
            await app(scope, receive, send)
            group.cancel_scope.cancel()
    return got


async def _leave(left: anyio.Event, got: Got) -> None:
    await anyio.sleep(1)
    left.set()


def check(sent: Sent, got: Got) -> None:
    """Fail for no answer, an internal error, one that names nothing, and JSON that is none."""
    assert 200 <= got.status < 600, f"status {got.status}"
    assert got.status < 500 or got.status in (503, 507), f"{got.status}: {got.body[:200]!r}"
    kind = got.headers.get("content-type", "")
    if kind.startswith("application/json") and sent.method != "HEAD":
        body = json.loads(got.body.decode(), parse_constant=_refuse)
        if got.status == 422 and isinstance(body, dict) and "detail" in body:
            assert all(entry["loc"] and entry["msg"] and entry["type"] for entry in body["detail"])
    if got.status >= 400:
        assert len(got.body) < 60_000, f"an error of {len(got.body)} bytes"


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


segments = st.one_of(
    st.sampled_from([
        OPENED, KEPT, "none", "", ".", "..", "../..", "%2e%2e", "a/b", "\0", "\ud83d", "ü", "1" * 5000, "-1", "0", "1", "99999", "1.5", "x" * 5000,
        "fal-ai", "ace-step", "requests", "status", f"{KEPT} ü.wav", "CON", "a\\b", "*", ";", "?", "#",
    ]),
    texts.filter(lambda text: len(text) < 1000),
)  # fmt: skip
queries = st.lists(
    st.tuples(
        st.sampled_from(["logs", "fal_webhook", "fal_max_queue_length", "priority", "challenge", "q", "cursor", "trash", "key", "download", "tags", "x"]),
        st.one_of(st.sampled_from(["1", "true", "-1", "nan", "1e999", "9" * 5000, "https://xn--/x", "http://127.0.0.1:9/", "null", ""]), texts),
    ),
    max_size=3,
).map(lambda pairs: "&".join(f"{name}={quote(value[:9000], errors='replace')}" for name, value in pairs).encode())  # fmt: skip
header_values = st.one_of(
    st.sampled_from([b"", b"-1", b"nan", b"1e999", b"9" * 5000, b"\xff\xfe", b"low", b"true", b"text/html", b"*/*", b"gzip", b"bytes=0-", b"bytes=5-1",
                     b"bytes=-9999999999999999999999", b"bytes=" + b"0-0," * 500, b"application/json", b"multipart/form-data; boundary=x", b"chunked",
                     b"Key k", b"Bearer ", b"http://evil.example", b"null", b"2026-07-28", "²".encode()]),
    st.binary(max_size=30).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b"")),
)  # fmt: skip
headers = st.lists(
    st.tuples(
        st.sampled_from([b"content-length", b"content-type", b"accept", b"range", b"if-range", b"if-none-match", b"authorization", b"origin", b"cookie",
                         b"x-fal-queue-priority", b"x-fal-no-retry", b"x-fal-request-timeout", b"x-fal-file-name", b"x-forwarded-host", b"x-forwarded-proto",
                         b"mcp-session-id", b"mcp-protocol-version", b"last-event-id", b"transfer-encoding", b"expect", b"sec-fetch-site"]),
        header_values,
    ),
    max_size=3,
)  # fmt: skip
RAW = (
    b"", b" ", b"null", b"[]", b"7", b'"a"', b"{", b"[" * 5000, b"[" * 4000, b"[" * 900 + b"]" * 900, b'{"a":' * 900 + b"1" + b"}" * 900, b"{}" * 2, b"\xff\xfe", b"\0",
    b'{"tags":NaN}', b'{"tags":"a","duration":1e999}', b'{"tags":"a","duration":Infinity}', b'{"tags":"a","seed":' + b"1" * 5000 + b"}",
    b'{"tags":"\\ud83d"}', b'{"tags":"\xed\xa0\xbd"}', b'{"\\ud83d":1,"tags":"a"}', '{"tags":"\\ud83d"}'.encode("utf-16"), b"\xef\xbb\xbf{}",
    b'{"tags":"a","tags":7}', b'{"token":"\\ud83d"}', b'{"token":7}', b'{"parts":[{"partNumber":1e999,"etag":1}]}', b'{"parts":[{"partNumber":true}]}',
    b'{"parts":[[]]}', b'{"parts":7}', b'{"file_name":{"a":1},"content_type":[1]}', b'{"file_name":"' + b"x" * 5000 + b'"}', b"RIFF\xff\xff\xff\xffWAVEfmt ",
    b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}', b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":7}', b'[{"jsonrpc":"2.0"}]',
)  # fmt: skip


def _encoded(value: Any) -> bytes:
    try:
        return json.dumps(value).encode()
    except (ValueError, RecursionError):
        return b"[" * 3000


bodies = st.one_of(
    st.sampled_from(RAW),
    hostile.map(_encoded),
    *(arguments(input_schema(endpoint.request)).map(_encoded) for endpoint in ENDPOINTS),
)


@st.composite
def requests(draw: st.DrawFn, templates: tuple[str, ...]) -> Sent:
    """A request to one of the routes; `{}` in a template is any text. `METHOD /path`."""
    method, _, path = draw(st.sampled_from(templates)).partition(" ")
    while "{}" in path:
        path = path.replace("{}", draw(segments), 1)
    if not draw(st.integers(0, 9)):
        method = draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "X" * 50]))
    body = b"" if method in ("GET", "HEAD") else draw(bodies)
    # A body that asks a synchronous run to go on for ever tests nothing.
    own = [(b"origin", f"http://{HOST}".encode())] if draw(st.booleans()) else []
    return Sent(method, path, draw(queries), [*own, *draw(headers)], body.replace(b"hold", b"lofi"))


def fuzz(templates: tuple[str, ...], count: int, with_seed: int | None, ask: Callable[[Sent], Got]) -> dict[str, str]:
    """`count` requests, the same for the same seed; returns what failed, each kind once with its request."""
    found: dict[str, str] = {}

    @settings(max_examples=count, deadline=None, database=None, derandomize=with_seed is None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(requests(templates))
    def each(sent: Sent) -> None:
        try:
            check(sent, ask(sent))
        except Exception as exc:  # noqa: BLE001 - whatever it is, it is what is looked for
            found.setdefault(kind_of(exc), f"{str(exc)[:200]} <- {sent!r}")

    (each if with_seed is None else seed(random.Random(f"{with_seed} routes").getrandbits(64))(each))()
    return found


ENGINE_ROUTES = (
    "GET /", "GET /health", "GET /openapi.json", "GET /.well-known/jwks.json", "POST /storage/auth/token", "POST /storage/upload/initiate",
    "POST /storage/upload/initiate-multipart", "POST /files/upload", "POST /files/upload/multipart", "POST /files/{}/multipart/{}/complete",
    "PUT /files/{}/multipart/{}/{}", "PUT /put/{}", "POST /put/{}/complete", "PUT /put/{}/{}", "GET /files/{}", "GET /fal-ai/ace-step/requests/{}",
    "GET /{}/{}/requests/{}/status", "GET /fal-ai/ace-step/requests/{}/status", "GET /fal-ai/ace-step/requests/{}/status/stream",
    "GET /fal-ai/ace-step/requests/{}/response", "PUT /fal-ai/ace-step/requests/{}/cancel", "POST /run/{}/stream", "GET /{}",
    *(f"POST {prefix}/{endpoint.id}{end}" for endpoint in ENDPOINTS for prefix, end in (("", ""), ("/run", ""), ("/run", "/stream"))),
)  # fmt: skip
HTTP_ROUTES = (
    "GET /", "GET /health", "POST /uploads", "GET /tracks/{}/{}", f"GET /tracks/{KEPT}/{KEPT} ü.wav", "POST /mcp", "GET /mcp", "DELETE /mcp",
    "GET /gallery/tracks", "GET /gallery/tracks/{}", "DELETE /gallery/tracks/{}", "POST /gallery/tracks/{}/restore", "GET /gallery/tracks/{}/audio",
    f"GET /gallery/tracks/{KEPT}/audio", "POST /gallery/session", "GET /gallery/session", "DELETE /gallery/session", "GET /{}",
)  # fmt: skip
