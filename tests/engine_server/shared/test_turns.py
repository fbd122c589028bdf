"""Two fronts that take jobs of one key at the same moment, and one that waits until its limit lets it."""

from __future__ import annotations

import anyio
import pytest

from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.engine_server.jobs import QueueJob, State, StoredResponse
from acestep_mcp.engine_server.shared import job_table
from acestep_mcp.engine_server.shared import queue as queue_module
from acestep_mcp.engine_server.shared.order import TurnOrder
from tests.engine_server.shared.test_known_jobs import shared_queue
from tests.engine_server.test_fair_use import keys_of

pytestmark = [pytest.mark.anyio, pytest.mark.process]


def song() -> QueueJob:
    return QueueJob("fal-ai/ace-step", TextToAudio(tags="x"), owner="anna")


async def test_a_front_that_takes_at_the_same_moment_sees_what_the_other_has_taken(jobs, tmp_path):
    order, taken = TurnOrder(keys_of(tmp_path, anna="max_running = 1")), []
    async with shared_queue(jobs, order) as (queue, database):
        for _ in range(2):
            await queue.add(song())

        async def take():
            async with database.changing() as cursor:
                taken.append(await order.lock_next(cursor))

        async with anyio.create_task_group() as group, database.changing() as cursor:
            first = await order.lock_next(cursor)
            group.start_soon(take)
            async with database.reading() as other:
                for _ in range(20):  # until the second one waits, or has a job
                    await other.execute("SELECT count(*) AS n FROM pg_locks WHERE NOT granted")
                    if taken or (await other.fetchone())["n"]:
                        break
                    await anyio.sleep(0.02)
            first.job.state, first.runner = State.RUNNING, "front"
            await job_table.update(cursor, first, "front")
        assert taken == [None]


async def test_an_idle_front_hears_that_a_key_may_have_another_job_running(jobs, tmp_path, monkeypatch):
    monkeypatch.setattr(queue_module, "_LOOK_SECONDS", 60)
    order = TurnOrder(keys_of(tmp_path, anna="max_running = 1"))
    async with shared_queue(jobs, order) as (a, _), shared_queue(jobs, order) as (b, database):
        for _ in range(2):
            await a.add(song())
        first, began = await a.next_job(lambda _: True), []

        async def take():
            began.append(await b.next_job(lambda _: True))

        async with anyio.create_task_group() as group:
            listening = anyio.Event()

            async def listens():
                listening.set()

            group.start_soon(database.listen, b.known.hear, listens)
            group.start_soon(take)
            await listening.wait()
            await anyio.sleep(0.1)
            assert began == []
            a.finish(first, StoredResponse(200, {}))
            with anyio.fail_after(10):
                while not began:
                    await anyio.sleep(0.01)
            group.cancel_scope.cancel()
