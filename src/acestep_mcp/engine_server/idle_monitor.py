"""When nobody wants anything of the server any more."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from acestep_mcp.engine_server.wire import request_error


class IdleMonitor:
    """Stands before everything else and knows when something was last asked for.

    A plain /health does not count, so that a monitor keeps no engine running. One with a query does: it comes from
    somebody who is about to submit.
    """

    def __init__(self, app: ASGIApp, busy: Callable[[], bool]) -> None:
        self._app = app
        self._busy = busy
        self._open = 0
        self._last = anyio.current_time()
        self._over = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._over:
            await request_error(503, "This server is just ending.")(scope, receive, send)
            return
        if scope["type"] == "http" and scope["path"] == "/health" and not scope["query_string"]:
            await self._app(scope, receive, send)
            return
        self._open += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open -= 1
            self._last = anyio.current_time()

    def is_over(self, seconds: float) -> bool:
        """Whether no job was there and nothing was asked for since so many seconds; if so, nothing is answered any more."""
        if self._open or self._busy():
            self._last = anyio.current_time()
        self._over = anyio.current_time() - self._last >= seconds
        return self._over
