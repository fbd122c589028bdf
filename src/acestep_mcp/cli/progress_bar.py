"""Progress on stderr: a bar on a terminal, elsewhere one line per change."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import click

from acestep_mcp.library.models import Progress

Show = Callable[[Progress], None]


@contextlib.contextmanager
def shown() -> Iterator[Show]:
    """Gives a function that shows each progress: as a bar on a terminal, as lines elsewhere."""
    if sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _lines()


@contextlib.contextmanager
def _bar() -> Iterator[Show]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False)
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def show(progress: Progress) -> None:
            bar.update(task, completed=progress.fraction, description=_line(progress))

        yield show


def _line(progress: Progress) -> str:
    """Without control characters: the stage is a host's text."""
    return "".join(filter(str.isprintable, progress.describe()))


def _lines() -> Show:
    last: list[object] = [None]

    def show(progress: Progress) -> None:
        now = (progress.stage, progress.queue_position)
        if now != last[0]:
            last[0] = now
            click.echo(_line(progress), err=True)

    return show
