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

_SLOW = " Returns the song, or a job_id. fal bills each second."
_ADVICE = {
    "text_to_audio": " Write both yourself: they decide the song; prompt_to_audio is quicker, and plainer.",
    "audio_inpaint": " By a section's name: remake_section.",
    "audio_to_audio": " Own engines use no guidance field but guidance_scale.",
}
_UPLOADS = " On fal the source gets a public URL."


def _generating(endpoint: Endpoint) -> Tool:
    uploads = _UPLOADS if endpoint.source else ""
    description = endpoint.description + _ADVICE.get(endpoint.tool, "") + _SLOW + uploads
    return Tool(endpoint.tool, endpoint.title, description, endpoint.request, JobView, _MAKES, make)


TOOLS = (
    *(_generating(endpoint) for endpoint in ENDPOINTS),
    Tool(
        "get_job",
        "Follow a job",
        "Is it done yet? Wait until a job is finished. Returns its song, or its progress, time left and log lines.",
        JobQuery,
        JobOrList,
        _PROBES,  # all it can change is to finish what the call that made the job began, as the server does by itself
        get_job,
    ),
    Tool(
        "cancel_job",
        "Cancel a job",
        "Stop making a song: cancel its job for good. Returns the job as get_job does.",
        JobName,
        JobView,
        _ENDS,
        cancel_job,
    ),
    Tool(
        "list_tracks",
        "List songs",
        "Find songs made so far in the music folder, by the words in them. Returns tracks with their ids, newest first.",
        TrackQuery,
        TrackList,
        _READS,
        list_tracks,
    ),
    Tool(
        "get_track",
        "Look up a song",
        "What lyrics, tempo, key and file a track (a song) has, and the settings used to make it. Returns all that an edit needs.",
        TrackName,
        TrackView,
        _READS,
        get_track,
    ),
    Tool(
        "remake_track",
        "Make a song again",
        "Try again: remake a track as more takes or another version, with other seeds or changed fields. Returns a table; each "
        "take is paid for.",
        RemakeQuery,
        None,
        _MAKES,
        remake_track,
    ),
    Tool(
        "remake_section",
        "Make a section again",
        "Redo or remake a chorus, verse, bridge or other section by its name. Returns and costs what audio_inpaint does.",
        SectionQuery,
        None,
        _MAKES,
        remake_section,
    ),
    Tool(
        "mark_sections",
        "Name a song's sections",
        "Mark sections: tell where the verse, chorus etc. of a track begin and end, for remake_section and edits. Returns it.",
        MarksQuery,
        None,
        _KEEPS,
        mark_sections,
    ),
    Tool(
        "compare_tracks",
        "Compare songs",
        "Compare 2-6 tracks or takes side by side: which is better, louder, faster. Returns what was measured, and pictures.",
        TrackNames,
        None,
        _READS,
        compare_tracks,
    ),
    Tool(
        "export_track",
        "Export a song",
        "Export, save, convert or download a track as mp3, wav, flac, ogg or MIDI. Returns the new file's path; overwrites nothing.",
        ExportQuery,
        None,
        _WRITES,
        export_track,
    ),
    Tool(
        "play_track",
        "Play a song",
        "Play a track: the user can hear and listen to a song and its takes, if the host shows players. Returns its file too.",
        PlayerTrackName,
        PlayerView,
        _READS,
        play_track,
        app_meta(),
    ),
    Tool(
        "player_audio",
        "Player sound",
        "Audio for the page of play_track, which alone calls this.",
        PlayerTrackName,
        PlayerView,
        _READS,
        player_audio,
        app_meta(app_only=True),
    ),
    Tool(
        "delete_track",
        "Delete or restore a song",
        "Delete a track: move it to the trash, or undo that and bring it back. Returns where it is now.",
        Deletion,
        DeletionView,
        _MOVES,
        delete_track,
    ),
    Tool(
        "status",
        "Show the setup",
        "Check the status and setup: which engine makes the music and why (draft is a sketch, not ACE-Step), what works or is broken, "
        "folders, money spent. Returns problems with their fix.",
        NoArguments,
        StatusView,
        _PROBES,
        status,
    ),
)
BY_NAME = {tool.name: tool for tool in TOOLS}
