"""Output of the commands: one JSON object, or lines for people."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

import click

from acestep_mcp.api.errors import AceStepError, GenerationFailed, InvalidRequest, JobCancelled
from acestep_mcp.api.text import visible, visible_json
from acestep_mcp.cli.next_command import next_command
from acestep_mcp.library.models import Job, Outcome, Status
from acestep_mcp.studio.build_views import job_view


def echo(text: str, *, err: bool = False) -> None:
    """Print text for a person. What hosts, files and sidecars say is in it, so control characters are shown, not sent."""
    click.echo(visible(text), err=err)


def print_json(answer: dict[str, Any]) -> None:
    """Print one object to stdout, escaping non-ASCII characters only if stdout is not UTF-8."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    click.echo(visible_json(json.dumps(answer, ensure_ascii=not unicode, indent=2, default=str)))


def job_facts(outcome: Outcome) -> dict[str, Any]:
    """What the MCP tools answer about a job, with the next step as a command."""
    return job_view(outcome).facts() | {"next_step": next_command(outcome)}


def failure(exc: AceStepError) -> dict[str, Any]:
    error: dict[str, Any] = {"code": exc.code, "message": exc.message}
    if isinstance(exc, InvalidRequest) and exc.fields:
        error["fields"] = [field.detail() for field in exc.fields]
    return {"error": error}


def _error_of(job: Job) -> AceStepError:
    """The error of a job that ended without a track."""
    if job.status is Status.CANCELLED:
        return JobCancelled(f"Job {job.id} was cancelled; there is no track.")
    if job.error is None:
        return GenerationFailed(f"Job {job.id} ended without a track and without a reason.")
    collect = f" To do so: acestep-mcp jobs wait {job.id}." if job.error.collectable else ""
    exc = GenerationFailed(f"Job {job.id}: {job.error.message}{collect}")
    exc.code = job.error.code
    return exc


def made_by(job: Job) -> list[str]:
    """Lines to print before the path: the draft's warning, the text written for a prompt, and notes."""
    report = job.result.report if job.result else None
    lines = ["Made by the draft engine: a sketch, not ACE-Step."] if report and report.engine == "draft" else []
    if hasattr(job.request, "prompt") and job.result:
        lines += [f"Tags: {job.result.tags}", f"Lyrics:\n{job.result.lyrics}"]
    return [*lines, *(f"Note: {note}" for note in dict.fromkeys([*job.notes, *(report.notes if report else ())]))]


def without_track(outcome: Outcome, *, as_json: bool) -> int:
    """Raise why a job ended without a track, or print it as JSON and return 1."""
    error = _error_of(outcome.job)
    if not as_json:
        raise error
    print_json(failure(error) | job_facts(outcome))
    return 1


def stopped(job: Job | None, *, as_json: bool) -> int:
    """Print what became of a job after Ctrl-C; returns 130."""
    message = _after_ctrl_c(job) if job else "Stopped before a job was created; nothing was started."
    if as_json:
        error = {"error": {"code": "interrupted", "message": message}}
        print_json(error | job_facts(Outcome(job)) if job else error)
    else:
        echo(message, err=True)
    return 130


def _after_ctrl_c(job: Job) -> str:
    if job.status is Status.CANCELLED:
        return f"Stopped. Job {job.id} is cancelled; no song was made and nothing was billed."
    if job.status.is_terminal:
        return f"Stopped. Job {job.id} had ended already ({job.status}). To see it: acestep-mcp jobs show {job.id}."
    state = f"continues at {job.queue_url or job.backend}"
    if job.request_id is None or job.backend == "draft":
        state = "is not being made now, and no other command goes on with it"
    return (
        f"Stopped waiting. Job {job.id} {state}. "
        f"To get the song: acestep-mcp jobs wait {job.id}. To cancel it: acestep-mcp jobs cancel {job.id}."
    )


def local_time(seconds: float) -> str:
    """`2026-11-22 14:03`, in local time."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def clock(seconds: float) -> str:
    """`3:05` for 185 s."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
