"""How many jobs an engine works on at once."""

from __future__ import annotations

import anyio


class Slots:
    """One for each job that the engine takes at once. One job whose steps overlap with the next job's needs none."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = anyio.Semaphore(count)
        self._others = 0
        self._overlapping: str | None = None

    async def take(self) -> None:
        """Wait for a slot."""
        await self._free.acquire()

    async def take_others(self) -> None:
        """For a job that has a slot: wait for all the others, so that it works alone."""
        while self._others < self._count - 1:
            await self._free.acquire()
            self._others += 1

    def overlap(self, job_id: str) -> None:
        """Let the next job begin before this one has left; only one at a time."""
        if self._overlapping is None and not self._others:
            self._overlapping = job_id
            self._free.release()

    def leave(self, job_id: str, *, alone: bool = False) -> None:
        """Free a job's slot and, if it works alone, those that it took besides."""
        if self._overlapping == job_id:
            self._overlapping = None
        else:
            self._free.release()
        while alone and self._others:
            self._others -= 1
            self._free.release()
