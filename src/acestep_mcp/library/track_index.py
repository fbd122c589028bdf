"""The index of tracks: rows of the database that follow the files in the music folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import AceStepError, InvalidRequest
from acestep_mcp.files import write_json
from acestep_mcp.library.scan import Scan, scan, size_in, stamp_of
from acestep_mcp.library.sidecars import AUDIO_TYPES, read_sidecar
from acestep_mcp.library.track_rows import Changes, Key, TrackRows, key_of

logger = logging.getLogger(__name__)

CHANGED = "The file has been changed or converted since the song was made; length and size are those of the file as it is now."
Describe = Callable[[Path], dict[str, Any]]
"""The facts of an audio file (duration, sample_rate and so on). Raises InvalidRequest for what is not audio."""

_COLUMNS = "id, file_name, sidecar_name, stamp, deleted"
_LARGE = 2_000
"""Songs from which on a listing does not look at every file each time."""
_SHARE = 0.2
"""Of its time that a large folder may be looked at."""
_REST = 1.0
"""Seconds between two looks at a large folder, at least."""


class TrackIndex:
    """One music folder. A file that a person changed, converted, renamed or moved is found again; what is lost is reported."""

    def __init__(self, rows: TrackRows, describe: Describe | None) -> None:
        self._rows = rows
        self._folder = rows.folder_of(deleted=False)
        self._describe = describe
        self._next_refresh = 0.0
        self._unusable: dict[Key, tuple[str, str]] = {}
        """Sidecars that were passed over, each with its stamp and the reason (empty for what is not a sidecar)."""
        self._missing: dict[str, str] = {}
        """By a track's id: why it is not in the list."""
        self._digests: dict[tuple[str, str], str] = {}

    def problems(self) -> list[str]:
        """A sentence for each sidecar that the last refresh passed over. Good ones are never affected."""
        unusable = [
            f"{os.fsencode(self._rows.path(key)).decode(errors='replace')} is not used: {reason}."
            for key, (_, reason) in sorted(self._unusable.items())
            if reason
        ]
        return [*unusable, *(self._missing[track_id] for track_id in sorted(self._missing))]

    def why_missing(self, track_id: str) -> str | None:
        """What happened to a track whose files were here before."""
        if track_id in self._missing:
            return self._missing[track_id]
        with self._rows.database.reading() as db:
            row = db.execute("SELECT file_name FROM jobs WHERE id = ? AND track_id = id", (track_id,)).fetchone()
        if row is None:
            return None
        key = Path(row["file_name"]).with_suffix(".json").name, False
        if reason := self._unusable.get(key, ("", ""))[1]:
            return f"Its file {self._rows.path(key)} cannot be used: {reason}. Mend that file, or remove it: it is written again."
        return f"It was made here as {row['file_name']}, but that is no longer in {self._folder}."

    def is_free(self, name: str) -> bool:
        """No song or sidecar has this stem."""
        stems = [(self._rows.folder_of(deleted=deleted) / name).with_suffix("") for deleted in (False, True)]
        return not any(os.path.lexists(f"{stem}{suffix}") for stem in stems for suffix in (*AUDIO_TYPES, ".json"))

    # -- following the folder

    def refresh_when_due(self) -> None:
        """`refresh`, but a folder with many songs only now and then. Its rows are looked at when they are shown."""
        if time.monotonic() >= self._next_refresh:
            self.refresh()

    def refresh(self) -> None:
        """Update the index from the folder, where people may have changed, converted, renamed, moved or removed files.

        Raises StorageError where the index cannot be read or, when something has changed, written.
        """
        began = time.monotonic()
        scans = {deleted: scan(self._rows.folder_of(deleted=deleted), deep=not deleted) for deleted in (False, True)}
        known = {key_of(row): row for row in self._rows.select(_COLUMNS)}
        stamps: dict[Key, str] = {}
        for deleted, found in scans.items():
            for name in found.sidecars:
                row = known.get((name, deleted))
                stamps[name, deleted] = found.stamp(name, row["file_name"] if row else None)
        unusable = {key: told for key, told in self._unusable.items() if told[0] == stamps.get(key)}
        look = _Look(scans, known, Changes(self._rows))
        try:
            self._read_all(look, stamps, unusable)
        finally:
            self._unusable, self._missing = unusable, look.missing
        self._drop([row for key, row in known.items() if key not in stamps or key in unusable], scans)
        now = time.monotonic()
        self._next_refresh = now + max(_REST, (now - began) / _SHARE) if len(stamps) >= _LARGE else now

    def _read_all(self, look: _Look, stamps: dict[Key, str], unusable: dict[Key, tuple[str, str]]) -> None:
        """Index what is new or has changed, and add to `unusable` what cannot be used."""
        known, scans = look.known, look.scans
        changed = [
            key
            for key, stamp in stamps.items()
            if key not in unusable and (key not in known or known[key]["stamp"] != stamp)
        ]
        # Those without a sound of their name last: it may be indexed by then.
        for key in sorted(changed, key=lambda key: not scans[key[1]].beside(key[0])):
            try:
                self._read(key, look, stamps[key])
            except ValueError as exc:
                unusable[key] = (stamps[key], str(exc))
        look.changes.write()

    def _read(self, key: Key, look: _Look, stamp: str) -> None:
        """Index a sidecar that is new or has changed. Raises ValueError when it cannot be used."""
        name, deleted = key
        _check_name(name)
        beside = look.scans[deleted].beside(name)
        if not beside:
            return self._read_alone(key, look)
        if not any(_is_file(self._rows.path((sound, deleted))) for sound in beside):
            raise ValueError("the audio beside it is not a regular file")
        sidecar = read_sidecar(self._rows.path(key))
        sound = _own(sidecar, [sound for sound in beside if _is_file(self._rows.path((sound, deleted)))])
        if not self._copied(sidecar["id"], key, look):
            self._put(key, sound, sidecar, look, stamp)
        return None

    def _read_alone(self, key: Key, look: _Look) -> None:
        """A sidecar without a sound of its name: look for its song under another name."""
        try:
            sidecar = read_sidecar(self._rows.path(key))
        except ValueError as exc:
            raise ValueError("") from exc  # any other JSON
        if self._copied(sidecar["id"], key, look):
            return
        row = look.known.get(key)
        sound = self._renamed(sidecar, Path(key[0]).stem, look, key[1])
        if sound is None:
            name = Path(row["file_name"] if row else key[0]).name
            look.missing[sidecar["id"]] = (
                f"The song {sidecar['id']} ({sidecar.get('title') or name}) is not listed: there is no audio for "
                f"{self._rows.path(key)}. Put the file back beside it, or remove the .json if the song is no longer wanted."
            )
            if row is not None:
                self._delete(row)
            return
        self._put(key, sound, sidecar, look, look.scans[key[1]].stamp(key[0], sound))

    def _renamed(self, sidecar: dict[str, Any], stem: str, look: _Look, deleted: bool) -> str | None:
        """The sound without a sidecar that is this one's song: of the same size and content, of several that of its name.

        One that another track has taken already is not looked at: a song that was made twice is two files.
        """
        facts, found = sidecar["audio"], look.scans[deleted]
        same = [name for name in found.loose_of(facts["size"]) if look.owner_of(name, deleted) in (None, sidecar["id"])]
        if facts.get("sha256"):
            same = [
                name
                for name in same
                if self._digest(self._rows.path((name, deleted)), found.sounds[name]) == facts["sha256"]
            ]
        same.sort(key=lambda name: (Path(name).stem != stem, Path(name).stem in found.stems()))
        return same[0] if len(same) == 1 or (same and facts.get("sha256")) else None

    def _put(self, key: Key, sound: str, sidecar: dict[str, Any], look: _Look, stamp: str) -> None:
        deleted, row = key[1], look.known.get(key)
        audio = self._rows.path((sound, deleted))
        earlier = (row["stamp"] or None) if row is not None and row["file_name"] == sound else None
        sidecar = self._as_it_is(sidecar, audio, earlier)
        look.put(self._rows.row(sidecar["id"], audio, self._rows.path(key), sidecar, deleted=deleted, stamp=stamp))

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

    def _copied(self, track_id: str, key: Key, look: _Look) -> bool:
        """Another track with this id is indexed and still there: this one is a copy."""
        row = look.changes.waiting(track_id) or self._rows.of(track_id)
        return row is not None and key_of(row) != key and self.is_there(row)

    def _drop(self, rows: Iterable[sqlite3.Row], scans: dict[bool, Scan]) -> None:
        """Forget tracks whose sidecar is gone or unusable, unless another process has just moved it.

        Where only the sidecar is gone and the sound has not changed, the sidecar is written again.
        """
        for row in rows:
            forgotten = not self._rewritten(row, scans[bool(row["deleted"])]) and self._delete(row)
            if forgotten and key_of(row) not in self._unusable and not self._rows.database.is_copy:
                logger.warning("%s and its .json are gone from %s, and from the list", row["file_name"], self._folder)

    def _rewritten(self, row: sqlite3.Row, found: Scan) -> bool:
        key, sound = key_of(row), row["file_name"]
        if key in self._unusable or os.path.lexists(self._rows.path(key)):
            return False
        if not row["stamp"].endswith(f"|{sound}:{found.sounds.get(sound)}"):
            return False
        stored = self._rows.of(row["id"])
        if stored is not None and not self._rows.database.is_copy:
            with suppress(AceStepError):
                write_json(self._rows.path(key), json.loads(stored["sidecar"]))
                logger.info("%s was gone and is written again", self._rows.path(key))
        return True

    def _delete(self, old: sqlite3.Row) -> bool:
        """Forget a track, unless its row or its files have changed meanwhile."""
        with self._rows.database.writing() as db:
            row = db.execute(
                "SELECT sidecar_name, file_name, deleted FROM tracks WHERE folder = ? AND id = ?",
                (str(self._folder), old["id"]),
            ).fetchone()
            if row and (key_of(row) in self._unusable or (key_of(row) == key_of(old) and not self.is_there(row))):
                db.execute("DELETE FROM tracks WHERE folder = ? AND id = ?", (str(self._folder), old["id"]))
                return True
        return False

    def is_there(self, row: sqlite3.Row | Mapping[str, Any]) -> bool:
        """Whether an indexed track's audio and sidecar are both where the index has them."""
        deleted = bool(row["deleted"])
        return all(_is_file(self._rows.path((str(row[name]), deleted))) for name in ("sidecar_name", "file_name"))


