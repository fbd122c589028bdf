"""Parsing the host's replies: a handle, an update, a response, or one of our errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from acestep_mcp.api.errors import (
    AceStepError,
    ConfigurationError,
    FieldError,
    GenerationFailed,
    InvalidRequest,
    JobCancelled,
    QueueError,
    RequestUnknown,
    SubmissionUnknown,
)
from acestep_mcp.api.responses import Response
from acestep_mcp.api.updates import Completed, InProgress, Log, Queued, Update
from acestep_mcp.client.handle import RequestHandle, is_request_id
from acestep_mcp.client.host import MAX_URL, Host
from acestep_mcp.net.http_responses import HttpResponse

MAX_TEXT = 300
MAX_LINE = 2000
MAX_LOGS = 10_000
MAX_FIELDS = 20
MAX_POSITION = 10**6
MAX_SECONDS = 10**7

NOT_FINISHED = "not_finished"
KEYS_HEADER = "x-acestep-idempotency"
"""In the reply of our engine server to a status of an unknown request: the key of a submit would be the request's id."""
# Line ends, control characters, and marks that change the direction of text.
_ODD = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
# Failures of the model that fal answers with a code meant for bad input.
_MODEL_FAILURES = frozenset({"no_media_generated", "downstream_service_error", "downstream_service_unavailable"})
_ADVICE = {
    "request_timeout": "No runner took it in time. Try again later, or allow a longer start timeout.",
    "startup_timeout": "The runner did not start in time. Try again in a few minutes.",
    "generation_timeout": "The model took too long. Try a shorter duration or fewer steps.",
    "runner_scheduling_failure": "No runner was free. Try again in a few minutes.",
    "runner_disconnected": "Its runner was lost while it ran. Try again.",
    "no_media_generated": "The model produced no audio. Change the tags or lyrics, or use another seed.",
    "concurrent_requests_limit": "Too many requests run at once on this account. Wait until one ends.",
}


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """An error reply: its text, the host's error type, the fields it names, and its request id."""

    text: str = ""
    type: str | None = None
    fields: tuple[FieldError, ...] = field(default=())
    request_id: str | None = None

    @property
    def advice(self) -> str:
        return _ADVICE.get(self.type or "", "Try again; another seed or a shorter song may help if it fails again.")

    @property
    def quoted(self) -> str:
        """Text, error type and request id, for the end of a sentence."""
        reply = f': "{self.text}"' if self.text else ""
        kind = f" [{self.type}]" if self.type else ""
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{reply}{kind}{request}."


def read_error_reply(answer: HttpResponse) -> ErrorReply:
    """Read an error of any shape: a list of fields, a text with a type, a plain text, a web page."""
    body = answer.json()
    body = body if isinstance(body, Mapping) else {}
    detail = body.get("detail", body.get("message"))
    entries = [entry for entry in detail if isinstance(entry, Mapping)] if isinstance(detail, list) else []
    fields = tuple(_field(entry) for entry in entries[:MAX_FIELDS])
    kind = body.get("error_type") or answer.headers.get("x-fal-error-type") or (fields[0].type if fields else None)
    text = detail if isinstance(detail, str) else "; ".join(f"{f.field}: {f.message}" for f in fields)
    request_id = answer.headers.get("x-fal-request-id")
    return ErrorReply(
        plain(text), plain(kind, 80) or None if isinstance(kind, str) else None, fields,
        request_id if is_request_id(request_id) else None,
    )  # fmt: skip


def _field(entry: Mapping[str, Any]) -> FieldError:
    """An entry of a 422's list under our field's name: `loc` without its leading `body`."""
    loc = entry.get("loc")
    parts = [str(part) for part in loc] if isinstance(loc, list) else []
    name = ".".join(parts[1:] if parts[:1] == ["body"] else parts)
    value = entry.get("input")
    value = value if isinstance(value, int | float | bool) else plain(value, 60) if isinstance(value, str) else None
    message = plain(entry.get("msg")) or "is not accepted"
    return FieldError(plain(name, 80) or "request", message, plain(entry.get("type"), 80) or "value_error", value)


def plain(text: object, longest: int = MAX_TEXT) -> str:
    """A host's text on one line, shortened and without control characters, for messages that a model reads."""
    if not isinstance(text, str):
        return ""
    text = " ".join(_ODD.sub(" ", text).split())
    return text if len(text) <= longest else text[: longest - 3] + "..."


