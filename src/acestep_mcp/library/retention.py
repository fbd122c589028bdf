"""How long what is not a song is kept, and removing what is older: when a program makes or lists songs, and daily.

docs/settings.md has the table. Songs are kept until somebody deletes them.
"""

from __future__ import annotations

import logging
import math
import re
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from acestep_mcp.api.errors import AceStepError, isolated
from acestep_mcp.files import DATA_ADVICE, read_regular, write_bytes
from acestep_mcp.library.process_folders import remove_ended
from acestep_mcp.library.tracks import Tracks

logger = logging.getLogger(__name__)

DAY = 86_400.0
JOB_DAYS = 90
PREVIEW_DAYS = 30
COPY_DAYS = 90
_SPARE_PAGES = 256
_TRUSTED_AFTER = DAY
_LONGEST_REST = 90 * DAY
"""A clock that moved by more than this since it was last read has jumped, or nobody has made a song for so long."""
_COPY = re.compile(r".+\.sqlite3\.(?:v\d+\.backup|damaged-\d+)|engine\.log\.1")
"""Databases that were set aside, and the part of an engine's log that was full."""
_ENDED = "('COMPLETED', 'FAILED', 'CANCELLED', 'UNKNOWN')"


@dataclass(frozen=True, slots=True)
class Retention:
    """Removes what is too old from the folders of one user. `trash_days` 0 keeps deleted songs."""

    tracks: Tracks
    data_dir: Path
    trash_days: int

    def clean(self, alive: Callable[[], set[str]], tidy: Callable[[], None]) -> None:
        """Each kind by itself: that one cannot be removed keeps nothing else. Raises nothing.

        What is removed by its age stays until the clock has run for a day without a jump.

        `alive` gives the ids of the processes that are alive, each of which may have a folder below `draft`. `tidy`
        removes old uploads, and what killed processes left.
        """
        drafts = partial(self._drafts, alive)
        for work in (tidy, drafts, self._aged):
            self._attempt(work)

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            with isolated(logger, "cleaning up failed"):
                work()
        except AceStepError as exc:
            logger.warning("cleaning up: %s", exc.message)

    def _aged(self) -> None:
        if self._clock_is_trusted():
            for work in (self._trash, self._previews, self._copies, self._rows):
                self._attempt(work)

    def _clock_is_trusted(self) -> bool:
        """Whether the clock has run for a day without a jump, by a file that holds since when it has, and its last time."""
        path, now = self.data_dir / "clock", time.time()
        try:
            since, last = (float(text) for text in read_regular(path, 100).split())
        except (OSError, ValueError):
            since = last = math.nan
        if not -DAY <= now - last <= _LONGEST_REST:  # also where there is none
            since = now
        write_bytes(path, f"{since} {now}\n".encode("ascii"), DATA_ADVICE)
        return now - since >= _TRUSTED_AFTER

    def _trash(self) -> None:
        if self.trash_days:
            for path in self.tracks.empty_trash(time.time() - self.trash_days * DAY):
                logger.info("%s was in the trash for %d days and is removed", path, self.trash_days)

    def _previews(self) -> None:
        _remove((self.data_dir / "previews").glob("*.mp3"), PREVIEW_DAYS)

    def _drafts(self, alive: Callable[[], set[str]]) -> None:
        """Folders of the embedded engine whose process has ended."""
        remove_ended(self.data_dir / "draft", alive())

    def _copies(self) -> None:
        found = [*self.data_dir.glob("*"), *self.data_dir.glob("engine/*/*")]
        _remove((path for path in found if _COPY.fullmatch(path.name)), COPY_DAYS)

    def _rows(self) -> None:
        """Jobs that ended long ago, and the space that they took."""
        database = self.tracks.database
        database.execute(f"DELETE FROM jobs WHERE status IN {_ENDED} AND ended_at < ?", (time.time() - JOB_DAYS * DAY,))
        with database.reading() as db:
            spare, pages = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
        if spare > max(_SPARE_PAGES, pages // 4):
            with suppress(sqlite3.Error):
                database.execute("VACUUM", ())


def _remove(paths: Iterable[Path], days: float) -> None:
    """Remove files that were last changed before so many days."""
    for path in paths:
        with suppress(OSError):
            if path.lstat().st_mtime < time.time() - days * DAY:
                path.unlink()
