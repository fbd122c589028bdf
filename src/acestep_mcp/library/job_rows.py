"""Jobs as rows of the database: each structured field is one JSON column."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import partial
from typing import Any

from acestep_mcp.api.endpoints import named
from acestep_mcp.api.errors import ConfigurationError, InvalidRequest
from acestep_mcp.api.requests import ApiRequest, Request
from acestep_mcp.api.responses import Response
from acestep_mcp.library.models import Job, JobError, JobOptions, Progress, Status

_Row = Mapping[str, Any]
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
    columns = dict(row)
    plain = {name: columns[name] for name in _PLAIN}
    if plain["request_id"] is None and columns["ticket"]:  # an older server writes it only there
        plain["request_id"] = json.loads(columns["ticket"]).get("request_id")
    undecoded: dict[str, Callable[[], Any]] = {
        "request": partial(_request, columns),
        "handle": partial(_loaded, columns, "ticket"),
        "progress": partial(_progress, columns),
        "logs": partial(_texts, columns, "logs"),
        "notes": partial(_texts, columns, "notes"),
        "result": partial(_result, columns),
        "error": partial(_error, columns),
        "options": partial(_options, columns),
    }
    status = Status(row["status"]) if row["status"] in Status.__members__ else Status.UNKNOWN
    return Job.stored(plain | {"status": status, "attached": attached}, undecoded)


def fingerprint_of(job: Job) -> str:
    """Equal for calls with the same endpoint, arguments (in any order) and file format."""
    text = json.dumps([job.endpoint, job.request.wire(), job.options.format], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _loaded(row: _Row, column: str) -> Any:
    return json.loads(row[column]) if row[column] else None


@contextmanager
def _of_any_version(row: _Row, column: str) -> Iterator[None]:
    """An accepted song stays collectable: ConfigurationError does not end its job for good."""
    try:
        yield
    except (InvalidRequest, ValueError, TypeError) as exc:
        raise ConfigurationError(
            f"The {column} of job {row['id']} was stored by another version of acestep-mcp and cannot be read ({exc}). "
            "Update acestep-mcp."
        ) from exc


def _request(row: _Row) -> ApiRequest:
    with _of_any_version(row, "request"):
        return named(row["endpoint"]).request.parse(_loaded(row, "request"))


def _progress(row: _Row) -> Progress:
    return Progress(**_known(Progress, _loaded(row, "progress")))


def _known(kind: type[Progress | JobError], values: Any) -> dict[str, Any]:
    """The fields that this version has; another one may have written more."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in (values or {}).items() if name in names}


def _texts(row: _Row, column: str) -> tuple[str, ...]:
    return tuple(_loaded(row, column) or ())


def _result(row: _Row) -> Response | None:
    with _of_any_version(row, "result"):
        return Response.model_validate_json(row["result"]) if row["result"] else None


def _error(row: _Row) -> JobError | None:
    return JobError(**_known(JobError, _loaded(row, "error"))) if row["error"] else None


def _options(row: _Row) -> JobOptions:
    return JobOptions.from_dict(_loaded(row, "options") or {})
