"""The server on Streamable HTTP, with sessions, and our own routes.

A middleware checks Host, Origin and the bearer token (if one is set) for the SDK's routes and ours alike. Off loopback a
token is required.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from http import HTTPStatus

import anyio
from mcp.server.transport_security import TransportSecuritySettings
from mcp.types import INVALID_REQUEST
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from acestep_mcp import __version__
from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.net.listen import EVERYWHERE, Deadline, HttpServer, listen, own_addresses, own_names
from acestep_mcp.net.loopback import is_loopback
from acestep_mcp.net.origins import OwnHosts
from acestep_mcp.net.response_headers import protected
from acestep_mcp.server import gallery, transfers
from acestep_mcp.server.app import AceStepServer, create_server, studio_opener
from acestep_mcp.server.browser_sessions import FOLDER, SESSION_PATH, BrowserSessions, refusal
from acestep_mcp.server.delivery import DELIVERY, Delivery
from acestep_mcp.settings import Settings

logger = logging.getLogger(__name__)

PATH = "/mcp"
MOST_BYTES = 4 * 2**20
"""Of one MCP request's body. Requests of many callers are held in memory at once; uploads are not."""

_GRACE_SECONDS = 3
_MOST_SESSIONS = 2000
"""An idle one takes about 55 KB. The SDK ends a session after half an hour without a request."""
_LAST_ANSWERS_SECONDS = 3.0
_SAFE = frozenset({"GET", "HEAD"})
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def run(settings: Settings, *, host: str = "127.0.0.1", port: int = 8766, allowed_hosts: Sequence[str] = ()) -> int:
    """Serve until a signal. Raises ConfigurationError when `host` is not loopback and no token is set.

    `allowed_hosts` are additional names by which callers reach it, such as a proxy's.
    """
    server = create_server(studio_opener(settings), settings, transport="http")
    return run_server(server, settings, host=host, port=port, allowed_hosts=allowed_hosts)


def run_server(
    server: AceStepServer, settings: Settings, *, host: str, port: int, allowed_hosts: Sequence[str] = ()
) -> int:
    """As `run`, for an existing server."""
    app, deliveries = _build(server, settings, host=host, allowed_hosts=allowed_hosts)
    listeners = listen(host, port, server="The MCP server")
    uvicorn = HttpServer(app, grace=_GRACE_SECONDS, lifespan="auto", proxy_headers=True)
    uvicorn.on_started = partial(_log_addresses, listeners)
    uvicorn.before_exit = partial(_last_answers, server, deliveries)
    with Deadline() as uvicorn.deadline:
        asyncio.run(uvicorn.serve(listeners))
    return 128 + uvicorn.ended_by if uvicorn.ended_by else 0


def _log_addresses(listeners: Sequence[socket.socket]) -> None:
    for listener in listeners:
        host, port = listener.getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        logger.info("MCP is served at %s%s", address, PATH)
        logger.info("the songs can be seen in a browser: %s", address)


async def _last_answers(server: AceStepServer, deliveries: DeliveryMiddleware) -> None:
    """Before the connections are closed, waiting calls answer with their job's id."""
    server.end_waits()
    with anyio.move_on_after(_LAST_ANSWERS_SECONDS):
        await deliveries.wait_all()


def http_app(server: AceStepServer, settings: Settings, *, host: str, allowed_hosts: Sequence[str] = ()) -> ASGIApp:
    """The ASGI app. Raises ConfigurationError when `host` is not loopback and no token is set."""
    return _build(server, settings, host=host, allowed_hosts=allowed_hosts)[0]


def _build(
    server: AceStepServer, settings: Settings, *, host: str, allowed_hosts: Sequence[str]
) -> tuple[ASGIApp, DeliveryMiddleware]:
    token = settings.bearer or ""
    if not token and not is_loopback(host):
        raise ConfigurationError(
            f"Serving on {host or 'all addresses'} without a token would let anyone on the network make songs here. "
            "Set ACESTEP_TOKEN (or --token), or serve on 127.0.0.1."
        )
    names, sessions = [*_LOOPBACK, *_own_hosts(host), *allowed_hosts], BrowserSessions(token)
    server.custom_route("/tracks/{id}/{file_name}", methods=["GET", "HEAD"])(
        partial(transfers.download, server.open_studio)
    )
    server.custom_route("/uploads", methods=["POST"])(partial(transfers.upload, settings))
    server.custom_route("/health", methods=["GET", "HEAD"])(_health)
    server.custom_route("/", methods=["GET", "HEAD"])(partial(_about, bool(token)))
    gallery.add_routes(server, sessions)
    # AccessMiddleware is stricter: the SDK takes any text for a port.
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)
    app = server.streamable_http_app(
        streamable_http_path=PATH,
        transport_security=unchecked,
        max_sessions=_MOST_SESSIONS,
        max_request_body_size=MOST_BYTES,
    )
    deliveries = DeliveryMiddleware(partial(_explain_size, app))
    return AccessMiddleware(deliveries, OwnHosts(names), token, sessions), deliveries