@dataclass(slots=True)
class _Look:
    """One look at the folder: what lies there, what was indexed before it, and what comes of it."""

    scans: dict[bool, Scan]
    known: dict[Key, sqlite3.Row]
    changes: Changes
    missing: dict[str, str] = field(default_factory=dict)
    _sounds: dict[str, Key] = field(default_factory=dict)
    """By a track's id: its sound, of those that were put and, once somebody has asked, of all."""
    _owners: dict[Key, str] | None = None

    def owner_of(self, sound: str, deleted: bool) -> str | None:
        """The id of the track that has this sound."""
        if self._owners is None:
            self._sounds = {row["id"]: _sound_of(row) for row in self.known.values()} | self._sounds
            self._owners = {sound: track_id for track_id, sound in self._sounds.items()}
        return self._owners.get((sound, deleted))

    def put(self, row: dict[str, Any]) -> None:
        self.changes.put(row)
        track_id, sound = row["id"], _sound_of(row)
        if self._owners is not None:
            if self._owners.get(earlier := self._sounds.get(track_id, sound)) == track_id:
                del self._owners[earlier]
            self._owners[sound] = track_id
        self._sounds[track_id] = sound


def _sound_of(row: sqlite3.Row | Mapping[str, Any]) -> Key:
    return str(row["file_name"]), bool(row["deleted"])


def _own(sidecar: dict[str, Any], sounds: list[str]) -> str:
    """Of several sounds with the sidecar's name the one that it describes, else the first."""
    kind = sidecar["audio"].get("content_type")
    return next((sound for sound in sounds if AUDIO_TYPES[Path(sound).suffix.lower()] == kind), sounds[0])


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
