"""The tools of the player: one shows it, the other gives it sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict

from acestep_mcp.api.errors import NotFound
from acestep_mcp.server import answers
from acestep_mcp.server.player_app import URI
from acestep_mcp.server.tools.context import ToolContext, TrackId

if TYPE_CHECKING:
    from acestep_mcp.library.models import Track

AUDIO_BYTES = 700 * 1024
"""Hosts drop messages over 1 MiB, and base64 adds a third."""


def app_meta(*, app_only: bool = False) -> dict[str, Any]:
    """The `_meta` of a tool of the player; hosts read the page's address in either place."""
    return {"ui": {"visibility": ["app"]}} if app_only else {"ui": {"resourceUri": URI}, "ui/resourceUri": URI}


class PlayerTrackName(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    track_id: TrackId


async def play_track(context: ToolContext, name: PlayerTrackName) -> CallToolResult:
    from acestep_mcp.studio.versions import versions

    catalogue = (await context.studio()).catalogue
    track = _there(await catalogue.get(name.track_id))
    return answers.player_result(track, await versions(catalogue, track), context.url, shown=context.apps)


async def player_audio(context: ToolContext, name: PlayerTrackName) -> CallToolResult:
    catalogue = (await context.studio()).catalogue
    track = await catalogue.get(name.track_id)
    if track.id != name.track_id:
        raise NotFound(
            f"track_id: {name.track_id[:80]!r} is not the id of a track. play_track gives the ids of a song."
        )
    mp3 = await catalogue.preview(_there(track), AUDIO_BYTES)
    return answers.player_audio_result(track, mp3, context.url)


def _there(track: Track) -> Track:
    if track.deleted:
        raise NotFound(f"Track {track.id} is in the trash. delete_track with restore=true restores it.")
    return track
