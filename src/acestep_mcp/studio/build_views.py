"""Jobs and tracks as views."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.api.errors import AceStepError
from acestep_mcp.library.models import Job, Outcome, Status, Track, TrackPage
from acestep_mcp.studio.next_step import next_step
from acestep_mcp.studio.versions import note
from acestep_mcp.studio.views import (
    AudioView,
    Checks,
    DeletionView,
    DescentStep,
    JobList,
    JobRow,
    JobView,
    JobWithLogs,
    PlayerTrack,
    PlayerView,
    TrackFile,
    TrackList,
    TrackRow,
    TrackView,
    TrackWithVersions,
)

TrackUrl = Callable[[Track], str]
"""The URL of a track's file: `file://` on this machine, a download address over HTTP."""

_LAST_LOGS = 10


def file_url(track: Track) -> str:
    """The `file://` URL of a track's file."""
    return track.path.as_uri()


def job_view(outcome: Outcome, url: TrackUrl = file_url) -> JobView:
    """The current state of a job."""
    return JobView(**_job_facts(outcome, url))


def job_with_logs(outcome: Outcome, url: TrackUrl = file_url) -> JobWithLogs:
    """The current state of a job, with its last log lines."""
    logs = [] if outcome.job.status is Status.COMPLETED else outcome.job.logs[-_LAST_LOGS:]
    return JobWithLogs(**_job_facts(outcome, url), logs=list(logs) or None)


def _job_facts(outcome: Outcome, url: TrackUrl) -> dict[str, Any]:
    job, track = outcome.job, outcome.track
    song: dict[str, Any] = {}
    if job.status is Status.COMPLETED and track is not None:
        song = _song(job, track, url)
    return {
        "status": job.status,
        "job_id": job.id,
        "request_id": job.request_id,
        "next_step": next_step(outcome),
        "progress": None if job.status.is_terminal else job.progress.describe(),
        **song,
        "backend": job.backend,
        "engine": _engine(job, track),
        "notes": _notes(job, track),
        "cost": job.cost if job.cost is not None else job.estimated_cost,
        "elapsed": _elapsed(job),
    }


def _song(job: Job, track: Track, url: TrackUrl) -> dict[str, Any]:
    response = job.result
    known = {"seed": response.seed, "tags": response.tags, "lyrics": response.lyrics} if response else {}
    names = ("seed", "tags", "lyrics", "edit")  # the whole song's, which the host does not know after an edit
    known |= {name: track.sidecar[name] for name in names if track.sidecar.get(name) is not None}
    checks = track.sidecar.get("checks")
    return {
        "audio": _audio(job, track, url),
        **known,
        "sections": track.sidecar.get("sections") or None,
        "track": track_file(track),
        "heard": summary_of(track),
        "checks": Checks(**checks) if isinstance(checks, dict) else None,
    }


def summary_of(track: Track) -> str | None:
    """What is heard in the song, in one line."""
    heard = track.sidecar.get("heard")
    found = heard.get("summary") if isinstance(heard, Mapping) else None
    return found if isinstance(found, str) else None


def _audio(job: Job, track: Track, url: TrackUrl) -> AudioView:
    """The file as the host described it, or the local file: the embedded engine's URL is valid only in its process."""
    if job.result is not None and job.backend != "draft":
        return AudioView(**job.result.audio.model_dump(exclude_none=True))
    return AudioView(url=url(track), content_type=track.content_type, file_name=track.path.name, file_size=track.size)


def _engine(job: Job, track: Track | None) -> str:
    reported = job.result.report.engine if job.result else None
    recorded = track.sidecar.get("engine") if track is not None else None
    if isinstance(recorded, Mapping):
        recorded = recorded.get("name")
    return str(reported or recorded or job.backend)


def _notes(job: Job, track: Track | None) -> list[str] | None:
    stored = track.sidecar.get("notes") if track is not None else None
    found = [*job.notes, *(job.result.report.notes if job.result else ()), *(stored or ())]
    notes = list(dict.fromkeys(found))
    if job.attached:
        notes.insert(0, "Joined the job of an earlier identical call; nothing was started twice.")
    return notes or None


def _elapsed(job: Job) -> float:
    elapsed = job.elapsed if job.elapsed is not None else time.time() - job.created_at
    return round(max(0.0, elapsed), 1)


def job_list(jobs: Iterable[Job]) -> JobList:
    return JobList(jobs=[_job_row(job) for job in jobs])


