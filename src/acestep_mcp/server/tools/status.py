"""The tool that shows the setup."""

from __future__ import annotations

from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict

from acestep_mcp.api.errors import AceStepError
from acestep_mcp.server import answers
from acestep_mcp.server.tools.context import ToolContext


class NoArguments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


async def status(context: ToolContext, _: NoArguments) -> CallToolResult:
    try:
        return answers.status_result(await (await context.studio()).status())
    except AceStepError as error:
        # This tool reports problems, so it must answer when everything else fails.
        settings = context.settings
        problems = [f"{error.code}: {error.message}", *settings.problems]
        return answers.problems_result(problems, music_dir=settings.music_dir, data_dir=settings.data_dir)
