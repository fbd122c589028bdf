"""JSON of fal's protocol: replies, states, errors, addresses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response

from acestep_mcp.api.errors import (
    AceStepError,
    FieldError,
    GenerationFailed,
    InvalidRequest,
    QueueError,
    QueueUnavailable,
    SubmissionUnknown,
)
from acestep_mcp.engine_server.jobs import QueueJob, State, StoredResponse

MAX_SHOWN = 1000
"""Characters of a rejected value that are sent back."""
OWNER = "acestep.owner"
"""Where a request's scope has the name of its key."""
RETRY_AFTER = "2"
"""Seconds that a caller is asked to wait while the queue's database is away."""


class Json(JSONResponse):
    """JSON in ASCII: one official client's stream decoder splits multi-byte characters."""

    def render(self, content: Any) -> bytes:
        return dumps(content).encode("ascii")


def dumps(content: Any) -> str:
    """Compact ASCII JSON on one line."""
    return json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def job_reply(
    job: QueueJob, body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Json:
    """A reply about a job, which a header names."""
    return Json(body, status, {**(headers or {}), **job_header(job)})


def job_header(job: QueueJob) -> dict[str, str]:
    return {"x-fal-request-id": job.id}


def request_error(status: int, detail: str, error_type: str | None = None, **headers: str) -> Json:
    """An error in the protocol's shape, unless it is about a field."""
    body = {"detail": detail} | ({"error_type": error_type} if error_type else {})
    return Json(body, status, ({"X-Fal-Error-Type": error_type} if error_type else {}) | headers)


def not_found() -> Json:
    """The reply for an unknown request, as fal writes it. The header says that no submit had this key; fal sends none."""
    return Json({"status": "NOT_FOUND"}, 404, {"X-Acestep-Idempotency": "1"})


def addresses(job: QueueJob, base: str) -> dict[str, str]:
    """The job's id and its three addresses, in the short form without the submit's sub-path."""
    url = f"{base}/{job.app}/requests/{job.id}"
    return {"request_id": job.id, "response_url": url, "status_url": f"{url}/status", "cancel_url": f"{url}/cancel"}


def state_of(job: QueueJob, base: str, position: int, logs: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    """The status body. Clients break on a missing `queue_position`, `logs` or `metrics`: each state has its keys."""
    body: dict[str, Any] = {"status": job.state.value, **addresses(job, base)}
    if job.state is State.QUEUED:
        return body | {"queue_position": position}
    body["logs"] = logs
    if job.answer:
        answer = job.answer
        body["metrics"] = {} if answer.seconds is None else {"inference_time": answer.seconds}
        body |= {"error": answer.error, "error_type": answer.error_type} if answer.error else {}
    return body


def state_code(job: QueueJob) -> int:
    """202 until the job has ended: one official client reads only this."""
    return 200 if job.ended else 202


def replay(job: QueueJob, answer: StoredResponse, base: str) -> Json:
    """The stored response, its addresses made absolute."""
    body = dict(answer.body)
    if "audio" in body:
        body["audio"] = body["audio"] | {"url": base + body["audio"]["url"]}
    return job_reply(job, body, answer.status, answer.headers)


def response_to(error: AceStepError) -> StoredResponse:
    """One of our errors as a response: 422 with its fields, or its own status, or 500."""
    match error:
        case InvalidRequest():
            detail = detail_of(error)
            return StoredResponse(422, {"detail": detail}, error=error.message, error_type=detail[0]["type"])
        case SubmissionUnknown():
            return StoredResponse.refused(500, error.message, error.code)
        case GenerationFailed():
            return StoredResponse.refused(500, error.message, error.error_type or "runner_server_error")
        case QueueError():
            return StoredResponse.refused(error.status or 500, error.message, error.error_type or "internal_error")
    return StoredResponse.refused(500, error.message, "internal_error")


def detail_of(error: InvalidRequest) -> list[dict[str, Any]]:
    """The `detail` list in fal's format. A large or unencodable value is left out."""
    fields = error.fields or (FieldError("", error.message),)
    return [_entry(field, named=bool(error.fields)) for field in fields]


def base_of(http: HttpRequest, public_url: str | None) -> str:
    """The server's address as this caller knows it, without a final slash. The Host header is already checked."""
    return public_url.rstrip("/") if public_url else f"{http.url.scheme}://{http.headers['host']}"


def owner_of(http: HttpRequest) -> str:
    """The name of the caller's key; "" where keys have no names, and for a caller without a key, where none is needed."""
    owner: str = http.scope.get(OWNER, "")
    return owner


def wants_logs(http: HttpRequest) -> bool:
    """Two clients send `logs=1`, one sends `logs=true`."""
    return http.query_params.get("logs", "").lower() in {"1", "true"}


async def error_reply(_: HttpRequest, exc: Exception) -> Response:
    """The reply to any error raised by a route."""
    match exc:
        case HTTPException():
            return Json({"detail": exc.detail}, exc.status_code, exc.headers)
        case QueueUnavailable():
            return request_error(503, exc.message, exc.error_type, **{"Retry-After": RETRY_AFTER})
        case QueueError(status=int(status)) if not isinstance(exc, GenerationFailed):
            pause = {"Retry-After": str(exc.retry_after)} if exc.retry_after else {}
            return request_error(status, exc.message, exc.error_type, **pause)
        case ClientDisconnect():
            return request_error(499, "The caller disconnected before its request was complete.", "client_disconnected")
        case AceStepError():
            answer = response_to(exc)
            return Json(answer.body, answer.status, answer.headers)
    return request_error(500, "Internal error of the engine server; its log has the details.", "internal_error")


def _entry(field: FieldError, *, named: bool) -> dict[str, Any]:
    entry = field.detail() | {"url": f"https://docs.fal.ai/errors/#{field.type}"}
    if not named:
        entry["loc"] = ["body"]
    try:
        shown = len(dumps(entry["input"])) <= MAX_SHOWN
    except ValueError:  # an infinite number
        shown = False
    if not shown or field.value is None:
        del entry["input"]
    return entry
