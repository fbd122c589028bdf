"""What was sent to which server, on disk: a job that was sent once is found again after a restart, and not sent twice."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acestep_mcp import files
from acestep_mcp.api.errors import StorageError

logger = logging.getLogger(__name__)

_ADVICE = "set ACESTEP_DATA_DIR to another folder"
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_SAID = "notes"
"""In the record of a part whose song has come back."""
RECORDS_KEPT = 7 * 86_400.0
SONGS_KEPT = 3600.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A job that was sent. `id` is None while nobody knows whether the server accepted it."""

    id: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A song that came back: its file, the model that made it where that is known, and what must be said of it."""

    file: Path
    model: str | None
    notes: tuple[str, ...]


class Ledger:
    """One small file for each part of each job, and the songs that came back. Every process of this user shares it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, job: str, part: int) -> Sent | None:
        """What an earlier attempt has sent; a record that cannot be read is one of an unknown fate."""
        record = self._read(job, part)
        if record is None:
            return None
        found = record.get("id")
        return Sent(found if isinstance(found, str) and _ID.fullmatch(found) else None)

    def unfinished(self, job: str) -> dict[int, str]:
        """The parts of a job that the server has accepted and whose songs have not come back, with its ids of them."""
        return {part: upstream for name, part, upstream in self._unfinished() if name == job}

    def begun(self) -> set[str]:
        """The jobs that have such a part."""
        return {job for job, _, _ in self._unfinished()}

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

    def forget(self, job: str, part: int) -> None:
        """The server has not accepted it, and it may be sent again; or nobody waits for it any more."""
        self._path(job, part, "json").unlink(missing_ok=True)

    def keep(self, job: str, part: int, song: bytes, model: str | None, notes: tuple[str, ...]) -> Kept:
        """Store the song that came back, after what is known of it. Raises StorageError."""
        files.make_folder(self._folder, _ADVICE, private=True)
        sent = self.find(job, part)
        self._write(job, part, sent.id if sent else None, model=model, **{_SAID: notes})
        path = self._path(job, part, "song")
        files.write_bytes(path, song, _ADVICE, private=True)
        return Kept(path, model, notes)

    def kept(self, job: str, part: int) -> Kept | None:
        """The song that an earlier attempt has stored."""
        path = self._path(job, part, "song")
        if not path.is_file():
            return None
        record = self._read(job, part) or {}
        model, notes = record.get("model"), record.get(_SAID)
        said = notes if isinstance(notes, list) else []
        return Kept(
            path, model if isinstance(model, str) else None, tuple(note for note in said if isinstance(note, str))
        )

    def sweep(self) -> None:
        """Remove what is old: songs after an hour, records after a week, in which no job is still open."""
        now = time.time()
        for path in self._folder.glob("*.*"):
            with suppress(OSError):
                if now - path.stat().st_mtime > (SONGS_KEPT if path.suffix == ".song" else RECORDS_KEPT):
                    path.unlink()
        files.sweep(self._folder)

    def _unfinished(self) -> Iterator[tuple[str, int, str]]:
        for path in sorted(self._folder.glob("*.json")):
            job, _, part = path.stem.rpartition(".")
            if not part.isdecimal() or _SAID in (self._read(job, int(part)) or {}):
                continue
            sent = self.find(job, int(part))
            if sent and sent.id:
                yield job, int(part), sent.id

    def _read(self, job: str, part: int) -> dict[str, Any] | None:
        """What is recorded: None for nothing, and {} for what cannot be read."""
        try:
            record = json.loads(files.read_regular(self._path(job, part, "json"), 1 << 16))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            return {}
        return record if isinstance(record, dict) else {}

    def _write(self, job: str, part: int, upstream: str | None, **told: Any) -> None:
        record = {"id": upstream, "at": time.time(), **told}
        files.write_json(self._path(job, part, "json"), record, _ADVICE, private=True)

    def _path(self, job: str, part: int, suffix: str) -> Path:
        return self._folder / f"{job}.{part}.{suffix}"