def _job_row(job: Job) -> JobRow:
    endpoint = BY_ID.get(job.endpoint)
    return JobRow(
        job_id=job.id,
        status=job.status,
        tool=endpoint.tool if endpoint else job.endpoint,
        created_at=datetime.fromtimestamp(job.created_at, UTC).isoformat(timespec="seconds"),
        about=about(job)[:80],
        track=job.track_id,
    )


def about(job: Job) -> str:
    """The prompt or tags of the request; empty for one that this version cannot read."""
    try:
        request = job.request
    except AceStepError:
        return ""
    return str(getattr(request, "prompt", "") or getattr(request, "tags", ""))


def stored_request(job: Job) -> dict[str, Any]:
    """The request as it is stored; empty for one that this version cannot read."""
    try:
        return job.request.wire()
    except AceStepError:
        return {}


def track_file(track: Track) -> TrackFile:
    return TrackFile(**_file_facts(track))


def track_row(track: Track) -> TrackRow:
    tags = str(track.sidecar.get("tags") or "")
    return TrackRow(**_file_facts(track), title=track.title, tags=tags[:120], created_at=track.created_at)


def track_list(page: TrackPage) -> TrackList:
    return TrackList(tracks=[track_row(track) for track in page.tracks], total=page.total, next_cursor=page.next_cursor)


def track_view(track: Track, url: TrackUrl = file_url, descent: Sequence[DescentStep] = ()) -> TrackView:
    """Everything stored about one track."""
    names = ("seed", "tags", "lyrics", "endpoint", "request", "engine", "checks", "notes", "edit", "heard")
    known = {name: track.sidecar.get(name) for name in names}
    return TrackView(
        track=track_file(track),
        title=track.title,
        url=url(track),
        **known,
        sections=track.sidecar.get("sections") or None,
        descent=list(descent) or None,
        created_at=track.created_at,
        deleted=track.deleted,
    )


def player_view(track: Track, versions: list[Track], url: TrackUrl = file_url) -> PlayerView:
    """The song whole, and rows of its other versions; `versions` has all of them, oldest first."""
    rows = [player_track(one, url) if one.id == track.id else _player_row(one) for one in versions]
    notes = [note(one, versions[0]) or None for one in versions]
    return PlayerView(tracks=[row.model_copy(update={"note": said}) for row, said in zip(rows, notes, strict=True)])


def player_track(track: Track, url: TrackUrl = file_url) -> PlayerTrack:
    """Everything that the player shows of a song."""
    view, checks = track_view(track, url), track.sidecar.get("checks")
    engine = track.sidecar.get("engine")
    return PlayerTrack(
        id=track.id,
        shown=True,
        title=view.title,
        duration=track.duration,
        seed=view.seed,
        lufs=Checks(**checks).lufs if isinstance(checks, dict) else None,
        engine=str(engine.get("name", "")) if isinstance(engine, Mapping) else view.engine,
        tags=view.tags,
        lyrics=view.lyrics,
        sections=view.sections,
        heard=summary_of(track),
        notes=view.notes,
        file_path=str(track.path),
        url=view.url,
    )


def _player_row(track: Track) -> PlayerTrack:
    whole = player_track(track)
    return PlayerTrack(**whole.model_dump(include={"id", "title", "duration", "seed", "lufs", "engine"}))


def track_with_versions(
    track: Track, made_from: Track | None, versions: Iterable[Track], url: TrackUrl = file_url
) -> TrackWithVersions:
    """Everything stored about one track, and its relatives."""
    return TrackWithVersions(
        **dict(track_view(track, url)),
        made_from=track_row(made_from) if made_from else None,
        versions=[track_row(version) for version in versions],
    )


def deletion_view(track: Track) -> DeletionView:
    """A track that was just deleted or restored."""
    step = "nothing; the track is restored"
    if track.deleted:
        step = f'it is in the trash folder; delete_track with track_id="{track.id}", restore=true restores it'
    return DeletionView(track=track_file(track), title=track.title, deleted=track.deleted, next_step=step)


def _file_facts(track: Track) -> dict[str, Any]:
    audio = track.sidecar.get("audio", {})
    return {
        "id": track.id,
        "uri": track.uri,
        "file_path": str(track.path),
        "duration": track.duration,
        "sample_rate": audio.get("sample_rate"),
        "channels": audio.get("channels"),
        "size": track.size,
        "parent": track.parent,
    }
