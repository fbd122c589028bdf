"""A job as a row of a database, and back."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.engine_server.jobs import QueueJob, RunOptions, State, StoredResponse, request_of

logger = logging.getLogger(__name__)

COLUMNS = (
    "id", "endpoint", "request", "terms", "created_at", "sequence", "state", "attempts", "cancelled", "told",
    "ended_at", "answer", "logs", "owner",
)  # fmt: skip
# `terms` are the RunOptions, and `told` whether its webhook is done: the columns keep their first names, since
# an older server may open the file.


def row_of(job: QueueJob) -> tuple[Any, ...]:
    return (
        job.id,
        job.endpoint,
        json.dumps(job.request.wire()),
        _options_json(job.options),
        job.created_at,
        job.sequence,
        job.state.value,
        job.attempts,
        int(job.cancelled),
        int(job.webhook_done),
        job.ended_at,
        json.dumps(asdict(job.answer)) if job.answer else None,
        json.dumps(job.lines) if job.ended else "[]",
        job.owner,
    )


_Id = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
_Time = Annotated[float, Field(ge=0, le=1e11)]


_ANSWER, _OPTIONS = TypeAdapter(StoredResponse), TypeAdapter(RunOptions)


class _StoredJob(BaseModel):
    """What a row must hold. Only another program writes anything else."""

    model_config = ConfigDict(strict=True)

    id: _Id
    created_at: _Time
    sequence: Annotated[int, Field(ge=0, lt=2**62)]
    attempts: Annotated[int, Field(ge=0, le=10**6)]
    ended_at: _Time | None
    options: RunOptions
    answer: StoredResponse | None
    logs: list[dict[str, Any]]
    owner: Annotated[str, Field(max_length=64)]


def job_of(row: Mapping[str, Any]) -> QueueJob | None:
    try:
        state = State(row["state"])
        stored = _StoredJob(
            answer=_ANSWER.validate_python(json.loads(row["answer"])) if row["answer"] else None,
            options=_options(row["terms"]),
            logs=json.loads(row["logs"]),
            owner=row.get("owner") or "",
            **{name: row[name] for name in ("id", "created_at", "sequence", "attempts", "ended_at")},
        )
        if state is State.ENDED or stored.answer:
            _check_end(stored)
        return QueueJob(
            endpoint=row["endpoint"],
            request=request_of(row["endpoint"], json.loads(row["request"])),
            state=state,
            cancelled=bool(row["cancelled"]),
            webhook_done=bool(row["told"]),
            **dict(stored),
        )
    except (InvalidRequest, KeyError, ValueError, TypeError, AttributeError, RecursionError) as exc:
        logger.warning("job %s cannot be read and is skipped: %s", row["id"], exc, extra={"request_id": row["id"]})
        return None


def _check_end(job: _StoredJob) -> None:
    """Raises ValueError for an ended job without an end, or without the address of its song."""
    if job.ended_at is None or job.answer is None or not 200 <= job.answer.status < 600:
        raise ValueError("it has ended and has no answer")
    if "audio" in job.answer.body and not isinstance(job.answer.body["audio"]["url"], str):
        raise ValueError("its answer has no address of a song")


def _options_json(options: RunOptions) -> str:
    """As earlier versions wrote them: `synchronous` is `direct` in the database."""
    stored = asdict(options)
    stored["direct"] = stored.pop("synchronous")
    return json.dumps(stored)


def _options(text: str) -> RunOptions:
    stored = json.loads(text)
    found: RunOptions = _OPTIONS.validate_python({"synchronous": stored.pop("direct", False), **stored})
    return found
