"""Edits: inpaint, remix, new lyrics. Tempo, key and beat stay the source's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from acestep_mcp.api.edits import inpaint_window
from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.api.requests import AudioInpaint, AudioToAudio
from acestep_mcp.audio import Sound
from acestep_mcp.audio.measure import follow_curve, loudness, loudness_curve
from acestep_mcp.audio.splice import conform, inpaint, to_float
from acestep_mcp.engines import Audio, Source, Step
from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.edit_level import match_level, match_source, target_lufs
from acestep_mcp.engines.draft.edit_result import answer_lyrics, sections_after
from acestep_mcp.engines.draft.edit_window import window_bars, with_outer_lines
from acestep_mcp.engines.draft.form import make_form, window_form, with_lyrics
from acestep_mcp.engines.draft.form_section import FormSection
from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.kept_music import asked_grid, with_kept_music
from acestep_mcp.engines.draft.mix import fade_out, levelled, silence
from acestep_mcp.engines.draft.moved_music import resized, with_moved_music
from acestep_mcp.engines.draft.render import Playback, render
from acestep_mcp.engines.draft.score import RATE, VERSION
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.source_plan import SourcePlan, plan_json, read_source_plan
from acestep_mcp.engines.draft.style import parse_style
from acestep_mcp.readers.no_vocals import is_instrumental

_PRE_ROLL = 4.0  # seconds rendered before a window, so that earlier notes ring into it
_RECORDING_GAIN = 0.4


def inpaint_song(request: AudioInpaint, source: Source, playback: Playback) -> Iterator[Step | Audio]:
    """Compose the window again on the source's grid. Samples outside it do not change."""
    yield Step("composing", 0, 1)
    old = read_source_plan(source)
    window = inpaint_window(request, source.sound.seconds)
    here = replace(old, grid=old.grid_at((window.start + window.end) / 2))
    bars = window_bars(here.grid, window.start, window.end)
    sections = window_form(old.form, bars, request.lyrics, old.grid.bar_seconds)
    seeds = old.seeds(request.seed or 0, request.variance)
    score = compose(ComposeRequest(request.tags, "", old.grid.seconds, seeds, here.grid, sections))
    begin = max(0.0, window.start - _PRE_ROLL)
    music = silence(min(window.end + 0.1, old.grid.seconds) - begin)
    yield from render(score.parts, playback, music, begin)
    yield Step("levelling", 0, 1)
    music = music[round((window.start - begin) * RATE) :]
    if window.end >= source.sound.seconds:
        fade_out(music, score.ending)
    new = match_level(music, target_lufs(source.sound, window.start, window.end), source.sound, score.plan["genre"])
    sound = inpaint(source.sound, new, window.start, window.end)
    times = sections_after(here, sections, bars, (window.start, window.end))
    form = with_outer_lines(sections, old.form, bars, old.grid)
    plan = plan_json(replace(old, form=form, times=times), made_by=None)
    notes = (*window.notes, *old.notes, *score.notes)
    yield Audio(sound, request.tags, answer_lyrics(request.lyrics), notes, times, plan)


def remix_song(request: AudioToAudio, source: Source, playback: Playback) -> Iterator[Step | Audio]:
    """A new arrangement by the new tags, with the source's chords, tune, length and loudness curve.

    Tempo and key are the source's unless the tags name others.
    """
    yield Step("composing", 0, 1)
    old = read_source_plan(source)
    grid, played = asked_grid(request.tags, old.grid)
    known = old.made_by is not None or any(section.lines for section in old.form)
    form = (old.form if grid.bars == old.grid.bars else resized(old.form, grid.bars)) if known else None
    form = form or _new_form(request, grid)
    sections = with_lyrics(form, request.lyrics) if known else form
    seeds = Seeds(request.seed or 0)
    asked = ComposeRequest(request.tags, "", grid.seconds, seeds, grid, sections)
    asked, kept = with_kept_music(asked, source, old)
    score = compose(with_moved_music(asked, old.grid, old.form, sections))
    music = silence(source.sound.seconds)
    yield from render(score.parts, playback, music)
    yield Step("levelling", 0, 1)
    curve = loudness_curve(to_float(source.sound), source.sound.sample_rate)
    sound = match_source(follow_curve(music, RATE, curve), source.sound, score.plan["genre"])
    new = SourcePlan(grid, sections, request.tags, seeds.seed)
    notes = (*old.notes, kept, *played, *score.notes)
    plan = plan_json(new, made_by=None)
    yield Audio(sound, request.tags, answer_lyrics(request.lyrics), notes, new.sections, plan)


