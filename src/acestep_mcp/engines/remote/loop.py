"""Asking through the event loop, from the thread in which an engine works."""

from __future__ import annotations

import concurrent.futures
import math
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.from_thread

from acestep_mcp.engines.remote import Answer, Ask, Call

T = TypeVar("T")


class _Stopped(Exception):
    """The job was stopped before the question was asked. (asyncio would make a nameless cancellation of CancelledError.)"""


def call_of(ask: Ask) -> Call:
    """`ask` as a plain function for a worker thread of anyio.

    With `is_shielded=True` it waits to the end, also when the job is stopped meanwhile.
    """

    def call(*args: Any, is_shielded: bool = False, **options: Any) -> Answer:
        bound = partial(ask, *args, **options)
        return on_the_loop(partial(_shielded if is_shielded else _asked, bound))

    return call


def wait(seconds: float) -> None:
    """Sleep until the job is stopped or the time has passed."""
    on_the_loop(partial(_asked, partial(anyio.sleep, seconds)))


async def _asked(ask: Callable[[], Awaitable[T]]) -> T:
    # A task that enters a scope after that was cancelled is not cancelled by anyio, and spins at its next checkpoint.
    if anyio.current_effective_deadline() == -math.inf:
        raise _Stopped
    return await ask()


async def _shielded(ask: Callable[[], Awaitable[T]]) -> T:
    """To the end, also when the job is stopped meanwhile."""
    with anyio.CancelScope(shield=True):
        answer = await ask()
    return answer  # noqa: RET504 - mypy takes the scope for one that may swallow what is raised


def on_the_loop(ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on the event loop; when this thread's job was stopped, raise what anyio raises for that."""
    try:
        return anyio.from_thread.run(ask)
    except (_Stopped, concurrent.futures.CancelledError):
        anyio.from_thread.check_cancelled()  # raises a cancellation that names its scope; any other ends the whole queue
        raise
