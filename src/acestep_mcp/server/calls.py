"""The tool calls in flight: which job each made, whether its answer went out, and whether its caller cancelled it.

What tells the ends of a call apart (SDK 2.3):

* `notifications/cancelled` reaches the middleware on stdio (both eras) and on HTTP with a session. It comes *after*
  the handler was cancelled, so a cut call stays known for a while. A reason that speaks of a time-out is the host's
  own clock, not a person's wish.
* Everything else that cuts a call (end of stdin, a dropped connection, a closed stream of the modern HTTP era, a
  signal) comes without a notification and is not a cancel.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Any

from mcp.server.context import ServerRequestContext

from acestep_mcp.server.opening import Opening

SESSION_HEADER = "mcp-session-id"
ANSWER = "acestep.answer"
"""The key in an ASGI scope under which `http.py` keeps the `Answer` of a request."""

_TIMED_OUT = re.compile(r"time[sd]?[\s_-]*out|-32001", re.IGNORECASE)
_REMEMBERED_SECONDS = 60.0


@dataclass(slots=True)
class Call:
    """One `tools/call`. `ended_job` is set when its answer tells the end of that job."""

    job_id: str | None = None
    ended_job: str | None = None
    cancelled: bool = False
    cut_at: float | None = None


class Answer:
    """The way back of one answer; `then` is done once the answer has left as far as can be known."""

    def __init__(self) -> None:
        self._then: Callable[[], None] | None = None

    def expect(self, then: Callable[[], None]) -> None:
        self._then = then

    @property
    def is_expected(self) -> bool:
        return self._then is not None

    def sent(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()


class Answers:
    """The answers of one connection by request id (stdio)."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    def expected(self, request_id: object) -> Answer:
        return self._answers.setdefault(str(request_id), Answer())

    def take(self, request_id: object) -> Answer | None:
        return self._answers.pop(str(request_id), None)


class Calls:
    """Every call of one server that is running, or was cut a moment ago."""

    def __init__(self, door: Opening) -> None:
        self._door = door
        self._calls: dict[Hashable, Call] = {}

    def begin(self, ctx: ServerRequestContext[Any, Any]) -> Call:
        self._forget_old()
        call = self._calls[_key(ctx, ctx.request_id)] = Call()
        return call

    def of(self, ctx: ServerRequestContext[Any, Any]) -> Call:
        """The call this request is; a new one when it did not come through `begin`."""
        return self._calls.get(_key(ctx, ctx.request_id)) or Call()

    def cut(self, ctx: ServerRequestContext[Any, Any], call: Call) -> None:
        """The handler was cancelled, nobody has said yet why."""
        call.cut_at = time.monotonic()
        if ctx.request is not None and SESSION_HEADER not in ctx.request.headers:
            self.end(ctx)  # the modern HTTP era has no cancel notification to wait for

    def end(self, ctx: ServerRequestContext[Any, Any]) -> None:
        self._calls.pop(_key(ctx, ctx.request_id), None)

    def answered(self, ctx: ServerRequestContext[Any, Any], call: Call, answers: Answers | None) -> None:
        """The handler has its answer: once that is out, the job counts as delivered."""
        self.end(ctx)
        if call.ended_job is None:
            return
        then = partial(self._door.errand, partial(self._deliver, call.ended_job))
        if ctx.request is not None and ANSWER in ctx.request.scope:
            ctx.request.scope[ANSWER].expect(then)
        elif answers is not None:
            answers.expected(ctx.request_id).expect(then)
        else:
            then()

    async def _deliver(self, job_id: str) -> None:
        await (await self._door()).delivered(job_id)

    def cancel(self, ctx: ServerRequestContext[Any, Any]) -> None:
        """A `notifications/cancelled` arrived."""
        params = ctx.params or {}
        call = self._calls.get(_key(ctx, params.get("requestId")))
        if call is None or _TIMED_OUT.search(str(params.get("reason") or "")):
            return
        call.cancelled = True
        self.settle(call)

    def settle(self, call: Call) -> None:
        """Pass an explicit cancel on, once the job is known and unless another call waits for the same job."""
        if not call.cancelled or call.job_id is None:
            return
        others = (c for c in self._calls.values() if c is not call and c.cut_at is None and not c.cancelled)
        if not any(other.job_id == call.job_id for other in others):
            self._door.errand(partial(self._cancel, call.job_id))

    async def _cancel(self, job_id: str) -> None:
        await (await self._door()).caller_cancelled(job_id)

    def _forget_old(self) -> None:
        oldest = time.monotonic() - _REMEMBERED_SECONDS
        for key in [k for k, call in self._calls.items() if call.cut_at is not None and call.cut_at < oldest]:
            del self._calls[key]


def _key(ctx: ServerRequestContext[Any, Any], request_id: object) -> Hashable:
    """Request ids are a client's own: unique in a session, on a pipe, or (without a session) in one HTTP request."""
    if ctx.request is None:
        return (None, str(request_id))
    return (ctx.request.headers.get(SESSION_HEADER) or id(ctx.request), str(request_id))