def replace_lyrics(request: AudioToAudio, source: Source, playback: Playback) -> Iterator[Step | Audio]:
    """New lyrics over the same music: composed again from its plan, else sung over the recording."""
    yield Step("composing", 0, 1)
    old = read_source_plan(source)
    if old.is_composable and old.made_by and old.made_by[1] == playback.name:
        yield from _over_same_backing(request, source, old, playback)
    else:
        yield from _over_recording(request, source, old, playback)


def _over_same_backing(
    request: AudioToAudio, source: Source, old: SourcePlan, playback: Playback
) -> Iterator[Step | Audio]:
    sections = with_lyrics(old.form, request.lyrics)
    old_lines = {line for section in old.form for line in section.lines}
    new = frozenset(line for section in sections for line in section.lines if line not in old_lines)
    seed = old.seed or 0
    score = compose(ComposeRequest(old.tags, "", old.grid.seconds, Seeds(seed, request.seed), old.grid, sections, new))
    music = silence(source.sound.seconds)
    yield from render(score.parts, playback, music)
    yield Step("levelling", 0, 1)
    fade_out(music, score.ending)
    sung = replace(old, form=sections)
    plan = plan_json(sung, made_by=None if new else (VERSION, playback.name))
    notes = () if new or is_instrumental(request.lyrics) else ("No line is new: the same song was rendered again.",)
    yield Audio(
        match_source(music, source.sound, score.plan["genre"]),
        request.tags,
        answer_lyrics(request.lyrics),
        notes,
        sung.sections,
        plan,
    )


def _over_recording(
    request: AudioToAudio, source: Source, old: SourcePlan, playback: Playback
) -> Iterator[Step | Audio]:
    if is_instrumental(request.lyrics):
        message = (
            "has no words, and the voice cannot be removed from a recording without a plan; give lyrics or use remix"
        )
        raise InvalidRequest.of(FieldError("lyrics", message, value=request.lyrics))
    sung = (
        replace(old, form=with_lyrics(old.form, request.lyrics))
        if any(section.lines for section in old.form)
        else replace(old, form=_new_form(request, old.grid), times=())
    )
    score = compose(ComposeRequest(request.tags, "", old.grid.seconds, Seeds(request.seed or 0), old.grid, sung.form))
    music = silence(source.sound.seconds)
    yield from render([part for part in score.parts if part.name.startswith("voice")], playback, music)
    yield Step("levelling", 0, 1)
    backing = to_float(conform(source.sound, Sound(np.zeros((0, 2), np.int32), RATE, 24)))
    lufs = loudness(backing, RATE)
    voice = levelled(music, max(-30.0, lufs - 2.0), score.plan["genre"])
    count = min(len(backing), len(voice))
    voice[:count] += _RECORDING_GAIN * backing[:count]
    why = (
        "was composed by another version of the draft engine, or edited"
        if old.seed is not None
        else "has no composition plan"
    )
    note = f"The source {why}: the recording itself plays quietly under the new voice."
    plan = plan_json(sung, made_by=None)
    sound = match_source(voice, source.sound)
    notes = (note, *old.notes, *score.notes)
    yield Audio(sound, request.tags, answer_lyrics(request.lyrics), notes, sung.sections, plan)


def _new_form(request: AudioToAudio, grid: Grid) -> tuple[FormSection, ...]:
    rap, halves = parse_style(request.tags).rap, grid.layout.halves
    return make_form(request.lyrics, grid.bars, grid.bar_seconds, rap=rap, halves=halves)
