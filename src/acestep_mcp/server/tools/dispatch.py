"""Running a tool call. Everything that only a call needs is imported from here, after the server has started."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult

from acestep_mcp.api.errors import AceStepError, isolated
from acestep_mcp.api.parsing import parse
from acestep_mcp.server import answers
from acestep_mcp.server.tools.context import ToolContext
from acestep_mcp.server.tools.table import BY_NAME

logger = logging.getLogger(__name__)


async def call_tool(
    name: str, arguments: dict[str, Any], context: Callable[[], ToolContext], problems: tuple[str, ...]
) -> CallToolResult:
    """The answer of one call; an error, also an unexpected one, is an answer with `problems` of the settings.

    Raises ToolError for an unknown tool.
    """
    tool = BY_NAME.get(name)
    if tool is None:
        raise ToolError(f"Unknown tool: {name[:80]}. The tools are {', '.join(BY_NAME)}.")
    try:
        with isolated(logger, "tool %s failed", name):
            return await tool.handler(context(), parse(tool.arguments, arguments))
    except AceStepError as error:
        return answers.error_result(error, problems)
    return answers.bug_result(name, problems)
