"""Tracks: an audio file and its sidecar of the same name. The index is rebuilt from the sidecars."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import InvalidRequest, NotFound
from acestep_mcp.files import publish, storage_errors, write_json
from acestep_mcp.library.database import Database
from acestep_mcp.library.models import Track

SIDECAR_VERSION = 1
TRASH = ".trash"
_AUDIO = (".wav", ".flac", ".mp3", ".ogg")
_MAX_SIDECAR = 4 * 2**20


class Tracks:
    """The songs of one music folder (and its trash).

    `change` numbers grow with every track added, changed, deleted or restored by any process, so that a watcher
    asks for what came after the last one it saw.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self.folder = folder

    # -- keeping

    def keep(self, track_id: str, audio: Path, name: str, sidecar: dict[str, Any]) -> Track:
        """Move a finished temporary file to its name and write its sidecar: a track from now on.

        The sidecar is what makes a file a track, so it goes last; doing this twice for a job is the same as once.
        """
        target = self.folder / name
        publish(audio, target)
        write_json(target.with_suffix(".json"), sidecar)
        self._index(track_id, target, sidecar, deleted=False)
        return Track(track_id, target, sidecar)

    def is_free(self, name: str) -> bool:
        """No file of any kind, kept or in the trash, has this stem."""
        stems = [(folder / name).with_suffix("") for folder in (self.folder, self.folder / TRASH)]
        return not any(os.path.lexists(f"{stem}{suffix}") for stem in stems for suffix in (*_AUDIO, ".json"))

    # -- finding

    def get(self, name: str) -> Track:
        """By id, `acestep://tracks/ID` (also `/audio`) or file name. Raises NotFound with near matches."""
        self.refresh()
        wanted = name.removeprefix("acestep://tracks/").removesuffix("/audio")
        with self._database.reading() as db:
            row = db.execute(
                "SELECT * FROM tracks WHERE folder = ? AND (id = ? OR file_name = ?) ORDER BY deleted LIMIT 1",
                (str(self.folder), wanted, wanted),
            ).fetchone()
        if row is None:
            raise NotFound(f"There is no track {name!r}. {self._near(wanted)} Call list_tracks to see them all.")
        return self._track(row)

    def find(self, query: str, limit: int, after: str | None) -> tuple[list[Track], str | None, int]:
        """(a page, the cursor of the next one, how many match), newest first. InvalidRequest for a bad cursor."""
        self.refresh()
        where, values = "folder = ? AND deleted = 0", [str(self.folder)]
        for word in query.casefold().split():
            where += " AND instr(search, ?) > 0"
            values.append(word)
        page_where, page_values = where, list(values)
        if after is not None:
            page_where += " AND (created_at, id) < (?, ?)"
            page_values += _cursor(after)
        with self._database.reading() as db:
            total = int(db.execute(f"SELECT count(*) AS n FROM tracks WHERE {where}", values).fetchone()["n"])
            rows = db.execute(
                f"SELECT * FROM tracks WHERE {page_where} ORDER BY created_at DESC, id DESC LIMIT ?",
                [*page_values, limit + 1],
            ).fetchall()
        tracks = [self._track(row) for row in rows[:limit]]
        more = f"{tracks[-1].created_at}|{tracks[-1].id}" if len(rows) > limit else None
        return tracks, more, total

    def changed_since(self, change: int) -> tuple[list[Track], int]:
        """Tracks changed after that number, and the newest number. `-1` asks only for the number."""
        with self._database.reading() as db:
            newest = int(db.execute("SELECT coalesce(max(change), 0) AS n FROM tracks").fetchone()["n"])
            rows: Iterable[sqlite3.Row] = ()
            if 0 <= change < newest:
                rows = db.execute(
                    "SELECT * FROM tracks WHERE change > ? AND folder = ? ORDER BY change", (change, str(self.folder))
                ).fetchall()
        return [self._track(row) for row in rows], newest

    # -- trash

    def delete(self, track_id: str) -> Track:
        """Move to the trash folder; a track already there is returned as it is."""
        track = self.get(track_id)
        return track if track.deleted else self._move(track, self.folder / TRASH, deleted=True)

    def restore(self, track_id: str) -> Track:
        """Bring back from the trash folder, under its old name or, where that is taken, the next free one."""
        track = self.get(track_id)
        return self._move(track, self.folder, deleted=False) if track.deleted else track

    def _move(self, track: Track, folder: Path, *, deleted: bool) -> Track:
        target = folder / track.path.name
        number = 2
        while os.path.lexists(target) or os.path.lexists(target.with_suffix(".json")):
            target = folder / f"{track.path.stem} {number}{track.path.suffix}"
            number += 1
        with storage_errors("move the song to", target):
            folder.mkdir(parents=True, exist_ok=True)
            # The audio first: until its sidecar follows, the index still names the old place and finds the file gone.
            track.path.replace(target)
            track.path.with_suffix(".json").replace(target.with_suffix(".json"))
        self._index(track.id, target, track.sidecar, deleted=deleted)
        return Track(track.id, target, track.sidecar, deleted)

    # -- the index

    def rebuild(self) -> int:
        """Forget the index and read every sidecar again; answers how many tracks there are."""
        with self._database.writing() as db:
            db.execute("DELETE FROM tracks WHERE folder = ?", (str(self.folder),))
        self.refresh()
        with self._database.reading() as db:
            return int(
                db.execute("SELECT count(*) AS n FROM tracks WHERE folder = ?", (str(self.folder),)).fetchone()["n"]
            )

    def refresh(self) -> None:
        """Bring the index up to what lies in the folder: files may be moved, added or removed by hand."""
        on_disk = {**_stamps(self.folder, deleted=False), **_stamps(self.folder / TRASH, deleted=True)}
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id, sidecar_name, deleted, stamp FROM tracks WHERE folder = ?", (str(self.folder),)
            ).fetchall()
        known = {(row["sidecar_name"], bool(row["deleted"])): row for row in rows}
        for key, stamp in on_disk.items():
            if key not in known or known[key]["stamp"] != stamp:
                self._read(*key)
        gone = [known[key]["id"] for key in known if key not in on_disk]
        if gone:
            self._drop(gone, on_disk)

    def _read(self, sidecar_name: str, deleted: bool) -> None:
        path = (self.folder / TRASH if deleted else self.folder) / sidecar_name
        sidecar = read_sidecar(path)
        audio = next((beside for suffix in _AUDIO if (beside := path.with_suffix(suffix)).is_file()), None)
        if sidecar and audio and not self._copied(str(sidecar["id"]), sidecar_name, deleted=deleted):
            self._index(str(sidecar["id"]), audio, sidecar, deleted=deleted)

    def _copied(self, track_id: str, sidecar_name: str, *, deleted: bool) -> bool:
        """Another sidecar with this id is indexed and still there: this one is somebody's copy."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT sidecar_name, deleted FROM tracks WHERE folder = ? AND id = ?", (str(self.folder), track_id)
            ).fetchone()
        if row is None or (row["sidecar_name"], bool(row["deleted"])) == (sidecar_name, deleted):
            return False
        place = self.folder / TRASH if row["deleted"] else self.folder
        return (place / str(row["sidecar_name"])).exists()

    def _index(self, track_id: str, audio: Path, sidecar: dict[str, Any], *, deleted: bool) -> None:
        sidecar_path = audio.with_suffix(".json")
        with self._database.writing() as db:
            db.execute(
                "INSERT OR REPLACE INTO tracks (id, folder, file_name, sidecar_name, stamp, created_at, search, sidecar, "
                "deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    track_id,
                    str(self.folder),
                    audio.name,
                    sidecar_path.name,
                    _stamp(sidecar_path),
                    str(sidecar.get("created_at", "")),
                    _search_text(track_id, audio, sidecar),
                    json.dumps(sidecar, ensure_ascii=False),
                    int(deleted),
                ),
            )

    def _drop(self, ids: list[str], on_disk: dict[tuple[str, bool], str]) -> None:
        """Forget tracks whose sidecar is gone, unless another process has just moved it."""
        with self._database.writing() as db:
            for track_id in ids:
                row = db.execute(
                    "SELECT sidecar_name, file_name, deleted FROM tracks WHERE folder = ? AND id = ?",
                    (str(self.folder), track_id),
                ).fetchone()
                if row and (row["sidecar_name"], bool(row["deleted"])) not in on_disk:
                    place = self.folder / TRASH if row["deleted"] else self.folder
                    if not ((place / row["sidecar_name"]).exists() and (place / row["file_name"]).exists()):
                        db.execute("DELETE FROM tracks WHERE folder = ? AND id = ?", (str(self.folder), track_id))

    def _track(self, row: sqlite3.Row) -> Track:
        folder = self.folder / TRASH if row["deleted"] else self.folder
        return Track(row["id"], folder / row["file_name"], json.loads(row["sidecar"]), bool(row["deleted"]))

    def _near(self, wanted: str) -> str:
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id, file_name FROM tracks WHERE folder = ? AND deleted = 0 ORDER BY created_at DESC LIMIT 500",
                (str(self.folder),),
            ).fetchall()
        names = {row["file_name"]: row["id"] for row in rows} | {row["id"]: row["id"] for row in rows}
        near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4) or [row["id"] for row in rows[:3]]
        return f"Near matches: {', '.join(near)}." if near else "There are no tracks yet."


def read_sidecar(path: Path) -> dict[str, Any] | None:
    """A sidecar of ours, or None for any other JSON file that lies in the folder."""
    try:
        if path.stat().st_size > _MAX_SIDECAR:
            return None
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return value if _is_sidecar(value) else None


def _is_sidecar(value: Any) -> bool:
    """Everything that is used of a sidecar is there and of its kind; people edit files."""
    if not isinstance(value, dict) or not isinstance(value.get("audio"), dict):
        return False
    texts = (value.get("id"), value.get("created_at"), value["audio"].get("content_type"))
    numbers = (value["audio"].get("duration"), value["audio"].get("size"))
    request = value.get("request")
    return (
        all(isinstance(text, str) and text for text in texts)
        and all(isinstance(number, int | float) for number in numbers)
        and (request is None or isinstance(request, dict))
    )


def _search_text(track_id: str, audio: Path, sidecar: dict[str, Any]) -> str:
    request = sidecar.get("request") or {}
    words = [
        track_id,
        audio.name,
        *(str(sidecar.get(k) or "") for k in ("title", "tags", "lyrics", "endpoint", "engine")),
    ]
    return "\n".join([*words, str(request.get("prompt", "")), str(sidecar.get("seed", ""))]).casefold()


def _stamps(folder: Path, *, deleted: bool) -> dict[tuple[str, bool], str]:
    """The sidecars that have audio beside them, each with its time and size."""
    found: dict[tuple[str, bool], str] = {}
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        files = {entry.name: entry for entry in entries if not entry.name.startswith(".")}
        for name, entry in files.items():
            if name.endswith(".json") and any(name[:-5] + suffix in files for suffix in _AUDIO):
                with contextlib.suppress(FileNotFoundError):
                    stat = entry.stat()
                    found[name, deleted] = f"{stat.st_mtime_ns}:{stat.st_size}"
    return found


def _stamp(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_mtime_ns}:{stat.st_size}"


def _cursor(text: str) -> tuple[str, str]:
    created_at, bar, track_id = text.rpartition("|")
    if not bar or not created_at or not track_id:
        raise InvalidRequest(f"cursor: {text[:40]!r} is not a cursor of list_tracks; leave it out for the first page.")
    return created_at, track_id
