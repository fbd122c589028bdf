"""The studio of one server, opened at the first call that needs it and closed at the end.

Hosts start a server just to list its tools, sometimes twice: until a call needs the studio, no database or folder is
created and nothing heavy is imported.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskGroup

from acestep_mcp.api.errors import AceStepError, isolated

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Studio


OpenStudio = Callable[[], "AbstractAsyncContextManager[Studio]"]
Background = Callable[["Studio"], Coroutine[Any, Any, None]]
"""Runs as long as the studio is open."""

logger = logging.getLogger(__name__)

_RUN_SOON_SECONDS = 5.0


class LazyStudio:
    """Calling it returns the open studio. It also runs the server's tasks that outlive a call."""

    def __init__(
        self, open_studio: OpenStudio, background: Background, tasks: TaskGroup, short_tasks: TaskGroup
    ) -> None:
        self._open_studio = open_studio
        self._background = background
        self._tasks = tasks
        self._short_tasks = short_tasks
        self._closing = anyio.Event()
        self._attempt: _Attempt | None = None
        self._waits: set[anyio.CancelScope] = set()
        self._ending = False

    async def __call__(self) -> Studio:
        """The studio; the first call opens it. Raises what opening raises; the next call then tries again.

        Opening runs in its own task: a call that is cancelled meanwhile returns at once, and others get the studio.
        """
        if self._attempt is None:
            self._attempt = _Attempt()
            self._tasks.start_soon(self._keep_open, self._attempt)
        return await self._attempt.studio()

    async def _keep_open(self, attempt: _Attempt) -> None:
        error: Exception | None
        try:
            with isolated(logger, "the studio failed because of a bug; the next call opens it again") as run:
                await self._hold_open(attempt)
            error = run.error
        except AceStepError as exc:
            error = exc
            if attempt.is_over:
                logger.warning("the studio failed; the next call opens it again: %s", exc.message)
        if error is not None:
            self._attempt = None
            attempt.fail(error)

    async def _hold_open(self, attempt: _Attempt) -> None:
        # Opened and closed in one task, as its task groups require; shielded, so that a signal closes it in order.
        with anyio.CancelScope(shield=True):
            async with self._open_studio() as studio, anyio.create_task_group() as background:
                background.start_soon(self._background, studio)
                attempt.succeed(studio)
                await self._closing.wait()
                background.cancel_scope.cancel()

    def run_soon(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run this for at most 5 s, even if the call that started it ends."""
        self._short_tasks.start_soon(self._run, work)

    @staticmethod
    async def _run(work: Callable[[], Awaitable[object]]) -> None:
        with anyio.move_on_after(_RUN_SOON_SECONDS, shield=True):
            try:
                with isolated(logger, "how a call ended could not be recorded because of a bug"):
                    await work()
            except AceStepError as error:
                logger.warning("how a call ended could not be recorded: %s", error.message)

    def run_until_cancelled(
        self, work: Callable[[anyio.CancelScope], Coroutine[Any, Any, None]], scope: anyio.CancelScope
    ) -> None:
        """Run this in parallel to a call until its scope is cancelled."""
        self._tasks.start_soon(self._run_alongside, work, scope)

    @staticmethod
    async def _run_alongside(
        work: Callable[[anyio.CancelScope], Coroutine[Any, Any, None]], scope: anyio.CancelScope
    ) -> None:
        try:
            with isolated(logger, "a task beside a call failed because of a bug"):
                await work(scope)
        except AceStepError as error:
            logger.warning("a task beside a call failed: %s", error.message)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A block that `end_waits` cancels, so that the call can still answer."""
        with anyio.CancelScope() as scope:
            self._waits.add(scope)
            if self._ending:
                scope.cancel()
            try:
                yield
            finally:
                self._waits.discard(scope)

    def end_waits(self) -> None:
        """The server is stopping: calls that wait answer with their job now. No job is cancelled."""
        self._ending = True
        for scope in tuple(self._waits):
            scope.cancel()

    def close(self) -> None:
        self._closing.set()


class _Attempt:
    """One attempt to open the studio; any number of calls wait for it."""

    def __init__(self) -> None:
        self._over = anyio.Event()
        self._studio: Studio | None = None
        self._error: Exception | None = None

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    def succeed(self, studio: Studio) -> None:
        self._studio = studio
        self._over.set()

    def fail(self, error: Exception) -> None:
        self._error = error
        self._over.set()

    async def studio(self) -> Studio:
        """Raises the error of a failed attempt."""
        await self._over.wait()
        if self._studio is None:
            assert self._error is not None
            raise self._error
        return self._studio


@asynccontextmanager
async def lazy_studio(open_studio: OpenStudio, background: Background) -> AsyncIterator[LazyStudio]:
    """The studio of one running server. At the end, short tasks finish first, then the studio closes."""
    async with anyio.create_task_group() as tasks:
        lazy: LazyStudio | None = None
        try:
            async with anyio.create_task_group() as short_tasks:
                lazy = LazyStudio(open_studio, background, tasks, short_tasks)
                yield lazy
        finally:
            if lazy is not None:
                lazy.close()
