"""The running tool calls: which job each made, whether its answer was delivered, and whether its caller cancelled it.

How a call can end (SDK 2.3):

* `notifications/cancelled` reaches the middleware on stdio (both eras) and on HTTP with a session. It arrives *after*
  the handler was cancelled, so an interrupted call is remembered for a while. If the reason mentions a timeout, the
  host's timer sent it, not a person.
* Every other interruption (end of stdin, a dropped connection, a closed stream of the modern HTTP era, a signal) comes
  without a notification and does not cancel the job.
* With an HTTP session a dropped connection does not interrupt the handler; only `http.py` sees that the answer is lost.
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
"""The key of a request's `Delivery` in its ASGI scope, set by `http.py`."""

_TIMED_OUT = re.compile(r"time[sd]?[\s_-]*out|-32001", re.IGNORECASE)
_REMEMBERED_SECONDS = 60.0


@dataclass(slots=True)
class Call:
    """One `tools/call`. `job_ids` are the jobs it made or joined, `answered_jobs` those in its answer."""

    job_ids: tuple[str, ...] = ()
    answered_jobs: tuple[str, ...] = ()
    cancelled: bool = False
    lost: bool = False
    interrupted_at: float | None = None


class Delivery:
    """The delivery of one answer. A transport that can observe it calls `sent` or `lost`; the first call counts."""

    def __init__(self) -> None:
        self._call: Call | None = None
        self._calls: Calls | None = None
        self._over = anyio.Event()
        self.is_ready = False
        """The handler has returned, so what is sent from now on may be the answer."""

    def attach(self, call: Call, calls: Calls) -> None:
        """Report the outcome for this call."""
        self._call, self._calls = call, calls
        if self._over.is_set():
            calls.lost(call)

    async def wait(self) -> bool:
        """Wait until it is sent or lost; False at once for a request that is not a tool call."""
        if self._call is None:
            return False
        await self._over.wait()
        return True

    def sent(self) -> None:
        """Something was sent: the answer, if the handler has returned."""
        if self.is_ready:
            self._end(lambda calls, call: calls.sent(call))

    def lost(self) -> None:
        self._end(lambda calls, call: calls.lost(call))

    def _end(self, report: Callable[[Calls, Call], None]) -> None:
        if not self._over.is_set() and self._call is not None and self._calls is not None:
            report(self._calls, self._call)
        self._over.set()


class Deliveries:
    """The pending answers of one pipe, by request id."""

    def __init__(self) -> None:
        self._answers: dict[str, Delivery] = {}
        self._changed = anyio.Event()

    def open(self, request_id: object) -> Delivery:
        delivery = self._answers[str(request_id)] = Delivery()
        return delivery

    def of(self, request_id: object) -> Delivery | None:
        return self._answers.get(str(request_id))

    def remove(self, request_id: object) -> None:
        """The answer was sent, or never will be."""
        self._answers.pop(str(request_id), None)
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def wait_empty(self) -> None:
        """Wait until no answer is pending."""
        while self._answers:
            await self._changed.wait()


class Calls:
    """The calls of one server that are running or were interrupted a moment ago."""

    def __init__(self, studio: LazyStudio, deliveries: Deliveries | None) -> None:
        self._studio = studio
        self._deliveries = deliveries
        self._calls: dict[Hashable, Call] = {}

    def begin(self, ctx: ServerRequestContext[Any, Any]) -> tuple[Call, Delivery | None]:
        """The new call, and its delivery if the transport can observe it."""
        self._forget_old()
        call = self._calls[_key(ctx, ctx.request_id)] = Call()
        delivery: Delivery | None = None
        if ctx.request is not None:
            delivery = ctx.request.scope.get(DELIVERY)
        elif self._deliveries is not None:
            delivery = self._deliveries.open(ctx.request_id)
        if delivery is not None:
            delivery.attach(call, self)
        return call, delivery

    def of(self, ctx: ServerRequestContext[Any, Any]) -> Call:
        """The call of this request; a new one if it did not pass through `begin`."""
        return self._calls.get(_key(ctx, ctx.request_id)) or Call()

    def answered(self, ctx: ServerRequestContext[Any, Any], call: Call, delivery: Delivery | None) -> None:
        """The handler has returned; its answer counts as delivered once it is sent."""
        self.end(ctx)
        if delivery is not None:
            delivery.is_ready = True
        else:
            self.sent(call)  # in memory, returning is delivering

    def interrupted(self, ctx: ServerRequestContext[Any, Any], call: Call) -> None:
        """The handler was cancelled, for a reason not yet known."""
        call.interrupted_at = time.monotonic()
        if self._deliveries is not None:
            self._deliveries.remove(ctx.request_id)
        if ctx.request is not None and SESSION_HEADER not in ctx.request.headers:
            self.end(ctx)  # the modern HTTP era sends no cancel notification
        self.lost(call)

    def sent(self, call: Call) -> None:
        for job in call.answered_jobs:
            self._notify(lambda studio, job_id: studio.delivered(job_id), job)

    def lost(self, call: Call) -> None:
        """The caller will not get an answer; the same call again joins the same job."""
        is_new = not call.lost
        call.lost = True
        for job in call.job_ids if is_new else ():
            self._notify(lambda studio, job_id: studio.undelivered(job_id), job)

    def assign_jobs(self, call: Call, *job_ids: str) -> None:
        """The call has its jobs now; apply what happened to the call before."""
        call.job_ids = call.answered_jobs = job_ids
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
        """Apply an explicit cancel once the jobs are known, except to those that another call waits for."""
        others = (c for c in self._calls.values() if c is not call and c.interrupted_at is None and not c.cancelled)
        awaited = {job for other in others for job in other.job_ids}
        for job in call.job_ids:
            if job not in awaited:
                self._notify(lambda studio, job_id: studio.caller_cancelled(job_id), job)

    def _notify(self, action: Callable[[Studio, str], Awaitable[None]], job_id: str) -> None:
        async def notify() -> None:
            await action(await self._studio(), job_id)

        self._studio.run_soon(notify)

    def end(self, ctx: ServerRequestContext[Any, Any]) -> None:
        self._calls.pop(_key(ctx, ctx.request_id), None)

    def _forget_old(self) -> None:
        oldest = time.monotonic() - _REMEMBERED_SECONDS
        for key in [
            k for k, call in self._calls.items() if call.interrupted_at is not None and call.interrupted_at < oldest
        ]:
            del self._calls[key]


def _key(ctx: ServerRequestContext[Any, Any], request_id: object) -> Hashable:
    """Clients choose request ids: unique in a session, on a pipe, or (without a session) in one HTTP request."""
    if ctx.request is None:
        return (None, str(request_id))
    return (ctx.request.headers.get(SESSION_HEADER) or id(ctx.request), str(request_id))
