"""What makes sound. An engine turns a request (and the source it edits) into steps and, last, audio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from acestep_mcp.api.requests import Request

if TYPE_CHECKING:
    from acestep_mcp.audio import Sound


@dataclass(frozen=True, slots=True)
class Step:
    """`number` of `total` units of work are done in `stage` ("composing", "rendering", "denoising", ...).

    An engine yields one at least every 0.25 s: between two of them it can be stopped.
    """

    stage: str
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class Section:
    """A named part of a song, in seconds from its beginning."""

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Source:
    """The decoded song that a request edits, and the comment its file carried (engines keep their plan there)."""

    sound: Sound
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Audio:
    """The finished song. `plan` is JSON the same engine can read back from the file's comment when it is edited."""

    sound: Sound
    tags: str
    lyrics: str
    notes: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    plan: dict[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """What the queue's worker asks of an engine.

    `generate` gets every request but PromptToAudio (the writer has already turned that into TextToAudio), always
    with a seed, and a source exactly when the request has `audio_url`. It yields Steps and, last, one Audio;
    stopping early is closing the generator. It raises InvalidRequest for values that do not fit the source, and
    GenerationFailed for its own failures.

    Building one is cheap and touches no device: what is large is loaded by the first `generate`. `device` names what
    it computes on so that any process of this machine gives it the same name (a GPU by its UUID: numbers change with
    CUDA_VISIBLE_DEVICES), and no second engine server gets it; None needs no lock. `unload` frees what was loaded, and
    the next `generate` loads again; it is called between two jobs, from the same or another thread. `close` is the end.
    """

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def device(self) -> str | None: ...

    def generate(self, request: Request, source: Source | None) -> Iterator[Step | Audio]: ...
    def unload(self) -> None: ...
    def close(self) -> None: ...
