"""Which waiting job is next, of all in the database. Every function works inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, LiteralString

from acestep_mcp.engine_server.shared import job_table

if TYPE_CHECKING:
    from acestep_mcp.engine_server.api_keys import ApiKeys
    from acestep_mcp.engine_server.shared.database import Cursor
    from acestep_mcp.engine_server.shared.job_table import SharedJob

_TAKEABLE: LiteralString = (
    "job.state = 'IN_QUEUE' AND job.runner IS NULL "
    "AND (job.start_by IS NULL OR job.start_by > extract(epoch FROM now()))"
)
_TURNS: LiteralString = "LEFT JOIN acestep_turn AS turn ON turn.name = job.owner "
_NEXT: LiteralString = job_table.READ + "WHERE " + _TAKEABLE + " ORDER BY priority, sequence "
_NEXT_TURN: LiteralString = (
    job_table.READ + _TURNS + "WHERE " + _TAKEABLE + " AND NOT (job.owner = ANY(%s)) "
    "ORDER BY job.priority, coalesce(turn.number, 0), job.sequence "
)
_ONE: LiteralString = "LIMIT 1 FOR UPDATE OF job SKIP LOCKED"
_PLACES: LiteralString = (
    "SELECT id, row_number() OVER (ORDER BY priority, sequence) - 1 AS place FROM acestep_job WHERE state = 'IN_QUEUE'"
)
# The first job of each owner, by the number of its turn, then the second of each: owners who have had none are ordered by
# their first jobs.
_PLACES_BY_TURNS: LiteralString = (
    "SELECT id, row_number() OVER (ORDER BY priority, round, number, first) - 1 AS place FROM ("
    "SELECT job.id, job.priority, coalesce(turn.number, 0) AS number, row_number() OVER line AS round, "
    "min(job.sequence) OVER (PARTITION BY job.priority, job.owner) AS first "
    "FROM acestep_job AS job " + _TURNS + "WHERE job.state = 'IN_QUEUE' "
    "WINDOW line AS (PARTITION BY job.priority, job.owner ORDER BY job.sequence)) AS waiting"
)
_POSITION: LiteralString = (
    "SELECT count(*) AS place FROM acestep_job AS job JOIN acestep_job AS other ON other.state = 'IN_QUEUE' "
    "AND (other.priority, other.sequence) < (job.priority, job.sequence) WHERE job.id = %s"
)
_TAKING = 4_711_202_612
_ADDING = 1_202_613
_IDLE = "10s"
"""After this time PostgreSQL ends a transaction that holds a lock and whose front is silent."""


class Order:
    """By priority, then by time of submission."""

    async def lock_next(self, cursor: Cursor) -> SharedJob | None:
        """The first job that waits and that no front has taken or is taking."""
        return await job_table.one(cursor, _NEXT + _ONE)

    async def begin(self, cursor: Cursor, owner: str) -> None:
        """The job of `lock_next` runs."""

    async def admit(self, cursor: Cursor, owner: str) -> None:
        """Raises QueueError (429) where no more jobs of its owner may wait."""

    async def position(self, cursor: Cursor, job_id: str) -> int:
        """The number of waiting jobs ahead of this one."""
        return await _number(cursor, _POSITION, [job_id])

    async def places(self, cursor: Cursor) -> dict[str, int]:
        """The position of every waiting job."""
        return await _places(cursor, _PLACES)


class TurnOrder(Order):
    """By priority, then by turns between owners, as WaitingJobs has it in memory.

    One front takes a job at a time, so that no two take the last one that an owner may have running.
    """

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    async def lock_next(self, cursor: Cursor) -> SharedJob | None:
        await _lock(cursor, "pg_advisory_xact_lock(%s)", [_TAKING])
        await cursor.execute("SELECT owner, count(*) FROM acestep_job WHERE state = 'IN_PROGRESS' GROUP BY owner")
        running = {row["owner"]: row["count"] for row in await cursor.fetchall()}
        return await job_table.one(cursor, _NEXT_TURN + _ONE, [self._keys.full(running)])

    async def begin(self, cursor: Cursor, owner: str) -> None:
        await cursor.execute(
            "INSERT INTO acestep_turn (name, number) SELECT %s, coalesce(max(number), 0) + 1 FROM acestep_turn "
            "ON CONFLICT (name) DO UPDATE SET number = excluded.number",
            [owner],
        )

    async def admit(self, cursor: Cursor, owner: str) -> None:
        if self._keys.max_waiting(owner) is not None:
            await _lock(cursor, "pg_advisory_xact_lock(%s, hashtext(%s))", [_ADDING, owner])
            waiting: LiteralString = "SELECT count(*) AS place FROM acestep_job WHERE state = 'IN_QUEUE' AND owner = %s"
            self._keys.check_waiting(owner, await _number(cursor, waiting, [owner]))

    async def position(self, cursor: Cursor, job_id: str) -> int:
        return (await self.places(cursor)).get(job_id, 0)

    async def places(self, cursor: Cursor) -> dict[str, int]:
        return await _places(cursor, _PLACES_BY_TURNS)


async def _lock(cursor: Cursor, lock: LiteralString, values: Sequence[Any]) -> None:
    """Take a lock until the transaction ends: one of its own statement, so that the next sees what others have done."""
    silence: LiteralString = "SELECT set_config('idle_in_transaction_session_timeout', %s, true), "
    await cursor.execute(silence + lock, [_IDLE, *values])


async def _places(cursor: Cursor, query: LiteralString) -> dict[str, int]:
    await cursor.execute(query)
    return {row["id"]: row["place"] for row in await cursor.fetchall()}


async def _number(cursor: Cursor, query: LiteralString, values: Sequence[Any]) -> int:
    await cursor.execute(query, list(values))
    row = await cursor.fetchone()
    return int(row["place"]) if row else 0
