"""Whether the server has been unused for long enough to end."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from acestep_mcp.engine_server.auth import METRICS_PATH, READY_PATH
from acestep_mcp.engine_server.wire import request_error

_MONITORED = frozenset({"/health", READY_PATH, METRICS_PATH})


class IdleMonitor:
    """ASGI middleware that notes the time of the last request.

    Requests of monitoring do not count: they would keep an engine running. A /health with a query does: it comes from a
    client that is about to submit.
    """

    def __init__(self, app: ASGIApp, busy: Callable[[], bool]) -> None:
        self._app = app
        self._busy = busy
        self._open = 0
        self._last = anyio.current_time()
        self._over = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._over:
            await request_error(503, "This server is shutting down.")(scope, receive, send)
            return
        if scope["type"] == "http" and scope["path"].rstrip("/") in _MONITORED and not scope["query_string"]:
            await self._app(scope, receive, send)
            return
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
            self._last = anyio.current_time()

    def is_over(self, seconds: float) -> bool:
        """Whether there was no job and no request for so many seconds; if so, all further requests are refused."""
        if self._open or self._busy():
            self._last = anyio.current_time()
        self._over = anyio.current_time() - self._last >= seconds
        return self._over