def error_of(answer: HttpResponse, action: str, host: Host) -> AceStepError:
    """An unsuccessful response as one of our errors. `action` begins the message."""
    reply, status = read_error_reply(answer), answer.status
    if status in (401, 402, 403):
        return _no_access(reply, status, host)
    if status in (400, 413, 422):
        return failed(answer) if reply.type in _MODEL_FAILURES else _invalid(reply, status, host)
    if is_not_found(answer):
        message = f"{action}: it does not know this request. Results are kept for a limited time."
        return RequestUnknown(f"{message} If its song is not among the tracks, make it again.", status=status)
    if status == 499:
        return JobCancelled(f"The request was cancelled{reply.quoted} Start a new one if you still want it.")
    message = _error_message(answer, action, reply)
    return QueueError(message, status=status, error_type=reply.type, is_permanent=not answer.is_transient)


def _no_access(reply: ErrorReply, status: int, host: Host) -> ConfigurationError:
    name = "FAL_KEY" if host.name == "fal" else "ACESTEP_ENGINE_KEY"
    if status == 402 or "balance" in reply.text.lower() or "locked" in reply.text.lower():
        what, then = "the account has no balance left", "Top it up (at fal: fal.ai/dashboard/billing)"
    elif status == 401 and not host.key:
        # An engine's key goes to the address that the settings name, and to no other that a job remembers.
        address = "" if host.name == "fal" else f", and ACESTEP_ENGINE_URL to {host.queue_url}"
        what, then = "a key is needed", f"Set {name}{address}"
    elif status == 401:
        what, then = "the key was not accepted", f"Check that {name} is whole and valid"
    else:
        what, then = "this key may not use it", f"Check the key's permissions, or set {name} to another key"
    return ConfigurationError(f"{_upper(host.label)} answered {status}: {what}{reply.quoted} {then}, then try again.")


def _invalid(reply: ErrorReply, status: int, host: Host) -> InvalidRequest:
    message = f"{_upper(host.label)} refused the request ({status}){reply.quoted} Change the arguments, then try again."
    return InvalidRequest(message, reply.fields)


def _error_message(answer: HttpResponse, action: str, reply: ErrorReply) -> str:
    """The message of an error that neither the arguments nor the key caused."""
    if 300 <= answer.status < 400:
        to = plain(answer.headers.get("location"), 120)
        return f"{action}: it redirects to {to or 'elsewhere'}, which is not followed. Set that address."
    what = {
        404: "there is no such endpoint or address. Check the host's address",
        405: "the address does not take this. Check that it is a queue, such as https://queue.fal.run",
        408: "the request did not arrive in time. Try again",
        429: f"too many requests or too long a queue. {_later(answer)}",
    }.get(answer.status, f"it failed. {_later(answer)}")
    page = " with a web page instead of JSON" if answer.body and answer.json() is None else ""
    return f"{action}: it answered {answer.status}{page}{reply.quoted} That means: {what}."


def _later(answer: HttpResponse) -> str:
    pause = answer.pause
    return f"Try again in {pause:.0f} s" if pause else "Try again in a few minutes"


def _upper(message: str) -> str:
    return message[:1].upper() + message[1:]


def failed(answer: HttpResponse) -> GenerationFailed | SubmissionUnknown:
    """A failure of the model, from its result address; or of an engine server that does not know whether it was made."""
    reply = read_error_reply(answer)
    if reply.type == SubmissionUnknown.code:
        return SubmissionUnknown(
            f"The engine does not know whether the song is made{reply.quoted}", status=answer.status
        )
    message = f"The generation failed ({answer.status}){reply.quoted} {reply.advice}"
    return GenerationFailed(message, status=answer.status, error_type=reply.type)


def is_not_found(answer: HttpResponse) -> bool:
    """Whether the queue itself, not a web server in between, does not know the request."""
    body = answer.json()
    return answer.status == 404 and isinstance(body, Mapping) and body.get("status") == "NOT_FOUND"


def is_json_error(answer: HttpResponse) -> bool:
    return answer.status >= 500 and isinstance(answer.json(), Mapping)


def is_app_error(answer: HttpResponse) -> bool:
    """Whether an error at the result address is the outcome of the request, not a fault in between."""
    if "x-fal-request-timeout-type" in answer.headers:
        return answer.status >= 500
    if answer.status == 404:  # an app that has no such path; the queue has run it all the same
        return "x-fal-request-id" in answer.headers and not is_not_found(answer)
    return is_json_error(answer) and read_error_reply(answer).type is not None


