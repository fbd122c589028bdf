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
from acestep_mcp.files import make_folder, publish, read_regular, storage_errors, write_bytes, write_json
from acestep_mcp.library.database import Database
from acestep_mcp.library.models import Track
from acestep_mcp.library.sidecars import AUDIO_TYPES, read_sidecar

TRASH = ".trash"
_AUDIO = tuple(AUDIO_TYPES)
_MOST_SIDECAR_BYTES = 2**26
_Key = tuple[str, bool]
"""A sidecar's file name, and whether it lies in the trash."""


class Tracks:
    """The songs of one music folder (and its trash).

    `change` numbers grow with every track added, changed, deleted or restored by any process, so that a watcher
    can ask for what came after the last one it saw.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self.folder = folder
        self._unusable: dict[_Key, tuple[str, str]] = {}
        """Sidecars that were passed over, each with its stamp and the reason."""

    def problems(self) -> list[str]:
        """A sentence for each sidecar that the last refresh passed over. Good ones are never affected."""
        return [
            f"{os.fsencode(self._path(key)).decode(errors='replace')} is not used: {reason}."
            for key, (_, reason) in sorted(self._unusable.items())
        ]

    # -- adding

    def add(self, track_id: str, audio: Path, name: str, sidecar: dict[str, Any]) -> Track:
        """Move a finished temporary file to its name and write its sidecar, which makes it a track.

        The sidecar goes last; doing this twice for a job is the same as once. Raises StorageError.
        """
        target = self.folder / name
        publish(audio, target)
        write_json(target.with_suffix(".json"), sidecar)
        self._index(track_id, target, sidecar, deleted=False)
        return Track(track_id, target, sidecar)

    def is_free(self, name: str) -> bool:
        """No song or sidecar, in the folder or its trash, has this stem."""
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
        """Move to the trash folder; a track already there is returned unchanged."""
        track = self.get(track_id)
        return track if track.deleted else self._move(track, self.folder / TRASH, deleted=True)

    def restore(self, track_id: str) -> Track:
        """Move back from the trash folder, under the old name or, where that is taken, the next free one."""
        track = self.get(track_id)
        return self._move(track, self.folder, deleted=False) if track.deleted else track

    def _move(self, track: Track, folder: Path, *, deleted: bool) -> Track:
        target = folder / track.path.name
        number = 2
        while os.path.lexists(target) or os.path.lexists(target.with_suffix(".json")):
            target = folder / f"{track.path.stem} {number}{track.path.suffix}"
            number += 1
        make_folder(folder)
        old, new = track.path.with_suffix(".json"), target.with_suffix(".json")
        with storage_errors("move the song to", target):
            # Wherever this is interrupted, one of the two sidecars has the audio beside it.
            write_bytes(new, read_regular(old, _MOST_SIDECAR_BYTES))
            try:
                track.path.replace(target)
            except OSError:
                new.unlink()
                raise
            old.unlink(missing_ok=True)
        self._index(track.id, target, track.sidecar, deleted=deleted)
        return Track(track.id, target, track.sidecar, deleted)

    # -- index

    def rebuild(self) -> int:
        """Clear the index and read every sidecar again; returns the number of tracks."""
        with self._database.writing() as db:
            db.execute("DELETE FROM tracks WHERE folder = ?", (str(self.folder),))
        self.refresh()
        with self._database.reading() as db:
            return int(
                db.execute("SELECT count(*) AS n FROM tracks WHERE folder = ?", (str(self.folder),)).fetchone()["n"]
            )

    def refresh(self) -> None:
        """Update the index from the folder: files may have been moved, added or removed by hand."""
        on_disk = {**_stamps(self.folder, deleted=False), **_stamps(self.folder / TRASH, deleted=True)}
        unusable = {key: known for key, known in self._unusable.items() if on_disk.get(key) == known[0]}
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT id, sidecar_name, deleted, stamp FROM tracks WHERE folder = ?", (str(self.folder),)
            ).fetchall()
        known = {(row["sidecar_name"], bool(row["deleted"])): row for row in rows}
        for key, stamp in on_disk.items():
            if key not in unusable and (key not in known or known[key]["stamp"] != stamp):
                try:
                    self._read(*key)
                except ValueError as exc:
                    unusable[key] = (stamp, str(exc))
        self._unusable = unusable
        gone = [known[key]["id"] for key in known if key not in on_disk or key in unusable]
        if gone:
            self._drop(gone, on_disk)

    def _read(self, sidecar_name: str, deleted: bool) -> None:
        """Index a sidecar that is new or has changed. Raises ValueError when it cannot be used."""
        path = self._path((sidecar_name, deleted))
        _check_name(sidecar_name)
        audio = next((beside for suffix in _AUDIO if _is_file(beside := path.with_suffix(suffix))), None)
        if audio is None:
            raise ValueError("the audio beside it is not a regular file")
        sidecar = read_sidecar(path, audio)
        if not self._copied(sidecar["id"], sidecar_name, deleted=deleted):
            self._index(sidecar["id"], audio, sidecar, deleted=deleted)

    def _copied(self, track_id: str, sidecar_name: str, *, deleted: bool) -> bool:
        """Another track with this id is indexed and still there: this one is a copy."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT sidecar_name, file_name, deleted FROM tracks WHERE folder = ? AND id = ?",
                (str(self.folder), track_id),
            ).fetchone()
        if row is None or (row["sidecar_name"], bool(row["deleted"])) == (sidecar_name, deleted):
            return False
        return self._is_there(row)

    def _index(self, track_id: str, audio: Path, sidecar: dict[str, Any], *, deleted: bool) -> None:
        sidecar_path = audio.with_suffix(".json")
        with self._database.writing() as db:
            db.execute(  # whose id was changed by hand
                "DELETE FROM tracks WHERE folder = ? AND sidecar_name = ? AND deleted = ? AND id <> ?",
                (str(self.folder), sidecar_path.name, int(deleted), track_id),
            )
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

    def _drop(self, ids: list[str], on_disk: dict[_Key, str]) -> None:
        """Forget tracks whose sidecar is gone or unusable, unless another process has just moved it."""
        with self._database.writing() as db:
            for track_id in ids:
                row = db.execute(
                    "SELECT sidecar_name, file_name, deleted FROM tracks WHERE folder = ? AND id = ?",
                    (str(self.folder), track_id),
                ).fetchone()
                key = (row["sidecar_name"], bool(row["deleted"])) if row else None
                if key in self._unusable or (row and key not in on_disk and not self._is_there(row)):
                    db.execute("DELETE FROM tracks WHERE folder = ? AND id = ?", (str(self.folder), track_id))

    def _is_there(self, row: sqlite3.Row) -> bool:
        """Whether an indexed track's audio and sidecar are both where the index has them."""
        deleted = bool(row["deleted"])
        return all(_is_file(self._path((str(row[name]), deleted))) for name in ("sidecar_name", "file_name"))

    def _path(self, key: _Key) -> Path:
        name, deleted = key
        return (self.folder / TRASH if deleted else self.folder) / name

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


