"""Connections to PostgreSQL."""

from __future__ import annotations

import gc

import anyio
import pytest

from acestep_mcp.engine_server.shared.database import Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.process]


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
async def test_listening_that_is_stopped_at_any_moment_leaves_no_connection_open(jobs):
    database = Postgres(jobs)
    await database.open()

    async def began():
        pass

    for moment in range(60):
        async with anyio.create_task_group() as group:
            group.start_soon(database.listen, lambda *_: None, began)
            for _ in range(moment):
                await anyio.sleep(0.0004)
            group.cancel_scope.cancel()
    gc.collect()  # a connection that was left open says so
    await database.close()
