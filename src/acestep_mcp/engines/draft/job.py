"""Runs one job of the draft engine in this process: request and source in, steps and the song out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, assert_never

from acestep_mcp.api import requests
from acestep_mcp.api.edits import minimum_guidance
from acestep_mcp.api.errors import GenerationFailed
from acestep_mcp.api.requests import (
    AudioInpaint,
    AudioOutpaint,
    AudioToAudio,
    EngineRequest,
    Request,
    TextToAudio,
)
from acestep_mcp.engines import Audio, Section, Source, Step
from acestep_mcp.engines.draft import remake
from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.extend import outpaint_song
from acestep_mcp.engines.draft.form import sung_lines
from acestep_mcp.engines.draft.mix import master, silence
from acestep_mcp.engines.draft.render import Playback, Renderer, Voice, available, render
from acestep_mcp.engines.draft.score import VERSION
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.style import parse_style
from acestep_mcp.readers.lyric_sheet import read_lyrics
from acestep_mcp.readers.no_vocals import is_instrumental

_DIFFUSION_FIELDS = frozenset(Request.model_fields) - {"seed"}


@dataclass(frozen=True, slots=True)
class DraftJob:
    """What the worker gets: `endpoint` is the request's class name, `request` its fields as sent over the wire."""

    endpoint: str
    request: dict[str, Any]
    renderer: Renderer
    source: Source | None = None
    voice: Voice = "auto"
    soundfont: Path | None = None
    trace: dict[str, str] = field(default_factory=dict)


def run_job(job: DraftJob) -> Iterator[Step | Audio]:
    """Compose, render and level. Raises InvalidRequest for values that do not fit the source."""
    request: EngineRequest = getattr(requests, job.endpoint).parse(job.request)
    notes = (
        *_voice_note(request, job.voice),
        *_renderer_notes(job.renderer, job.soundfont),
        *minimum_guidance(request)[1],
        *_ignored_fields_note(request),
        *_directions_note(request),
    )
    for event in _events(request, job.source, Playback(job.renderer, job.voice, job.soundfont)):
        yield replace(event, notes=(*event.notes, *notes)) if isinstance(event, Audio) else event


class DraftHere:
    """Composes in this process, which is one that was started for it: `DraftEngine` starts its own."""

    def __init__(self, voice: Voice = "auto", soundfont: Path | None = None) -> None:
        self._playback = Playback(available(), voice, soundfont)

    def generate(self, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        endpoint, of = type(request).__name__, self._playback
        return run_job(DraftJob(endpoint, request.wire(), of.renderer, source, of.voice, of.soundfont))


def _events(request: EngineRequest, source: Source | None, playback: Playback) -> Iterator[Step | Audio]:
    if isinstance(request, TextToAudio):
        return _new_song(request, playback)
    if source is None:
        raise GenerationFailed(f"{type(request).__name__} came without the song to edit; report this.")
    match request:
        case AudioInpaint():
            return remake.inpaint_song(request, source, playback)
        case AudioOutpaint():
            return outpaint_song(request, source, playback)
        case AudioToAudio(edit_mode="lyrics"):
            return remake.replace_lyrics(request, source, playback)
        case AudioToAudio():
            return remake.remix_song(request, source, playback)
    assert_never(request)


def _new_song(request: TextToAudio, playback: Playback) -> Iterator[Step | Audio]:
    yield Step("composing", 0, 1)
    score = compose(ComposeRequest(request.tags, request.lyrics, request.duration, Seeds(request.seed or 0)))
    music = silence(score.seconds)
    yield from render(score.parts, playback, music)
    yield Step("levelling", 0, 1)
    sound = master(music, score.ending, score.plan["genre"])
    sections = tuple(Section(section.name, section.start, section.end) for section in score.sections)
    lyrics = "[inst]" if is_instrumental(request.lyrics) else request.lyrics
    plan = {**score.plan, "made_by": [VERSION, playback.name]}
    yield Audio(sound, request.tags, lyrics, score.notes, sections, plan)


def _directions_note(request: EngineRequest) -> tuple[str, ...]:
    """A note on stage directions, which no instrument can follow."""
    if not (directions := read_lyrics(request.lyrics).directions):
        return ()
    shown = ", ".join(f"[{direction}]" for direction in directions[:3])
    return (f"The draft engine does not follow stage directions: {shown} had no effect.",)


def _voice_note(request: EngineRequest, voice: Voice) -> tuple[str, ...]:
    if not sung_lines(request.lyrics):
        return ()
    if voice == "font" or not parse_style(request.tags).lineup.voice:
        return ("Nobody sings in a draft: an instrument plays the words' melody.",)
    return ("Nobody sings the words in a draft: its voice sings their vowels.",)


def _renderer_notes(renderer: Renderer, soundfont: Path | None) -> tuple[str, ...]:
    if renderer != "numpy":
        return ()
    unused = f", so {soundfont} was not used" if soundfont else ""
    return (f"Rendered by a plain synthesiser: the SoundFont renderer is not available on this machine{unused}.",)


def _ignored_fields_note(request: Request) -> tuple[str, ...]:
    """A note that lists the given fields that only affect a diffusion model."""
    given = sorted(
        name
        for name in request.model_fields_set & _DIFFUSION_FIELDS
        if getattr(request, name) != type(request).model_fields[name].default
    )
    if not given:
        return ()
    return (f"The draft engine is not a diffusion model; these fields had no effect: {', '.join(given)}.",)
