"""Jobs as rows of the database: each structured field is one JSON column."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from acestep_mcp.api.endpoints import named
from acestep_mcp.api.requests import ApiRequest, Request
from acestep_mcp.api.responses import Response
from acestep_mcp.library.models import Job, JobError, JobOptions, Progress, Status

_COLUMN = {"handle": "ticket"}
"""Fields whose column has another name. Columns are only added: an older server may use the same file."""
_PLAIN = (
    "id", "endpoint", "backend", "created_at", "queue_url", "request_id", "attempts", "started_at", "ended_at",
    "track_id", "parent", "estimated_cost", "cost",
)  # fmt: skip


def columns_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a Job as column values."""
    return {_COLUMN.get(name, name): _encoded(value) for name, value in changes.items() if name != "attached"}


def _encoded(value: Any) -> Any:
    match value:
        case None | str() | int() | float():
            return value
        case Request():
            plain: Any = value.wire()
        case Response():
            plain = value.model_dump(mode="json", exclude_none=True)
        case Progress() | JobError():
            plain = asdict(value)
        case JobOptions():
            plain = {name: part for name, part in asdict(value).items() if part is not None}
        case _:
            plain = value
    return json.dumps(plain, ensure_ascii=False)


def job_of(row: sqlite3.Row, *, attached: bool = False) -> Job:
    """The job of a row. Its JSON columns are decoded, and may raise, at first use."""
    plain = {name: row[name] for name in _PLAIN}
    undecoded: dict[str, Callable[[], Any]] = {
        "request": partial(_request, row),
        "handle": partial(_loaded, row, "ticket"),
        "progress": partial(_progress, row),
        "logs": partial(_texts, row, "logs"),
        "notes": partial(_texts, row, "notes"),
        "result": partial(_result, row),
        "error": partial(_error, row),
        "options": partial(_options, row),
    }
    return Job.stored(plain | {"status": Status(row["status"]), "attached": attached}, undecoded)


def fingerprint_of(job: Job) -> str:
    """Equal for calls with the same endpoint, arguments (in any order) and file format."""
    text = json.dumps([job.endpoint, job.request.wire(), job.options.format], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _loaded(row: sqlite3.Row, column: str) -> Any:
    return json.loads(row[column]) if row[column] else None


def _request(row: sqlite3.Row) -> ApiRequest:
    return named(row["endpoint"]).request.parse(_loaded(row, "request"))


def _progress(row: sqlite3.Row) -> Progress:
    return Progress(**_loaded(row, "progress") or {})


def _texts(row: sqlite3.Row, column: str) -> tuple[str, ...]:
    return tuple(_loaded(row, column) or ())


def _result(row: sqlite3.Row) -> Response | None:
    return Response.model_validate_json(row["result"]) if row["result"] else None


def _error(row: sqlite3.Row) -> JobError | None:
    return JobError(**_loaded(row, "error")) if row["error"] else None


def _options(row: sqlite3.Row) -> JobOptions:
    return JobOptions.from_dict(_loaded(row, "options") or {})
