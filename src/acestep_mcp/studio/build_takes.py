"""What is shown of takes and of copies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from acestep_mcp.library.models import Outcome, Progress, Status, Track
from acestep_mcp.studio.comparison import Comparison
from acestep_mcp.studio.views import JobStatus, View


class TakeRow(View):
    """One job of a remake."""

    job_id: str
    status: JobStatus
    seed: int | None = None
    track: str | None = Field(default=None, description="Track id.")
    progress: str | None = None
    error: str | None = None


class TakesView(View):
    """The takes of a remake, and how those that are finished differ from the track they were made from."""

    takes: list[TakeRow] = Field(default_factory=list)
    cost: float | None = None
    comparison: Comparison | None = None
    next_step: str | None = None


class ExportView(View):
    """A copy of a track."""

    file_path: str
    format: str
    size: int
    track: str
    next_step: str | None = None


def takes_progress(progress: Sequence[Progress], cost: float) -> Progress:
    """The progress of all takes as one: their mean, and what they cost in all."""
    price = f", about ${cost:.4f} in all" if cost else ""
    described = "; ".join(dict.fromkeys(one.describe() for one in progress))
    takes = "1 take" if len(progress) == 1 else f"{len(progress)} takes"
    return Progress(sum(one.fraction for one in progress) / len(progress), f"{takes}{price}: {described}")


def takes_view(outcomes: Sequence[Outcome], comparison: Comparison | None) -> TakesView:
    """The jobs of a remake, in the order of their takes."""
    costs = [outcome.job.estimated_cost if outcome.job.cost is None else outcome.job.cost for outcome in outcomes]
    return TakesView(
        takes=[_row(outcome) for outcome in outcomes],
        cost=round(sum(costs), 6),
        comparison=comparison,
        next_step=_next_step(outcomes),
    )


def _row(outcome: Outcome) -> TakeRow:
    job = outcome.job
    return TakeRow(
        job_id=job.id,
        status=job.status,
        seed=getattr(job.request, "seed", None),
        track=outcome.track.id if outcome.track else None,
        progress=None if job.status.is_terminal else job.progress.describe(),
        error=f"{job.error.code}: {job.error.message}" if job.error else None,
    )


def _next_step(outcomes: Sequence[Outcome]) -> str:
    still = [outcome.job.id for outcome in outcomes if not outcome.job.status.is_terminal]
    if still:
        return f"call get_job with each of job_id {', '.join(still)}, then compare_tracks; do not start them again"
    if all(outcome.job.status is not Status.COMPLETED for outcome in outcomes):
        return "no take was made; change what the messages name, then call again"
    return "choose by the facts and let the user listen: give the file_path of each; delete_track what the user does not want"


def export_view(track: Track, path: Path) -> ExportView:
    return ExportView(
        file_path=str(path),
        format=path.suffix[1:].lower(),
        size=path.stat().st_size,
        track=track.id,
        next_step="give the user the file_path",
    )
