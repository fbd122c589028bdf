"""What was sent to which server, on disk: a job that was sent once is found again after a restart, and not sent twice."""

from __future__ import annotations

import json
import logging
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from acestep_mcp import files
from acestep_mcp.api.errors import StorageError

logger = logging.getLogger(__name__)

_ADVICE = "set ACESTEP_DATA_DIR to another folder"
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
RECORDS_KEPT = 7 * 86_400.0
SONGS_KEPT = 3600.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A job that was sent. `id` is None while nobody knows whether the server accepted it."""

    id: str | None


class Ledger:
    """One small file for each part of each job, and the songs that came back. Every process of this user shares it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, job: str, part: int) -> Sent | None:
        """What an earlier attempt has sent; a record that cannot be read is one of an unknown fate."""
        try:
            record = json.loads(files.read_regular(self._path(job, part, "json"), 1 << 16))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            return Sent(None)
        found = record.get("id") if isinstance(record, dict) else None
        return Sent(found if isinstance(found, str) and _ID.fullmatch(found) else None)

    def sending(self, job: str, part: int) -> None:
        """Before a job is sent. Raises StorageError; it must not be sent then."""
        files.make_folder(self._folder, _ADVICE, private=True)
        self._write(job, part, None)

    def accepted(self, job: str, part: int, upstream: str) -> None:
        """The server's id of the job. Where the disk refuses it, a restart will not know it."""
        try:
            self._write(job, part, upstream)
        except StorageError as exc:
            logger.warning("job %s is %s at the server, which is not recorded: %s", job, upstream, exc.message)

    def refused(self, job: str, part: int) -> None:
        """The server has not accepted it: it may be sent again."""
        self._path(job, part, "json").unlink(missing_ok=True)

    def keep(self, job: str, part: int, song: bytes) -> Path:
        """Store the song that came back. Raises StorageError."""
        files.make_folder(self._folder, _ADVICE, private=True)
        path = self._path(job, part, "song")
        files.write_bytes(path, song, _ADVICE, private=True)
        return path

    def kept(self, job: str, part: int) -> Path | None:
        """The song that an earlier attempt has stored."""
        path = self._path(job, part, "song")
        return path if path.is_file() else None

    def sweep(self) -> None:
        """Remove what is old: songs after an hour, records after a week, in which no job is still open."""
        now = time.time()
        for path in self._folder.glob("*.*"):
            with suppress(OSError):
                if now - path.stat().st_mtime > (SONGS_KEPT if path.suffix == ".song" else RECORDS_KEPT):
                    path.unlink()
        files.sweep(self._folder)

    def _write(self, job: str, part: int, upstream: str | None) -> None:
        files.write_json(self._path(job, part, "json"), {"id": upstream, "at": time.time()}, _ADVICE, private=True)

    def _path(self, job: str, part: int, suffix: str) -> Path:
        return self._folder / f"{job}.{part}.{suffix}"
