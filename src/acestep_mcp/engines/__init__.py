"""The interface of engines, which turn a request and the source it edits into steps and, last, audio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from acestep_mcp.api.requests import EngineRequest
    from acestep_mcp.audio import Sound


@dataclass(frozen=True, slots=True)
class Step:
    """`number` of `total` units of work are done in `stage` ("composing", "rendering", "denoising", ...).

    An engine can be stopped between two steps; the draft engine yields one at least every 0.25 s. `overlaps` says that
    the next job may begin while this one goes on.
    """

    stage: str
    number: int
    total: int
    overlaps: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A named part of a song, in seconds from the song's beginning."""

    name: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Source:
    """The decoded song that a request edits, and its file's comment, where an engine may have stored its plan.

    `notes` say what was done to the song when it was read; the queue's worker adds them to the result's.
    """

    sound: Sound
    comment: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Audio:
    """The finished song. `plan` is JSON that the engine reads back from the file's comment when the song is edited.

    `file` is the song as the engine got it, where it got one: its sample data is stored as it is, and the engine removes
    the file later.
    """

    sound: Sound
    tags: str
    lyrics: str
    notes: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    plan: dict[str, Any] = field(default_factory=dict)
    file: Path | None = None


def loras_of(engine: Engine) -> tuple[str, ...] | None:
    """The names of the LoRA adapters that tags may name, from the engine's `loras`; None if it has no such attribute."""
    return getattr(engine, "loras", None)


def concurrency_of(engine: Engine) -> int:
    """How many jobs the engine takes at once, from its `concurrency`; 1 if it has no such attribute.

    `generate` is then called from as many threads, and may be called from one more for each job that has come to a step
    that overlaps.
    """
    return getattr(engine, "concurrency", 1)


class Engine(Protocol):
    """The interface between the queue's worker and an engine.

    `generate` gets every request except PromptToAudio, which the songwriter has already turned into TextToAudio. The
    request always has a seed, and a source is given exactly if it has `audio_url`. It yields Steps and, last, one
    Audio; closing the generator stops it. It raises InvalidRequest for values that do not fit the source, and
    GenerationFailed for its own failures.

    The constructor is cheap and does not use the device: the first `generate` loads the model. `device` is the name
    under which engine servers lock the device, the same in every process of this machine (for a GPU its UUID, since
    ordinals depend on CUDA_VISIBLE_DEVICES); None needs no lock. `unload` frees the model, and the next `generate` loads
    it again; it is called between two jobs, from any thread. After `close` the engine cannot be used.
    """

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def device(self) -> str | None: ...

    def generate(self, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]: ...
    def unload(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class JobRun:
    """The job that an engine works on. Its `id` is the same at every attempt, also after a restart.

    `is_cancelled` tells an engine that is stopped whether somebody cancelled the job, or only this server ends.
    """

    id: str
    is_cancelled: Callable[[], bool]


@runtime_checkable
class ResumableEngine(Protocol):
    """An engine whose songs are made elsewhere: it can go on with a job that an earlier process began.

    `cancel_note` says what becomes of a cancelled job there, where it is not stopped.
    """

    @property
    def cancel_note(self) -> str: ...

    def resume(self, run: JobRun, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        """`Engine.generate` for one job; the work of an earlier attempt is found again, and not repeated."""
        ...

    def begun(self) -> set[str]:
        """The ids of jobs that some process has begun and that are neither finished nor stopped."""
        ...

    def stop(self, job: str) -> None:
        """Stop what was begun for a job that has ended. Where that cannot be done now, it stays in `begun`."""
        ...
