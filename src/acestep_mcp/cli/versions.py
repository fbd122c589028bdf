"""`acestep-mcp tracks remake`, `remake-section`, `mark` and `compare`: takes and versions of a song."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import anyio
import click

from acestep_mcp.cli.jobs import as_json_option
from acestep_mcp.cli.output import echo, made_by, print_json, stopped, without_track
from acestep_mcp.cli.progress_bar import Show, shown
from acestep_mcp.cli.request_options import HOST_SETTINGS, LYRICS, given, takes_host_options
from acestep_mcp.cli.session import follow, load_settings, stoppable, uninterrupted, with_studio
from acestep_mcp.library.models import Job, Outcome, Progress, Track
from acestep_mcp.studio.build_takes import takes_progress, takes_view
from acestep_mcp.studio.build_views import track_view
from acestep_mcp.studio.comparison import Comparison

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Studio


@dataclass
class _TakesCommand:
    """One command that makes songs from a song. `start` stores the jobs; `seen` holds each as it was last seen."""

    source: str
    start: Callable[[Studio], Awaitable[list[Job]]]
    as_json: bool
    compares: bool
    jobs: list[Job] = field(default_factory=list, init=False)
    stopped_jobs: list[Job] = field(default_factory=list, init=False)

    async def make(self, studio: Studio) -> list[Outcome]:
        async with stoppable(studio, self.stopped_jobs, created=True):
            await uninterrupted(partial(self._start, studio))
            with shown() as show:
                outcomes = await self._follow(studio, show)
        await self._print(studio, outcomes)
        for job in self.jobs:
            await studio.delivered(job.id)
        return outcomes

    async def _start(self, studio: Studio) -> None:
        self.jobs = await self.start(studio)
        self.stopped_jobs += self.jobs

    async def _follow(self, studio: Studio, show: Show) -> list[Outcome]:
        progress = {job.id: job.progress for job in self.jobs}
        cost = sum(job.estimated_cost for job in self.jobs if not job.attached)
        outcomes: dict[str, Outcome] = {}

        async def follow_one(job_id: str) -> None:
            def tell(now: Progress) -> None:
                progress[job_id] = now
                show(takes_progress(list(progress.values()), cost))

            outcomes[job_id] = await follow(studio, job_id, tell)

        show(takes_progress(list(progress.values()), cost))
        async with anyio.create_task_group() as tasks:
            for job in self.jobs:
                tasks.start_soon(follow_one, job.id)
        return [outcomes[job.id] for job in self.jobs]

    async def _print(self, studio: Studio, outcomes: Sequence[Outcome]) -> None:
        finished = [outcome for outcome in outcomes if outcome.track]
        if not finished:
            return
        names = [self.source, *(outcome.track.id for outcome in finished if outcome.track)]
        comparison = await studio.catalogue.compare(names)
        if self.as_json:
            print_json(takes_view(outcomes, comparison).facts())
            return
        for line in dict.fromkeys(line for outcome in finished for line in made_by(outcome.job)):
            echo(line, err=True)
        if self.compares:
            _echo_table(comparison, err=True)
        for outcome in finished:
            echo(str(outcome.track.path if outcome.track else ""))


def _run(command: _TakesCommand, host: dict[str, Any]) -> int:
    try:
        outcomes: list[Outcome] = with_studio(command.make, load_settings(**host))
    except KeyboardInterrupt:
        return stopped(command.stopped_jobs[-1] if command.stopped_jobs else None, as_json=command.as_json)
    failed = [outcome for outcome in outcomes if outcome.track is None]
    if failed and (len(failed) == len(outcomes) or not command.as_json):
        return without_track(failed[0], as_json=command.as_json)
    return 1 if failed else 0


@click.command()
@click.argument("name")
@click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Change a field of its request.")
@click.option("--takes", type=click.IntRange(1, 4), default=1, show_default=True, help="How many; each is paid for.")
@as_json_option
def remake(name: str, changes: tuple[str, ...], takes: int, as_json: bool, **host: Any) -> int:
    """Make a song again, with other seeds or changed fields. Two takes are made at a time."""
    changed = dict(_change(text) for text in changes)

    async def start(studio: Studio) -> list[Job]:
        return await studio.remake(name, changed, takes)

    return _run(_TakesCommand(name, start, as_json, compares=True), host)


def _change(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise click.UsageError(f"--set {text[:60]!r} must be FIELD=VALUE, such as --set tags='jazz, piano'.")
    name = name.strip().replace("-", "_")
    if value == "null":
        return name, None
    return name, LYRICS.convert(value, None, None) if name.endswith("lyrics") else value


@click.command("remake-section")
@click.argument("name")
@click.argument("section")
@click.option("--tags", help="[default: the song's]")
@click.option(
    "--lyrics",
    type=LYRICS,
    help=r"Its new words; @FILE reads them from a file, \n is a line break. [default: as they are]",
)
@click.option("--variance", type=click.FloatRange(0, 1), help="0.2: a touch-up, 1: something else. [default: 0.5]")
@click.option("--seed", type=int, help="[default: a random one]")
@as_json_option
def remake_section(name: str, section: str, as_json: bool, **options: Any) -> int:
    """Make one section of a song again. It is given by its name ("chorus 2"); the rest stays as it is."""
    host = {key: options.pop(key) for key in HOST_SETTINGS}

    async def start(studio: Studio) -> list[Job]:
        return [await studio.start(await studio.section_request(name, section, given(options)))]

    return _run(_TakesCommand(name, start, as_json, compares=False), host)


@click.command()
@click.argument("name")
@click.argument("sections", nargs=-1, metavar="[SECTION=START-END]...")
@click.option("--clear", is_flag=True, help="Remove the sections.")
@as_json_option
def mark(name: str, sections: tuple[str, ...], clear: bool, as_json: bool) -> None:
    """Name the sections of a song. Each has its times in seconds: "verse=0-12.5" "chorus=12.5-20".

    Edits of the song inherit them. Without END a section lasts until the next one. Without any, the sections are shown.
    """
    marks = [_mark(text) for text in sections]
    if marks and clear:
        raise click.UsageError("Give either sections or --clear.")

    async def marked(studio: Studio) -> Track:
        return await (studio.catalogue.mark(name, marks) if marks or clear else studio.catalogue.get(name))

    track: Track = with_studio(marked, load_settings())
    view = track_view(track)
    if as_json:
        print_json(view.facts())
        return
    for section in view.sections or ():
        echo(f"{section.start:>8.2f} {section.end:>8.2f}  {section.name}")
    if not view.sections:
        echo("The song's sections are unknown.", err=True)


def _mark(text: str) -> dict[str, Any]:
    name, _, span = text.rpartition("=")
    start, dash, end = span.partition("-")
    try:
        return {"name": name, "start": float(start), "end": float(end) if dash and end else None}
    except ValueError as exc:
        raise click.UsageError(f"{text[:60]!r} must be NAME=START-END in seconds, such as chorus=12.5-20.") from exc


@click.command()
@click.argument("names", nargs=-1, required=True)
@click.option("--picture", type=click.File("xb", lazy=True), help="Draw all of them, in this order: a new PNG.")
@as_json_option
def compare(names: tuple[str, ...], picture: IO[bytes] | None, as_json: bool) -> None:
    """Compare 2 to 6 songs side by side. Shows what was measured, and where their requests differ."""

    async def compared(studio: Studio) -> Comparison:
        found = await studio.catalogue.compare(names)
        if picture is not None:
            picture.write(await studio.catalogue.pictures(names))
        return found

    view: Comparison = with_studio(compared, load_settings())
    if as_json:
        print_json(view.facts())
        return
    _echo_table(view, err=False)


def _echo_table(view: Comparison, *, err: bool) -> None:
    measured = [[name, *map(_cell, values)] for name, values in view.measured.items()]
    differing = [[name, *map(_cell, values)] for name, values in view.differences.items()]
    rows = [["", *(track.id for track in view.tracks)], *measured, ["asked for:"], *differing]
    widths = [min(40, max(len(row[column]) for row in rows if column < len(row))) for column in range(len(rows[0]))]
    for row in rows if differing else rows[:-1]:
        echo("  ".join(cell[:40].ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip(), err=err)


def _cell(value: Any) -> str:
    return "-" if value is None else str(value)


COMMANDS = (takes_host_options(remake), takes_host_options(remake_section), mark, compare)
