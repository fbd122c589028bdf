"""Jobs as rows of the database: each structured field is one JSON column."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from acestep_mcp.api.endpoints import named
from acestep_mcp.api.errors import ConfigurationError, InvalidRequest
from acestep_mcp.api.requests import ApiRequest, Request
from acestep_mcp.api.responses import Response
from acestep_mcp.library.models import Job, JobError, JobOptions, Progress, Status

OPTIONS_SQL = "CASE WHEN json_valid(options) THEN options ELSE '{}' END"
"""The column of the options, for SQLite's functions: they fail for what is no JSON, and would hide every other row."""

_Row = Mapping[str, Any]
_COLUMN = {"handle": "ticket"}
"""Fields whose column has another name. Columns are only added: an older server may use the same file."""
_TEXT = TypeAdapter(Annotated[str, Field(strict=True, max_length=4096)])
_ODD_TEXT = TypeAdapter(Annotated[str | None, Field(strict=True, max_length=4096)])
_COUNT = TypeAdapter(Annotated[int, Field(strict=True, ge=0, le=10**6)])
_TIME = TypeAdapter(Annotated[float, Field(strict=True, ge=0, le=1e11)])
_ODD_TIME = TypeAdapter(Annotated[float | None, Field(strict=True, ge=0, le=1e11)])
_DOLLARS = TypeAdapter(Annotated[float, Field(strict=True, ge=0, le=1e6)])
_ODD_DOLLARS = TypeAdapter(Annotated[float | None, Field(strict=True, ge=0, le=1e6)])
_PLAIN: dict[str, tuple[TypeAdapter[Any], Any]] = {
    "id": (_TEXT, "unreadable"),
    "endpoint": (_TEXT, "unreadable"),
    "backend": (_TEXT, "unreadable"),
    "created_at": (_TIME, 0.0),
    "queue_url": (_TEXT, ""),
    "request_id": (_ODD_TEXT, None),
    "attempts": (_COUNT, 1),
    "started_at": (_ODD_TIME, None),
    "ended_at": (_ODD_TIME, None),
    "track_id": (_ODD_TEXT, None),
    "parent": (_ODD_TEXT, None),
    "estimated_cost": (_DOLLARS, 0.0),
    "cost": (_ODD_DOLLARS, None),
}
"""Columns that are no JSON: what they must be, and what stands for anything else, which only another program writes."""
_PROGRESS, _JOB_ERROR, _OPTIONS = TypeAdapter(Progress), TypeAdapter(JobError), TypeAdapter(JobOptions)
"""Fields that another version has written are left out."""
_RECORD: TypeAdapter[dict[str, Any] | None] = TypeAdapter(dict[str, Any] | None)
_LINES = TypeAdapter(tuple[Annotated[str, Field(strict=True)], ...])


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
    plain = {name: _valid(kind, columns[name], otherwise) for name, (kind, otherwise) in _PLAIN.items()}
    if plain["request_id"] is None:  # an older server writes it only there
        plain["request_id"] = _valid(
            _ODD_TEXT, (_optional(columns, "ticket", _RECORD, None) or {}).get("request_id"), None
        )
    undecoded: dict[str, Callable[[], Any]] = {
        "request": partial(_request, columns),
        "handle": partial(_handle, columns),
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
    """Equal for calls with the same endpoint and model, arguments (in any order) and file format."""
    text = json.dumps([job.host_endpoint, job.request.wire(), job.options.format], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _valid(kind: TypeAdapter[Any], value: Any, otherwise: Any) -> Any:
    try:
        return kind.validate_python(value)
    except ValidationError:
        return otherwise


def _loaded(row: _Row, column: str) -> Any:
    """Raises ValueError for what is no JSON."""
    if row[column] is None or row[column] == "":
        return None
    try:
        return json.loads(row[column])
    except (TypeError, RecursionError) as exc:
        raise ValueError(f"it is no JSON text ({exc})") from exc


def _optional(row: _Row, column: str, kind: TypeAdapter[Any], otherwise: Any) -> Any:
    """A column that a job does without where it cannot be read."""
    try:
        return kind.validate_python(_loaded(row, column))
    except ValueError:
        return otherwise


def _handle(row: _Row) -> dict[str, Any] | None:
    """Raises ConfigurationError: without it, an accepted request would be sent again."""
    with _of_any_version(row, "ticket"):
        return _RECORD.validate_python(_loaded(row, "ticket"))


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
        return named(row["endpoint"]).request.parse(_RECORD.validate_python(_loaded(row, "request")) or {})


def _progress(row: _Row) -> Progress:
    found: Progress = _optional(row, "progress", _PROGRESS, Progress())
    return found


def _texts(row: _Row, column: str) -> tuple[str, ...]:
    found: tuple[str, ...] = _optional(row, column, _LINES, ())
    return found


def _result(row: _Row) -> Response | None:
    with _of_any_version(row, "result"):
        return Response.model_validate_json(row["result"]) if row["result"] else None


def _error(row: _Row) -> JobError | None:
    if not row["error"]:
        return None
    found: JobError = _optional(row, "error", _JOB_ERROR, JobError("unknown", "The reason cannot be read any more."))
    return found


def _options(row: _Row) -> JobOptions:
    found: JobOptions = _optional(row, "options", _OPTIONS, JobOptions())
    return found
