"""The eleven tools as rows: name, title, description, arguments, answer, hints, handler."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from mcp.types import CallToolResult, ToolAnnotations
from mcp.types import Tool as ToolEntry
from pydantic import BaseModel, ConfigDict, Field

from acestep_mcp.api import requests
from acestep_mcp.api.endpoints import ENDPOINTS, Endpoint
from acestep_mcp.api.errors import AceStepError
from acestep_mcp.library.models import Progress
from acestep_mcp.server import render
from acestep_mcp.server.delivery import Call, Calls
from acestep_mcp.server.lazy_studio import Opening
from acestep_mcp.settings import Settings

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Studio

HEARTBEAT_SECONDS = 4.0
_CREEP = 0.01
_PROGRESS_WORDS = 200


class Report(Protocol):
    """Sends one progress notification: a value, its total, words."""

    def __call__(self, progress: float, total: float | None = None, message: str | None = None) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class Room:
    """What a handler works with: the studio behind its door, this call, and the way back to its caller."""

    door: Opening
    calls: Calls
    call: Call
    settings: Settings
    url: render.TrackUrl
    report: Report
    idempotency_key: str | None = None


Handler = Callable[[Room, Any], Awaitable[CallToolResult]]


@dataclass(frozen=True, slots=True)
class Tool:
    """One row. `arguments` is a model that forbids extras."""

    name: str
    title: str
    description: str
    arguments: type[BaseModel]
    shape: Mapping[str, Any]
    hints: ToolAnnotations
    handler: Handler

    def entry(self) -> ToolEntry:
        """What `tools/list` says of it."""
        return ToolEntry(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=requests.input_schema(self.arguments),
            output_schema=dict(self.shape),
            annotations=self.hints,
        )


class Progressing:
    """Progress notifications of one call: strictly increasing, never more than 4 s apart, 200 characters of words."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._value = -_CREEP
        self._words = "preparing"
        self._told_at = anyio.current_time()

    async def tell(self, progress: Progress | None = None) -> None:
        """Say where the job stands; without news, the same words again and a little more."""
        if progress is not None:
            self._words = progress.describe()[:_PROGRESS_WORDS]
        fraction = 0.0 if progress is None else min(max(progress.fraction, 0.0), 1.0)
        self._value = round(max(self._value + _CREEP, 99 * fraction), 2)
        self._told_at = anyio.current_time()
        await self._report(self._value, 100, self._words)

    async def beat(self, scope: anyio.CancelScope) -> None:
        with scope:
            while True:
                await anyio.sleep(max(0.05, self._told_at + HEARTBEAT_SECONDS - anyio.current_time()))
                if anyio.current_time() - self._told_at >= HEARTBEAT_SECONDS:
                    await self.tell()


@asynccontextmanager
async def progressing(room: Room) -> AsyncIterator[Progressing]:
    """Progress for as long as the call works, with a heartbeat when there is no news."""
    progress = Progressing(room.report)
    await progress.tell()
    scope = anyio.CancelScope()
    room.door.companion(progress.beat, scope)
    try:
        yield progress
    finally:
        scope.cancel()


def _making(endpoint: Endpoint) -> Handler:
    async def make(room: Room, arguments: requests.Request) -> CallToolResult:
        async with progressing(room) as progress:
            studio = await room.door()
            # Shielded: a call cut while its job is being written down still knows the job it made.
            with anyio.CancelScope(shield=True):
                job = await studio.start(endpoint.tool, arguments.wire(), idempotency_key=room.idempotency_key)
            room.calls.made(room.call, job.id)
            return await _wait(room, studio, job.id, progress, attached=job.attached)

    return make


async def _wait(
    room: Room, studio: Studio, job_id: str, progress: Progressing, *, attached: bool = False, logs: bool = False
) -> CallToolResult:
    """Follow the job for the budget, then answer with what it is by then."""
    with room.door.waiting():
        async for step in studio.watch(job_id, room.settings.wait_seconds):
            await progress.tell(step)
    room.call.told_job = job_id
    outcome = await studio.outcome(job_id)
    return render.job_result(outcome, room.url, attached=attached, logs=logs)


class JobQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    job_id: str = Field("", description="Absent: the newest jobs are listed.")
    limit: int = Field(10, ge=1, le=100, description="How many to list.")


async def _get_job(room: Room, query: JobQuery) -> CallToolResult:
    if not query.job_id:
        studio = await room.door()
        studio.work()
        return render.jobs_result(await studio.jobs(query.limit))
    async with progressing(room) as progress:
        studio = await room.door()
        await studio.outcome(query.job_id)  # an unknown id is an error at once, not after the wait
        return await _wait(room, studio, query.job_id, progress, logs=True)


