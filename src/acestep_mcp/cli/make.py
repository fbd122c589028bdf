"""`acestep-mcp make ENDPOINT`: make a song."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from acestep_mcp.api.endpoints import ENDPOINTS, Endpoint
from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.api.requests import ApiRequest
from acestep_mcp.cli.export import FORMATS, copy_to, format_of
from acestep_mcp.cli.output import echo, job_facts, made_by, print_json, stopped, without_track
from acestep_mcp.cli.play import play
from acestep_mcp.cli.progress_bar import shown
from acestep_mcp.cli.request_options import HOST_SETTINGS, given, host_options, request_options
from acestep_mcp.cli.session import follow, load_settings, stoppable, uninterrupted, with_studio
from acestep_mcp.library.models import Job, Outcome

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Studio

OWN = (
    click.Option(
        ["--out"],
        type=click.Path(path_type=Path),
        help="Also copy the song here; the file's ending chooses the format.",
    ),
    click.Option(["--format"], type=click.Choice(FORMATS), help="Format of the song's file. [default: ACESTEP_FORMAT]"),
    *host_options(),
    click.Option(["--play"], is_flag=True, help="Play the song when it is done."),
    click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON object instead of the path."),
)


@dataclass
class _MakeCommand:
    """One `make` command, and its job as soon as there is one (for the message after Ctrl-C)."""

    request: ApiRequest
    out: Path | None
    format: str | None
    as_json: bool
    seen: list[Job] = field(default_factory=list, init=False)
    """The job as it was last seen."""
    path: Path | None = field(default=None, init=False)

    async def make(self, studio: Studio) -> Outcome:
        async with stoppable(studio, self.seen, created=True):
            await uninterrupted(partial(self._start, studio))
            job = self.seen[-1]
            if job.attached:
                echo(f"The same request already has job {job.id}; waiting for that one.", err=True)
            with shown() as show:
                outcome = await follow(studio, job.id, show)
        if outcome.track:
            self.path = self._print(outcome, outcome.track.path)
        await studio.delivered(job.id)
        return outcome

    async def _start(self, studio: Studio) -> None:
        self.seen.append(await studio.start(self.request))

    def _print(self, outcome: Outcome, kept: Path) -> Path:
        path = copy_to(kept, self.out, self.format) if self.out else kept
        if self.as_json:
            print_json(job_facts(outcome) | ({"out": str(path)} if self.out else {}))
        else:
            for line in made_by(outcome.job):
                echo(line, err=True)
            echo(str(path))
        return path


@click.group()
def make() -> None:
    """Make a song. Each of the five endpoints has its own command."""


def _run(endpoint: Endpoint, values: dict[str, Any]) -> int:
    out, form, as_json, plays = (values.pop(name) for name in ("out", "format", "as_json", "play"))
    form, host = format_of(out, form), {name: values.pop(name) for name in HOST_SETTINGS}
    call = _MakeCommand(endpoint.request.parse(given(values)), out, form, as_json)
    try:
        outcome: Outcome = with_studio(call.make, load_settings(format=form, **host))
    except KeyboardInterrupt:
        return stopped(call.seen[-1] if call.seen else None, as_json=as_json)
    if outcome.track is None:
        return without_track(outcome, as_json=as_json)
    if plays and call.path:
        _play(call.path)
    return 0


def _play(song: Path) -> None:
    """The song is made: that it cannot be played here is a note."""
    try:
        play(song)
    except ConfigurationError as exc:
        echo(f"Note: {exc.message}", err=True)


def _command(endpoint: Endpoint) -> click.Command:
    return click.Command(
        endpoint.command,
        params=[*request_options(endpoint.request), *OWN],
        callback=lambda **values: _run(endpoint, values),
        help=endpoint.description,
        short_help=endpoint.title,
    )


for _endpoint in ENDPOINTS:
    make.add_command(_command(_endpoint))
