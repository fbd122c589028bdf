"""A job: one accepted request and its response."""

from __future__ import annotations

import hashlib
import json
import re
import time
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

import anyio

from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.api.requests import ApiRequest

MAX_ATTEMPTS = 3
MAX_LOGS = 2000
_ID = re.compile(r"[0-9a-z-]{16,64}")
_JOB_BYTES = 2000
_LOG_BYTES = 400
_ABRIDGED = 200


class State(StrEnum):
    """The protocol's three states. Failed and cancelled jobs are COMPLETED too: the response says how a job ended."""

    QUEUED = "IN_QUEUE"
    RUNNING = "IN_PROGRESS"
    ENDED = "COMPLETED"


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The response that the result address replays.

    Addresses in `body` begin with `/` and get the reader's base; `file` is the stored file they name. `error` and
    `error_type` are the short form for the status; `seconds` is the time the engine took.
    `fetched` is when the file was last asked for as a whole.
    """

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    file: str | None = None
    error: str | None = None
    error_type: str | None = None
    seconds: float | None = None
    fetched: float | None = None

    @classmethod
    def refused(cls, status: int, detail: str, error_type: str, **headers: str) -> StoredResponse:
        """An error in the protocol's shape: a text, a type, and the type again as a header."""
        body = {"detail": detail, "error_type": error_type}
        return cls(status, body, {"X-Fal-Error-Type": error_type, **headers}, error=detail, error_type=error_type)


def cancelled(note: str = "") -> StoredResponse:
    """`note` says what another server does with the job after that."""
    return StoredResponse.refused(499, f"Request cancelled by the client. {note}".rstrip(), "client_cancelled")


CANCELLED = cancelled()
LOST = StoredResponse.refused(
    503, "The engine stopped while this request was running. Submit it again.", "runner_disconnected"
)
INTERNAL = StoredResponse.refused(
    500, "Internal error of the engine; the engine server's log has the details.", "internal_error"
)
TOO_LATE = StoredResponse.refused(
    504,
    "The request did not start within the time that X-Fal-Request-Timeout allows. Submit it again with a longer one.",
    "request_timeout",
    **{"X-Fal-Request-Timeout-Type": "user"},
)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a job is run.

    Lower `priority` runs first. A job does not start after `start_by` (seconds since the epoch). Without `retry` an
    interrupted run is not repeated. A `synchronous` job ends with the connection of its caller. The result is posted
    to `webhook`, with addresses that begin with `base`. `trace` are the headers of the submit's span.
    """

    priority: int = 0
    start_by: float | None = None
    retry: bool = True
    synchronous: bool = False
    webhook: str | None = None
    base: str = ""
    trace: dict[str, str] = field(default_factory=dict)


def log_line(message: str, level: str = "INFO") -> dict[str, Any]:
    """A line of a job's log. Times are as fal writes them: UTC without an offset."""
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")
    return {"timestamp": now, "message": message, "labels": {}, "level": level, "source": "USER"}


def new_id() -> str:
    return str(uuid4())


@dataclass(slots=True, eq=False, weakref_slot=True)
class QueueJob:
    """Changed only on the event loop's thread, and only by its JobQueue.

    `changed` is set, and replaced by a new event, at every change. `sequence` orders jobs of one priority. `logs` is
    empty once it is compressed into `packed`; `lines` reads either. `revision` counts the changes of a job that several
    servers share. `owner` is the name of the key that it was submitted with; "" where keys have no names. `cancel_note`
    says what becomes elsewhere of a job that was begun there, if it is cancelled; it is not stored.
    """

    endpoint: str
    request: ApiRequest
    options: RunOptions = RunOptions()
    id: str = field(default_factory=new_id)
    created_at: float = field(default_factory=time.time)
    sequence: int = 0
    state: State = State.QUEUED
    attempts: int = 0
    cancelled: bool = False
    webhook_done: bool = False
    ended_at: float | None = None
    answer: StoredResponse | None = None
    logs: list[dict[str, Any]] = field(default_factory=list)
    packed: bytes | None = None
    revision: int = 0
    owner: str = ""
    cancel_note: str = ""
    changed: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    @property
    def app(self) -> str:
        """The short id (owner and alias) in the job's addresses."""
        return app_of(self.endpoint)

    @property
    def ended(self) -> bool:
        return self.state is State.ENDED

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The whole log so far."""
        return self.logs if self.packed is None else json.loads(zlib.decompress(self.packed))

    @property
    def size(self) -> int:
        """About how many bytes the job takes in memory, and as many in the database."""
        texts = [value for value in vars(self.request).values() if isinstance(value, str)]
        answer = str(self.answer.body) if self.answer else ""
        logs = sum(len(line["message"]) + _LOG_BYTES for line in self.logs) + len(self.packed or b"")
        return _JOB_BYTES + sum(map(len, texts)) + len(answer) + logs

    def abridge(self) -> None:
        """Shorten the texts of an ended job's request: it does not run again."""
        short = {name: abridged(value) for name, value in vars(self.request).items()}
        changed = {name: value for name, value in short.items() if value != getattr(self.request, name)}
        self.request = self.request.model_copy(update=changed)

    def pack(self) -> None:
        """Compress the log of an ended job: it is rarely read again, and kept as long as the response."""
        if self.ended and self.packed is None:
            self.packed = zlib.compress(json.dumps(self.logs).encode())
            self.logs = []

    async def end(self) -> None:
        """Wait until the job has ended."""
        while not self.ended:
            await self.changed.wait()

    def notify(self) -> None:
        """Wake all watchers of this job."""
        event, self.changed = self.changed, anyio.Event()
        event.set()


def id_of_key(key: str, owner: str = "") -> str:
    """The id of the job that is submitted with an idempotency key: the key itself, if it can be an id.

    Owners have ids of their own: what one of them chooses never meets the job of another.
    """
    if owner:
        return hashlib.sha256(f"{owner}\n{key}".encode()).hexdigest()[:32]
    return key if _ID.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()[:32]


def abridged(value: Any) -> Any:
    """A long text as its beginning and its SHA-256, so that it can still be told from another; any other value as it is."""
    if not isinstance(value, str) or len(value) <= _ABRIDGED:
        return value
    return f"{value.strip()[: _ABRIDGED // 2]} (sha256 {hashlib.sha256(value.encode()).hexdigest()})"


def request_of(endpoint: str, fields: Any) -> ApiRequest:
    """The stored request of an endpoint. Raises KeyError for an unknown endpoint, TypeError, ValueError, InvalidRequest."""
    return BY_ID[endpoint].request.parse(dict(fields))


def app_of(endpoint: str) -> str:
    """`fal-ai/ace-step/audio-inpaint` belongs to the app `fal-ai/ace-step`: sub-paths are for submitting only."""
    return "/".join(endpoint.split("/")[:2])


APPS = frozenset(app_of(endpoint) for endpoint in BY_ID)