def _search_text(track_id: str, audio: Path, sidecar: dict[str, Any]) -> str:
    request = sidecar.get("request") or {}
    words = [
        track_id,
        audio.name,
        *(str(sidecar.get(k) or "") for k in ("title", "tags", "lyrics", "endpoint", "engine")),
    ]
    return "\n".join([*words, str(request.get("prompt", "")), str(sidecar.get("seed", ""))]).casefold()


def _stamps(folder: Path, *, deleted: bool) -> dict[_Key, str]:
    """The sidecars that have audio beside them, each with its time and size; a link that leads nowhere has none."""
    found: dict[_Key, str] = {}
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        files = {entry.name: entry for entry in entries if not entry.name.startswith(".")}
        for name, entry in files.items():
            if name.endswith(".json") and any(name[:-5] + suffix in files for suffix in _AUDIO):
                try:
                    stat = entry.stat()
                    found[name, deleted] = f"{stat.st_mtime_ns}:{stat.st_size}"
                except FileNotFoundError:
                    continue
                except OSError:
                    found[name, deleted] = ""
    return found


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as exc:
        raise ValueError("its name is not text; rename it") from exc


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a loop of links
        return False


def _stamp(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_mtime_ns}:{stat.st_size}"


def _cursor(text: str) -> tuple[str, str]:
    created_at, bar, track_id = text.rpartition("|")
    if not bar or not created_at or not track_id:
        raise InvalidRequest(f"cursor: {text[:40]!r} is not a cursor of list_tracks; leave it out for the first page.")
    return created_at, track_id
