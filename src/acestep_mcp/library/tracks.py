"""Tracks: an audio file and its sidecar of the same name. The index is rebuilt from the sidecars."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from acestep_mcp.api.errors import Ambiguous, InvalidRequest, NotFound, StorageError
from acestep_mcp.api.wording import TOOLS, Wording
from acestep_mcp.files import open_inside, publish, sweep, write_json
from acestep_mcp.library.database import Database
from acestep_mcp.library.matching import alike, near
from acestep_mcp.library.models import Track
from acestep_mcp.library.moves import move, remove_leftovers
from acestep_mcp.library.scan import stamp_of
from acestep_mcp.library.schema import PARENT
from acestep_mcp.library.track_index import Describe, TrackIndex
from acestep_mcp.library.track_rows import TRASH, TrackRows, key_of

_NEAR_AMONG = 500
_MOST_WORDS = 100
_LONGEST_NAME = 4096
_BEHIND = "What was changed in the music folder is not listed yet, because the list cannot be written. {reason}"


class Tracks:
    """The songs of one music folder (and its trash). Songs that a person moved to a subfolder belong to it.

    `change` numbers grow with every track added, changed, deleted or restored by any process, so that a watcher
    can ask for what came after the last one it saw. `describe` reads the facts of a file that was changed by hand, `compose` a draft's notes.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        describe: Describe | None = None,
        wording: Wording = TOOLS,
        compose: Callable[[Track, BinaryIO], bytes] | None = None,
    ) -> None:
        self.database = database
        self.folder = folder
        self.trash = folder / TRASH
        self._rows = TrackRows(database, folder)
        self._tracks = TrackIndex(self._rows, describe)
        self._behind: tuple[str, ...] = ()
        self._wording = wording
        self._compose = compose

    def file(self, track: Track) -> BinaryIO:
        """Its audio, open for reading: a file of the music folder. Raises NotFound where it is none."""
        try:
            return open_inside(track.path, [self.folder])
        except (OSError, RuntimeError) as exc:  # a RuntimeError is a loop of links
            reason = getattr(exc, "strerror", None) or exc
            raise NotFound(f"The file of track {track.id} cannot be read: {track.path} ({reason}).") from exc

    def midi(self, track: Track) -> bytes:
        """The notes of a draft as a MIDI file. Raises InvalidRequest for a track whose notes are unknown."""
        if self._compose is None:
            raise InvalidRequest(f"There is no MIDI of track {track.id}. Choose wav, flac, mp3 or ogg.")
        with self.file(track) as song:
            return self._compose(track, song)

    def problems(self) -> list[str]:
        """A sentence for each song or sidecar that the last refresh passed over. Good ones are never affected."""
        obstacle = () if self._behind else filter(None, [self.database.why_only_read])
        return [*self._tracks.problems(), *self._behind, *obstacle]

    def refresh(self, *, when_due: bool = False) -> None:
        """Update the index from the folder; `when_due`, one with many songs only now and then."""
        self._tracks.refresh_when_due() if when_due else self._tracks.refresh()

    def _refresh_or_note(self, *, when_due: bool = False) -> tuple[str, ...]:
        """`refresh`; a note where the disk or another program lets nothing be written, which keeps nobody from reading."""
        try:
            self.refresh(when_due=when_due)
            self._behind = ()
        except StorageError as exc:
            self._behind = (_BEHIND.format(reason=exc.message),)
        return self._behind

    # -- adding

    def add(self, track_id: str, audio: Path, name: str, sidecar: dict[str, Any]) -> Track:
        """Move a finished temporary file to its name and write its sidecar, which makes it a track.

        The sidecar goes last; doing this twice for a job is the same as once. Raises StorageError.
        """
        target = self.folder / name
        publish(audio, target)
        path = target.with_suffix(".json")
        self._put(track_id, target, path, sidecar, deleted=False, stamp=f"{stamp_of(write_json(path, sidecar))}|")
        return Track(track_id, target, sidecar)

    def change(self, track_id: str, changes: dict[str, Any]) -> Track:
        """Change fields of a track's sidecar; what else is in it stays. Raises NotFound, StorageError."""
        track = self.get(track_id)
        path = self._sidecar_of(track)
        sidecar = track.sidecar | changes
        stamp = f"{stamp_of(write_json(path, sidecar))}|"
        self._put(track.id, track.path, path, sidecar, deleted=track.deleted, stamp=stamp)
        return Track(track.id, track.path, sidecar, track.deleted)

    def is_free(self, name: str) -> bool:
        """No song or sidecar, in the folder or its trash, has this stem."""
        return self._tracks.is_free(name)

    # -- finding

    def get(self, name: str, notes: list[str] | None = None) -> Track:
        """By id, `acestep://tracks/ID` (also `/audio`), path or file name, or a name that looks the same.

        To `notes` is added why the track may not be the one that lies there now.
        Raises NotFound with near matches, Ambiguous when several tracks look like this name.
        """
        if len(name) > _LONGEST_NAME:
            raise NotFound(f"There is no track {name[:60]!r}... ({len(name)} characters). Give its id or file name.")
        wanted = name.removeprefix("acestep://tracks/").removesuffix("/audio")
        path = Path(wanted)
        if path.is_absolute() and path.is_relative_to(self.folder):
            wanted = path.relative_to(self.folder).as_posix()
        row = self._rows.named(wanted)
        # A name of a song in the trash may have come back to the folder.
        if row is None or (row["deleted"] and row["id"] != wanted) or not self._rows.is_current(row):
            behind = self._refresh_or_note()
            row = self._rows.named(wanted)
            if behind and row is not None and not self._rows.is_current(row):
                row = row if self._tracks.is_there(row) else None
                (notes if notes is not None else []).extend(behind)
        return self._track(row or self._alike(name, wanted))

    def kept(self, track_id: str) -> Track | None:
        """The track with exactly this id, also from the trash."""
        row = self._rows.of(track_id)
        if row is None or not self._rows.is_current(row):
            self.refresh()
            row = self._rows.of(track_id)
        return None if row is None else self._track(row)

    def _alike(self, name: str, wanted: str) -> sqlite3.Row:
        """The only track, or else the only deleted one, with a file of this name in any subfolder or that looks like it."""
        rows = self._rows.select("id, file_name, deleted", "ORDER BY created_at DESC")
        for deleted in (0, 1):
            among = [row for row in rows if row["deleted"] == deleted]
            found = _named(wanted, among)
            if len(found) > 1:
                shown = ", ".join(f"{row['file_name']} ({row['id']})" for row in found[:5])
                raise Ambiguous(f"More than one track looks like {name[:200]!r}: {shown}. Give the id of one of them.")
            if found and (row := self._rows.of(found[0]["id"])) and self._tracks.is_there(row):
                return row
        why = self._tracks.why_missing(wanted)
        if why:
            raise NotFound(
                f"There is no track {name[:200]!r} now. {why} To see the others, {self._wording.list_tracks}."
            )
        close = _near(wanted, self._rows.select("*", f"ORDER BY created_at DESC LIMIT {_NEAR_AMONG}"))
        raise NotFound(f"There is no track {name[:200]!r}. {close}To see them all, {self._wording.list_tracks}.")

    def find(
        self, query: str, limit: int, after: str | None, *, deleted: bool = False
    ) -> tuple[list[Track], str | None, int]:
        """(a page, the cursor of the next one, how many match), newest first; those in the trash where `deleted`.

        Raises InvalidRequest for a bad cursor.
        """
        if len(words := query.casefold().split()) > _MOST_WORDS:
            raise InvalidRequest(
                f"query: has {len(words)} words, and at most {_MOST_WORDS} are looked for. Give fewer."
            )
        where, values = f"AND deleted = {int(deleted)}", []
        for word in words:
            where += " AND instr(search, ?) > 0"
            values.append(word)
        page_where, page_values = where, list(values)
        if after is not None:
            page_where += " AND (created_at, id) < (?, ?)"
            page_values += self._cursor(after)
        page = f"{page_where} ORDER BY created_at DESC, id DESC LIMIT ?", [*page_values, limit + 1]
        behind = self._refresh_or_note(when_due=True)
        rows = self._rows.select("*", *page)
        if not behind and not all(self._rows.is_current(row) for row in rows):
            behind = self._refresh_or_note()
            rows = self._rows.select("*", *page)
        total = len(rows)
        if total > limit or after is not None:
            total = int(self._rows.select("count(*) AS n", where, values)[0]["n"])
        tracks = [self._track(row) for row in rows[:limit]]
        more = f"{tracks[-1].created_at}|{tracks[-1].id}" if len(rows) > limit else None
        if behind:
            tracks = [track for track, row in zip(tracks, rows, strict=False) if self._tracks.is_there(row)]
        return tracks, more, total

    def made_from(self, track_id: str) -> list[Track]:
        """The tracks whose sidecars name this one as their parent, oldest first, without those in the trash."""
        rows = self._rows.select("*", f"AND +deleted = 0 AND {PARENT} = ? ORDER BY created_at, id", (track_id,))
        return [self._track(row) for row in rows]

    def changed_since(self, change: int) -> tuple[list[Track], int]:
        """Tracks changed after that number, and the newest number. `-1` asks only for the number."""
        with self.database.reading() as db:
            newest = int(db.execute("SELECT coalesce(max(change), 0) AS n FROM tracks").fetchone()["n"])
            rows: Iterable[sqlite3.Row] = ()
            if 0 <= change < newest:
                rows = db.execute(
                    "SELECT * FROM tracks WHERE change > ? AND +folder = ? ORDER BY change", (change, str(self.folder))
                ).fetchall()
        return [self._track(row) for row in rows], newest

    # -- trash

    def delete(self, track_id: str) -> Track:
        """Move to the trash folder; a track already there is returned unchanged."""
        track = self.get(track_id)
        return track if track.deleted else self._move(track, self.folder / TRASH, deleted=True)

    def empty_trash(self, before: float) -> list[Path]:
        """Remove for good what was deleted before this time; its sidecar was written then. Returns the songs' files."""
        removed = []
        self.refresh()
        for row in self._rows.select("file_name, sidecar_name", "AND deleted = 1"):
            song, sidecar = self.trash / row["file_name"], self.trash / row["sidecar_name"]
            with suppress(OSError):
                if sidecar.stat().st_mtime < before:
                    song.unlink(missing_ok=True)
                    sidecar.unlink(missing_ok=True)
                    removed.append(song)
        if removed:
            self.refresh()
        return removed

    def restore(self, track_id: str) -> Track:
        """Move back from the trash folder, under the old name or, where that is taken, the next free one."""
        track = self.get(track_id)
        return self._move(track, self.folder, deleted=False) if track.deleted else track

    def _move(self, track: Track, folder: Path, *, deleted: bool) -> Track:
        target = move(track.path, self._sidecar_of(track), folder)
        self._index(track.id, target, track.sidecar, deleted=deleted)
        return Track(track.id, target, track.sidecar, deleted)

    def tidy(self) -> None:
        """Remove what killed processes left: old temporary files, and the second sidecar of an interrupted move."""
        self.refresh()
        sidecars = {row["id"]: self._rows.path(key_of(row)) for row in self._rows.select("id, sidecar_name, deleted")}
        remove_leftovers(self.folder, self.trash, sidecars)
        for folder in (self.folder, self.trash):
            sweep(folder)

    def _sidecar_of(self, track: Track) -> Path:
        """Its own name is another one when a person has renamed the song alone."""
        row = self._rows.of(track.id)
        return self._rows.path(key_of(row)) if row else track.path.with_suffix(".json")

    # -- index

    def rebuild(self) -> int:
        """Read every sidecar again; returns the number of tracks. Where that fails, the index is as it was."""
        self.refresh()  # a sidecar that was lost is written again
        self.database.execute("UPDATE tracks SET stamp = '' WHERE folder = ?", (str(self.folder),))
        self.refresh()
        return len(self._rows.select("id"))

    def _index(self, track_id: str, audio: Path, sidecar: dict[str, Any], *, deleted: bool) -> None:
        self._put(track_id, audio, audio.with_suffix(".json"), sidecar, deleted=deleted)

    def _put(self, *args: Any, **kwargs: Any) -> None:
        self._rows.put([self._rows.row(*args, **kwargs)])

    def _track(self, row: sqlite3.Row) -> Track:
        folder = self._rows.folder_of(deleted=bool(row["deleted"]))
        return Track(row["id"], folder / row["file_name"], json.loads(row["sidecar"]), bool(row["deleted"]))

    def _cursor(self, text: str) -> tuple[str, str]:
        created_at, bar, track_id = text.rpartition("|")
        if not bar or not created_at or not track_id:
            raise InvalidRequest(
                f"cursor: {text[:40]!r} is not a cursor of {self._wording.page}; leave it out for the first page."
            )
        return created_at, track_id


def _named(wanted: str, rows: Sequence[sqlite3.Row]) -> list[sqlite3.Row]:
    """The rows with a file of this name in any subfolder, else those whose id, path or name looks like it."""
    names = {row["id"]: (row["id"], row["file_name"], row["file_name"].rpartition("/")[2]) for row in rows}
    same = [row for row in rows if names[row["id"]][2] == wanted]
    if same:
        return same
    found = set(alike(wanted, {name for spellings in names.values() for name in spellings}))
    return [row for row in rows if found.intersection(names[row["id"]])]


def _near(wanted: str, rows: Sequence[sqlite3.Row]) -> str:
    names = {row["file_name"]: (row["file_name"], json.loads(row["sidecar"]).get("title") or "") for row in rows}
    found = near(wanted, names | {row["id"]: (row["id"],) for row in rows})
    if found:
        return f"Near matches: {', '.join(found)}. "
    return "" if rows else "There are no tracks yet. "
