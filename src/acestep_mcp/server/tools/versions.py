"""The tools for takes and versions: make a track again, make one section again, mark sections, compare, export."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import anyio
from mcp.types import CallToolResult
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from acestep_mcp.server import answers
from acestep_mcp.server.tools.context import ToolContext, TrackId, reporting
from acestep_mcp.server.tools.making import make, wait_for_takes


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class RemakeQuery(_Arguments):
    track_id: TrackId
    changes: dict[str, Any] = Field(
        default_factory=dict,
        description="Fields of its request to change, e.g. {'tags': 'jazz'}. Empty: other seeds.",
    )
    takes: int = Field(1, ge=1, le=4, description="How many versions.")


async def remake_track(context: ToolContext, query: RemakeQuery) -> CallToolResult:
    async with reporting(context) as reporter:
        studio = await context.studio()
        # Shielded: a call that is cancelled while its jobs are being stored must still know them.
        with anyio.CancelScope(shield=True):
            jobs = await studio.remake(
                query.track_id, query.changes, query.takes, idempotency_key=context.idempotency_key
            )
        context.calls.assign_jobs(context.call, *(job.id for job in jobs))
        return await wait_for_takes(context, studio, query.track_id, jobs, reporter)


class SectionQuery(_Arguments):
    track_id: TrackId
    section: str = Field(description="Its name, such as 'chorus 2'.")
    tags: str | None = Field(None, description="New style. Absent: as it was.")
    lyrics: str | None = Field(None, description="New words. Absent: as they were.")
    variance: float | None = Field(None, description="How different, 0-1.")
    seed: int | None = Field(None, description="Absent: random.")


async def remake_section(context: ToolContext, query: SectionQuery) -> CallToolResult:
    studio = await context.studio()
    given = query.model_dump(include={"tags", "lyrics", "variance", "seed"}, exclude_none=True)
    return await make(context, await studio.section_request(query.track_id, query.section, given))


class SectionMark(_Arguments):
    name: str
    start: float
    end: float | None = None


def _mark(given: Any) -> Any:
    """A text such as `verse=0-20` as the object that it stands for; anything else as it is."""
    if not isinstance(given, str):
        return given
    name, equals, span = given.rpartition("=")
    start, _, end = span.partition("-")
    if not (equals and start.strip()):
        raise ValueError("must be NAME=START-END in seconds, such as 'verse=0-20'; END may be absent")
    return {"name": name, "start": start, "end": end if end.strip() else None}


class MarksQuery(_Arguments):
    """Sections as on the command line. Objects with `name`, `start` and `end` are read as well, and are not published."""

    track_id: TrackId
    sections: list[Annotated[SectionMark, BeforeValidator(_mark, json_schema_input_type=str)]] = Field(
        description="NAME=START-END in seconds, e.g. ['verse=0-20', 'chorus=20-41.5']. [] removes them."
    )


async def mark_sections(context: ToolContext, marks: MarksQuery) -> CallToolResult:
    catalogue = (await context.studio()).catalogue
    track = await catalogue.mark(marks.track_id, [mark.model_dump() for mark in marks.sections])
    return answers.track_result(track, context.url, descent=await catalogue.descent(track))


class TrackNames(_Arguments):
    track_ids: list[str] = Field(min_length=2, max_length=6, description="Ids or file names, e.g. ['a1b2', 'c3d4'].")


async def compare_tracks(context: ToolContext, names: TrackNames) -> CallToolResult:
    catalogue = (await context.studio()).catalogue
    comparison = await catalogue.compare(names.track_ids)
    return answers.comparison_result(comparison, await catalogue.pictures(names.track_ids))


class ExportQuery(_Arguments):
    track_id: TrackId
    format: Literal["wav", "flac", "mp3", "ogg", "mid"] = Field(description="mid: the notes of a draft.")
    name: str = Field("", max_length=1000, description="File name, or path in an allowed folder.")


async def export_track(context: ToolContext, query: ExportQuery) -> CallToolResult:
    catalogue = (await context.studio()).catalogue
    track = await catalogue.get(query.track_id)
    return answers.export_result(track, await catalogue.export(track, query.format, query.name))
