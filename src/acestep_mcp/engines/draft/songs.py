"""One job of the draft engine, done in this process: request and source in, steps and the song out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from acestep_mcp import requests
from acestep_mcp.engines import Audio, Section, Source, Step
from acestep_mcp.engines.draft.compose import Brief, compose
from acestep_mcp.engines.draft.dice import Dice
from acestep_mcp.engines.draft.mix import mastered, silence
from acestep_mcp.engines.draft.render import RATE, Renderer, chunks, perform
from acestep_mcp.errors import InvalidRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from acestep_mcp.engines.draft.score import Part


@dataclass(frozen=True, slots=True)
class Job:
    """What goes down the pipe to the worker: `endpoint` is the request's class name, `request` its fields."""

    endpoint: str
    request: dict[str, Any]
    renderer: Renderer
    source: Source | None = None


def song(job: Job) -> Iterator[Step | Audio]:
    """Compose, play and level what the job asks for. Raises InvalidRequest for values the source cannot fit."""
    request = getattr(requests, job.endpoint).parse(job.request)
    if isinstance(request, requests.TextToAudio):
        yield from _new_song(request, job.renderer)
        return
    raise InvalidRequest("The draft engine cannot edit songs yet.")


def _new_song(request: requests.TextToAudio, renderer: Renderer) -> Iterator[Step | Audio]:
    yield Step("composing", 0, 1)
    score = compose(Brief(request.tags, request.lyrics, request.duration, Dice(request.seed or 0)))
    music = silence(score.seconds)
    yield from played(score.parts, renderer, music)
    yield Step("levelling", 0, 1)
    sound = mastered(music, score.ending)
    sections = tuple(Section(s.name, s.start, s.end) for s in score.sections)
    yield Audio(sound, request.tags, request.lyrics, _notes(renderer), sections, score.plan)


def played(parts: Sequence[Part], renderer: Renderer, out: NDArray[np.float32], start: float = 0.0) -> Iterator[Step]:
    """Play the notes that begin within `out`, which begins at `start` seconds, into it."""
    work = chunks(parts, start, start + len(out) / RATE)
    for done in perform(work, renderer, out, start):
        yield Step("rendering", done, len(work))


def _notes(renderer: Renderer) -> tuple[str, ...]:
    if renderer == "numpy":
        return ("Played by a plain synthesiser: the SoundFont renderer has no build for this machine.",)
    return ()
