"""The studio of one server, opened at the first call that needs it and closed at the end.

Hosts start a server just to list its tools, sometimes twice: until a call needs the studio there is no database, no
folder and no heavy import.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskGroup

from acestep_mcp.api.errors import AceStepError

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Studio


OpenStudio = Callable[[], "AbstractAsyncContextManager[Studio]"]
BesideStudio = Callable[["Studio"], Coroutine[Any, Any, None]]
"""Runs for as long as the studio is open."""

logger = logging.getLogger(__name__)

_RUN_SOON_SECONDS = 5.0


class LazyStudio:
    """Calling it gives the open studio. It also runs the work of the server that outlives a call."""

    def __init__(self, open_studio: OpenStudio, beside: BesideStudio, tasks: TaskGroup, short_tasks: TaskGroup) -> None:
        self._open_studio = open_studio
        self._beside = beside
        self._tasks = tasks
        self._short_tasks = short_tasks
        self._closing = anyio.Event()
        self._attempt: _Attempt | None = None
        self._waits: set[anyio.CancelScope] = set()
        self._ending = False

    async def __call__(self) -> Studio:
        """The studio; the first call opens it. Raises what opening raises, and tries again at the next call.

        Opening belongs to no call: a call that is cancelled meanwhile returns at once, and the others get the studio.
        """
        if self._attempt is None:
            self._attempt = _Attempt()
            self._tasks.start_soon(self._keep_open, self._attempt)
        return await self._attempt.studio()

    async def _keep_open(self, attempt: _Attempt) -> None:
        # Entered and left in one task, as its task groups need; shielded, so that an end by signal closes it too.
        try:
            with anyio.CancelScope(shield=True):
                async with self._open_studio() as studio, anyio.create_task_group() as beside:
                    beside.start_soon(self._beside, studio)
                    attempt.succeed(studio)
                    await self._closing.wait()
                    beside.cancel_scope.cancel()
        except Exception as error:  # the top of everything that runs beside the calls
            self._attempt = None
            if attempt.is_over:
                logger.exception("the studio stopped because of a bug; the next call opens it again")
            else:
                attempt.fail(_own_error(error))

    def run_soon(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run this even if the call that asked for it ends; for at most 5 s."""
        self._short_tasks.start_soon(self._run, work)

    @staticmethod
    async def _run(work: Callable[[], Awaitable[object]]) -> None:
        with anyio.move_on_after(_RUN_SOON_SECONDS, shield=True):
            try:
                await work()
            except AceStepError as error:
                logger.warning("the end of a call could not be recorded: %s", error.message)

    def start_beside(
        self, work: Callable[[anyio.CancelScope], Coroutine[Any, Any, None]], scope: anyio.CancelScope
    ) -> None:
        """Run this beside a call until its scope is cancelled."""
        self._tasks.start_soon(work, scope)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A wait that `end_waits` cuts short, so that its call can still answer."""
        with anyio.CancelScope() as scope:
            self._waits.add(scope)
            if self._ending:
                scope.cancel()
            try:
                yield
            finally:
                self._waits.discard(scope)

    def end_waits(self) -> None:
        """The server is ending: calls that wait answer with their job now. No job is cancelled."""
        self._ending = True
        for scope in tuple(self._waits):
            scope.cancel()

    def close(self) -> None:
        self._closing.set()


class _Attempt:
    """One opening of the studio, which any number of calls wait for."""

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
        """Raises the error of a failed opening."""
        await self._over.wait()
        if self._studio is None:
            assert self._error is not None
            raise self._error
        return self._studio


def _own_error(error: Exception) -> Exception:
    """Our own error out of a group (a task group wraps what leaves it); anything else as it is."""
    found: Exception | None = error.subgroup(AceStepError) if isinstance(error, ExceptionGroup) else None
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return found or error


@asynccontextmanager
async def lazy_studio(open_studio: OpenStudio, beside: BesideStudio) -> AsyncIterator[LazyStudio]:
    """The studio of one running server. At the end: short tasks are finished, then the studio is closed."""
    async with anyio.create_task_group() as tasks:
        lazy: LazyStudio | None = None
        try:
            async with anyio.create_task_group() as short_tasks:
                lazy = LazyStudio(open_studio, beside, tasks, short_tasks)
                yield lazy
        finally:
            if lazy is not None:
                lazy.close()
