"""Songs as resources: each track's audio and sidecar, a list of tracks and a list of jobs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from mcp import MCPError
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.types import (
    INVALID_PARAMS,
    Annotations,
    ListResourcesResult,
    Resource,
    ResourceTemplate,
)

from acestep_mcp.api.errors import AceStepError, InvalidRequest, NotFound
from acestep_mcp.api.text import all_encodable, encodable, one_line, visible_json
from acestep_mcp.server import player_app

if TYPE_CHECKING:
    from acestep_mcp.library.models import Track
    from acestep_mcp.studio.studio import Studio

PAGE = 50
"""Tracks on a page of `resources/list`; each is two resources."""
INLINE_BYTES = 700 * 1024
"""Larger files are read as an MP3 preview: hosts drop messages over 1 MiB, and base64 adds a third."""
COMPLETIONS = 100

_TRACK = re.compile(r"acestep://tracks/(?P<id>[^/?#]+)(?P<audio>/audio)?")
_TRACKS = "acestep://tracks"
_JOBS = "acestep://jobs"
_JSON = "application/json"
_PREVIEW_TYPE = "audio/mpeg"

TEMPLATES = (
    ResourceTemplate(
        uri_template="acestep://tracks/{id}/audio",
        name="track-audio",
        title="A song",
        description="The audio of a song; a long one as an MP3 preview of the whole.",
    ),
    ResourceTemplate(
        uri_template="acestep://tracks/{id}",
        name="track",
        title="Details of a song",
        description="Tags, lyrics, seed, full request, engine and lineage as JSON.",
        mime_type=_JSON,
    ),
)
_LISTS = (
    Resource(uri=_TRACKS, name="tracks", title="Songs", description="The newest songs as JSON.", mime_type=_JSON),
    Resource(uri=_JOBS, name="jobs", title="Jobs", description="The newest jobs as JSON.", mime_type=_JSON),
)


async def page(studio: Studio, cursor: str | None) -> ListResourcesResult:
    """A page of `resources/list`, newest tracks first. An invalid cursor is INVALID_PARAMS."""
    try:
        found = await studio.catalogue.page(limit=PAGE, cursor=cursor)
    except InvalidRequest as error:
        raise MCPError(INVALID_PARAMS, error.message) from error
    entries = [entry for track in found.tracks for entry in (_audio_entry(track), _sidecar_entry(track))]
    first, last = ([], []) if cursor else (list(_LISTS), [player_app.RESOURCE])
    return ListResourcesResult(resources=first + entries + last, next_cursor=found.next_cursor)


def _audio_entry(track: Track) -> Resource:
    whole = track.size <= INLINE_BYTES
    form = "whole file" if whole else "MP3 preview of the whole song"
    return Resource(
        uri=f"{track.uri}/audio",
        name=one_line(track.path.name),
        title=one_line(track.title),
        description=one_line(f"{track.duration:.0f} s, {form}; the original: {track.path}", 4096),
        mime_type=track.content_type if whole else _PREVIEW_TYPE,
        size=track.size if whole else None,
        annotations=Annotations(audience=["user"], priority=1.0, last_modified=track.created_at),
        _meta=_audio_meta(track),
    )


def _sidecar_entry(track: Track) -> Resource:
    return Resource(
        uri=track.uri,
        name=one_line(f"{track.path.stem}.json"),
        title=one_line(f"About {track.title}"),
        description="Tags, lyrics, seed, request, engine and lineage.",
        mime_type=_JSON,
        annotations=Annotations(audience=["assistant"], priority=0.5, last_modified=track.created_at),
    )


def _audio_meta(track: Track) -> dict[str, Any]:
    return {"acestep/file_path": encodable(str(track.path)), "acestep/size": track.size}


async def read(studio: Studio, uri: str) -> ReadResourceContents:
    """The content of one of our URIs. Raises ResourceNotFoundError or ResourceError."""
    from acestep_mcp.studio.build_views import job_list  # loaded with the studio

    try:
        if uri == _TRACKS:
            return await _tracks(studio)
        if uri == _JOBS:
            return _json(job_list(await studio.jobs(COMPLETIONS)).facts()["jobs"])
        return await _track(studio, uri)
    except NotFound as error:
        raise ResourceNotFoundError(error.message) from error
    except AceStepError as error:
        raise ResourceError(f"{error.code}: {error.message}") from error


async def _tracks(studio: Studio) -> ReadResourceContents:
    from acestep_mcp.studio.build_views import track_list

    facts = track_list(await studio.catalogue.page(limit=COMPLETIONS)).facts()
    return _json({"total": facts["total"], "tracks": facts["tracks"]})


async def _track(studio: Studio, uri: str) -> ReadResourceContents:
    match = _TRACK.fullmatch(uri)
    if match is None:
        raise NotFound(f"There is no resource {uri[:200]!r}. resources/list shows them all.")
    track = await studio.catalogue.get(match["id"])
    if track.deleted:
        raise NotFound(f"Track {track.id} was deleted. delete_track with restore=true restores it.")
    return await _audio(studio, track) if match["audio"] else _json(track.sidecar)


async def _audio(studio: Studio, track: Track) -> ReadResourceContents:
    if track.size <= INLINE_BYTES:
        content, content_type = await _file(studio, track), track.content_type
    else:
        content = await studio.catalogue.preview(track, INLINE_BYTES)
        content_type = _PREVIEW_TYPE
    return ReadResourceContents(content=content, mime_type=content_type, meta=_audio_meta(track))


async def _file(studio: Studio, track: Track) -> bytes:
    """Its audio. What the sidecar calls short is not read further than that."""
    with await studio.catalogue.file(track) as file:
        return await anyio.to_thread.run_sync(file.read, INLINE_BYTES)


def _json(value: Any) -> ReadResourceContents:
    text = visible_json(json.dumps(all_encodable(value), ensure_ascii=False, indent=1))
    return ReadResourceContents(content=text, mime_type=_JSON)


async def recent_ids(studio: Studio) -> list[str]:
    """The ids of the newest tracks."""
    return [track.id for track in (await studio.catalogue.page(limit=COMPLETIONS)).tracks]


async def complete_id(studio: Studio, start: str) -> list[str]:
    """Ids of tracks that start with this text, newest first; if there are none, of tracks that match it."""
    ids = [found for found in await recent_ids(studio) if found.startswith(start)]
    if not ids and start.strip():
        ids = [track.id for track in (await studio.catalogue.page(start, limit=COMPLETIONS)).tracks]
    return ids
