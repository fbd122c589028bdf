"""What is printed: one JSON object, or lines for people."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from acestep_mcp.api.errors import AceStepError, GenerationFailed, InvalidRequest, JobCancelled
from acestep_mcp.library.models import Job, Status, Track

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Outcome


def print_json(answer: dict[str, Any]) -> None:
    """Exactly one object on stdout, with escapes only where stdout cannot carry the letters themselves."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(answer, ensure_ascii=not unicode, indent=2, default=str))


def failure(exc: AceStepError) -> dict[str, Any]:
    error: dict[str, Any] = {"code": exc.code, "message": exc.message}
    if isinstance(exc, InvalidRequest) and exc.fields:
        error["fields"] = [field.detail() for field in exc.fields]
    return {"error": error}


def track_json(track: Track) -> dict[str, Any]:
    audio = track.sidecar.get("audio", {})
    return {
        "id": track.id,
        "uri": track.uri,
        "file_path": str(track.path),
        "title": track.title,
        "duration": track.duration,
        "sample_rate": audio.get("sample_rate"),
        "channels": audio.get("channels"),
        "size": track.size,
        "content_type": track.content_type,
        "parent": track.sidecar.get("parent"),
        "created_at": track.created_at,
    }


def job_json(job: Job) -> dict[str, Any]:
    """The job as people and scripts need it; what it does not have is left out."""
    told: dict[str, Any] = {
        "id": job.id,
        "status": str(job.status),
        "endpoint": job.endpoint,
        "backend": job.backend,
        "request_id": job.request_id,
        "created_at": job.created_at,
        "elapsed": job.elapsed,
        "progress": None if job.status.is_terminal else job.progress.describe(),
        "track_id": job.track_id,
        "cost": job.cost,
        "notes": list(job.notes) or None,
        "error": job.error,
        "attached": job.attached or None,
    }
    return {key: value for key, value in told.items() if value is not None}


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """The response's fields, then `track` and `job`; without a track only the job."""
    if outcome.track is None:
        return {"job": job_json(outcome.job)}
    told = _response(outcome.job, outcome.track)
    return told | {"track": track_json(outcome.track), "job": job_json(outcome.job)}


def _response(job: Job, track: Track) -> dict[str, Any]:
    """As the host gave it; the embedded engine's own address ends with this process, so the kept file's stands there."""
    told: dict[str, Any] = {name: track.sidecar.get(name) for name in ("seed", "tags", "lyrics")} | (job.result or {})
    if job.backend == "draft" or "audio" not in told:
        told["audio"] = {
            "url": track.path.as_uri(),
            "content_type": track.content_type,
            "file_name": track.path.name,
            "file_size": track.size,
        }
    return told


def _ended_badly(job: Job) -> AceStepError:
    """The error of a job that ended without a track."""
    if job.status is Status.CANCELLED:
        return JobCancelled(f"Job {job.id} was cancelled; there is no track.")
    said = (job.error or {}).get("message") or "it ended without a track and without a reason"
    exc = GenerationFailed(f"Job {job.id}: {said}")
    exc.code = (job.error or {}).get("code", exc.code)
    return exc


def remarks(job: Job) -> list[str]:
    """What a person should read before the path: who made it, what was written for it, and every note."""
    result = job.result or {}
    ours = result.get("acestep") or {}
    lines = ["Made by the draft engine: a sketch, not ACE-Step."] if ours.get("engine") == "draft" else []
    if "prompt" in job.request:
        lines += [f"Tags: {result.get('tags')}", f"Lyrics:\n{result.get('lyrics')}"]
    return [*lines, *(f"Note: {note}" for note in dict.fromkeys([*job.notes, *ours.get("notes", ())]))]


def without_track(job: Job, *, as_json: bool) -> int:
    """Say why a job that has ended has no track; raises that as an error unless it is printed as JSON."""
    error = _ended_badly(job)
    if not as_json:
        raise error
    print_json(failure(error) | {"job": job_json(job)})
    return 1


def stopped(job: Job | None, *, as_json: bool) -> int:
    """Say what becomes of a job after Ctrl-C: it ends the waiting, never the job."""
    words = _after_ctrl_c(job) if job else "Stopped before there was a job; nothing was started."
    if as_json:
        error = {"error": {"code": "interrupted", "message": words}}
        print_json(error | {"job": job_json(job)} if job else error)
    else:
        click.echo(words, err=True)
    return 130


def _after_ctrl_c(job: Job) -> str:
    goes_on = (
        "was stopped on the way and stays on record; the next start takes it up again."
        if job.backend == "draft"
        else f"goes on at {job.queue_url or job.backend}."
    )
    return (
        f"Stopped waiting. Job {job.id} {goes_on} "
        f"To have it: acestep-mcp jobs wait {job.id}. To drop it: acestep-mcp jobs cancel {job.id}."
    )


def local_time(seconds: float) -> str:
    """`2026-11-22 14:03`, in local time."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def clock(seconds: float) -> str:
    """`3:05` for 185 s."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
