"""Follows a submitted request to its end, and cancels it on request. Neither waits without limit for its host."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import anyio
import anyio.to_thread

from acestep_mcp.api.errors import AceStepError, JobCancelled, QueueError
from acestep_mcp.client import QueueClient, RequestHandle

logger = logging.getLogger(__name__)

LONGEST_RUN = 7 * 24 * 3600.0
"""Seconds for which a host may report a request as unfinished."""
CANCEL_SECONDS = 300.0
"""Seconds that a host has to end a request that is cancelled. An engine stops only after its current step."""
CANCEL_PAUSE = 5.0


@dataclass(frozen=True, slots=True)
class FollowedRequest:
    """A submitted request at its host. Setting `cancel` cancels it."""

    client: QueueClient
    endpoint: str
    handle: RequestHandle
    cancel: anyio.Event


async def follow(request: FollowedRequest, record: Callable[[Any], Awaitable[None]]) -> None:
    """`record` each update until the request has ended.

    Raises QueueError, ConfigurationError; JobCancelled when its host accepted the cancellation and did not end it.
    """
    failures: list[AceStepError] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_cancel_on_request, request, failures, tasks.cancel_scope)
        # Imported while the engine runs: it takes about a second at the first song.
        tasks.start_soon(anyio.to_thread.run_sync, partial(import_module, "acestep_mcp.audio.measure"))
        try:
            with anyio.move_on_after(LONGEST_RUN) as limit:
                await _record_updates(request, record)
            if limit.cancelled_caught:
                failures.append(_endless())
        except AceStepError as exc:
            failures.append(exc)  # raised below: the task group would wrap it in a group
        tasks.cancel_scope.cancel()
    if failures:
        raise failures[0]


async def _record_updates(request: FollowedRequest, record: Callable[[Any], Awaitable[None]]) -> None:
    async with aclosing(request.client.follow(request.endpoint, request.handle)) as updates:
        async for update in updates:
            await record(update)


async def _cancel_on_request(request: FollowedRequest, failures: list[AceStepError], scope: anyio.CancelScope) -> None:
    await request.cancel.wait()
    failure: AceStepError | None = QueueError("The host did not answer. Try again in a few minutes.")
    with anyio.move_on_after(CANCEL_SECONDS):
        while True:
            try:
                await request.client.cancel(request.endpoint, request.handle)
            except AceStepError as exc:
                failure = exc
                logger.warning("cancelling request %s failed: %s", request.handle.request_id, exc.message)
                await anyio.sleep(CANCEL_PAUSE)
            else:
                failure = None
                await anyio.sleep_forever()
    failures.append(_not_cancelled(failure))
    scope.cancel()


def _not_cancelled(failure: AceStepError | None) -> AceStepError:
    if failure is None:
        return JobCancelled(
            f"The host accepted the cancellation, but still reports the request as unfinished after {CANCEL_SECONDS:g} s, "
            "so it is not watched any more. It may still be billed: check the host's list of requests."
        )
    return QueueError(f"The request could not be cancelled within {CANCEL_SECONDS:g} s. {failure.message}")


def _endless() -> QueueError:
    message = f"The host reports the request as unfinished since {LONGEST_RUN / 86_400:g} days. Ask the host about it."
    return QueueError(message, is_permanent=True)
