"""Servers that other people wrote, as engines: ACE-Step 1.5's own API and acestep.cpp. HTTP is handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from acestep_mcp.api.requests import EngineRequest

MAX_SONG = 256 << 20
"""Bytes of one song: ten minutes of stereo at 48 kHz in 32 bits are 230 MB."""

JSON = "application/json"
ODD = "odd_answer"
"""The `error_type` of an answer that cannot be read: a proxy's page may stand in for it."""

Form = Literal["wav", "flac", "mp3"]
Kind = Literal["text", "remix", "lyrics", "repaint"]


class Answer(Protocol):
    """What came back for one request. Header names are in lower case; `json` is None for what is not JSON."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...
    def json(self) -> Any: ...


Body = tuple[bytes, str]
"""What is sent, and its content type."""


class Ask(Protocol):
    """Sends one request to the server, follows no redirect, and reads an answer of at most `most` bytes.

    `seconds` bounds connecting and each read, `total` all of it. Raises NoResponse when no whole answer came. A
    stream of events has no end: it is read until it is silent, or for half of `total`.
    """

    async def __call__(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        *,
        most: int = 8 << 20,
        seconds: float = 60,
        total: float = 120,
    ) -> Answer: ...


Call = Callable[..., Answer]
"""`Ask` as a plain function, for the engine's thread."""


@dataclass(frozen=True, slots=True)
class Task:
    """One song that the server makes.

    An edit has its `source` as a WAV file; a repaint renews `start` to `end` seconds of it, which may lie outside: then
    the song becomes longer. `lora` is an adapter's name there and its weight. `form` is the wanted format, "exact" the best that changes no sample.
    """

    kind: Kind
    request: EngineRequest
    seed: int
    form: Form | Literal["exact"]
    source: bytes = b""
    start: float = 0.0
    end: float = 0.0
    lora: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server says of itself. `version` is its own or that of its interface, `model` the one it would use.

    `is_turbo` None is unknown. `writes`: a language model can write songs. `features` are names of the wire's own,
    `loras` those of adapters that a request may name.
    """

    model: str
    version: str
    is_turbo: bool | None = None
    writes: bool = False
    features: frozenset[str] = frozenset()
    loras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobState:
    """How far a job is; `fraction` 0 to 1 where the server says it, `reason` why it failed."""

    name: Literal["waiting", "running", "done", "failed", "gone"]
    fraction: float | None = None
    stage: str = "generating"
    reason: str = ""
    result: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MadeSong:
    """A finished song as the server sent it, the model that made it where that is known, and what must be said of it."""

    content: bytes = field(repr=False)
    model: str | None = None
    notes: tuple[str, ...] = ()


class Wire(Protocol):
    """One server's way of taking jobs. Every function may raise NoResponse, and QueueError for an answer that is odd."""

    name: str
    cancels: bool

    def facts(self, call: Call) -> Facts: ...

    def notes(self, task: Task, facts: Facts) -> tuple[str, ...]:
        """What of the request has no effect there."""
        ...

    def submit(self, call: Call, task: Task, facts: Facts) -> str:
        """The id of the new job. Raises SubmissionUnknown when it may have been accepted, else it was refused."""
        ...

    def poll(self, call: Call, job: str) -> JobState: ...

    def is_restarted(self, call: Call) -> bool:
        """Whether the server has been started again since, and has forgotten the jobs it was working on."""
        ...

    def fetch(self, call: Call, state: JobState, task: Task) -> MadeSong: ...

    def cancel(self, call: Call, job: str) -> None:
        """Stop a job, if it still runs. Raises QueueError where that is not known."""
        ...

    def write(self, call: Call, prompt: str, *, instrumental: bool, seed: int) -> tuple[str, str]:
        """Tags and lyrics for a description, by the server's language model."""
        ...
