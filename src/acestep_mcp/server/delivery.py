"""The tool calls in flight: which job each made, whether its answer was delivered, and whether its caller cancelled it.

How the ends of a call differ (SDK 2.3):

* `notifications/cancelled` reaches the middleware on stdio (both eras) and on HTTP with a session. It comes *after*
  the handler was cancelled, so a cut call is remembered for a while. A reason that mentions a time-out is the host's
  own timer, not a person's request.
* Everything else that cuts a call (end of stdin, a dropped connection, a closed stream of the modern HTTP era, a
  signal) comes without a notification and is not a cancel.
* With an HTTP session a dropped connection does not even cut the handler; only `http.py` sees that its answer is lost.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server.context import ServerRequestContext

from acestep_mcp.server.lazy_studio import LazyStudio

if TYPE_CHECKING:
    from acestep_mcp.studio.studio import Studio

SESSION_HEADER = "mcp-session-id"
DELIVERY = "acestep.delivery"
"""The key in an ASGI scope under which `http.py` keeps the `Delivery` of a request."""

_TIMED_OUT = re.compile(r"time[sd]?[\s_-]*out|-32001", re.IGNORECASE)
_REMEMBERED_SECONDS = 60.0


@dataclass(slots=True)
class Call:
    """One `tools/call`. `job_id` is the job it made or joined, `answered_job` the one that its answer is about."""

    job_id: str | None = None
    answered_job: str | None = None
    cancelled: bool = False
    lost: bool = False
    cut_at: float | None = None


class Delivery:
    """The delivery of one answer. A transport that can observe it calls `sent` or `lost`, once."""

    def __init__(self) -> None:
        self._call: Call | None = None
        self._calls: Calls | None = None
        self._over = anyio.Event()
        self.is_ready = False
        """The handler has returned; what is sent from now on may be the answer."""

    def belongs_to(self, call: Call, calls: Calls) -> None:
        """Report the outcome to this call."""
        self._call, self._calls = call, calls
        if self._over.is_set():
            calls.lost(call)

    async def owed(self) -> bool:
        """Wait until it is sent or lost; False at once for a request that is no tool call."""
        if self._call is None:
            return False
        await self._over.wait()
        return True

    def sent(self) -> None:
        """Something was sent; it was the answer if the handler had returned."""
        if self.is_ready:
            self._end(lambda calls, call: calls.sent(call))

    def lost(self) -> None:
        self._end(lambda calls, call: calls.lost(call))

    def _end(self, report: Callable[[Calls, Call], None]) -> None:
        if not self._over.is_set() and self._call is not None and self._calls is not None:
            report(self._calls, self._call)
        self._over.set()


class Deliveries:
    """The expected answers of one pipe by request id."""

    def __init__(self) -> None:
        self._answers: dict[str, Delivery] = {}
        self._taken = anyio.Event()

    def open(self, request_id: object) -> Delivery:
        delivery = self._answers[str(request_id)] = Delivery()
        return delivery

    def of(self, request_id: object) -> Delivery | None:
        return self._answers.get(str(request_id))

    def take(self, request_id: object) -> None:
        """It was sent, or never will be."""
        self._answers.pop(str(request_id), None)
        taken, self._taken = self._taken, anyio.Event()
        taken.set()

    async def all_taken(self) -> None:
        """Wait until no call is owed an answer."""
        while self._answers:
            await self._taken.wait()


class Calls:
    """Every call of one server that is running, or was cut a moment ago."""

    def __init__(self, studio: LazyStudio, deliveries: Deliveries | None) -> None:
        self._studio = studio
        self._deliveries = deliveries
        self._calls: dict[Hashable, Call] = {}

    def begin(self, ctx: ServerRequestContext[Any, Any]) -> tuple[Call, Delivery | None]:
        """The new call, and its delivery where the transport can observe it."""
        self._forget_old()
        call = self._calls[_key(ctx, ctx.request_id)] = Call()
        delivery: Delivery | None = None
        if ctx.request is not None:
            delivery = ctx.request.scope.get(DELIVERY)
        elif self._deliveries is not None:
            delivery = self._deliveries.open(ctx.request_id)
        if delivery is not None:
            delivery.belongs_to(call, self)
        return call, delivery

    def of(self, ctx: ServerRequestContext[Any, Any]) -> Call:
        """The call this request is; a new one when it did not come through `begin`."""
        return self._calls.get(_key(ctx, ctx.request_id)) or Call()

    def answered(self, ctx: ServerRequestContext[Any, Any], call: Call, delivery: Delivery | None) -> None:
        """The handler has returned its answer; once that is sent, it counts as delivered."""
        self.end(ctx)
        if delivery is not None:
            delivery.is_ready = True
        else:
            self.sent(call)  # in memory the return is the delivery

    def cut(self, ctx: ServerRequestContext[Any, Any], call: Call) -> None:
        """The handler was cancelled; the reason is not known yet."""
        call.cut_at = time.monotonic()
        if self._deliveries is not None:
            self._deliveries.take(ctx.request_id)
        if ctx.request is not None and SESSION_HEADER not in ctx.request.headers:
            self.end(ctx)  # the modern HTTP era has no cancel notification to wait for
        self.lost(call)

    def sent(self, call: Call) -> None:
        if call.answered_job is not None:
            self._notify(lambda studio, job_id: studio.delivered(job_id), call.answered_job)

    def lost(self, call: Call) -> None:
        """Its caller will not get an answer; the same call again joins the same job."""
        is_news = not call.lost
        call.lost = True
        if is_news and call.job_id is not None:
            self._notify(lambda studio, job_id: studio.cut(job_id), call.job_id)

    def made(self, call: Call, job_id: str) -> None:
        """The call has its job now; what happened to the call before is passed on now."""
        call.job_id = call.answered_job = job_id
        if call.lost:
            call.lost = False
            self.lost(call)
        if call.cancelled:
            self._cancel(call)

    def cancel(self, ctx: ServerRequestContext[Any, Any]) -> None:
        """A `notifications/cancelled` arrived."""
        params = ctx.params or {}
        call = self._calls.get(_key(ctx, params.get("requestId")))
        if call is not None and not _TIMED_OUT.search(str(params.get("reason") or "")):
            call.cancelled = True
            self._cancel(call)

    def _cancel(self, call: Call) -> None:
        """Pass an explicit cancel on, once the job is known and unless another call waits for the same job."""
        others = (c for c in self._calls.values() if c is not call and c.cut_at is None and not c.cancelled)
        if call.job_id is not None and not any(other.job_id == call.job_id for other in others):
            self._notify(lambda studio, job_id: studio.caller_cancelled(job_id), call.job_id)

    def _notify(self, what: Callable[[Studio, str], Awaitable[None]], job_id: str) -> None:
        async def notify() -> None:
            await what(await self._studio(), job_id)

        self._studio.run_soon(notify)

    def end(self, ctx: ServerRequestContext[Any, Any]) -> None:
        self._calls.pop(_key(ctx, ctx.request_id), None)

    def _forget_old(self) -> None:
        oldest = time.monotonic() - _REMEMBERED_SECONDS
        for key in [k for k, call in self._calls.items() if call.cut_at is not None and call.cut_at < oldest]:
            del self._calls[key]


def _key(ctx: ServerRequestContext[Any, Any], request_id: object) -> Hashable:
    """Request ids are a client's own: unique in a session, on a pipe, or (without a session) in one HTTP request."""
    if ctx.request is None:
        return (None, str(request_id))
    return (ctx.request.headers.get(SESSION_HEADER) or id(ctx.request), str(request_id))
