"""Access control: the Host header, the Origin, the key. Also removes the final slash of every path."""

from __future__ import annotations

import hashlib
import hmac
import time

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from acestep_mcp.engine_server.options import QueueOptions
from acestep_mcp.engine_server.wire import OWNER, request_error
from acestep_mcp.net.origins import OwnHosts
from acestep_mcp.net.response_headers import protected

TOKEN_LIFE = 3600
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
KEYS_PATH = "/.well-known/jwks.json"
READY_PATH = "/ready"
METRICS_PATH = "/metrics"
_PUBLIC_PATHS = frozenset({"/", "/health", READY_PATH, "/openapi.json", KEYS_PATH})


class Access:
    """The keys, and the tokens that are made from them."""

    def __init__(self, options: QueueOptions, upload_secret: bytes) -> None:
        """Tokens of a single key are signed with that key, those of several keys with `upload_secret`."""
        self._key = options.key
        self._keys = options.keys
        self._upload_secret = upload_secret

    def owner(self, path: str, authorization: str) -> str | None:
        """The name of the key that was sent, "" where keys have no names or none is needed; None without a right one."""
        if self._key is None and self._keys is None:
            return ""
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() not in {"key", "bearer"}:
            return None
        given = given.strip()
        owner = self._of_key(given)
        return self._of_token(given) if owner is None and path.startswith("/files/") else owner

    def new_token(self, owner: str, expires: int) -> str:
        """A token of this owner, as `new_token` makes it."""
        return new_token(self._token_key(owner), expires)

    def _of_key(self, given: str) -> str | None:
        if self._keys is not None:
            return self._keys.owner(given)
        return "" if self._key is not None and _same(given, self._key) else None

    def _of_token(self, given: str) -> str | None:
        owners = ("",) if self._keys is None else self._keys
        return next((owner for owner in owners if is_token(self._token_key(owner), given)), None)

    def _token_key(self, owner: str) -> str | None:
        return self._key if self._keys is None else f"{self._upload_secret.hex()} {owner}"


class AuthMiddleware:
    """Checks every request before it reaches a route.

    A web page in a browser on this machine must not reach the server: neither under a name that now resolves to this
    machine (DNS rebinding: 421), nor from another origin (403).
    """

    def __init__(self, app: ASGIApp, options: QueueOptions, access: Access) -> None:
        self._app = app
        self._access = access
        public = (options.public_url or "").partition("://")[2].partition("/")[0]
        names = {*_LOOPBACK_NAMES, *options.allowed_hosts, public}
        self._hosts = OwnHosts(names, addresses=True, every="*" in options.allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            send = protected(send)
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
            headers = Headers(scope=scope)
            owner = self._access.owner(scope["path"], headers.get("authorization", ""))
            scope[OWNER] = owner or ""
            if refusal := self._refusal(scope["method"], scope["path"], headers, has_key=owner is not None):
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, method: str, path: str, headers: Headers, *, has_key: bool) -> Response | None:
        if not self._hosts.has(headers.get("host", "")):
            return request_error(
                421, "This server does not answer to that Host name. Use its address, or start it with --allowed-host."
            )
        public = method in {"GET", "HEAD"} and (path.startswith("/files/") or path in _PUBLIC_PATHS)
        if not public and self._is_foreign(headers):
            return request_error(403, "Requests from pages of another origin are refused.")
        if public or path.startswith("/put/") or has_key:
            return None
        return _unauthorized(has_header="authorization" in headers)

    def _is_foreign(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
        return not self._hosts.is_own(origin, headers.get("host", ""))


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
