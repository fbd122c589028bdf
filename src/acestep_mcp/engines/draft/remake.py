"""Edits: inpaint, outpaint, remix, new lyrics. Tempo, key and beat stay the source's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from acestep_mcp.api.edits import inpaint_window, outpaint_lengths
from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio
from acestep_mcp.audio import Sound
from acestep_mcp.audio.measure import follow_curve, loudness, loudness_curve
from acestep_mcp.audio.splice import conform, inpaint, outpaint, to_float
from acestep_mcp.engines import Audio, Section, Source, Step
from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.edit_level import match_level, match_source, target_lufs
from acestep_mcp.engines.draft.edit_window import window_bars, with_outer_lines
from acestep_mcp.engines.draft.form import intro_form, make_form, sung_lines, window_form, with_lyrics
from acestep_mcp.engines.draft.form_section import FormSection
from acestep_mcp.engines.draft.grid import Grid, continue_grid
from acestep_mcp.engines.draft.mix import fade_out, levelled, silence
from acestep_mcp.engines.draft.render import Renderer, render
from acestep_mcp.engines.draft.score import RATE, VERSION, Score
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.source_plan import SourcePlan, plan_json, read_source_plan
from acestep_mcp.engines.draft.style import parse_style
from acestep_mcp.readers.no_vocals import is_instrumental

if TYPE_CHECKING:
    pass

_PRE_ROLL = 4.0  # seconds rendered before a window, so that earlier notes ring into it
_RECORDING_GAIN = 0.4
_EXTENSION_VARIANCE = 0.5  # variance of the material of an added part


def inpaint_song(request: AudioInpaint, source: Source, renderer: Renderer) -> Iterator[Step | Audio]:
    """Compose the window again on the source's grid. Samples outside it do not change."""
    yield Step("composing", 0, 1)
    old = read_source_plan(source)
    window = inpaint_window(request, source.sound.seconds)
    bars = window_bars(old.grid, window)
    sections = window_form(old.form, bars, request.lyrics, old.grid.bar_seconds)
    score = compose(
        ComposeRequest(
            request.tags, "", old.grid.seconds, _seeds(old, request.seed or 0, request.variance), old.grid, sections
        )
    )
    begin = max(0.0, window.start - _PRE_ROLL)
    music = silence(min(window.end + 0.1, old.grid.seconds) - begin)
    yield from render(score.parts, renderer, music, begin)
    yield Step("levelling", 0, 1)
    music = music[round((window.start - begin) * RATE) :]
    if window.end >= source.sound.seconds:
        fade_out(music, score.ending)
    new = match_level(music, target_lufs(source.sound, window), source.sound, score.plan["genre"])
    sound = inpaint(source.sound, new, window.start, window.end)
    plan = plan_json(replace(old, form=with_outer_lines(sections, old.form, bars, old.grid.layout)), made_by=None)
    yield Audio(
        sound,
        request.tags,
        _answer_lyrics(request.lyrics),
        (*window.notes, *old.notes, *score.notes),
        _sections(score),
        plan,
    )


def outpaint_song(request: AudioOutpaint, source: Source, renderer: Renderer) -> Iterator[Step | Audio]:
    """Add music before and after the song in its tempo and key. The song's own samples do not change."""
    yield Step("composing", 0, 1)
    old = read_source_plan(source)
    lengths = outpaint_lengths(request, source.sound.seconds)
    seeds = _seeds(old, request.seed or 0, _EXTENSION_VARIANCE)
    lufs = loudness(to_float(source.sound), source.sound.sample_rate)
    added: list[Sound | None] = [None, None]
    scores: list[Score | None] = [None, None]
    for side, seconds in enumerate((lengths.before, lengths.after)):
        if seconds <= 0:
            continue
        sung = request.lyrics if side == 1 or lengths.after <= 0 else ""
        to_compose = _before if side == 0 else _after
        score = scores[side] = compose(to_compose(request.tags, sung, old, seconds, seeds))
        music = silence(seconds)
        yield from render(score.parts, renderer, music)
        yield Step("levelling", side, 2)
        if side == 1:
            fade_out(music, score.ending)
        added[side] = match_level(music, lufs, source.sound, score.plan["genre"])
    sound = outpaint(source.sound, added[0], added[1], (lengths.before, lengths.after))
    whole = _extended_plan(old, scores[0], scores[1], sound.seconds)
    sections = _all_sections(scores[0], old, scores[1], lengths.before)
    plan = plan_json(whole, made_by=None)
    notes = dict.fromkeys(note for score in scores if score for note in score.notes)
    yield Audio(sound, request.tags, _answer_lyrics(request.lyrics), (*old.notes, *notes), sections, plan)


