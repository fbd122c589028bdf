"""The table of tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp.types import Tool as ToolEntry
from mcp.types import ToolAnnotations
from pydantic import BaseModel

from acestep_mcp.api.endpoints import ENDPOINTS, Endpoint
from acestep_mcp.api.schemas import input_schema, output_schema
from acestep_mcp.server.tools.context import Handler
from acestep_mcp.server.tools.jobs import JobName, JobQuery, cancel_job, get_job
from acestep_mcp.server.tools.making import make
from acestep_mcp.server.tools.player import PlayerTrackName, app_meta, play_track, player_audio
from acestep_mcp.server.tools.status import NoArguments, status
from acestep_mcp.server.tools.tracks import Deletion, TrackName, TrackQuery, delete_track, get_track, list_tracks
from acestep_mcp.server.tools.versions import (
    ExportQuery,
    MarksQuery,
    RemakeQuery,
    SectionQuery,
    TrackNames,
    compare_tracks,
    export_track,
    mark_sections,
    remake_section,
    remake_track,
)
from acestep_mcp.studio.views import (
    DeletionView,
    JobOrList,
    JobView,
    PlayerView,
    StatusView,
    TrackList,
    TrackView,
    View,
)


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. `arguments` is a model that forbids extras, `answer` the view in the structured content.

    Without `answer` its schema is not published, which saves room in the list.
    """

    name: str
    title: str
    description: str
    arguments: type[BaseModel]
    answer: type[View] | None
    hints: ToolAnnotations
    handler: Handler
    meta: Mapping[str, Any] | None = None

    def entry(self) -> ToolEntry:
        """Its entry in `tools/list`."""
        return ToolEntry(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=input_schema(self.arguments),
            output_schema=output_schema(self.answer) if self.answer else None,
            annotations=self.hints,
            _meta=dict(self.meta) if self.meta else None,
        )


def _hints(*, read_only: bool, destructive: bool, idempotent: bool, open_world: bool) -> ToolAnnotations:
    return ToolAnnotations(
        read_only_hint=read_only, destructive_hint=destructive, idempotent_hint=idempotent, open_world_hint=open_world
    )


_MAKES = _hints(read_only=False, destructive=False, idempotent=False, open_world=True)
_READS = _hints(read_only=True, destructive=False, idempotent=True, open_world=False)
_PROBES = _hints(read_only=True, destructive=False, idempotent=True, open_world=True)
_ENDS = _hints(read_only=False, destructive=True, idempotent=True, open_world=True)
_KEEPS = _hints(read_only=False, destructive=False, idempotent=True, open_world=False)
_WRITES = _hints(read_only=False, destructive=False, idempotent=False, open_world=False)
_MOVES = _hints(read_only=False, destructive=True, idempotent=True, open_world=False)

_SLOW = " Answers with the song, or a job_id for get_job. Engine draft makes sketches, not ACE-Step."
_ADVICE = {
    "text_to_audio": " Write tags and lyrics yourself: they decide the song.",
    "audio_to_audio": " get_track has the original tags and lyrics. Own engines use no guidance field but guidance_scale.",
}
_UPLOADS = " On fal the source is uploaded, public to anyone with its URL."


def _generating(endpoint: Endpoint) -> Tool:
    uploads = _UPLOADS if endpoint.source else ""
    description = endpoint.description + _ADVICE.get(endpoint.tool, "") + _SLOW + uploads
    return Tool(endpoint.tool, endpoint.title, description, endpoint.request, JobView, _MAKES, make)


TOOLS = (
    *(_generating(endpoint) for endpoint in ENDPOINTS),
    Tool(
        "get_job",
        "Follow a job",
        "Wait for a job; returns its song, or its progress and last log lines.",
        JobQuery,
        JobOrList,
        _PROBES,  # all it can change is to finish what the call that made the job began, as the server does by itself
        get_job,
    ),
    Tool("cancel_job", "Cancel a job", "Cancel a job permanently.", JobName, JobView, _ENDS, cancel_job),
    Tool(
        "list_tracks",
        "List songs",
        "The songs in the music folder, newest first.",
        TrackQuery,
        TrackList,
        _READS,
        list_tracks,
    ),
    Tool(
        "get_track",
        "Look up a song",
        "A song's file, tags, lyrics, seed and full request: what an edit or a remake needs.",
        TrackName,
        TrackView,
        _READS,
        get_track,
    ),
    Tool(
        "remake_track",
        "Make a song again",
        "More takes with other seeds, or a version with changed fields; answers with a table. Each take is paid for.",
        RemakeQuery,
        None,
        _MAKES,
        remake_track,
    ),
    Tool(
        "remake_section",
        "Make a section again",
        "audio_inpaint of one section, by its name. Absent tags, lyrics: those it has.",
        SectionQuery,
        None,
        _MAKES,
        remake_section,
    ),
    Tool(
        "mark_sections",
        "Name a song's sections",
        "Store its sections, for remake_section; edits inherit them.",
        MarksQuery,
        None,
        _KEEPS,
        mark_sections,
    ),
    Tool(
        "compare_tracks",
        "Compare songs",
        "2-6 songs side by side: measured facts, what differs.",
        TrackNames,
        None,
        _READS,
        compare_tracks,
    ),
    Tool(
        "export_track",
        "Export a song",
        "Write a copy in another format, never over a file.",
        ExportQuery,
        None,
        _WRITES,
        export_track,
    ),
    Tool(
        "play_track",
        "Play a song",
        "Show the user a player with a song and its takes, if the host can.",
        PlayerTrackName,
        PlayerView,
        _READS,
        play_track,
        app_meta(),
    ),
    Tool(
        "player_audio",
        "Player sound",
        "Only the player calls it.",
        PlayerTrackName,
        PlayerView,
        _READS,
        player_audio,
        app_meta(app_only=True),
    ),
    Tool(
        "delete_track",
        "Delete or restore a song",
        "Move a song to the trash folder, or bring it back.",
        Deletion,
        DeletionView,
        _MOVES,
        delete_track,
    ),
    Tool(
        "status",
        "Show the setup",
        "Which engine makes the music and why (draft is a sketch, not ACE-Step), whether it answers, folders, spend, "
        "and problems with the settings.",
        NoArguments,
        StatusView,
        _PROBES,
        status,
    ),
)
BY_NAME = {tool.name: tool for tool in TOOLS}
