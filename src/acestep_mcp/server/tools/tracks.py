"""The tools for songs: list, look up, delete and restore."""

from __future__ import annotations

from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict, Field

from acestep_mcp.server import answers
from acestep_mcp.server.tools.context import ToolContext, TrackId


class TrackQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field("", description="Words that must all occur in title, tags, lyrics, prompt or id.")
    limit: int = Field(20, ge=1, le=100, description="How many to list.")
    cursor: str = Field("", description="next_cursor of the previous page.")


async def list_tracks(context: ToolContext, query: TrackQuery) -> CallToolResult:
    studio = await context.studio()
    studio.adopt_jobs()
    return answers.tracks_result(
        await studio.catalogue.page(query.query, limit=query.limit, cursor=query.cursor or None)
    )


class TrackName(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    track_id: str = Field(description="Id, acestep:// uri or file name.")
    picture: bool = Field(default=False, description="True: adds a picture of waveform and spectrogram.")


async def get_track(context: ToolContext, name: TrackName) -> CallToolResult:
    catalogue = (await context.studio()).catalogue
    track = await catalogue.get(name.track_id)
    picture = await catalogue.picture(track) if name.picture else None
    return answers.track_result(track, context.url, picture, descent=await catalogue.descent(track))


class Deletion(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    track_id: TrackId
    restore: bool = Field(default=False, description="True: restore it from the trash.")


async def delete_track(context: ToolContext, deletion: Deletion) -> CallToolResult:
    catalogue = (await context.studio()).catalogue
    change = catalogue.restore if deletion.restore else catalogue.delete
    return answers.deletion_result(await change(deletion.track_id))
