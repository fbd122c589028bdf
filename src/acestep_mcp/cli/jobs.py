"""`acestep-mcp jobs`: list, show, wait for and cancel jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from acestep_mcp.cli.output import echo, job_facts, local_time, print_json, stopped, without_track
from acestep_mcp.cli.progress_bar import shown
from acestep_mcp.cli.request_options import takes_host_options
from acestep_mcp.cli.session import follow, load_settings, stoppable, with_studio
from acestep_mcp.library.models import Job, Outcome
from acestep_mcp.studio.build_views import about, job_list, stored_request

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Studio

_SHOWN_ELSEWHERE = ("audio", "seed", "tags", "lyrics", "edit", "track", "checks", "next_step", "logs")

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


class Listing(click.Group):
    """A group that runs its `list` command when no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Listing)
def jobs() -> None:
    """List, show, wait for or cancel jobs."""


@jobs.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many to list.")
@as_json_option
def list_jobs(limit: int, as_json: bool) -> None:
    """List jobs, newest first."""
    found: list[Job] = with_studio(lambda studio: studio.jobs(limit), load_settings())
    if as_json:
        print_json(job_list(found).facts())
        return
    for job in found:
        echo(f"{job.id}  {local_time(job.created_at)}  {job.status:<11}  {_summary(job)}")
    if not found:
        echo("No jobs yet. Make a song: acestep-mcp make --help", err=True)


@jobs.command()
@click.argument("job_id")
@as_json_option
def show(job_id: str, as_json: bool) -> None:
    """Show a job with its request and its last log lines."""
    outcome: Outcome = with_studio(lambda studio: studio.outcome(job_id), load_settings())
    facts, request = job_facts(outcome), stored_request(outcome.job)
    if as_json:
        print_json(facts | {"request": request, "logs": list(outcome.job.logs)})
        return
    for key, value in {"created_at": local_time(outcome.job.created_at), **facts}.items():
        if key not in _SHOWN_ELSEWHERE:
            echo(f"{key:<11} {_plain(key, value)}")
    if outcome.job.error:
        echo(f"{'error':<11} {outcome.job.error.message}")
    for key, value in request.items():
        lines = str(value).splitlines() or [""]
        echo(f"  {key}: {lines[0]}" if len(lines) == 1 else "\n    ".join([f"  {key}:", *lines]))
    for line in outcome.job.logs[-10:]:
        echo(f"  | {line}")
    if outcome.track:
        echo(f"{'file':<11} {outcome.track.path}")


@takes_host_options
@jobs.command()
@click.argument("job_id")
@as_json_option
def wait(job_id: str, as_json: bool, **host: Any) -> int:
    """Wait for a job and print the song's path.

    If the program that ran the job has ended, the job is finished here.
    """

    async def use(studio: Studio) -> Outcome:
        seen.append((await studio.outcome(job_id)).job)
        async with stoppable(studio, seen, created=False):
            with shown() as show:
                outcome = await follow(studio, job_id, show)
        await studio.delivered(job_id)
        return outcome

    seen: list[Job] = []
    try:
        outcome: Outcome = with_studio(use, load_settings(**host))
    except KeyboardInterrupt:
        return stopped(seen[-1] if seen else None, as_json=as_json)
    if outcome.track is None:
        return without_track(outcome, as_json=as_json)
    if as_json:
        print_json(job_facts(outcome))
    else:
        echo(str(outcome.track.path))
    return 0


@takes_host_options
@jobs.command()
@click.argument("job_id")
@as_json_option
def cancel(job_id: str, as_json: bool, **host: Any) -> int:
    """Cancel a job, wherever it runs.

    Exits with 1 if the job has not ended yet.
    """
    outcome: Outcome = with_studio(lambda studio: studio.cancel(job_id), load_settings(**host))
    if as_json:
        print_json(job_facts(outcome))
    else:
        echo(f"Job {job_id}: {outcome.job.status}")
    if not outcome.job.status.is_terminal:
        echo(
            "Cancellation requested; the process running this job has not confirmed it yet. "
            f"Check in a minute: acestep-mcp jobs show {job_id}",
            err=True,
        )
    return 0 if outcome.job.status.is_terminal else 1


def _plain(key: str, value: Any) -> Any:
    """A field of a job as people read it."""
    if key == "elapsed":
        return f"{value:.1f} s"
    if key == "sections":
        return ", ".join(f"{row['name']} {row['start']:.1f}-{row['end']:.1f} s" for row in value)
    return " ".join(value) if isinstance(value, list) else value


def _summary(job: Job) -> str:
    """What identifies a job in a list: its prompt or tags, with its progress; or why it failed."""
    if job.error:
        return job.error.message
    subject = about(job) or job.endpoint
    return subject if job.status.is_terminal else f"{subject} ({job.progress.describe()})"
