"""Two takes at a time: several takes of one song are one wish, and must not fill a host's queue or hardware."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio

from acestep_mcp.library.models import Job, Progress

AT_ONCE = 2
WAITING = Progress(stage=f"waiting for its turn ({AT_ONCE} takes are made at a time)")


class Turns:
    """By the address of the queue; the takes of all calls of this process share them."""

    def __init__(self) -> None:
        self._turns: dict[str, anyio.Semaphore] = {}

    @asynccontextmanager
    async def of(
        self, job: Job, cancel: anyio.Event, show: Callable[[Progress], Awaitable[None]]
    ) -> AsyncIterator[None]:
        """Wait until this job may run, which `show` is told. A job that is no take, has been submitted, or is cancelled does not wait."""
        if job.options.remade is None or job.request_id is not None:
            yield
            return
        turns = self._turns.setdefault(job.queue_url, anyio.Semaphore(AT_ONCE))
        try:
            turns.acquire_nowait()
            has_turn = True
        except anyio.WouldBlock:
            await show(WAITING)
            has_turn = await _acquired(turns, cancel)
            await show(Progress())
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
