"""Two takes at a time: several takes of one song are one wish, and must not fill a host's queue or hardware."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from acestep_mcp.library.models import Job

AT_ONCE = 2


class Turns:
    """By the address of the queue; the takes of all calls of this process share them."""

    def __init__(self) -> None:
        self._turns: dict[str, anyio.Semaphore] = {}

    @asynccontextmanager
    async def of(self, job: Job, cancel: anyio.Event) -> AsyncIterator[None]:
        """Wait until this job may run. A job that is no take, has been submitted, or is cancelled does not wait."""
        if job.options.remade is None or job.request_id is not None:
            yield
            return
        turns = self._turns.setdefault(job.queue_url, anyio.Semaphore(AT_ONCE))
        has_turn = await _acquired(turns, cancel)
        try:
            yield
        finally:
            if has_turn:
                turns.release()


async def _acquired(turns: anyio.Semaphore, cancel: anyio.Event) -> bool:
    """False if the job was cancelled first."""
    has_turn = False
    async with anyio.create_task_group() as waits:

        async def until_cancelled() -> None:
            await cancel.wait()
            waits.cancel_scope.cancel()

        waits.start_soon(until_cancelled)
        await turns.acquire()
        has_turn = True
        waits.cancel_scope.cancel()
    return has_turn
