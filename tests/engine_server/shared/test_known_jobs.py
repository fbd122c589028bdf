"""What a front knows of its jobs, while rows come in another order than they were written."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.engine_server.jobs import QueueJob, StoredResponse
from acestep_mcp.engine_server.shared import job_table
from acestep_mcp.engine_server.shared.database import Postgres
from acestep_mcp.engine_server.shared.order import Order
from acestep_mcp.engine_server.shared.queue import SharedQueue

pytestmark = [pytest.mark.anyio, pytest.mark.process]


class Noted(Order):
    """Notes which jobs the front knows while a new one is not yet in the database for others."""

    def __init__(self) -> None:
        self.queue: SharedQueue | None = None
        self.known: list[QueueJob | None] = []

    async def position(self, cursor, job_id):
        self.known.append(self.queue.known.get(job_id))
        return await super().position(cursor, job_id)


@asynccontextmanager
async def shared_queue(jobs: str, order: Order) -> AsyncIterator[tuple[SharedQueue, Postgres]]:
    database = Postgres(jobs)
    await database.open()
    queue = SharedQueue(database, "front", order, limit=9, most_bytes=1 << 20)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(queue.write)
            yield queue, database
            group.cancel_scope.cancel()
    finally:
        await database.close()


async def test_a_row_that_was_read_before_the_end_of_a_job_does_not_bring_it_back(jobs):
    async with shared_queue(jobs, Order()) as (queue, database):
        job_id = (await queue.add(QueueJob("fal-ai/ace-step", TextToAudio(tags="x")))).id
        job = await queue.next_job(lambda _: True)
        async with database.reading() as cursor:
            [row] = await job_table.read(cursor, [job_id])
        queue.finish(job, StoredResponse(200, {}))
        with anyio.fail_after(10):
            await job.end()
        del job
        assert not row.job.ended
        assert queue.known.meet(row).ended


async def test_a_job_that_a_front_takes_at_once_is_the_object_that_its_caller_waits_for(jobs):
    order = Noted()
    async with shared_queue(jobs, order) as (queue, _):
        order.queue = queue
        job = QueueJob("fal-ai/ace-step", TextToAudio(tags="x"))
        assert await queue.add(job) is job
        assert order.known == [job]
        again = QueueJob("fal-ai/ace-step", TextToAudio(tags="x"), id=job.id)
        assert await queue.add(again) is job
        order.known.clear()
        job_id, _ = job.id, gc.collect()
        del job
        again = QueueJob("fal-ai/ace-step", TextToAudio(tags="x"), id=job_id)
        assert await queue.add(again) is not again