def remix_song(request: AudioToAudio, source: Source, renderer: Renderer) -> Iterator[Step | Audio]:
    """A new arrangement by the new tags, with the source's length, tempo, key and loudness curve."""
    yield Step("composing", 0, 1)
    old = read_source_plan(source)
    known = old.made_by is not None or any(section.lines for section in old.form)
    sections = with_lyrics(old.form, request.lyrics) if known else _new_form(request, old.grid)
    seeds = Seeds(request.seed or 0)
    score = compose(ComposeRequest(request.tags, "", old.grid.seconds, seeds, old.grid, sections))
    music = silence(source.sound.seconds)
    yield from render(score.parts, renderer, music)
    yield Step("levelling", 0, 1)
    curve = loudness_curve(to_float(source.sound), source.sound.sample_rate)
    sound = match_source(follow_curve(music, RATE, curve), source.sound, score.plan["genre"])
    plan = plan_json(SourcePlan(old.grid, sections, request.tags, seeds.seed), made_by=None)
    yield Audio(sound, request.tags, _answer_lyrics(request.lyrics), (*old.notes, *score.notes), _sections(score), plan)


def replace_lyrics(request: AudioToAudio, source: Source, renderer: Renderer) -> Iterator[Step | Audio]:
    """New lyrics over the same music: composed again from its plan, else sung over the recording."""
    yield Step("composing", 0, 1)
    old = read_source_plan(source)
    if old.made_by == (VERSION, renderer) and old.seed is not None:
        yield from _over_same_backing(request, source, old, renderer)
    else:
        yield from _over_recording(request, source, old, renderer)


def _over_same_backing(
    request: AudioToAudio, source: Source, old: SourcePlan, renderer: Renderer
) -> Iterator[Step | Audio]:
    sections = with_lyrics(old.form, request.lyrics)
    old_lines = {line for section in old.form for line in section.lines}
    new = frozenset(line for section in sections for line in section.lines if line not in old_lines)
    seed = old.seed or 0
    score = compose(ComposeRequest(old.tags, "", old.grid.seconds, Seeds(seed, request.seed), old.grid, sections, new))
    music = silence(source.sound.seconds)
    yield from render(score.parts, renderer, music)
    yield Step("levelling", 0, 1)
    fade_out(music, score.ending)
    plan = plan_json(replace(old, form=sections), made_by=None if new else (VERSION, renderer))
    notes = () if new or is_instrumental(request.lyrics) else ("No line is new: the same song was rendered again.",)
    sound = match_source(music, source.sound, score.plan["genre"])
    yield Audio(sound, request.tags, _answer_lyrics(request.lyrics), notes, _sections(score), plan)


def _over_recording(
    request: AudioToAudio, source: Source, old: SourcePlan, renderer: Renderer
) -> Iterator[Step | Audio]:
    if is_instrumental(request.lyrics):
        message = (
            "has no words, and the voice cannot be removed from a recording without a plan; give lyrics or use remix"
        )
        raise InvalidRequest.of(FieldError("lyrics", message, value=request.lyrics))
    sections = (
        with_lyrics(old.form, request.lyrics)
        if any(section.lines for section in old.form)
        else _new_form(request, old.grid)
    )
    score = compose(ComposeRequest(request.tags, "", old.grid.seconds, Seeds(request.seed or 0), old.grid, sections))
    music = silence(source.sound.seconds)
    yield from render([part for part in score.parts if part.name.startswith("voice")], renderer, music)
    yield Step("levelling", 0, 1)
    backing = to_float(conform(source.sound, Sound(np.zeros((0, 2), np.int32), RATE, 24)))
    lufs = loudness(backing, RATE)
    voice = levelled(music, max(-30.0, lufs - 2.0), score.plan["genre"])
    count = min(len(backing), len(voice))
    voice[:count] += _RECORDING_GAIN * backing[:count]
    note = "The source has no composition plan: the recording itself plays quietly under the new voice."
    plan = plan_json(replace(old, form=sections), made_by=None)
    sound = match_source(voice, source.sound)
    yield Audio(
        sound, request.tags, _answer_lyrics(request.lyrics), (note, *old.notes, *score.notes), _sections(score), plan
    )