async def _explain_size(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Let the SDK's answer to a body that is too large say the limit, and the way for larger files."""
    refused = False

    async def explained(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start" and message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            refused = True
            await _too_large()(scope, receive, send)
        elif not refused:
            await send(message)

    await app(scope, receive, explained if scope.get("path") == PATH else send)


def _too_large() -> Response:
    message = (
        f"invalid_request: a request over HTTP may have at most {MOST_BYTES // 2**20} MiB, so a data: URI holds about "
        f"{MOST_BYTES * 3 // 4 // 2**20} MiB of audio. Send a larger file as the body of POST /uploads on this server, "
        f"which takes {transfers.UPLOAD_BYTES // 2**20} MiB, and give the URL from its answer as audio_url."
    )
    error = {"jsonrpc": "2.0", "id": None, "error": {"code": INVALID_REQUEST, "message": message}}
    return JSONResponse(error, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


async def _about(needs_token: bool, request: Request) -> Response:
    """The gallery for browsers; for everyone else what this is, and what to give to a client."""
    if gallery.wants_page(request):
        return gallery.gallery_page()
    address = f"{str(request.base_url).rstrip('/')}{PATH}"
    header = ' --header "Authorization: Bearer TOKEN"' if needs_token else ""
    lines = [
        f"acestep-mcp {__version__}: makes music for language models. This is its MCP server (Streamable HTTP).",
        "",
        f"Address for MCP clients: {address}",
        *(["Every request needs the server's token: Authorization: Bearer TOKEN"] if needs_token else []),
        f"Claude Code, for example: claude mcp add --transport http acestep {address}{header}",
        "",
        "Is it running: GET /health. A song to edit: POST /uploads. In a browser this address shows your songs.",
    ]
    return PlainTextResponse("\n".join(lines) + "\n", headers={"vary": "accept"})


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok", "version": __version__})


def _own_hosts(host: str) -> list[str]:
    names = [*own_names(host), *(own_addresses() if host in EVERYWHERE else ())]
    return [f"[{name}]" if ":" in name else name for name in names]


class AccessMiddleware:
    """Rejects requests with a wrong Host or Origin, or without the token.

    A download URL with its own key needs no token, and neither does a browser's session for the gallery.
    """

    def __init__(self, app: ASGIApp, hosts: OwnHosts, token: str, sessions: BrowserSessions) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            send = protected(send)
            request = Request(scope)
            rejection = _foreign(request, self._hosts) or self._unauthorized(request)
            if rejection is not None:
                await rejection(scope, receive, send)
                return
        elif scope["type"] != "lifespan":
            return
        await self._app(scope, receive, send)

    def _unauthorized(self, request: Request) -> Response | None:
        if not self._token or _is_public(request):
            return None
        if self._has_token(request) or self._has_key(request) or self._sessions.opens(request):
            return None
        message = "Send the server's token: Authorization: Bearer TOKEN."
        error = {"error": {"code": "unauthorized", "message": message}}
        return JSONResponse(error, status_code=401, headers={"WWW-Authenticate": "Bearer"})

    def _has_token(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), self._token.encode())

    def _has_key(self, request: Request) -> bool:
        parts = request.scope["path"].split("/")
        if request.method not in ("GET", "HEAD") or len(parts) != 4 or parts[1] != "tracks":
            return False
        given = request.query_params.get("key", "")
        return hmac.compare_digest(given.encode(), transfers.key_of(parts[2], self._token).encode())


def _is_public(request: Request) -> bool:
    """The page at the root, logging in and out, and whether the server lives."""
    path: str = request.scope["path"]
    if path == "/health":
        return request.method in ("GET", "HEAD")
    return path == ("/" if request.method in ("GET", "HEAD") else SESSION_PATH)


def _foreign(request: Request, hosts: OwnHosts) -> Response | None:
    """The refusal of a request to another Host, or from a page of another origin, also one of this machine's other ports.

    In the gallery, whose cookie SameSite does not keep from other ports, a request that changes something must prove
    where it comes from, unless it carries the token in a header, which no foreign page can.
    """
    headers = request.headers
    host, origin, site = headers.get("host", ""), headers.get("origin"), headers.get("sec-fetch-site")
    if not hosts.has(host):
        message = "This server does not answer to that Host name. Use its address, or start it with --allowed-host."
        return refusal(HTTPStatus.MISDIRECTED_REQUEST, message)
    safe, in_gallery = request.method in _SAFE, request.scope["path"].startswith(FOLDER)
    if origin is not None:
        own = hosts.is_own(origin, host) and (site in (None, "same-origin") or not in_gallery)
    elif site is not None:
        own = site == "same-origin" or (safe and (site == "none" or not in_gallery))
    else:
        own = safe or not in_gallery or "authorization" in headers
    message = "Pages of another origin are refused. Open this server's own address and try again."
    return None if own else refusal(HTTPStatus.FORBIDDEN, message)


class DeliveryMiddleware:
    """Records a result as delivered if it was written while its caller was connected, else as lost."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._open: dict[Delivery, anyio.Event] = {}

    async def wait_all(self) -> None:
        """Wait until the running calls have their complete answers."""
        for delivery, ended in tuple(self._open.items()):
            if await delivery.wait():
                await ended.wait()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        delivery = scope[DELIVERY] = Delivery()
        self._open[delivery] = ended = anyio.Event()
        try:
            await self._app(scope, *_observed(delivery, receive, send))
        finally:
            del self._open[delivery]
            ended.set()
            delivery.lost()


def _observed(
    delivery: Delivery, receive: Receive, send: Send
) -> tuple[Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]]:
    async def observed_receive() -> Message:
        message = await receive()
        if message["type"] == "http.disconnect":
            delivery.lost()
        return message

    async def observed_send(message: Message) -> None:
        await send(message)
        # A progress message may still come first; quotes inside its JSON strings are escaped, so these bytes can
        # only be the key of a response.
        if delivery.is_ready and b'"result":' in message.get("body", b""):
            delivery.sent()

    return observed_receive, observed_send
