"""What the user has to be told once, by whichever process is asked next."""

from __future__ import annotations

from acestep_mcp.library.database import Database


class Notices:
    """Sentences in the database, each until it has been told."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def untold(self) -> list[str]:
        """Those that nobody has been told, oldest first."""
        with self._database.reading() as db:
            return [row["text"] for row in db.execute("SELECT text FROM notices WHERE NOT told ORDER BY number")]

    def tell(self) -> list[str]:
        """As `untold`; they are told with this."""
        found = self.untold()
        if found:
            self._database.execute("UPDATE notices SET told = 1 WHERE NOT told", ())
        return found
