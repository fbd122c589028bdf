"""The songs in the music folder: find, preview, delete, restore, and watch for changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import anyio
import anyio.to_thread

from acestep_mcp.files import sweep
from acestep_mcp.library.models import Track, TrackPage
from acestep_mcp.library.tracks import Tracks
from acestep_mcp.studio.comparison import Comparison, compare
from acestep_mcp.studio.descent import descent_of
from acestep_mcp.studio.export import FOLDER, copy_track, export
from acestep_mcp.studio.pictures import picture_of, picture_of_all
from acestep_mcp.studio.previews import preview
from acestep_mcp.studio.sections import checked_marks
from acestep_mcp.studio.views import DescentStep

_POLL_SECONDS = 1.0


class Catalogue:
    """The tracks of one music folder, for use in an event loop.

    `previews` is the folder for MP3 previews, `folders` those into which models may export.
    """

    def __init__(self, tracks: Tracks, previews: Path, folders: Sequence[Path] = ()) -> None:
        self._tracks = tracks
        self._previews = previews
        self._folders = folders or (tracks.folder,)
        self._first_change = 0

    async def open(self) -> None:
        """Set the point from which `changes` reports."""
        _, self._first_change = await anyio.to_thread.run_sync(self._tracks.changed_since, -1)

    async def page(
        self, query: str = "", *, limit: int = 20, cursor: str | None = None, deleted: bool = False
    ) -> TrackPage:
        """Tracks whose title, tags, lyrics, prompt or id contain every word of `query`, newest first.

        Those in the trash where `deleted`, else all others.
        """
        find = partial(self._tracks.find, query, limit, cursor, deleted=deleted)
        found, more, total = await anyio.to_thread.run_sync(find)
        return TrackPage(tuple(found), more, total, tuple(self._tracks.problems()))

    def tidy(self) -> None:
        """Remove what killed processes left."""
        self._tracks.tidy()
        for folder in (self._previews, self._previews.parent, self._folders[0] / FOLDER):
            sweep(folder)
        for folder in self._folders[1:]:  # exports; only files with our exact form of name are ours there
            sweep(folder, strictly=True)

    async def get(self, name: str) -> Track:
        """By id, `acestep://tracks/ID` or file name. Raises NotFound with near matches."""
        return await anyio.to_thread.run_sync(self._get, name)

    def _get(self, name: str) -> Track:
        notes: list[str] = []
        track = self._tracks.get(name, notes)
        if not notes:
            return track
        return replace(track, sidecar=track.sidecar | {"notes": [*(track.sidecar.get("notes") or ()), *notes]})

    async def descent(self, track: Track) -> list[DescentStep]:
        """The tracks that it was made from, oldest first, and what changed at each step; empty for a first one."""
        return await anyio.to_thread.run_sync(descent_of, track, self._tracks.get)

    async def compare(self, names: Sequence[str]) -> Comparison:
        """2 to 6 tracks side by side. Raises InvalidRequest, NotFound."""
        return await anyio.to_thread.run_sync(lambda: compare([self._tracks.get(name) for name in names]))

    async def pictures(self, names: Sequence[str]) -> bytes:
        """One PNG of several tracks, one below the other."""
        return await anyio.to_thread.run_sync(lambda: self._picture_of_all(names))

    async def mark(self, name: str, sections: Sequence[Mapping[str, Any]]) -> Track:
        """Keep sections (`name`, `start`, `end` in seconds) in the track's sidecar; none removes them.

        Edits of the track inherit them. Raises InvalidRequest for sections that overlap or lie outside the song.
        """

        def mark() -> Track:
            track = self._tracks.get(name)
            marks = checked_marks(track, sections)
            return self._tracks.change(track.id, {"sections": marks, "sections_marked": bool(marks)})

        return await anyio.to_thread.run_sync(mark)

    async def export(self, track: Track, form: str, name: str = "") -> Path:
        """A copy in a folder that a model may write to; never over a file. Raises InvalidRequest, StorageError."""
        return await anyio.to_thread.run_sync(export, track, form, name, self._folders, self._tracks)

    async def copy(self, track: Track, target: Path) -> None:
        """A copy anywhere, for a person; never over a file."""
        await anyio.to_thread.run_sync(copy_track, track, target, self._tracks)

    async def made_from(self, track_id: str) -> list[Track]:
        """The tracks that were made from this one, oldest first."""
        return await anyio.to_thread.run_sync(self._tracks.made_from, track_id)

    async def preview(self, track: Track, max_bytes: int) -> bytes:
        """The whole song as an MP3 of at most `max_bytes`."""
        return await anyio.to_thread.run_sync(preview, track, self._previews, max_bytes, self._tracks.file)

    def _picture_of_all(self, names: Sequence[str]) -> bytes:
        return picture_of_all([self._tracks.get(name) for name in names], self._tracks.file)

    async def file(self, track: Track) -> BinaryIO:
        """Its audio, open for reading. Raises NotFound."""
        return await anyio.to_thread.run_sync(self._tracks.file, track)

    async def picture(self, track: Track) -> bytes:
        """A PNG of its waveform and spectrogram, with sections and the last edit."""
        return await anyio.to_thread.run_sync(picture_of, track, self._tracks.file)

    async def delete(self, track_id: str) -> Track:
        """Move the file and its sidecar to the trash folder."""
        return await anyio.to_thread.run_sync(self._tracks.delete, track_id)

    async def restore(self, track_id: str) -> Track:
        """Bring a deleted track back."""
        return await anyio.to_thread.run_sync(self._tracks.restore, track_id)

    async def rebuild(self) -> int:
        """Read every sidecar again; the number of tracks."""
        return await anyio.to_thread.run_sync(self._tracks.rebuild)

    async def problems(self) -> list[str]:
        """A sentence for each sidecar that cannot be used."""
        return await anyio.to_thread.run_sync(self._problems)

    def _problems(self) -> list[str]:
        self._tracks.refresh(when_due=True)
        return self._tracks.problems()

    async def changes(self) -> AsyncIterator[Track]:
        """Every track finished, deleted or restored since `open`, by any process."""
        seen = self._first_change
        while True:
            tracks, seen = await anyio.to_thread.run_sync(self._tracks.changed_since, seen)
            for track in tracks:
                yield track
            await anyio.sleep(_POLL_SECONDS)
