"""Which processes are alive: each records a heartbeat, and jobs of dead ones are taken over."""

from __future__ import annotations

import secrets
import time

from acestep_mcp.library.database import Database

_FORGOTTEN_SECONDS = 3600
_SHORTEST_SLEEP = 5.0


class Leases:
    """The heartbeats of the processes that use one database; `process` is this one's id.

    A process without a heartbeat for `seconds` counts as dead. Times are wall-clock seconds: the processes that share
    the file run on one machine.
    """

    def __init__(self, database: Database, seconds: float) -> None:
        self._database = database
        self.seconds = seconds
        self.process = secrets.token_hex(8)
        self._recorded_at = 0.0
        self._woke_at = 0.0

    @property
    def has_just_woken(self) -> bool:
        """The process was stopped, the machine slept or the database was locked: others are about to beat again, too."""
        return 0 <= time.time() - self._woke_at < self.seconds

    @property
    def oldest_alive(self) -> float:
        """A heartbeat before this time belongs to a dead process."""
        return time.time() - self.seconds

    def beat(self) -> None:
        """Record a heartbeat, at most five per lease, and remove processes that died long ago."""
        began = time.time()
        if 0 <= began - self._recorded_at < self.seconds / 5:
            return
        with self._database.writing() as db:
            now = time.time()  # now that the database is free: while it was locked, no other could beat either
            if now - (self._recorded_at or began) > max(self.seconds, _SHORTEST_SLEEP):
                self._woke_at = now
            db.execute(
                "INSERT INTO processes VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET heartbeat = excluded.heartbeat",
                (self.process, now),
            )
            if not self.has_just_woken:
                db.execute("DELETE FROM processes WHERE heartbeat < ?", (now - _FORGOTTEN_SECONDS,))
        self._recorded_at = now

    def leave(self) -> None:
        """Remove this process, so that its jobs can be taken over at once."""
        with self._database.writing() as db:
            db.execute("DELETE FROM processes WHERE id = ?", (self.process,))

    def alive(self) -> set[str]:
        """Ids of the processes that are alive, including this one."""
        with self._database.reading() as db:
            rows = db.execute("SELECT id FROM processes WHERE heartbeat >= ?", (self.oldest_alive,)).fetchall()
        return {self.process, *(row["id"] for row in rows)}
