"""Runs one job of the draft engine in this process: request and source in, steps and the song out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acestep_mcp.engines import Audio, Section, Source, Step
from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.form import sung_lines
from acestep_mcp.engines.draft.mix import master, silence
from acestep_mcp.engines.draft.render import Playback, Renderer, Voice, available, render
from acestep_mcp.engines.draft.score import VERSION
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.style import parse_style
from acestep_mcp.readers.lyric_sheet import read_lyrics
from acestep_mcp.readers.no_vocals import is_instrumental

if TYPE_CHECKING:
    from acestep_mcp.api.requests import EngineRequest

_NEW_SONG = frozenset({"tags", "lyrics", "duration", "seed"})


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
    playback = Playback(job.renderer, job.voice, job.soundfont)
    if job.endpoint == "TextToAudio" and {"tags", "duration"} <= set(job.request) <= _NEW_SONG:
        # Such a request needs no classes of requests, which take a third of a worker's time to start.
        asked = job.request
        told = asked["tags"], asked.get("lyrics") or ""
        events = _new_song(ComposeRequest(*told, asked["duration"], Seeds(asked.get("seed") or 0)), playback)
        notes: tuple[str, ...] = ()
    else:
        from acestep_mcp.engines.draft.edit_job import edit_events, ignored_fields_notes, request_of

        request = request_of(job.endpoint, job.request)
        told = request.tags, request.lyrics
        events = edit_events(request, job.source, playback, _new_song)
        notes = ignored_fields_notes(request)
    notes = (
        *_voice_note(*told, job.voice),
        *_renderer_notes(job.renderer, job.soundfont),
        *notes,
        *_directions_note(told[1]),
    )
    for event in events:
        yield replace(event, notes=(*event.notes, *notes)) if isinstance(event, Audio) else event


class DraftHere:
    """Composes in this process, which is one that was started for it: `DraftEngine` starts its own."""

    def __init__(self, voice: Voice = "auto", soundfont: Path | None = None) -> None:
        self._playback = Playback(available(), voice, soundfont)

    def generate(self, request: EngineRequest, source: Source | None) -> Iterator[Step | Audio]:
        endpoint, of = type(request).__name__, self._playback
        return run_job(DraftJob(endpoint, request.wire(), of.renderer, source, of.voice, of.soundfont))


def _new_song(request: ComposeRequest, playback: Playback) -> Iterator[Step | Audio]:
    yield Step("composing", 0, 1)
    score = compose(request)
    music = silence(score.seconds)
    yield from render(score.parts, playback, music)
    yield Step("levelling", 0, 1)
    sound = master(music, score.ending, score.plan["genre"])
    sections = tuple(Section(section.name, section.start, section.end) for section in score.sections)
    lyrics = "[inst]" if is_instrumental(request.lyrics) else request.lyrics
    plan = {**score.plan, "made_by": [VERSION, playback.name]}
    yield Audio(sound, request.tags, lyrics, score.notes, sections, plan)


def _directions_note(lyrics: str) -> tuple[str, ...]:
    """A note on stage directions, which no instrument can follow."""
    if not (directions := read_lyrics(lyrics).directions):
        return ()
    shown = ", ".join(f"[{direction}]" for direction in directions[:3])
    return (f"The draft engine does not follow stage directions: {shown} had no effect.",)


def _voice_note(tags: str, lyrics: str, voice: Voice) -> tuple[str, ...]:
    if not sung_lines(lyrics):
        return ()
    if voice == "font" or not parse_style(tags).lineup.voice:
        return ("Nobody sings in a draft: an instrument plays the words' melody.",)
    return ("Nobody sings the words in a draft: its voice sings their vowels.",)


def _renderer_notes(renderer: Renderer, soundfont: Path | None) -> tuple[str, ...]:
    if renderer != "numpy":
        return ()
    unused = f", so {soundfont} was not used" if soundfont else ""
    return (f"Rendered by a plain synthesiser: the SoundFont renderer is not available on this machine{unused}.",)
