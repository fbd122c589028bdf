"""The context of a tool call, and its progress reports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import anyio
from mcp.types import CallToolResult
from pydantic import Field

from acestep_mcp.api.text import encodable
from acestep_mcp.server.delivery import Call, Calls
from acestep_mcp.server.lazy_studio import LazyStudio
from acestep_mcp.settings import Settings

if TYPE_CHECKING:
    from acestep_mcp.library.models import Progress, Track

HEARTBEAT_SECONDS = 4.0
_SMALLEST_STEP = 0.01
_MESSAGE_LENGTH = 200

TrackId = Annotated[str, Field(description="Its id or file name.")]


class Report(Protocol):
    """Sends one progress notification: a value, its total, a message."""

    def __call__(self, progress: float, total: float | None = None, message: str | None = None) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class ToolContext:
    """One tool call: the studio, the call itself, and how to report to its caller.

    `url` returns the URL of a track's file for the caller. `apps`: the host has said that it shows our player.
    """

    studio: LazyStudio
    calls: Calls
    call: Call
    settings: Settings
    url: Callable[[Track], str]
    report: Report
    idempotency_key: str | None = None
    apps: bool = False


Handler = Callable[[ToolContext, Any], Awaitable[CallToolResult]]


class ProgressReporter:
    """Progress notifications of one call: strictly increasing, at most 4 s apart, messages of at most 200 characters."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._value = -_SMALLEST_STEP
        self._message = "preparing"
        self._sent_at = anyio.current_time()

    async def send(self, progress: Progress | None = None) -> None:
        """Report a job's progress; without one, the same message again with a slightly higher value."""
        if progress is not None:
            self._message = encodable(progress.describe()[:_MESSAGE_LENGTH])
        fraction = 0.0 if progress is None else min(max(progress.fraction, 0.0), 1.0)
        self._value = 100 if fraction == 1 else round(max(self._value + _SMALLEST_STEP, 99 * fraction), 2)
        self._sent_at = anyio.current_time()
        await self._report(self._value, 100, self._message)

    async def heartbeat(self, scope: anyio.CancelScope) -> None:
        """Repeat the last message after every 4 s without one, until the scope is cancelled."""
        with scope:
            while True:
                await anyio.sleep(max(0.05, self._sent_at + HEARTBEAT_SECONDS - anyio.current_time()))
                if anyio.current_time() - self._sent_at >= HEARTBEAT_SECONDS:
                    await self.send()


@asynccontextmanager
async def reporting(context: ToolContext) -> AsyncIterator[ProgressReporter]:
    """Report progress during the block, with a heartbeat when nothing changes."""
    reporter = ProgressReporter(context.report)
    await reporter.send()
    scope = anyio.CancelScope()
    context.studio.run_until_cancelled(reporter.heartbeat, scope)
    try:
        yield reporter
    finally:
        scope.cancel()
