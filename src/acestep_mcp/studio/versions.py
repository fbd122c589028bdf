"""The takes and versions of a song: what it was made from, what was made from it, and the same request with another seed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.api.errors import NotFound
from acestep_mcp.library.models import Track

if TYPE_CHECKING:
    from acestep_mcp.studio.catalogue import Catalogue

MOST = 8
_AMONG = 100
_OLDEST = 20


async def versions(catalogue: Catalogue, track: Track) -> list[Track]:
    """The song and its takes and versions, oldest first, at most `MOST`.

    Looked for among the newest songs, its ancestors, and what was made from it or from them.
    """
    known = {one.id: one for one in (await catalogue.page(limit=_AMONG)).tracks}
    for one in (track, *await _ancestors(catalogue, track)):
        known |= {child.id: child for child in await catalogue.made_from(one.id)}
        known[one.id] = one
    family = _related(track, list(known.values()))
    family.sort(key=lambda one: (one.created_at, one.id))
    others = [one for one in family if one.id != track.id][1 - MOST :]
    return [one for one in family if one.id == track.id or one in others]


def note(track: Track, first: Track) -> str:
    """What a version is, in a word or two, beside `first`, the oldest one."""
    seed = track.sidecar.get("seed")
    if track.parent is None or _same_request(track, first):
        return f"seed {seed}" if isinstance(seed, int) else ""
    endpoint = BY_ID.get(str(track.sidecar.get("endpoint")))
    return endpoint.title if endpoint else ""


async def _ancestors(catalogue: Catalogue, track: Track) -> list[Track]:
    found: list[Track] = []
    parent = track.parent
    while parent is not None and len(found) < _OLDEST and parent not in {track.id, *(one.id for one in found)}:
        try:
            one = await catalogue.get(parent)
        except NotFound:
            break
        if one.deleted:
            break
        found.append(one)
        parent = one.parent
    return found


def _related(track: Track, among: list[Track]) -> list[Track]:
    """Everything that a chain of such relations leads to."""
    family, waiting = [track], [track]
    rest = [one for one in among if one.id != track.id]
    while waiting:
        one = waiting.pop()
        close = [other for other in rest if _close(one, other)]
        rest = [other for other in rest if other not in close]
        family += close
        waiting += close
    return family


def _close(one: Track, other: Track) -> bool:
    return one.parent == other.id or other.parent == one.id or _same_request(one, other)


def _same_request(one: Track, other: Track) -> bool:
    requests = [_asked(track) for track in (one, other)]
    return bool(requests[0]) and requests[0] == requests[1]


def _asked(track: Track) -> str:
    """The request without its seed, as comparable text; empty where none is recorded."""
    request = track.sidecar.get("request")
    if not isinstance(request, Mapping) or not request:
        return ""
    kept: dict[str, Any] = {name: value for name, value in request.items() if name != "seed"}
    return json.dumps([track.sidecar.get("endpoint"), kept], sort_keys=True, default=str)
