"""Access control: the Host header, the Origin, the key. Also removes the final slash of every path."""

from __future__ import annotations

import hashlib
import hmac
import time

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from acestep_mcp.engine_server.options import QueueOptions
from acestep_mcp.engine_server.wire import request_error
from acestep_mcp.net.origins import OwnHosts
from acestep_mcp.net.response_headers import protected

TOKEN_LIFE = 3600
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
KEYS_PATH = "/.well-known/jwks.json"
READY_PATH = "/ready"
METRICS_PATH = "/metrics"
_PUBLIC_PATHS = frozenset({"/", "/health", READY_PATH, "/openapi.json", KEYS_PATH})


class AuthMiddleware:
    """Checks every request before it reaches a route.

    A web page in a browser on this machine must not reach the server: neither under a name that now resolves to this
    machine (DNS rebinding: 421), nor from another origin (403).
    """

    def __init__(self, app: ASGIApp, options: QueueOptions) -> None:
        self._app = app
        self._key = options.key
        public = (options.public_url or "").partition("://")[2].partition("/")[0]
        names = {*_LOOPBACK_NAMES, *options.allowed_hosts, public}
        self._hosts = OwnHosts(names, addresses=True, every="*" in options.allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            send = protected(send)
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
            if refusal := self._refusal(scope["method"], scope["path"], Headers(scope=scope)):
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, method: str, path: str, headers: Headers) -> Response | None:
        if not self._hosts.has(headers.get("host", "")):
            return request_error(
                421, "This server does not answer to that Host name. Use its address, or start it with --allowed-host."
            )
        public = method in {"GET", "HEAD"} and (path.startswith("/files/") or path in _PUBLIC_PATHS)
        if not public and self._is_foreign(headers):
            return request_error(403, "Requests from pages of another origin are refused.")
        if public or path.startswith("/put/") or self._has_key(path, headers.get("authorization", "")):
            return None
        return _unauthorized(has_header="authorization" in headers)

    def _is_foreign(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
        return not self._hosts.is_own(origin, headers.get("host", ""))

    def _has_key(self, path: str, authorization: str) -> bool:
        if self._key is None:
            return True
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() not in {"key", "bearer"}:
            return False
        given = given.strip()
        return _same(given, self._key) or (path.startswith("/files/") and is_token(self._key, given))


def new_token(key: str | None, expires: int) -> str:
    """A token that allows uploads until `expires` (seconds since the epoch), and nothing else."""
    return f"{expires}.{_signature(key, expires)}"


def is_token(key: str | None, token: str) -> bool:
    """Whether `new_token` made this token and it has not expired."""
    expires, _, signature = token.partition(".")
    if not (expires.isascii() and expires.isdigit() and len(expires) < 16):
        return False
    return _same(signature, _signature(key, int(expires))) and time.time() < int(expires)


def _signature(key: str | None, expires: int) -> str:
    return hmac.new(f"upload {key or ''}".encode(), str(expires).encode(), hashlib.sha256).hexdigest()


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _unauthorized(*, has_header: bool) -> Response:
    if has_header:
        return request_error(401, "Wrong key. Send the key that the engine server was started with.")
    return request_error(401, "Authorization header is required: 'Key' and the key the server was started with.")
