"""The tools that make a song, one for each endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from mcp.types import CallToolResult

from acestep_mcp.api.requests import ApiRequest
from acestep_mcp.server import answers
from acestep_mcp.server.tools.context import ProgressReporter, ToolContext, reporting

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Studio


async def make(context: ToolContext, request: ApiRequest) -> CallToolResult:
    """Start a job for the request and answer with its song, or with the job if that takes longer."""
    async with reporting(context) as reporter:
        studio = await context.studio()
        # Shielded: a call that is cancelled while its job is being stored must still know the job.
        with anyio.CancelScope(shield=True):
            job = await studio.start(request, idempotency_key=context.idempotency_key)
        context.calls.assign_job(context.call, job.id)
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
    context.call.answered_job = job_id
    outcome = await studio.outcome(job_id)
    return answers.job_result(outcome, context.url, attached=attached, logs=logs, apps=context.apps)
