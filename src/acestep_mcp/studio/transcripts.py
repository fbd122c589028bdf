"""The words that are heard in a saved song, from the user's transcription service, which may take its time."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from acestep_mcp.api.errors import AceStepError, isolated
from acestep_mcp.library.models import Track
from acestep_mcp.library.tracks import Tracks
from acestep_mcp.studio.heard import summary
from acestep_mcp.studio.words_heard import has_words, words_heard

logger = logging.getLogger(__name__)

T = TypeVar("T")
PATIENCE = 15.0
"""Seconds that the answer waits for the service."""
_AT_ONCE = 2
_SLOW = f"The transcription service did not answer within {PATIENCE:g} s. When it does, get_track shows the words that were heard."


class Transcripts:
    """One per process. `transcribe` gives the words in a file, or None when no service is set."""

    def __init__(self, transcribe: Callable[[Path], Awaitable[str | None]], tracks: Tracks, tasks: TaskGroup) -> None:
        self._transcribe = transcribe
        self._tracks = tracks
        self._tasks = tasks
        self._service = anyio.CapacityLimiter(_AT_ONCE)

    async def add_to(self, track: Track) -> Track:
        """The track with the words that were heard in it, or a note that says why not.

        After `PATIENCE` seconds the track comes without them; they are added to its sidecar when the service answers, if
        this process still runs then. Nobody sings in a draft, and in a song without words: those are not sent.
        """
        sidecar = track.sidecar
        if sidecar.get("engine") == "draft" or not has_words(str(sidecar.get("lyrics") or "")):
            return track
        answered, storing = anyio.Event(), anyio.Lock()
        self._tasks.start_soon(self._hear, track, answered, storing)
        with anyio.move_on_after(PATIENCE):
            await answered.wait()
        async with storing:
            if not answered.is_set():
                await self._store(track.id, lambda now: {"notes": [*_notes(now), _SLOW]})
        return await _sync(self._tracks.get, track.id)

    async def _hear(self, track: Track, answered: anyio.Event, storing: anyio.Lock) -> None:
        with isolated(logger, "the words of track %s are not checked because of a bug", track.id):
            async with self._service:
                text, problem = await self._asked(track)
            async with storing:
                if text is not None or problem:
                    await self._store(track.id, lambda now: _changes(now, text, problem))
        answered.set()

    async def _asked(self, track: Track) -> tuple[str | None, str]:
        try:
            return await self._transcribe(track.path), ""
        except AceStepError as exc:
            return None, f"The song is saved, but its words could not be checked: {exc.message}"

    async def _store(self, track_id: str, changes: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Change the sidecar as it is now. A song that is gone by then, or a full disk, is only logged."""
        try:
            now = await _sync(self._tracks.get, track_id)
            await _sync(self._tracks.change, track_id, changes(now.sidecar))
        except AceStepError as exc:
            logger.warning("the words heard in track %s are not stored: %s", track_id, exc.message)


def _changes(sidecar: dict[str, Any], text: str | None, problem: str) -> dict[str, Any]:
    notes = [note for note in _notes(sidecar) if note != _SLOW]
    words = None if text is None else words_heard(text, str(sidecar.get("lyrics") or ""))
    heard = {**(sidecar.get("heard") or {}), **({"words": words} if words else {})}
    return {"notes": [*notes, problem] if problem else notes, "heard": {**heard, "summary": summary(heard)}}


def _notes(sidecar: dict[str, Any]) -> list[str]:
    return list(sidecar.get("notes") or ())


async def _sync(function: Callable[..., T], *args: Any) -> T:
    return await anyio.to_thread.run_sync(function, *args)
