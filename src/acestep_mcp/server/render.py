"""What a tool answers: one flat shape for everything about a job, the same facts in text and in structured content.

Some hosts give their model only the one, some only the other; none gets audio bytes or a resource link.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mcp.types import CallToolResult, TextContent

from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.api.errors import AceStepError
from acestep_mcp.library.models import Job, Status, Track

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Outcome

TrackUrl = Callable[[Track], str]
"""The address of a kept file for the caller: `file://` over stdio, a download address over HTTP."""

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_COUNT = {"type": "integer"}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _list(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


TRACK_SHAPE = _object(
    id=_TEXT,
    uri=_TEXT,
    file_path=_TEXT,
    duration=_NUMBER,
    sample_rate=_COUNT,
    channels=_COUNT,
    size=_COUNT,
    parent=_TEXT,
)
_JOB_PROPERTIES: dict[str, Any] = {
    "status": {"type": "string", "enum": [str(status) for status in Status]},
    "job_id": _TEXT,
    "request_id": _TEXT,
    "next_step": _TEXT,
    "progress": _TEXT,
    "audio": _object(url=_TEXT, content_type=_TEXT, file_name=_TEXT, file_size=_COUNT),
    "seed": _COUNT,
    "tags": _TEXT,
    "lyrics": _TEXT,
    "track": TRACK_SHAPE,
    "backend": _TEXT,
    "engine": _TEXT,
    "notes": _list(_TEXT),
    "cost": _NUMBER,
    "elapsed": _NUMBER,
}
JOB_SHAPE: dict[str, Any] = {"type": "object", "properties": _JOB_PROPERTIES, "required": ["status", "job_id"]}
JOBS_SHAPE: dict[str, Any] = {
    "type": "object",
    "properties": {"status": _TEXT, "job_id": _TEXT, "track": {"type": "object"}, "jobs": _list({"type": "object"})},
}
CANCEL_SHAPE: dict[str, Any] = {
    "type": "object",
    "properties": {"status": _TEXT, "job_id": _TEXT, "next_step": _TEXT},
    "required": ["status", "job_id"],
}
DELETION_SHAPE = _object(track=TRACK_SHAPE, deleted={"type": "boolean"}, next_step=_TEXT)
TRACKS_SHAPE = _object(tracks=_list({"type": "object"}), total=_COUNT, next_cursor=_TEXT)
SONG_SHAPE = _object(track=TRACK_SHAPE, title=_TEXT, seed=_COUNT, tags=_TEXT, lyrics=_TEXT, request={"type": "object"})
STATUS_SHAPE = _object(version=_TEXT, backend=_TEXT, problems=_list(_TEXT))

_FILE = ("url", "content_type", "file_name", "file_size")
_GONE = (
    "The song of this job was made, but its file is no longer in the music folder. It may have been moved or removed "
    "by hand, or ACESTEP_MUSIC_DIR has changed. Make it again with the same arguments and seed if it is wanted."
)
_LAST_LOGS = 10
_LOST = {
    Status.FAILED: "Change the arguments as the message says, or try once more.",
    Status.CANCELLED: "Nothing is running; call the tool again if the song is wanted after all.",
    Status.UNKNOWN: "Ask the user to look at the host's dashboard; start it again only if the song is not there.",
}


def track_facts(track: Track) -> dict[str, Any]:
    """The `track` object: id, uri, file_path, duration, sample_rate, channels, size, parent."""
    audio = track.sidecar.get("audio", {})
    parent = track.sidecar.get("parent")
    parent = parent.get("id") if isinstance(parent, Mapping) else parent
    facts = {
        "id": track.id,
        "uri": track.uri,
        "file_path": str(track.path),
        "duration": track.duration,
        "sample_rate": audio.get("sample_rate"),
        "channels": audio.get("channels"),
        "size": track.size,
        "parent": parent,
    }
    return _present(facts)


def job_facts(outcome: Outcome, url: TrackUrl) -> dict[str, Any]:
    """Everything about a job in the flat shape; `audio`, `seed`, `tags`, `lyrics`, `track` exactly when COMPLETED."""
    job, track = outcome.job, outcome.track
    facts: dict[str, Any] = {"status": str(job.status), "job_id": job.id, "request_id": job.request_id}
    facts["next_step"] = next_step(outcome)
    if not job.status.is_terminal:
        facts["progress"] = job.progress.describe()
    if job.status is Status.COMPLETED and track is not None:
        facts |= _song(job, track, url)
    facts |= {
        "backend": job.backend,
        "engine": _engine(job, track),
        "notes": _notes(job),
        "cost": job.cost if job.cost is not None else job.estimated_cost,
        "elapsed": _elapsed(job),
    }
    return _present(facts)


def _song(job: Job, track: Track, url: TrackUrl) -> dict[str, Any]:
    response = job.result or {}
    seed, tags, lyrics = (response.get(name, track.sidecar.get(name)) for name in ("seed", "tags", "lyrics"))
    return {"audio": _audio(job, track, url), "seed": seed, "tags": tags, "lyrics": lyrics, "track": track_facts(track)}


def _audio(job: Job, track: Track, url: TrackUrl) -> dict[str, Any]:
    """The host's own file as it gave it; the embedded engine's address leads nowhere outside this process."""
    given = (job.result or {}).get("audio")
    if isinstance(given, Mapping) and given.get("url") and job.backend != "draft":
        return {name: given[name] for name in _FILE if given.get(name) is not None}
    facts = (url(track), track.content_type, track.path.name, track.size)
    return dict(zip(_FILE, facts, strict=True))


def _engine(job: Job, track: Track | None) -> str:
    ours = (job.result or {}).get("acestep") or {}
    recorded = track.sidecar.get("engine") if track is not None else None
    if isinstance(recorded, Mapping):
        recorded = recorded.get("name")
    return str(ours.get("engine") or recorded or job.backend)


def _notes(job: Job) -> list[str] | None:
    ours = (job.result or {}).get("acestep") or {}
    notes = list(dict.fromkeys([*job.notes, *ours.get("notes", ())]))
    if job.attached:
        notes.insert(0, "Joined to the job of an earlier, identical call; nothing was started twice.")
    return notes or None


def _elapsed(job: Job) -> float:
    elapsed = job.elapsed if job.elapsed is not None else time.time() - job.created_at
    return round(max(0.0, elapsed), 1)


def next_step(outcome: Outcome) -> str:
    """The one thing to do now."""
    job = outcome.job
    if not job.status.is_terminal:
        return f'call get_job with job_id="{job.id}" and wait for it; do not start the song again'
    if outcome.track is not None and outcome.track.deleted:
        return f'the song is in the trash; delete_track with track_id="{outcome.track.id}", restore=true brings it back'
    if job.status is Status.COMPLETED and outcome.track is not None:
        return "done; give the user the file_path, or audio.url to one on another machine"
    return _LOST.get(job.status, "call list_tracks to see the songs that are kept")


def job_result(outcome: Outcome, url: TrackUrl, *, attached: bool = False, logs: bool = False) -> CallToolResult:
    """The answer about one job; a job that ended without a track is an error result.

    `attached`: the call was joined to an older job instead of making its own.
    """
    job = replace(outcome.job, attached=attached or outcome.job.attached)
    outcome = replace(outcome, job=job)
    if job.status is Status.COMPLETED and outcome.track is None:
        return CallToolResult(
            content=[TextContent(type="text", text=f"not_found: {_GONE} (job_id: {job.id})")], is_error=True
        )
    facts = job_facts(outcome, url)
    if job.status in _LOST:
        error = job.error or {}
        head = f"{job.status} {error.get('code', '')}".strip() + f": {error.get('message', 'no song was made')}"
        text = _text(
            head, {"job_id": job.id, "next_step": facts["next_step"], "logs": _log_tail(job) if logs else None}
        )
        return _answer(text, facts, is_error=True)
    if logs and job.status is not Status.COMPLETED:
        facts["logs"] = _log_tail(job)
    return _answer(_text(_headline(outcome), facts), facts)


def cancelled_result(outcome: Outcome, url: TrackUrl) -> CallToolResult:
    """What cancel_job answers: a cancelled job is what was asked for, not an error."""
    if outcome.job.status is not Status.CANCELLED:
        return job_result(outcome, url)
    facts = job_facts(outcome, url) | {"next_step": "nothing; the job is cancelled"}
    return _answer(_text("CANCELLED as asked", facts), facts)


def _headline(outcome: Outcome) -> str:
    job = outcome.job
    if job.status is Status.COMPLETED and outcome.track is not None:
        where = " (in the trash)" if outcome.track.deleted else ""
        return f"COMPLETED: {outcome.track.title}, {outcome.track.duration:.1f} s{where}"
    return f"{job.status}, not finished: {job.progress.describe()}"


def _log_tail(job: Job) -> list[str] | None:
    return list(job.logs[-_LAST_LOGS:]) or None


def jobs_result(jobs: list[Job]) -> CallToolResult:
    """The newest jobs, a line each."""
    rows = [job_row(job) for job in jobs]
    lines = [f"{row['job_id']}  {row['status']}  {row['tool']}  {row['created_at']}  {row['about']}" for row in rows]
    head = f"{len(rows)} newest jobs, newest first" if rows else "No jobs yet; make a song with text_to_audio."
    return _answer("\n".join([head, *lines]), {"jobs": rows})


def job_row(job: Job) -> dict[str, Any]:
    """A job in a list."""
    endpoint = BY_ID.get(job.endpoint)
    about = str(job.request.get("prompt") or job.request.get("tags") or "")
    row = {
        "job_id": job.id,
        "status": str(job.status),
        "tool": endpoint.tool if endpoint else job.endpoint,
        "created_at": datetime.fromtimestamp(job.created_at, UTC).isoformat(timespec="seconds"),
        "about": about[:80],
        "track": job.track_id,
    }
    return _present(row)


def tracks_result(tracks: tuple[Track, ...], total: int, next_cursor: str | None) -> CallToolResult:
    """A page of tracks, a line each."""
    rows = [track_row(track) for track in tracks]
    lines = [f"{row['id']}  {row['duration']:.0f} s  {row['title']}  {row['file_path']}" for row in rows]
    head = f"{len(rows)} of {total} tracks, newest first" if total else "No tracks found."
    tail = [f'next_cursor: "{next_cursor}"'] if next_cursor else []
    return _answer(
        "\n".join([head, *lines, *tail]), _present({"tracks": rows, "total": total, "next_cursor": next_cursor})
    )


def track_row(track: Track) -> dict[str, Any]:
    """A track in a list: its facts, title, tags and time."""
    tags = str(track.sidecar.get("tags") or "")
    return track_facts(track) | {"title": track.title, "tags": tags[:120], "created_at": track.created_at}


def song_result(track: Track, url: TrackUrl) -> CallToolResult:
    """Everything kept about one track; what an edit needs (tags, lyrics, seed) first."""
    sidecar = track.sidecar
    known = {
        name: sidecar.get(name)
        for name in ("seed", "tags", "lyrics", "endpoint", "request", "engine", "checks", "notes")
    }
    facts = _present({"track": track_facts(track), "title": track.title, "url": url(track), **known})
    facts |= {"created_at": track.created_at, "deleted": track.deleted}
    return _answer(_text(track.title, facts), facts)


def deleted_result(track: Track) -> CallToolResult:
    """What delete_track answers, both ways."""
    if track.deleted:
        done, then = (
            "deleted",
            f'it lies in the trash folder; delete_track with track_id="{track.id}", restore=true undoes it',
        )
    else:
        done, then = "restored", "nothing; the track is back"
    facts = {"track": track_facts(track), "title": track.title, "deleted": track.deleted, "next_step": then}
    return _answer(_text(f"{track.title} is {done}", facts), facts)


def status_result(facts: Mapping[str, Any]) -> CallToolResult:
    """Backend, folders, spend and everything wrong with the settings."""
    told = _present(dict(facts))
    return _answer(_text("acestep-mcp", told), told)


def error_result(error: AceStepError, problems: tuple[str, ...]) -> CallToolResult:
    """`code: message`, and what is wrong with the settings, since that may be the cause."""
    lines = [f"{error.code}: {error.message}", *(f"settings problem: {problem}" for problem in problems)]
    return CallToolResult(content=[TextContent(type="text", text="\n".join(lines))], is_error=True)


def bug_result(tool: str, problems: tuple[str, ...]) -> CallToolResult:
    """A failure that is none of ours: nothing of its text."""
    text = f"internal: {tool} failed because of a bug in acestep-mcp; its log (stderr) has the details. Try status."
    return error_result(AceStepError(text), problems)


def _answer(text: str, facts: dict[str, Any], *, is_error: bool = False) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=facts, is_error=is_error)


def _text(head: str, facts: Mapping[str, Any]) -> str:
    """A headline and one `name: value` line per fact, in plain words; nested facts as JSON."""
    lines = [head]
    for name, value in _present(facts).items():
        if name == "status":
            continue
        lines.append(f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines)


def _present(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}
