"""`acestep-mcp make ENDPOINT`: a song from the command line."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acestep_mcp.cli.keep import FORMATS, format_of, place
from acestep_mcp.cli.options import given, request_options
from acestep_mcp.cli.output import ended_badly, failure, job_json, outcome_json, print_json
from acestep_mcp.cli.progress import shown
from acestep_mcp.cli.session import follow, with_studio
from acestep_mcp.endpoints import ENDPOINTS, Endpoint
from acestep_mcp.library import Job
from acestep_mcp.settings import load

if TYPE_CHECKING:
    from acestep_mcp.studio import Outcome, Studio

OWN = (
    click.Option(
        ["--out"], type=click.Path(path_type=Path), help="Also copy the song here; the ending gives the format."
    ),
    click.Option(["--format"], type=click.Choice(FORMATS), help="Format of the kept file."),
    click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON object instead of the path."),
)


@dataclass
class _Call:
    """One `make`: what was asked, and the job as soon as there is one (Ctrl-C speaks of it)."""

    tool: str
    arguments: dict[str, Any]
    out: Path | None
    format: str | None
    as_json: bool
    job: Job | None = field(default=None, init=False)

    async def make(self, studio: Studio) -> Outcome:
        self.job = await studio.start(self.tool, self.arguments)
        if self.job.attached:
            click.echo(f"The same request is already there as job {self.job.id}; waiting for that one.", err=True)
        with shown() as show:
            outcome = await follow(studio, self.job.id, show)
        if outcome.track:
            self._hand_over(outcome, outcome.track.path)
        await studio.delivered(self.job.id)
        return outcome

    def _hand_over(self, outcome: Outcome, kept: Path) -> None:
        path = place(kept, self.out, self.format) if self.out else kept
        if self.as_json:
            print_json(outcome_json(outcome) | ({"out": str(path)} if self.out else {}))
        else:
            for note in outcome.job.notes:
                click.echo(f"Note: {note}", err=True)
            click.echo(str(path))


@click.group()
def make() -> None:
    """Make a song: one command for each of the five endpoints."""


def _run(tool: str, values: dict[str, Any]) -> int:
    out, form, as_json = values.pop("out"), values.pop("format"), values.pop("as_json")
    form = format_of(out, form)
    call = _Call(tool, given(values), out, form, as_json)
    try:
        outcome: Outcome = with_studio(call.make, load(format=form))
    except KeyboardInterrupt:
        return _stopped(call)
    if outcome.track is None:
        error = ended_badly(outcome.job)
        if not as_json:
            raise error
        print_json(failure(error) | {"job": job_json(outcome.job)})
        return 1
    return 0


def _stopped(call: _Call) -> int:
    """Ctrl-C ends the waiting, never the job."""
    if call.job is None:
        words = "Stopped before there was a job; nothing was started."
    else:
        goes_on = (
            "was stopped on the way and stays on record; the next start takes it up again."
            if call.job.backend == "draft"
            else f"goes on at {call.job.queue_url or call.job.backend}."
        )
        words = (
            f"Stopped waiting. Job {call.job.id} {goes_on} "
            f"To have it: acestep-mcp jobs wait {call.job.id}. To drop it: acestep-mcp jobs cancel {call.job.id}."
        )
    if call.as_json:
        print_json(
            {"error": {"code": "interrupted", "message": words}} | ({"job": job_json(call.job)} if call.job else {})
        )
    else:
        click.echo(words, err=True)
    return 130


def _command(endpoint: Endpoint) -> click.Command:
    return click.Command(
        endpoint.command,
        params=[*request_options(endpoint.request), *OWN],
        callback=lambda **values: _run(endpoint.tool, values),
        help=endpoint.description,
        short_help=endpoint.title,
    )


for _endpoint in ENDPOINTS:
    make.add_command(_command(_endpoint))
