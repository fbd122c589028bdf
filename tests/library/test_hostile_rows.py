"""Rows of the database that a person or another program has changed: none hides a good one, and none has values of a wrong type."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import fields

import pytest

from acestep_mcp.api.errors import AceStepError
from acestep_mcp.api.requests import Request, TextToAudio
from acestep_mcp.library.database import Database
from acestep_mcp.library.jobs import Jobs, new_id
from acestep_mcp.library.models import Job, JobError, JobOptions, Progress, Status
from acestep_mcp.studio.build_views import job_list

ODD = [
    b"\xff\xfe", b"\xed\xa0\xbd", "", "x", "9" * 5000, "\x1b[31m", -1, 2**62, 1e308, float("inf"), -float("inf"), "NaN", "[", "[" * 5000,
    "null", "7", "[]", "{}", '"a"', '{"seconds": "x", "format": 7, "price": "a", "submit": []}', '{"code": 7, "message": [], "fraction": "x"}',
    '{"fraction": 1e999, "eta": NaN, "step": 1.5}', "[1, null, {}]", '{"request_id": 7}', '{"tags": 7}', '{"audio": {}}', '{"seconds": 1e999}',
]  # fmt: skip
COLUMNS = [
    "endpoint", "request", "status", "backend", "created_at", "started_at", "ended_at", "queue_url", "ticket", "request_id", "attempts",
    "progress", "logs", "result", "track_id", "parent", "error", "estimated_cost", "cost", "notes", "options", "fingerprint", "owner", "answer",
]  # fmt: skip
TYPES = {
    "created_at": float, "attempts": int, "logs": tuple, "notes": tuple, "progress": Progress, "options": JobOptions, "request": Request,
    "error": JobError | None, "id": str, "endpoint": str, "backend": str, "queue_url": str, "request_id": str | None, "track_id": str | None,
    "cost": float | None, "estimated_cost": float, "started_at": float | None, "ended_at": float | None, "handle": dict | None,
}  # fmt: skip


@pytest.fixture
def database(tmp_path):
    with closing(Database(tmp_path / "acestep.sqlite3")) as opened:
        yield opened


def job(tags):
    return Job(new_id(), "fal-ai/ace-step", TextToAudio(tags=tags), Status.COMPLETED, "draft", time.time())


@pytest.mark.slow
@pytest.mark.parametrize("column", COLUMNS)
def test_an_odd_value_in_any_column_hides_no_other_job(database, column):
    jobs = Jobs(database, lease=15)
    good, odd = jobs.add(job("lofi")), jobs.add(job("jazz"))
    for value in ODD:
        shape = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"
        database.execute(f"UPDATE jobs SET {column} = {shape} WHERE id = ?", (value, odd.id))
        found = jobs.newest(9)
        assert [one.id for one in found] == [odd.id, good.id]
        for field in fields(Job):
            try:
                part = getattr(found[0], field.name)
            except AceStepError as exc:
                assert odd.id in exc.message
                continue
            assert isinstance(part, TYPES.get(field.name, object)), (field.name, part)
        assert [row.job_id for row in job_list(found).jobs] == [odd.id, good.id]
        assert jobs.spent_today() == 0 or column in ("cost", "estimated_cost")
        assert 0 <= jobs.spent_today() < 2e6
        jobs.rates("draft", "fal-ai/ace-step")
        jobs.adopt()
        jobs.sources()
