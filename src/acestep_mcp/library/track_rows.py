"""The rows of the index of tracks, and whether a row still agrees with its files."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from acestep_mcp.library.database import Database
from acestep_mcp.library.scan import stamp_of
from acestep_mcp.library.sidecars import AUDIO_TYPES

TRASH = ".trash"
Key = tuple[str, bool]
"""A sidecar's path within the music folder (or its trash), and whether it lies in the trash."""


class TrackRows:
    """Those of one music folder and its trash."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self._folder = folder

    def folder_of(self, *, deleted: bool) -> Path:
        return self._folder / TRASH if deleted else self._folder

    def path(self, key: Key) -> Path:
        name, deleted = key
        return self.folder_of(deleted=deleted) / name

    def select(self, columns: str, more: str = "", values: Iterable[Any] = ()) -> list[sqlite3.Row]:
        query = f"SELECT {columns} FROM tracks WHERE folder = ? {more}"
        with self.database.reading() as db:
            return db.execute(query, (str(self._folder), *values)).fetchall()

    def named(self, name: str) -> sqlite3.Row | None:
        """The row with exactly this id or file name; of several one that is not in the trash."""
        found = [*self.select("*", "AND id = ?", (name,)), *self.select("*", "AND file_name = ?", (name,))]
        return min(found, key=lambda row: int(row["deleted"]), default=None)

    def of(self, track_id: str) -> sqlite3.Row | None:
        """The row with exactly this id."""
        return next(iter(self.select("*", "AND id = ?", (track_id,))), None)

    def put(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add or replace rows, in one transaction."""
        with self.database.writing() as db:
            for row in rows:
                db.execute(  # whose id was changed by hand
                    "DELETE FROM tracks WHERE folder = ? AND sidecar_name = ? AND deleted = ? AND id <> ?",
                    (str(self._folder), row["sidecar_name"], row["deleted"], row["id"]),
                )
                db.execute(
                    f"INSERT OR REPLACE INTO tracks ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                    [*row.values()],
                )

    def delete(self, track_id: str) -> None:
        self.database.execute("DELETE FROM tracks WHERE folder = ? AND id = ?", (str(self._folder), track_id))

    def row(
        self, track_id: str, audio: Path, sidecar_path: Path, sidecar: dict[str, Any], *, deleted: bool, stamp: str = ""
    ) -> dict[str, Any]:
        """The values of a row; `stamp` is that of a scan, or of the sidecar as it was written and a bar."""
        stamp = stamp or f"{stamp_of(sidecar_path)}|"
        name, sidecar_name = (p.relative_to(self.folder_of(deleted=deleted)).as_posix() for p in (audio, sidecar_path))
        return {
            "id": track_id,
            "folder": str(self._folder),
            "file_name": name,
            "sidecar_name": sidecar_name,
            "stamp": f"{stamp}{name}:{stamp_of(audio)}" if stamp.endswith("|") else stamp,
            "created_at": str(sidecar.get("created_at", "")),
            "search": _search_text(track_id, name, sidecar),
            "sidecar": json.dumps(sidecar, ensure_ascii=False),
            "deleted": int(deleted),
        }

    def is_current(self, row: sqlite3.Row) -> bool:
        """Whether the sidecar and the sounds of its name are those that a scan would find indexed in this row.

        Costs a look at each possible name instead of one at every file of the folder. A sound of the same name whose
        ending is in capitals is seen only by a scan.
        """
        deleted = bool(row["deleted"])
        stem, own = row["sidecar_name"][:-5], row["file_name"]
        names = [f"{stem}{ending}" for ending in AUDIO_TYPES]
        if own.rpartition(".")[0] == stem and own not in names:
            names[names.index(f"{stem}{Path(own).suffix.lower()}")] = own
        sidecar = self._stamp(row["sidecar_name"], deleted)
        beside = [f"{name}:{stamp}" for name in names if (stamp := self._stamp(name, deleted)) is not None]
        if not beside and (stamp := self._stamp(own, deleted)) is not None:
            beside = [f"{own}:{stamp}"]
        return sidecar is not None and "|".join([sidecar, *beside]) == row["stamp"]

    def _stamp(self, name: str, deleted: bool) -> str | None:
        """As a scan has it; None where there is no such file."""
        try:
            return stamp_of(self.path((name, deleted)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            return ""


class Changes:
    """Rows that are written a few hundred at a time: each transaction waits for the disk."""

    def __init__(self, rows: TrackRows) -> None:
        self._rows = rows
        self._waiting: dict[str, dict[str, Any]] = {}

    def put(self, row: dict[str, Any]) -> None:
        if len(self._waiting) >= _TOGETHER:
            self.write()
        self._waiting[row["id"]] = row

    def waiting(self, track_id: str) -> Mapping[str, Any] | None:
        return self._waiting.get(track_id)

    def write(self) -> None:
        if self._waiting:
            self._rows.put(self._waiting.values())
            self._waiting = {}


_TOGETHER = 200


def key_of(row: Mapping[str, Any] | sqlite3.Row) -> Key:
    return str(row["sidecar_name"]), bool(row["deleted"])


def _search_text(track_id: str, audio_name: str, sidecar: dict[str, Any]) -> str:
    request = sidecar.get("request") or {}
    words = [
        track_id,
        audio_name,
        *(str(sidecar.get(k) or "") for k in ("title", "tags", "lyrics", "endpoint", "engine")),
    ]
    return "\n".join([*words, str(request.get("prompt", "")), str(sidecar.get("seed", ""))]).casefold()
