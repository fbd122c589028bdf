"""Every use of a private part of the MCP SDK. `tests/server/test_sdk.py` tests each of them, to find what an SDK release
changes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
from mcp.server import MCPServer, Server
from mcp.server.session import ServerSession


def lowlevel(server: MCPServer[Any]) -> Server[Any]:
    """The low-level server: MCPServer has no public way to serve given streams, page resources or complete arguments."""
    return server._lowlevel_server  # noqa: SLF001 - see above


def on_connection_end(session: ServerSession, callback: Callable[[], object]) -> None:
    """Call back when the session's connection ends, which no public API reports."""
    session._connection.exit_stack.callback(callback)  # noqa: SLF001 - see above


async def flushed(stream: Any) -> None:
    """Wait until the stdio writer has written and flushed what was sent.

    Its stream has no buffer: the writer waits for the next message only after flushing the last one.
    """
    while not stream._inner.statistics().tasks_waiting_receive:  # noqa: ASYNC110, SLF001 - nothing signals it
        await anyio.sleep(0.001)


@contextmanager
def without_rich() -> Iterator[None]:
    """Skip the import of rich, for a log handler that `MCPServer` does not install here: 35 ms of every start."""
    name = "rich.console"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment] # how Python marks a module that cannot be imported
    try:
        yield
    finally:
        del sys.modules[name]
