"""The index of tracks: rows of the database that follow the files in the music folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import AceStepError, InvalidRequest
from acestep_mcp.files import write_json
from acestep_mcp.library.database import Database
from acestep_mcp.library.scan import Scan, scan, size_in, stamp_of
from acestep_mcp.library.sidecars import AUDIO_TYPES, read_sidecar

logger = logging.getLogger(__name__)

TRASH = ".trash"
CHANGED = "The file has been changed or converted since the song was made; length and size are those of the file as it is now."
Describe = Callable[[Path], dict[str, Any]]
"""The facts of an audio file (duration, sample_rate and so on). Raises InvalidRequest for what is not audio."""
_Key = tuple[str, bool]
"""A sidecar's path within the music folder (or its trash), and whether it lies in the trash."""


_COLUMNS = "id, file_name, sidecar_name, stamp, deleted"


class TrackIndex:
    """One music folder. A file that a person changed, converted, renamed or moved is found again; what is lost is reported."""

    def __init__(self, database: Database, folder: Path, describe: Describe | None) -> None:
        self._database = database
        self._folder = folder
        self._describe = describe
        self._unusable: dict[_Key, tuple[str, str]] = {}
        """Sidecars that were passed over, each with its stamp and the reason (empty for what is not a sidecar)."""
        self._missing: dict[str, str] = {}
        """By a track's id: why it is not in the list."""
        self._digests: dict[tuple[str, str], str] = {}

    def problems(self) -> list[str]:
        """A sentence for each sidecar that the last refresh passed over. Good ones are never affected."""
        unusable = [
            f"{os.fsencode(self._path(key)).decode(errors='replace')} is not used: {reason}."
            for key, (_, reason) in sorted(self._unusable.items())
            if reason
        ]
        return [*unusable, *(self._missing[track_id] for track_id in sorted(self._missing))]

    def why_missing(self, track_id: str) -> str | None:
        """What happened to a track whose files were here before."""
        if track_id in self._missing:
            return self._missing[track_id]
        with self._database.reading() as db:
            row = db.execute("SELECT file_name FROM jobs WHERE track_id = ? LIMIT 1", (track_id,)).fetchone()
        if row is None:
            return None
        key = Path(row["file_name"]).with_suffix(".json").name, False
        if reason := self._unusable.get(key, ("", ""))[1]:
            return f"Its file {self._path(key)} cannot be used: {reason}. Mend that file, or remove it: it is written again."
        return f"It was made here as {row['file_name']}, but that is no longer in {self._folder}."

    def is_free(self, name: str) -> bool:
        """No song or sidecar has this stem."""
        stems = [(self.folder_of(deleted=deleted) / name).with_suffix("") for deleted in (False, True)]
        return not any(os.path.lexists(f"{stem}{suffix}") for stem in stems for suffix in (*AUDIO_TYPES, ".json"))

    def folder_of(self, *, deleted: bool) -> Path:
        return self._folder / TRASH if deleted else self._folder

    def rows(self, columns: str, more: str = "") -> list[sqlite3.Row]:
        with self._database.reading() as db:
            return db.execute(f"SELECT {columns} FROM tracks WHERE folder = ? {more}", (str(self._folder),)).fetchall()

    def put(
        self, track_id: str, audio: Path, sidecar_path: Path, sidecar: dict[str, Any], *, deleted: bool, stamp: str = ""
    ) -> None:
        """Add or replace a row; `stamp` is that of a scan, or of the sidecar as it was written and a bar."""
        stamp = stamp or f"{stamp_of(sidecar_path)}|"
        name, sidecar_name = (p.relative_to(self.folder_of(deleted=deleted)).as_posix() for p in (audio, sidecar_path))
        values = {
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
        with self._database.writing() as db:
            db.execute(  # whose id was changed by hand
                "DELETE FROM tracks WHERE folder = ? AND sidecar_name = ? AND deleted = ? AND id <> ?",
                (str(self._folder), sidecar_name, int(deleted), track_id),
            )
            db.execute(
                f"INSERT OR REPLACE INTO tracks ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})",
                [*values.values()],
            )

    # -- following the folder

    def refresh(self) -> None:
        """Update the index from the folder, where people may have changed, converted, renamed, moved or removed files."""
        scans = {deleted: scan(self.folder_of(deleted=deleted), deep=not deleted) for deleted in (False, True)}
        known = {(row["sidecar_name"], bool(row["deleted"])): row for row in self.rows(_COLUMNS)}
        stamps: dict[_Key, str] = {}
        for deleted, found in scans.items():
            for name in found.sidecars:
                row = known.get((name, deleted))
                stamps[name, deleted] = found.stamp(name, row["file_name"] if row else None)
        unusable = {key: told for key, told in self._unusable.items() if told[0] == stamps.get(key)}
        self._missing = {}
        # Those without a sound of their name last: it may be indexed by then.
        for key in sorted(stamps, key=lambda key: not scans[key[1]].beside(key[0])):
            if key not in unusable and (key not in known or known[key]["stamp"] != stamps[key]):
                try:
                    self._read(key, scans[key[1]], known.get(key), stamps[key])
                except ValueError as exc:
                    unusable[key] = (stamps[key], str(exc))
        self._unusable = unusable
        self._drop([row for key, row in known.items() if key not in stamps or key in unusable], scans)

    def _read(self, key: _Key, found: Scan, row: sqlite3.Row | None, stamp: str) -> None:
        """Index a sidecar that is new or has changed. Raises ValueError when it cannot be used."""
        name, deleted = key
        _check_name(name)
        beside = found.beside(name)
        if not beside:
            return self._read_alone(key, found, row)
        if not any(_is_file(self._path((sound, deleted))) for sound in beside):
            raise ValueError("the audio beside it is not a regular file")
        sidecar = read_sidecar(self._path(key))
        sound = _own(sidecar, [sound for sound in beside if _is_file(self._path((sound, deleted)))])
        if not self._copied(sidecar["id"], key):
            self._put(key, sound, sidecar, row, stamp)
        return None

    def _read_alone(self, key: _Key, found: Scan, row: sqlite3.Row | None) -> None:
        """A sidecar without a sound of its name: look for its song under another name."""
        try:
            sidecar = read_sidecar(self._path(key))
        except ValueError as exc:
            raise ValueError("") from exc  # any other JSON
        if self._copied(sidecar["id"], key):
            return
        sound = self._renamed(sidecar, Path(key[0]).stem, found, key[1])
        if sound is None:
            name = Path(row["file_name"] if row else key[0]).name
            self._missing[sidecar["id"]] = (
                f"The song {sidecar['id']} ({sidecar.get('title') or name}) is not listed: there is no audio for "
                f"{self._path(key)}. Put the file back beside it, or remove the .json if the song is no longer wanted."
            )
            if row is not None:
                self._delete(row)
            return
        self._put(key, sound, sidecar, row, found.stamp(key[0], sound))

    def _renamed(self, sidecar: dict[str, Any], stem: str, found: Scan, deleted: bool) -> str | None:
        """The sound without a sidecar that is this one's song: of the same size and content, of several that of its name.

        One that another track has taken already is not looked at: a song that was made twice is two files.
        """
        facts = sidecar["audio"]
        taken = {
            row["file_name"]
            for row in self.rows("id, file_name, deleted")
            if row["id"] != sidecar["id"] and bool(row["deleted"]) == deleted
        }
        loose = [name for name in found.loose() if name not in taken]
        same = [name for name in loose if size_in(found.sounds[name]) == facts["size"]]
        if facts.get("sha256"):
            same = [
                name
                for name in same
                if self._digest(self._path((name, deleted)), found.sounds[name]) == facts["sha256"]
            ]
        others = {Path(name).stem for name in found.sidecars}
        same.sort(key=lambda name: (Path(name).stem != stem, Path(name).stem in others))
        return same[0] if len(same) == 1 or (same and facts.get("sha256")) else None

    def _put(self, key: _Key, sound: str, sidecar: dict[str, Any], row: sqlite3.Row | None, stamp: str) -> None:
        deleted = key[1]
        audio = self._path((sound, deleted))
        earlier = row["stamp"] if row is not None and row["file_name"] == sound else None
        sidecar = self._as_it_is(sidecar, audio, earlier)
        self.put(sidecar["id"], audio, self._path(key), sidecar, deleted=deleted, stamp=stamp)

    def _as_it_is(self, sidecar: dict[str, Any], audio: Path, earlier: str | None) -> dict[str, Any]:
        """The sidecar with the facts of the file, if it is not the one that was made. `earlier` is its stamp in the index."""
        facts, stamp = sidecar["audio"], stamp_of(audio)
        by_ending = AUDIO_TYPES[audio.suffix.lower()]
        recorded = facts.get("content_type")
        facts["content_type"] = recorded or by_ending
        same_kind = recorded in (None, by_ending) or recorded not in AUDIO_TYPES.values()
        same = size_in(stamp) == facts["size"] and same_kind
        if same and earlier is not None and not earlier.endswith(f":{stamp}") and facts.get("sha256"):
            same = self._digest(audio, stamp) == facts["sha256"]
        if same:
            return sidecar
        now: dict[str, Any] = {"duration": facts["duration"], "content_type": by_ending}
        notes = [CHANGED]
        if self._describe is not None:
            try:
                now |= self._describe(audio)
            except InvalidRequest as exc:
                notes.append(f"The file cannot be read: {exc.message.removeprefix('audio_url: ')}.")
        now["size"] = size_in(stamp)
        if digest := self._digest(audio, stamp):
            now["sha256"] = digest
        kept = {name: value for name, value in sidecar.items() if name != "checks"}
        return kept | {"audio": now, "notes": [*(sidecar.get("notes") or []), *notes]}

    def _digest(self, path: Path, stamp: str) -> str:
        """The SHA-256 of a file, computed once as long as its stamp stays; empty for one that cannot be read."""
        known = (str(path), stamp)
        if known not in self._digests:
            digest = ""  # stored when it is whole: another thread may ask meanwhile
            with suppress(OSError):
                if _is_file(path):  # a pipe would be waited for
                    with path.open("rb") as file:
                        digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._digests[known] = digest
        return self._digests[known]

    def _copied(self, track_id: str, key: _Key) -> bool:
        """Another track with this id is indexed and still there: this one is a copy."""
        with self._database.reading() as db:
            row = db.execute(
                "SELECT sidecar_name, file_name, deleted FROM tracks WHERE folder = ? AND id = ?",
                (str(self._folder), track_id),
            ).fetchone()
        return row is not None and _key_of(row) != key and self._is_there(row)

    def _drop(self, rows: Iterable[sqlite3.Row], scans: dict[bool, Scan]) -> None:
        """Forget tracks whose sidecar is gone or unusable, unless another process has just moved it.

        Where only the sidecar is gone and the sound has not changed, the sidecar is written again.
        """
        for row in rows:
            forgotten = not self._rewritten(row, scans[bool(row["deleted"])]) and self._delete(row)
            if forgotten and _key_of(row) not in self._unusable and not self._database.is_copy:
                logger.warning("%s and its .json are gone from %s, and from the list", row["file_name"], self._folder)

    def _rewritten(self, row: sqlite3.Row, found: Scan) -> bool:
        key, sound = _key_of(row), row["file_name"]
        if key in self._unusable or os.path.lexists(self._path(key)):
            return False
        if not row["stamp"].endswith(f"|{sound}:{found.sounds.get(sound)}"):
            return False
        with self._database.reading() as db:
            query = "SELECT sidecar FROM tracks WHERE folder = ? AND id = ?"
            stored = db.execute(query, (str(self._folder), row["id"])).fetchone()
        if not self._database.is_copy:
            with suppress(AceStepError):
                write_json(self._path(key), json.loads(stored["sidecar"]))
                logger.info("%s was gone and is written again", self._path(key))
        return True

    def _delete(self, old: sqlite3.Row) -> bool:
        """Forget a track, unless its row or its files have changed meanwhile."""
        with self._database.writing() as db:
            row = db.execute(
                "SELECT sidecar_name, file_name, deleted FROM tracks WHERE folder = ? AND id = ?",
                (str(self._folder), old["id"]),
            ).fetchone()
            if row and (_key_of(row) in self._unusable or (_key_of(row) == _key_of(old) and not self._is_there(row))):
                db.execute("DELETE FROM tracks WHERE folder = ? AND id = ?", (str(self._folder), old["id"]))
                return True
        return False

    def _is_there(self, row: sqlite3.Row) -> bool:
        """Whether an indexed track's audio and sidecar are both where the index has them."""
        deleted = bool(row["deleted"])
        return all(_is_file(self._path((str(row[name]), deleted))) for name in ("sidecar_name", "file_name"))

    def _path(self, key: _Key) -> Path:
        name, deleted = key
        return self.folder_of(deleted=deleted) / name


def _key_of(row: sqlite3.Row) -> _Key:
    return str(row["sidecar_name"]), bool(row["deleted"])


def _own(sidecar: dict[str, Any], sounds: list[str]) -> str:
    """Of several sounds with the sidecar's name the one that it describes, else the first."""
    kind = sidecar["audio"].get("content_type")
    return next((sound for sound in sounds if AUDIO_TYPES[Path(sound).suffix.lower()] == kind), sounds[0])


def _search_text(track_id: str, audio_name: str, sidecar: dict[str, Any]) -> str:
    request = sidecar.get("request") or {}
    words = [
        track_id,
        audio_name,
        *(str(sidecar.get(k) or "") for k in ("title", "tags", "lyrics", "endpoint", "engine")),
    ]
    return "\n".join([*words, str(request.get("prompt", "")), str(sidecar.get("seed", ""))]).casefold()


def _check_name(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as exc:
        raise ValueError("its name is not text; rename it") from exc


def _is_file(path: Path) -> bool:
    try:
        return path.is_file() and not path.is_symlink()
    except OSError:  # a loop of links
        return False
