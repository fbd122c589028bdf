"""What is kept: jobs (SQLite) and tracks (audio files, each with a sidecar). Plain and synchronous inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Status(StrEnum):
    """fal's three words, and what the wire cannot say. COMPLETED here always means: a track exists."""

    NEW = "NEW"
    """On disk, not yet submitted."""
    IN_QUEUE = "IN_QUEUE"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"
    """The submit was sent and no answer came; it may have been accepted and billed."""

    @property
    def is_terminal(self) -> bool:
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job stands. `fraction` is 0 to 1; `eta` is seconds left as measured history has it, or None."""

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
            words = ["queued, next in line" if ahead == 0 else f"queued, {ahead} ahead"]
        else:
            words = [self.stage or "working"]
            if self.step is not None and self.total and self.total > 1:
                words.append(f"step {self.step} of {self.total}")
        if self.eta is not None:
            words.append(f"about {max(1, round(self.eta))} s left")
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Job:
    """One request on its way to a track: our durable record, on disk before anything is submitted.

    Times are seconds since the epoch. `request` is the body as given (before uploads), `error` is
    {code, message, collectable} of a job that ended badly, `attached` tells that a call was joined to this older job.
    """

    id: str
    endpoint: str
    request: dict[str, Any]
    status: Status
    backend: str
    created_at: float
    queue_url: str = ""
    request_id: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    progress: Progress = Progress()
    logs: tuple[str, ...] = ()
    result: dict[str, Any] | None = None
    track_id: str | None = None
    parent: str | None = None
    error: dict[str, Any] | None = None
    estimated_cost: float = 0.0
    cost: float | None = None
    notes: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    attached: bool = False

    @property
    def elapsed(self) -> float | None:
        """Seconds from creation to end, None while it is open."""
        return None if self.ended_at is None else self.ended_at - self.created_at


@dataclass(frozen=True, slots=True)
class Track:
    """A kept song: a file and its sidecar.

    `sidecar` is the whole JSON; the properties are the parts that everyone asks for. `deleted` tracks lie in the
    trash folder.
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
    def duration(self) -> float:
        return float(self.sidecar["audio"]["duration"])

    @property
    def size(self) -> int:
        return int(self.sidecar["audio"]["size"])

    @property
    def content_type(self) -> str:
        return str(self.sidecar["audio"]["content_type"])
