"""The tools that make a song, one for each endpoint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio
from mcp.types import CallToolResult

from acestep_mcp.api.requests import ApiRequest
from acestep_mcp.server import answers
from acestep_mcp.server.tools.context import ProgressReporter, ToolContext, reporting
from acestep_mcp.studio.build_takes import takes_progress

if TYPE_CHECKING:
    from acestep_mcp.library.models import Job
    from acestep_mcp.studio.studio import Studio


async def make(context: ToolContext, request: ApiRequest) -> CallToolResult:
    """Start a job for the request and answer with its song, or with the job if that takes longer."""
    async with reporting(context) as reporter:
        studio = await context.studio()
        # Shielded: a call that is cancelled while its job is being stored must still know the job.
        with anyio.CancelScope(shield=True):
            job = await studio.start(request, idempotency_key=context.idempotency_key)
        context.calls.assign_jobs(context.call, job.id)
        return await wait_for(context, studio, job.id, reporter, attached=job.attached)


async def wait_for(
    context: ToolContext,
    studio: Studio,
    job_id: str,
    reporter: ProgressReporter,
    *,
    attached: bool = False,
    logs: bool = False,
) -> CallToolResult:
    """Follow the job for up to `wait_seconds`, then answer with its state.

    `attached`: the call joined an older job. `logs`: include the last log lines.
    """
    with context.studio.waiting():
        async for progress in studio.watch(job_id, context.settings.wait_seconds):
            await reporter.send(progress)
    context.call.answered_jobs = (job_id,)
    outcome = await studio.outcome(job_id)
    return answers.job_result(outcome, context.url, attached=attached, logs=logs, apps=context.apps)


async def wait_for_takes(
    context: ToolContext, studio: Studio, source: str, jobs: Sequence[Job], reporter: ProgressReporter
) -> CallToolResult:
    """Follow all jobs for up to `wait_seconds`, then answer with their state and what differs from the `source`."""
    progress = {job.id: job.progress for job in jobs}
    cost = sum(job.estimated_cost for job in jobs if not job.attached)

    async def follow(job_id: str) -> None:
        async for now in studio.watch(job_id, context.settings.wait_seconds):
            progress[job_id] = now
            await reporter.send(takes_progress(list(progress.values()), cost))

    await reporter.send(takes_progress(list(progress.values()), cost))
    with context.studio.waiting():
        async with anyio.create_task_group() as tasks:
            for job in jobs:
                tasks.start_soon(follow, job.id)
    outcomes = [await studio.outcome(job.id) for job in jobs]
    finished = [outcome.track.id for outcome in outcomes if outcome.track is not None and not outcome.track.deleted]
    comparison = await studio.catalogue.compare([source, *finished]) if finished else None
    return answers.takes_result(outcomes, comparison)
