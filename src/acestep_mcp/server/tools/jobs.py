"""The tools for jobs: wait for one, list them, cancel one."""

from __future__ import annotations

from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict, Field

from acestep_mcp.server import answers
from acestep_mcp.server.tools.context import ToolContext, reporting
from acestep_mcp.server.tools.making import wait_for


class JobQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    job_id: str = Field("", description="Absent: lists the newest jobs.")
    limit: int = Field(10, ge=1, le=100, description="How many to list.")


async def get_job(context: ToolContext, query: JobQuery) -> CallToolResult:
    if not query.job_id:
        studio = await context.studio()
        studio.adopt_jobs()
        return answers.jobs_result(await studio.jobs(query.limit))
    async with reporting(context) as reporter:
        studio = await context.studio()
        await studio.outcome(query.job_id)  # raises for an unknown id before the wait
        return await wait_for(context, studio, query.job_id, reporter, logs=True)


class JobName(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    job_id: str = Field(description="The job_id of an answer.")


async def cancel_job(context: ToolContext, name: JobName) -> CallToolResult:
    outcome = await (await context.studio()).cancel(name.job_id)
    return answers.cancelled_result(outcome, context.url)