def _seeds(old: SourcePlan, seed: int, variance: float) -> Seeds:
    """The old song's seeds, with `variance` of the decisions redrawn; new seeds if the old ones are unknown."""
    return Seeds(seed) if old.seed is None else Seeds(old.seed, seed, variance)


def _new_form(request: AudioToAudio, grid: Grid) -> tuple[FormSection, ...]:
    return make_form(request.lyrics, grid.bars, grid.bar_seconds, rap=parse_style(request.tags).rap)


def _before(tags: str, lyrics: str, old: SourcePlan, seconds: float, seeds: Seeds) -> ComposeRequest:
    """Music that ends where the song starts: its bars are counted back from the song's first."""
    first = seconds + old.grid.phase
    bars = max(1, math.ceil(first / old.grid.bar_seconds))
    phase = first - bars * old.grid.bar_seconds
    grid = replace(old.grid, bars=bars, seconds=seconds, phase=phase, slowing=0.0, ending="none")
    sections = make_form(lyrics, bars, grid.bar_seconds) if sung_lines(lyrics) else intro_form(bars)
    return ComposeRequest(tags, "", seconds, seeds, grid, sections)


def _after(tags: str, lyrics: str, old: SourcePlan, seconds: float, seeds: Seeds) -> ComposeRequest:
    """Music that starts where the song ends: the bar in progress there, then new sections and an ending."""
    wanted = parse_style(tags)
    grid = continue_grid(old.grid, seconds, wanted.genre.ending)
    link = FormSection("link", "intro", 1, (), 0.6)
    rest = make_form(lyrics, grid.bars - 1, grid.bar_seconds, rap=wanted.rap) if grid.bars > 1 else ()
    return ComposeRequest(tags, "", seconds, seeds, grid, (link, *rest))


def _extended_plan(old: SourcePlan, before: Score | None, after: Score | None, seconds: float) -> SourcePlan:
    """The plan of the longer song, its sections end to end in whole bars."""
    bars_before = sum(section.bars for section in before.form) if before else 0
    bars_after = sum(section.bars for section in after.form) if after else 0
    grid = replace(
        old.grid,
        seconds=seconds,
        phase=old.grid.phase + (before.seconds if before else 0.0) - bars_before * old.grid.bar_seconds,
        slowing=0.0,
        ending=after.ending if after else old.grid.ending,
    )
    total = max(1, math.floor((seconds - grid.phase) / grid.bar_seconds + 0.01))
    sections = (*(before.form if before else ()), *old.form, *(after.form if after else ()))
    spare = total - bars_before - old.grid.bars - bars_after
    last = sections[-1]
    sections = (*sections[:-1], replace(last, bars=max(1, last.bars + spare)))
    return replace(old, grid=replace(grid, bars=sum(section.bars for section in sections)), form=sections)


def _all_sections(before: Score | None, old: SourcePlan, after: Score | None, shift: float) -> tuple[Section, ...]:
    """All sections, in seconds of the longer song."""
    found = list(_sections(before)) if before else []
    beat = 0.0
    for number, section in enumerate(old.form):
        start = max(0.0, old.grid.time_at(beat)) if number else 0.0
        beat += section.bars * old.grid.beats_per_bar
        end = old.grid.time_at(beat) if number < len(old.form) - 1 else old.grid.seconds
        found.append(Section(section.name, round(start + shift, 3), round(end + shift, 3)))
    if after:
        later = shift + old.grid.seconds
        found.extend(Section(s.name, round(s.start + later, 3), round(s.end + later, 3)) for s in after.sections)
    return tuple(found)


def _sections(score: Score) -> tuple[Section, ...]:
    """The score's sections; pieces that a window cut from the same section are joined."""
    found: list[Section] = []
    for section in score.sections:
        if found and found[-1].name == section.name:
            found[-1] = replace(found[-1], end=section.end)
        else:
            found.append(Section(section.name, section.start, section.end))
    return tuple(found)


def _answer_lyrics(lyrics: str) -> str:
    return "[inst]" if is_instrumental(lyrics) else lyrics