def is_unclear(answer: HttpResponse) -> bool:
    """An error at the result address that only the status can explain."""
    return is_json_error(answer) or (answer.status == 400 and not read_error_reply(answer).fields)


def not_finished(answer: HttpResponse, action: str) -> QueueError:
    message = f"{action}: the request has not finished yet{read_error_reply(answer).quoted} Wait for it and ask again."
    return QueueError(message, status=answer.status, error_type=NOT_FINISHED)


def handle_of(answer: HttpResponse, host: Host) -> RequestHandle:
    """Raises SubmissionUnknown when the reply to an accepted submit holds no usable request id."""
    body = answer.json()
    if not isinstance(body, Mapping) or not is_request_id(body.get("request_id")):
        raise SubmissionUnknown(
            f"{_upper(host.label)} took the request but its reply holds no request id, so the song cannot be "
            "fetched. It may be billed. Look at the host's own list of requests before you submit it again.",
            status=answer.status,
        )
    names = ("status_url", "response_url", "cancel_url")
    given = {n: v for n in names if isinstance(v := body.get(n), str) and len(v) <= MAX_URL}
    gateway = body.get("gateway_request_id")
    return RequestHandle(body["request_id"], gateway_request_id=gateway if is_request_id(gateway) else None, **given)


def received(answer: HttpResponse, action: str, host: Host) -> RequestHandle | None:
    """The handle of the request that has a key as its id; None when our engine server says that it received none.

    Raises SubmissionUnknown for another server, and what `error_of` gives for one that is not in order.
    """
    if answer.status in (200, 202):
        return handle_of(answer, host)
    if is_not_found(answer) and KEYS_HEADER in answer.headers:
        return None
    if answer.status in (404, 405):
        raise SubmissionUnknown(
            f"A request was sent to {host.label}, and no usable answer came. It may have been accepted. That server "
            "cannot be asked whether it was, so it is not sent again automatically. Look at its own list of requests, "
            "then submit it again.",
            status=answer.status,
        )
    raise error_of(answer, action, host)


def update_in(answer: HttpResponse, host: Host) -> Update:
    """The update in a status reply. Raises QueueError for anything else."""
    return update_of(answer.json(), host)


def update_of(body: Any, host: Host) -> Update:
    """A status object as an update, with all of its log lines. Raises QueueError for anything else."""
    body = body if isinstance(body, Mapping) else {}
    logs = body.get("logs")
    lines = tuple(_log(entry) for entry in logs[:MAX_LOGS]) if isinstance(logs, list) else ()
    match body.get("status"):
        case "IN_QUEUE":
            position = body.get("queue_position")
            return Queued(min(max(0, position), MAX_POSITION) if type(position) is int else 0)
        case "IN_PROGRESS":
            return InProgress(lines)
        case "COMPLETED":
            return _completed(body, lines)
    message = f"{_upper(host.label)} reported an unknown state: "
    message += f"{plain(body.get('status'), 40)!r}. Check that its address is a queue's."
    raise QueueError(message, is_permanent=True)


def _completed(body: Mapping[str, Any], logs: tuple[Log, ...]) -> Completed:
    error, kind, metrics = body.get("error"), body.get("error_type"), body.get("metrics")
    seconds = metrics.get("inference_time") if isinstance(metrics, Mapping) else None
    text = plain(error) if isinstance(error, str) else plain(repr(error)) if error else ""
    return Completed(
        logs,
        text or (plain(kind) or None if kind else None),
        plain(kind, 80) or None,
        float(seconds) if isinstance(seconds, int | float) and 0 <= seconds <= MAX_SECONDS else None,
    )


def _log(entry: Any) -> Log:
    entry = entry if isinstance(entry, Mapping) else {"message": entry}
    level = plain(entry.get("level"), 20) or "INFO"
    return Log(plain(entry.get("message"), MAX_LINE), level, plain(entry.get("timestamp"), 40))


def response_of(answer: HttpResponse, host: Host, asked: Mapping[str, Any]) -> Response:
    """The result of a finished request. Raises QueueError when it names no audio file."""
    response = Response.of(answer.json(), asked)
    if response is None:
        said = read_error_reply(answer).quoted
        message = (
            f"{_upper(host.label)} finished the request, but its answer is not a song's: it names no audio file{said}"
        )
        raise QueueError(f"{message} Report it to the host.", status=answer.status, is_permanent=True)
    return response
