"""How much all jobs in the database may take, and how many may wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acestep_mcp.api.errors import QueueError
from acestep_mcp.engine_server.shared import job_table

if TYPE_CHECKING:
    from acestep_mcp.engine_server.shared.database import Postgres

_ROOM = 0.9
"""The share of the limit that is freed down to, so that the next jobs need not free more."""


class Room:
    """`taken` is what was counted last, and what this front has added since: other fronts add to it too."""

    def __init__(self, database: Postgres, most: int, longest: int) -> None:
        """All jobs together, ended ones too, take about `most` bytes; at most `longest` wait."""
        self.taken = 0
        self._database = database
        self._most = most
        self._longest = longest

    def check_length(self, waiting: int, longest: int | None) -> None:
        """Raises QueueError (429) where so many wait that no other job is taken, or more than the caller's `longest`."""
        if (longest is not None and waiting > longest) or waiting >= self._longest:
            raise QueueError(f"The queue is too long: {waiting} requests are waiting. Submit again later.", status=429)

    async def weigh(self) -> None:
        """Count what all jobs take."""
        async with self._database.reading() as cursor:
            self.taken = await job_table.total_size(cursor)

    async def make(self, size: int) -> None:
        """Forget jobs that ended without a song, and those whose song was fetched, if that is needed.

        Raises QueueError (429): a song that nobody has fetched is kept.
        """
        if self.taken + size <= self._most:
            return
        async with self._database.changing() as cursor:
            excess = await job_table.total_size(cursor) + size - self._most
            if excess > 0:
                await job_table.make_room(cursor, excess + int((1 - _ROOM) * self._most))
            self.taken = await job_table.total_size(cursor)
        if self.taken + size > self._most:
            raise QueueError(
                f"The queue is full: its requests, and songs that nobody has fetched, take {self.taken >> 20} MiB, and "
                f"{self._most >> 20} MiB is the most. Fetch songs, or submit again later.",
                status=429,
            )
