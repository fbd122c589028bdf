"""What is stored: jobs (in SQLite) and tracks (audio files, each with a sidecar)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acestep_mcp.api.requests import ApiRequest
from acestep_mcp.api.responses import Response


class Status(StrEnum):
    """fal's three states, and four of this package. COMPLETED means that a track exists."""

    NEW = "NEW"
    """Stored, not yet submitted."""
    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    """The submit was sent but not answered; it may have been accepted and billed."""

    @property
    def is_terminal(self) -> bool:
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Progress:
    """`fraction` is 0 to 1; `eta` is the estimated number of seconds left, or None."""

    fraction: float = 0.0
    stage: str = ""
    step: int | None = None
    total: int | None = None
    queue_position: int | None = None
    eta: float | None = None

    def describe(self) -> str:
        """One short line for people and models: `rendering, step 3 of 12, about 4 s left`."""
        if self.queue_position is not None:
            ahead = self.queue_position
            parts = ["queued, next in line" if ahead == 0 else f"queued, {ahead} ahead"]
        else:
            parts = [self.stage or "preparing"]
            if self.step is not None and self.total and self.total > 1:
                parts.append(f"step {self.step} of {self.total}")
        if self.eta is not None:
            parts.append(f"about {max(1, round(self.eta))} s left")
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed. If `collectable`, the host accepted it and its song can still be fetched."""

    code: str
    message: str
    collectable: bool = False


@dataclass(frozen=True, slots=True)
class SentAs:
    """A request in the terms of another model of its host.

    `endpoint` is that model's id and `model` its name; `source_field` is the field of `body` for the source's address.
    """

    endpoint: str
    model: str
    body: dict[str, Any]
    source_field: str | None = None


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What was decided when the job was created.

    `format` is the file's extension, `price` dollars per second, `seconds` the expected length. For an edit of a local
    file, `source` is its path, `content_type` its type, and `edit` the span in seconds of the source. `submit` holds
    the fields of `client.SubmitOptions`. `remade` is the id of the track whose request was sent again. `sent_as` is what
    is sent instead of the request where another model of the host makes the song.
    """

    format: str = "wav"
    price: float = 0.0
    seconds: float = 0.0
    source: str | None = None
    content_type: str = "application/octet-stream"
    edit: dict[str, float | str] | None = None
    remade: str | None = None
    submit: dict[str, Any] = field(default_factory=dict)
    sent_as: SentAs | None = None


@dataclass(frozen=True)
class Job:
    """The durable record of one request, stored before anything is submitted.

    Times are seconds since the epoch. `request` is as given (before uploads), `handle` what the queue returned for it,
    `attempts` how often it was submitted. `attached` means that a call joined this older job.

    A job from the database decodes each JSON column when the field is first used. Such fields have a factory for their
    default: a plain default would be a class attribute, which `__getattr__` never sees.
    """

    id: str
    endpoint: str
    request: ApiRequest
    status: Status
    backend: str
    created_at: float
    queue_url: str = ""
    request_id: str | None = None
    handle: dict[str, Any] | None = field(default_factory=lambda: None)
    attempts: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    progress: Progress = field(default_factory=Progress)
    logs: tuple[str, ...] = field(default_factory=tuple)
    result: Response | None = field(default_factory=lambda: None)
    track_id: str | None = None
    parent: str | None = None
    error: JobError | None = field(default_factory=lambda: None)
    estimated_cost: float = 0.0
    cost: float | None = None
    notes: tuple[str, ...] = field(default_factory=tuple)
    options: JobOptions = field(default_factory=JobOptions)
    attached: bool = False

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            # Reached only for a field that is not set: one that `stored` has not decoded yet.
            decode = self.__dict__.get("_undecoded", {}).get(name)
            if decode is None:
                raise AttributeError(name)
            value = decode()
            object.__setattr__(self, name, value)
            return value

    @classmethod
    def stored(cls, plain: Mapping[str, Any], undecoded: Mapping[str, Callable[[], Any]]) -> Job:
        """A job from a database row: `plain` values, and functions that decode the others."""
        job = object.__new__(cls)
        for name, value in (*plain.items(), ("_undecoded", undecoded)):
            object.__setattr__(job, name, value)
        return job

    def changed(self, **changes: Any) -> Job:
        """A copy with other values for these fields. Unlike `dataclasses.replace` it decodes nothing."""
        job = object.__new__(Job)
        for name, value in (self.__dict__ | changes).items():
            object.__setattr__(job, name, value)
        return job

    @property
    def host_endpoint(self) -> str:
        """The id of the endpoint that the host runs for it."""
        return self.options.sent_as.endpoint if self.options.sent_as else self.endpoint

    @property
    def asked(self) -> dict[str, Any]:
        """The request's fields, and the seed that was sent even if the request leaves it out."""
        sent = self.options.sent_as.body if self.options.sent_as else {}
        return ({"seed": sent["seed"]} if "seed" in sent else {}) | self.request.wire()

    @property
    def elapsed(self) -> float | None:
        """Seconds from creation to end; None while it is open. 0 where the clock was set back meanwhile."""
        return None if self.ended_at is None else max(0.0, self.ended_at - self.created_at)


@dataclass(frozen=True, slots=True)
class Track:
    """A song in the music folder: a file and its sidecar.

    `sidecar` is the whole JSON; the properties are its most used parts. `deleted` tracks are in the trash folder.
    """

    id: str
    path: Path
    sidecar: dict[str, Any]
    deleted: bool = False

    @property
    def uri(self) -> str:
        return f"acestep://tracks/{self.id}"

    @property
    def title(self) -> str:
        return str(self.sidecar.get("title") or self.path.stem)

    @property
    def created_at(self) -> str:
        return str(self.sidecar["created_at"])

    @property
    def parent(self) -> str | None:
        """The id of the track that this one was made from; a take's is that of the parent that it shares with its siblings."""
        parent = self.sidecar.get("parent")
        found = parent.get("id") if isinstance(parent, Mapping) else parent  # older sidecars have an object
        return found if isinstance(found, str) else None

    @property
    def duration(self) -> float:
        return float(self.sidecar["audio"]["duration"])

    @property
    def size(self) -> int:
        return int(self.sidecar["audio"]["size"])

    @property
    def content_type(self) -> str:
        return str(self.sidecar["audio"]["content_type"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """A job and, once it is COMPLETED, its track."""

    job: Job
    track: Track | None = None


@dataclass(frozen=True, slots=True)
class TrackPage:
    """A page of tracks, newest first; `next_cursor` is None on the last page. `total` counts all matches.

    `problems` are sentences about songs in the folder that are in no list.
    """

    tracks: tuple[Track, ...]
    next_cursor: str | None
    total: int
    problems: tuple[str, ...] = ()
