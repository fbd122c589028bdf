"""A studio for one command."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from acestep_mcp.api import logs
from acestep_mcp.api.errors import AceStepError
from acestep_mcp.library.models import Job, Outcome, Progress
from acestep_mcp.settings import Settings, load

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Studio

T = TypeVar("T")


def load_settings(**given: Any) -> Settings:
    """The settings of a command that ends; what it logs, and the traceback of a bug, contain none of their keys."""
    settings = load(**given)
    logs.configure("WARNING", secrets=settings.secrets, serves=False)
    return settings


def with_studio(use: Callable[[Studio], Awaitable[T]], settings: Settings) -> T:
    """Run `use` with an open studio; returns what it returns and raises what it raises."""
    answer: T = anyio.run(_inside, use, settings)
    return answer


async def _inside(use: Callable[[Studio], Awaitable[Any]], settings: Settings) -> Any:
    from acestep_mcp.assembly import open_studio

    # Raised outside the studio's task group, which would wrap it in an ExceptionGroup.
    failed: AceStepError | None = None
    answer: Any = None
    async with open_studio(settings, working_dir=Path.cwd()) as studio:
        try:
            answer = await use(studio)
        except AceStepError as exc:
            failed = exc
    if failed:
        raise failed
    return answer


async def follow(studio: Studio, job_id: str, show: Callable[[Progress], None]) -> Outcome:
    """Watch a job until it ends."""
    while True:
        async for progress in studio.watch(job_id, 3600):
            show(progress)
        outcome = await studio.outcome(job_id)
        if outcome.job.status.is_terminal:
            return outcome


async def uninterrupted(function: Callable[[], Awaitable[None]]) -> None:
    """Run it in a task of its own, which a Ctrl-C does not interrupt; the Ctrl-C takes effect when it has ended."""
    failed: list[AceStepError] = []

    async def run() -> None:
        with anyio.CancelScope(shield=True):
            try:
                await function()
            except AceStepError as exc:
                failed.append(exc)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
    if failed:
        raise failed[0]


@asynccontextmanager
async def stoppable(studio: Studio, seen: list[Job], *, created: bool) -> AsyncIterator[None]:
    """Ctrl-C inside stops the last job of `seen` too, if that saves money or work, and adds it as it is then.

    `created`: this command made the job, unless the job says that it was attached. A second Ctrl-C ends the program.
    """
    try:
        yield
    except anyio.get_cancelled_exc_class():
        with anyio.CancelScope(shield=True), suppress(AceStepError):
            if seen:
                job = seen[-1]
                seen.append(await studio.stop(job.id, created=created and not job.attached))
        raise