class JobName(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    job_id: str


async def _cancel_job(room: Room, name: JobName) -> CallToolResult:
    outcome = await (await room.door()).cancel(name.job_id)
    return render.cancelled_result(outcome, room.url)


class TrackQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    query: str = Field("", description="Words that must all occur in title, tags, lyrics, prompt or id.")
    limit: int = Field(20, ge=1, le=100)
    cursor: str = Field("", description="next_cursor of the page before.")


async def _list_tracks(room: Room, query: TrackQuery) -> CallToolResult:
    studio = await room.door()
    studio.work()
    page = await studio.tracks(query.query, limit=query.limit, cursor=query.cursor or None)
    return render.tracks_result(page.tracks, page.total, page.next_cursor)


class TrackName(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    track_id: str = Field(description="Id, acestep:// uri or file name.")


async def _get_track(room: Room, name: TrackName) -> CallToolResult:
    return render.song_result(await (await room.door()).track(name.track_id), room.url)


class Deletion(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    track_id: str
    restore: bool = Field(default=False, description="True: bring it back from the trash.")


async def _delete_track(room: Room, deletion: Deletion) -> CallToolResult:
    studio = await room.door()
    act = studio.restore if deletion.restore else studio.delete
    return render.deleted_result(await act(deletion.track_id))


class Nothing(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


async def _status(room: Room, _: Nothing) -> CallToolResult:
    problems = list(room.settings.problems)
    try:
        facts = await (await room.door()).status()
    except AceStepError as error:
        # The tool that tells what is wrong must answer when everything else cannot.
        problems.insert(0, f"{error.code}: {error.message}")
        facts = {"music_dir": str(room.settings.music_dir), "data_dir": str(room.settings.data_dir)}
    return render.status_result({"problems": problems, **facts})


def _hints(*, read_only: bool, destructive: bool, idempotent: bool, open_world: bool) -> ToolAnnotations:
    return ToolAnnotations(
        read_only_hint=read_only, destructive_hint=destructive, idempotent_hint=idempotent, open_world_hint=open_world
    )


_MAKES = _hints(read_only=False, destructive=False, idempotent=False, open_world=True)
_READS = _hints(read_only=True, destructive=False, idempotent=True, open_world=False)
_ASKS = _hints(read_only=True, destructive=False, idempotent=True, open_world=True)
# A poll may fetch and keep a song that could not be kept before: it is not read-only.
_COLLECTS = _hints(read_only=False, destructive=False, idempotent=True, open_world=True)
_ENDS = _hints(read_only=False, destructive=True, idempotent=True, open_world=True)
_MOVES = _hints(read_only=False, destructive=True, idempotent=True, open_world=False)

_SLOW = " Answers with the song, or after a while with a job_id for get_job. Engine draft makes a sketch, not ACE-Step."
_ADVICE = {
    "text_to_audio": " Write tags and lyrics yourself: they decide the song.",
    "audio_to_audio": " get_track knows the original tags and lyrics.",
}
_UPLOADS = " On fal the source is uploaded: public to whoever has its address."


def _generating(endpoint: Endpoint) -> Tool:
    edits = "audio_url" in endpoint.request.model_fields
    description = endpoint.description + _ADVICE.get(endpoint.tool, "") + _SLOW + (_UPLOADS if edits else "")
    return Tool(
        endpoint.tool, endpoint.title, description, endpoint.request, render.JOB_SHAPE, _MAKES, _making(endpoint)
    )


TOOLS = (
    *(_generating(endpoint) for endpoint in ENDPOINTS),
    Tool(
        "get_job",
        "Follow a job",
        "Wait for a job and get its song, or how far it is, with its last log lines.",
        JobQuery,
        render.JOBS_SHAPE,
        _COLLECTS,
        _get_job,
    ),
    Tool("cancel_job", "Cancel a job", "Stop a job for good.", JobName, render.CANCEL_SHAPE, _ENDS, _cancel_job),
    Tool(
        "list_tracks",
        "List songs",
        "The kept songs, newest first.",
        TrackQuery,
        render.TRACKS_SHAPE,
        _READS,
        _list_tracks,
    ),
    Tool(
        "get_track",
        "Look up a song",
        "A song's file, tags, lyrics, seed and full request: what an edit or a remake needs.",
        TrackName,
        render.SONG_SHAPE,
        _READS,
        _get_track,
    ),
    Tool(
        "delete_track",
        "Delete or restore a song",
        "Move a song to the trash folder, or bring it back.",
        Deletion,
        render.DELETION_SHAPE,
        _MOVES,
        _delete_track,
    ),
    Tool(
        "status",
        "Show the set-up",
        "Which engine makes the music and why (draft is a sketch, not ACE-Step), whether it answers, folders, spend, "
        "and what is wrong with the settings.",
        Nothing,
        render.STATUS_SHAPE,
        _ASKS,
        _status,
    ),
)
BY_NAME = {tool.name: tool for tool in TOOLS}


@cache
def entries() -> tuple[ToolEntry, ...]:
    """The answer to `tools/list`, in the order of the rows."""
    return tuple(tool.entry() for tool in TOOLS)
