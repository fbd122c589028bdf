"""Which bytes lie at which host, and under which address."""

from __future__ import annotations

import time

from acestep_mcp.library.database import Database

REUSED_SECONDS = 12 * 3600.0
"""After so long an address is not used again: its file may be gone before the host has read it once more."""


class Uploads:
    """Shared by all processes of a user. `host` is the base address of the host's storage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, host: str, digest: str) -> str | None:
        """The address of an upload of the same bytes that is young enough; whether it still lives is not known."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT url FROM uploads WHERE host = ? AND digest = ? AND uploaded_at > ?",
                (host, digest, time.time() - REUSED_SECONDS),
            ).fetchone()
        return str(row["url"]) if row else None

    def remember(self, host: str, digest: str, url: str) -> None:
        """Remember an upload; those that are too old are forgotten."""
        with self._database.writing() as db:
            db.execute("DELETE FROM uploads WHERE uploaded_at <= ?", (time.time() - REUSED_SECONDS,))
            db.execute("INSERT OR REPLACE INTO uploads VALUES (?, ?, ?, ?)", (host, digest, url, time.time()))
