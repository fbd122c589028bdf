"""Queue clients that are opened at their first use and closed together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import anyio
from anyio.abc import TaskGroup, TaskStatus

from acestep_mcp.client.queue import QueueClient

Build = Callable[[AsyncExitStack], Awaitable[QueueClient]]
"""Makes a client that is not open yet; what it needs is closed with the stack, after it."""


class ClientPool:
    """Each client lives in a task of its own, which also closes it."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._clients: dict[object, QueueClient] = {}
        self._opening = anyio.Lock()
        self._closing = anyio.Event()

    async def get(self, key: object, build: Build) -> QueueClient:
        """The open client of this key, built at the first call."""
        async with self._opening:
            if key not in self._clients:
                # Shielded: other jobs may wait for the same client.
                with anyio.CancelScope(shield=True):
                    self._clients[key] = await self._tasks.start(self._hold_open, build)
            return self._clients[key]

    def close(self) -> None:
        """Let every client close."""
        self._closing.set()

    async def _hold_open(self, build: Build, *, task_status: TaskStatus[QueueClient]) -> None:
        with anyio.CancelScope() as scope:
            async with AsyncExitStack() as stack:
                client = await build(stack)
                await stack.enter_async_context(client)
                # From here on, cancellation must not close the client before the last run has ended.
                scope.shield = True
                task_status.started(client)
                await self._closing.wait()
