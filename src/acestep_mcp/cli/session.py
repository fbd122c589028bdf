"""A studio for one command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from acestep_mcp.api.errors import AceStepError
from acestep_mcp.library.models import Outcome, Progress
from acestep_mcp.settings import Settings

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Studio

T = TypeVar("T")


def with_studio(use: Callable[[Studio], Awaitable[T]], settings: Settings) -> T:
    """Run `use` with an open studio; returns what it returns and raises what it raises."""
    import anyio

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
