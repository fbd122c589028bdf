"""Rows of the engine server's database that another program has changed: they are skipped, and hide no other job."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.engine_server.job_queue import JobQueue
from acestep_mcp.engine_server.job_store import JobStore
from acestep_mcp.engine_server.jobs import QueueJob, RunOptions, State, StoredResponse
from acestep_mcp.engine_server.wire import replay, state_of
from tests.library.test_hostile_rows import ODD

pytestmark = pytest.mark.anyio

COLUMNS = ["id", "endpoint", "request", "terms", "created_at", "sequence", "state", "attempts", "cancelled", "told", "ended_at", "answer", "logs", "owner"]  # fmt: skip
MORE = {
    "terms": ['{"priority": "a"}', '{"webhook": 7}', '{"start_by": "x"}', '{"retry": 7}'],
    "answer": ['{"status": "200", "body": {}}', '{"status": 200, "body": {}}', '{"status": 200, "body": {"audio": {"url": 7}}}',
               '{"status": 200, "body": {"audio": []}}', '{"status": 200, "body": [], "file": 7}', '{"status": 9999, "body": {}}'],
    "logs": ["[1]", '{"a": 1}'],
    "id": ["../../etc", "a/b", "ü"],
}  # fmt: skip
SONG = StoredResponse(200, {"audio": {"url": "/files/a.wav"}, "seed": 1}, file="a.wav", seconds=1.0)


def job(state):
    ended = state is State.ENDED
    return QueueJob(
        "fal-ai/ace-step", TextToAudio(tags="lofi"), RunOptions(), state=state,
        answer=SONG if ended else None, ended_at=5.0 if ended else None,
    )  # fmt: skip


@pytest.mark.parametrize("state", [State.ENDED, State.QUEUED])
@pytest.mark.parametrize("column", COLUMNS)
async def test_an_odd_value_in_any_column_hides_no_other_job(tmp_path, column, state):
    path = tmp_path / "queue.sqlite3"
    with closing(JobStore(path)) as store:
        good, odd = job(state), job(state)
        store.save(good)
        store.save(odd)
    with closing(sqlite3.connect(path)) as database:
        [row] = database.execute("SELECT * FROM job WHERE id = ?", (odd.id,)).fetchall()
    with closing(sqlite3.connect(path)) as database, database:
        for number, value in enumerate([*ODD, *MORE.get(column, [])]):
            database.execute(f"INSERT INTO job VALUES ({', '.join('?' * len(row))})", (f"odd-{number}", *row[1:]))
            shape = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
            database.execute(f"UPDATE OR IGNORE job SET {column} = {shape} WHERE id = ?", (value, f"odd-{number}"))
    with closing(JobStore(path)) as store:
        queue = JobQueue(store, limit=9)
        queue.restore()
        assert {good.id, odd.id} <= queue.ids
        for found in queue.jobs:
            json.dumps(state_of(found, "http://here", queue.position(found), found.lines))
            if found.answer:
                replay(found, found.answer, "http://here")
        assert queue.files <= {"a.wav"}
