"""What is printed: one JSON object, or lines for people."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import click

from acestep_mcp.api.errors import AceStepError, GenerationFailed, InvalidRequest, JobCancelled
from acestep_mcp.api.requests import PromptToAudio
from acestep_mcp.api.responses import EngineReport
from acestep_mcp.library.models import Job, Outcome, Status
from acestep_mcp.studio.build_views import job_view


def print_json(answer: dict[str, Any]) -> None:
    """Exactly one object on stdout, with escapes only where stdout cannot carry the letters themselves."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(answer, ensure_ascii=not unicode, indent=2, default=str))


def failure(exc: AceStepError) -> dict[str, Any]:
    error: dict[str, Any] = {"code": exc.code, "message": exc.message}
    if isinstance(exc, InvalidRequest) and exc.fields:
        error["fields"] = [field.detail() for field in exc.fields]
    return {"error": error}


def _ended_badly(job: Job) -> AceStepError:
    """The error of a job that ended without a track."""
    if job.status is Status.CANCELLED:
        return JobCancelled(f"Job {job.id} was cancelled; there is no track.")
    if job.error is None:
        return GenerationFailed(f"Job {job.id}: it ended without a track and without a reason")
    exc = GenerationFailed(f"Job {job.id}: {job.error.message}")
    exc.code = job.error.code
    return exc


def made_by(job: Job) -> list[str]:
    """What a person should read before the path: the draft's warning, what was written for a prompt, every note."""
    report = job.result.report if job.result else EngineReport()
    lines = ["Made by the draft engine: a sketch, not ACE-Step."] if report.engine == "draft" else []
    if isinstance(job.request, PromptToAudio) and job.result:
        lines += [f"Tags: {job.result.tags}", f"Lyrics:\n{job.result.lyrics}"]
    return [*lines, *(f"Note: {note}" for note in dict.fromkeys([*job.notes, *report.notes]))]


def without_track(outcome: Outcome, *, as_json: bool) -> int:
    """Say why a job that has ended has no track; raises that as an error unless it is printed as JSON."""
    error = _ended_badly(outcome.job)
    if not as_json:
        raise error
    print_json(failure(error) | job_view(outcome).facts())
    return 1


def stopped(job: Job | None, *, as_json: bool) -> int:
    """Say what becomes of a job after Ctrl-C: it ends the waiting, never the job."""
    words = _after_ctrl_c(job) if job else "Stopped before there was a job; nothing was started."
    if as_json:
        error = {"error": {"code": "interrupted", "message": words}}
        print_json(error | job_view(Outcome(job)).facts() if job else error)
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
