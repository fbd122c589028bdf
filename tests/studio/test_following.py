"""A host that never ends a request does not hold its job for ever."""

from __future__ import annotations

import anyio
import pytest

from acestep_mcp.api.errors import JobCancelled, QueueError
from acestep_mcp.client import Host, QueueClient, RequestHandle
from acestep_mcp.studio import following
from acestep_mcp.studio.following import FollowedRequest, follow
from tests.support import fal_replies as fal
from tests.support.loopback import Reply, listening

pytestmark = pytest.mark.anyio


async def followed(reply_to_cancel: Reply, *, cancelled: bool) -> int:
    """Follow a request that its host always reports as running; returns the number of cancels that were sent."""

    async def ignore(update: object) -> None:
        pass

    def script(seen):
        return reply_to_cancel if seen.method == "PUT" else fal.running("x")

    cancel = anyio.Event()
    if cancelled:
        cancel.set()
    async with listening(script) as server:
        host = Host(server.url, server.url, None, "engine", (0.01, 0.02), streams=False)
        with anyio.fail_after(10):
            async with QueueClient(host) as client:
                try:
                    await follow(FollowedRequest(client, fal.ENDPOINT, RequestHandle(fal.ID), cancel), ignore)
                finally:
                    count = len(server.requests("PUT"))
    return count


@pytest.mark.slow
async def test_a_cancelled_request_that_its_host_never_ends_is_watched_for_some_minutes_only(monkeypatch):
    monkeypatch.setattr(following, "CANCEL_SECONDS", 0.5)
    with pytest.raises(JobCancelled, match="accepted the cancellation"):
        await followed(fal.CANCELLING, cancelled=True)


@pytest.mark.parametrize(
    "reply", [Reply(405), Reply(400, {"detail": "no"}), fal.UNKNOWN_KEY, fal.NOT_FOUND, Reply(stall=True)]
)
async def test_a_host_that_refuses_to_cancel_is_asked_again_and_then_given_up(monkeypatch, reply):
    monkeypatch.setattr(following, "CANCEL_SECONDS", 0.1)
    monkeypatch.setattr(following, "CANCEL_PAUSE", 0.02)
    with pytest.raises(QueueError, match="could not be cancelled within 0.1 s"):
        await followed(reply, cancelled=True)


async def test_a_request_that_runs_for_ever_is_watched_for_a_week_only(monkeypatch):
    monkeypatch.setattr(following, "LONGEST_RUN", 0.1)
    with pytest.raises(QueueError, match="unfinished") as error:
        await followed(fal.CANCELLING, cancelled=False)
    assert error.value.is_permanent
