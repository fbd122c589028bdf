"""Calls and their retries: only of calls that may be repeated, and only while a retry can help."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import anyio

from acestep_mcp.api.errors import NoResponse, QueueError, SubmissionUnknown
from acestep_mcp.client.replies import read_error_reply
from acestep_mcp.net.http_responses import HttpResponse
from acestep_mcp.net.timeouts import Timeouts

logger = logging.getLogger(__name__)

T = TypeVar("T")

SUBMITS = 4
"""The first attempt and three more, each after one that was certainly not accepted."""
READS = 3
"""How often an answer is asked for that is none of the protocol."""

# A server error may come from a proxy whose upstream was lost after it had accepted the request. Only these statuses
# say that nothing was stored: not understood, insufficient storage.
_SURELY_REFUSED_5XX = frozenset({501, 505, 507})


@dataclass(frozen=True, slots=True)
class QueueCall:
    """One request to the queue or its storage. `action` begins the message of its errors."""

    action: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    seconds: float | None = None


async def until_answered(
    ask: Callable[[], Awaitable[HttpResponse]],
    timeouts: Timeouts,
    *,
    is_final: Callable[[HttpResponse], bool] | None = None,
) -> HttpResponse:
    """Repeat a call that may be repeated, through up to `timeouts.outage` seconds of failures.

    Returns the first response that is not transient, or that `is_final`, or the last one. Raises NoResponse if the
    last call had none, or at once if another try would end the same way.
    """
    give_up = anyio.current_time() + timeouts.outage
    for wait in timeouts.waits():
        answer, failure, pause = None, None, wait
        try:
            answer = await ask()
        except NoResponse as exc:
            if exc.is_permanent:
                raise
            failure = exc
        else:
            if not answer.is_transient or (is_final and is_final(answer)):
                return answer
            pause = max(wait, answer.pause or 0)
        if anyio.current_time() + pause > give_up:
            break
        await anyio.sleep(pause)
    if answer is None:
        raise failure or AssertionError("an attempt answers or fails")
    return answer


async def until_understood(
    ask: Callable[[], Awaitable[HttpResponse]], read: Callable[[HttpResponse], T], timeouts: Timeouts
) -> T:
    """What `read` makes of an answer. One that it cannot read is asked for twice more: a page of a proxy may stand in for it.

    Raises what `ask` raises, and the QueueError of `read`.
    """
    for wait, _ in zip(timeouts.waits(), range(READS - 1), strict=False):
        answer = await ask()
        try:
            return read(answer)
        except QueueError as exc:
            logger.info("%s", exc.message)
        await anyio.sleep(wait)
    return read(await ask())


async def submit_once(ask: Callable[[], Awaitable[HttpResponse]], timeouts: Timeouts, host: str) -> HttpResponse:
    """Submit; retry only after a failure that certainly came before acceptance: no connection, or a 429.

    Raises SubmissionUnknown when acceptance is unknown, NoResponse when the host was never reached.
    """
    waits = timeouts.waits()
    for left in reversed(range(SUBMITS)):
        pause = next(waits) * 2
        try:
            answer = await ask()
        except NoResponse as exc:
            if exc.sent:
                raise SubmissionUnknown(_unknown(host, exc.what)) from exc
            if exc.is_permanent or not left:
                raise
        else:
            if _may_be_accepted(answer.status):
                message = _unknown(host, f"It answered {answer.status}{read_error_reply(answer).quoted}")
                raise SubmissionUnknown(message, status=answer.status)
            pause = answer.pause or pause
            if answer.status != 429 or not left or pause > timeouts.longest_retry_after:
                return answer
        await anyio.sleep(pause)
    raise AssertionError("the last attempt returns or raises")


def _may_be_accepted(status: int) -> bool:
    return (status >= 500 and status not in _SURELY_REFUSED_5XX) or status == 499


def _unknown(host: str, what: str) -> str:
    return (
        f"The request was sent to {host}, and no usable answer came. {what} It may have been accepted and, on a paid "
        "host, billed, so it is not sent again automatically. Check the host's list of requests, then decide whether "
        "to submit it again."
    )
