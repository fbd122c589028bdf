"""Asking through the event loop from the thread of an engine whose job is stopped."""

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from acestep_mcp.engines.remote.loop import wait


@pytest.mark.anyio
async def test_a_question_after_the_job_was_stopped_ends_that_job_alone():
    def work():
        anyio.from_thread.run_sync(scope.cancel)
        wait(60)

    with anyio.fail_after(10), anyio.CancelScope() as scope:
        await anyio.to_thread.run_sync(work)
    assert scope.cancelled_caught
