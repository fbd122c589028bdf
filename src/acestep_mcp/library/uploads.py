"""Files that were uploaded to a host, by their digest, and their addresses there."""

from __future__ import annotations

import time

from acestep_mcp.library.database import Database

REUSED_SECONDS = 12 * 3600.0
"""An address older than this is not reused: its file may expire before the host reads it."""


class Uploads:
    """Shared by all processes of a user. `host` is the base address of the host's storage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, host: str, digest: str) -> str | None:
        """The address of a recent upload of the same bytes; it may have been removed since."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT url FROM uploads WHERE host = ? AND digest = ? AND uploaded_at > ?",
                (host, digest, time.time() - REUSED_SECONDS),
            ).fetchone()
        return str(row["url"]) if row else None

    def remember(self, host: str, digest: str, url: str) -> None:
        """Store an upload, and delete those that are too old."""
        with self._database.writing() as db:
            db.execute("DELETE FROM uploads WHERE uploaded_at <= ?", (time.time() - REUSED_SECONDS,))
            db.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?)", (host, digest, url, time.time()))
