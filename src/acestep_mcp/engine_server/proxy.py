"""One address for clients that send everything to a proxy and name the destination in a header."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from acestep_mcp.engine_server.wire import request_error

PATH = "/api/fal/proxy"
TARGET = "x-fal-target-url"

# Where the routes of each of fal's hosts are in this server.
_HOSTS = {
    "queue.fal.run": "",
    "fal.run": "/run",
    "rest.fal.ai": "",
    "rest.alpha.fal.ai": "",
    "v3.fal.media": "",
}


class ProxyMiddleware:
    """Rewrites a proxied request to a direct one before it is checked. Nothing is ever forwarded to fal."""

    def __init__(self, app: ASGIApp, public_url: str | None) -> None:
        self._app = app
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].rstrip("/") != PATH:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        target = self._target(headers.get(TARGET, ""), f"{scope['scheme']}://{headers.get('host', '')}")
        if target is None:
            refusal = request_error(412, f"{TARGET} must name one of fal's hosts, or this server.", "bad_request")
            await refusal(scope, receive, send)
            return
        path, query = target
        await self._app({**scope, "path": path, "raw_path": path.encode(), "query_string": query}, receive, send)

    def _target(self, url: str, own: str) -> tuple[str, bytes] | None:
        for base in filter(None, (self._public_url, own)):
            if url.startswith(f"{base.rstrip('/')}/"):
                return _parts(url.removeprefix(base.rstrip("/")), "")
        try:
            host = urlsplit(url).netloc.lower()
        except ValueError:
            return None
        return _parts(url.split(host, 1)[1], _HOSTS[host]) if host in _HOSTS and host in url else None


def _parts(rest: str, below: str) -> tuple[str, bytes]:
    path, _, query = rest.partition("#")[0].partition("?")
    return below + unquote(path), query.encode("latin-1", "replace")
