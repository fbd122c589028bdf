"""The studio of one server, opened at the first call that needs it and closed at the end.

Hosts start a server just to look at its tools, sometimes twice: until a call needs the studio there is no database,
no folder and no heavy import.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskGroup, TaskStatus

from acestep_mcp.errors import AceStepError

if TYPE_CHECKING:
    from acestep_mcp.studio import Studio


OpenStudio = Callable[[], "AbstractAsyncContextManager[Studio]"]
Companion = Callable[["Studio"], Coroutine[Any, Any, None]]

logger = logging.getLogger(__name__)

_ERRAND_SECONDS = 5.0


class Opening:
    """Calling it gives the open studio. Errands are short and survive the call that asked for them."""

    def __init__(self, open_studio: OpenStudio, companion: Companion, keepers: TaskGroup, errands: TaskGroup) -> None:
        self._open_studio = open_studio
        self._companion = companion
        self._keepers = keepers
        self._errands = errands
        self._closing = anyio.Event()
        self._lock = anyio.Lock()
        self._studio: Studio | None = None
        self._waits: set[anyio.CancelScope] = set()
        self._ending = False

    async def __call__(self) -> Studio:
        """The studio; the first call opens it. Raises what opening raises, and tries again at the next call."""
        async with self._lock:
            if self._studio is None:
                try:
                    self._studio = await self._keepers.start(self._keep)
                except ExceptionGroup as group:
                    raise _own_error(group) from group
            return self._studio

    async def _keep(self, *, task_status: TaskStatus[Studio]) -> None:
        # Entered and left in one task, as its task groups need; shielded, so that an end by signal closes it too.
        is_open = False
        try:
            with anyio.CancelScope(shield=True):
                async with self._open_studio() as studio, anyio.create_task_group() as companions:
                    companions.start_soon(self._companion, studio)
                    task_status.started(studio)
                    is_open = True
                    await self._closing.wait()
                    companions.cancel_scope.cancel()
        except Exception:  # the top of everything that runs beside the calls
            self._studio = None
            if not is_open:
                raise
            logger.exception("the studio stopped because of a bug; the next call opens it again")

    def errand(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do this soon, whatever becomes of the caller; at most 5 s of it."""
        self._errands.start_soon(self._run, work)

    @staticmethod
    async def _run(work: Callable[[], Awaitable[object]]) -> None:
        with anyio.move_on_after(_ERRAND_SECONDS, shield=True):
            try:
                await work()
            except AceStepError as error:
                logger.warning("what became of a call could not be recorded: %s", error.message)

    def companion(
        self, work: Callable[[anyio.CancelScope], Coroutine[Any, Any, None]], scope: anyio.CancelScope
    ) -> None:
        """Do this beside a call until its scope is cancelled."""
        self._keepers.start_soon(work, scope)

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


def _own_error(group: ExceptionGroup[Exception]) -> Exception:
    """The error of ours in a group (a task group wraps what leaves it), or the group."""
    ours = group.subgroup(AceStepError)
    if ours is None:
        return group
    error: Exception = ours
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


@asynccontextmanager
async def opening(open_studio: OpenStudio, companion: Companion) -> AsyncIterator[Opening]:
    """The opening for the life of one server. At the end: errands are finished, then the studio is closed."""
    async with anyio.create_task_group() as keepers:
        door: Opening | None = None
        try:
            async with anyio.create_task_group() as errands:
                door = Opening(open_studio, companion, keepers, errands)
                yield door
        finally:
            if door is not None:
                door.close()
