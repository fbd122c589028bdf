"""Makes a song longer: music before and after it, on its beat and at its level."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from acestep_mcp.api.edits import outpaint_lengths
from acestep_mcp.api.requests import AudioOutpaint
from acestep_mcp.audio import Sound
from acestep_mcp.audio.splice import outpaint
from acestep_mcp.engines import Audio, Section, Source, Step
from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.edit_join import joined_sound, song_to_extend
from acestep_mcp.engines.draft.edit_result import answer_lyrics
from acestep_mcp.engines.draft.form import Form, continued_form, intro_form, make_form, sung_lines, without_last_bar
from acestep_mcp.engines.draft.form_section import FormSection
from acestep_mcp.engines.draft.grid import Grid, continue_grid
from acestep_mcp.engines.draft.mix import silence
from acestep_mcp.engines.draft.render import Playback, render
from acestep_mcp.engines.draft.score import Score
from acestep_mcp.engines.draft.section_numbers import names_in_order
from acestep_mcp.engines.draft.source_plan import SourcePlan, plan_json, read_source_plan
from acestep_mcp.engines.draft.style import parse_style

_EXTENSION_VARIANCE = 0.5  # variance of the material of an added part
_ROUNDING = 0.001


def outpaint_song(request: AudioOutpaint, source: Source, playback: Playback) -> Iterator[Step | Audio]:
    """Add music before and after the song in its tempo and key.

    The song's own samples do not change, but for a final fade-out: music that goes on after it is not faded, and joins at
    one of its last downbeats.
    """
    yield Step("composing", 0, 1)
    lengths = outpaint_lengths(request, source.sound.seconds)
    kept = song_to_extend(source.sound, read_source_plan(source), ends=lengths.after > 0)
    old, song = kept.plan, kept.sound
    missing = (len(source.sound.pcm) - len(song.pcm)) / song.sample_rate
    sizes = lengths.before, lengths.after + missing
    seeds = old.seeds(request.seed or 0, _EXTENSION_VARIANCE)
    added: list[Sound | None] = [None, None]
    scores: list[Score | None] = [None, None]
    for side, seconds in enumerate(sizes):
        if seconds <= 0 or (side == 1 and lengths.after <= 0):
            continue
        sung = request.lyrics if side == 1 or lengths.after <= 0 else ""
        to_compose = _before if side == 0 else _after
        grid, sections = to_compose(request.tags, sung, old, seconds)
        score = scores[side] = compose(ComposeRequest(request.tags, "", seconds, seeds, grid, sections))
        music = silence(seconds)
        yield from render(score.parts, playback, music)
        yield Step("levelling", side, 2)
        added[side] = joined_sound(music, song, score.plan["genre"], ending="" if side == 0 else score.ending)
    sound = outpaint(song, added[0], added[1], sizes)
    extended = _extended_plan(old, scores[0], scores[1], sound.seconds)
    extended = _with_names(replace(extended, times=_all_sections(scores[0], old, scores[1], lengths.before)))
    plan = plan_json(extended, made_by=None)
    notes = dict.fromkeys((*old.notes, *kept.notes, *(note for score in scores if score for note in score.notes)))
    yield Audio(sound, request.tags, answer_lyrics(request.lyrics), tuple(notes), extended.times, plan)


def _before(_tags: str, lyrics: str, old: SourcePlan, seconds: float) -> tuple[Grid, Form]:
    """Music that leads into the song: its bars are counted back from the song's first downbeat.

    The last bar is the one in progress where the song begins, if that is not a downbeat.
    """
    bar = old.grid.bar_seconds
    whole = max(0, math.ceil((seconds + old.grid.phase) / bar - _ROUNDING))
    bars = max(1, whole + (old.grid.phase < -_ROUNDING))
    phase = seconds + old.grid.phase - whole * bar
    grid = replace(old.grid, bars=bars, seconds=seconds, phase=phase, slowing=0.0, ending="none")
    if not sung_lines(lyrics):
        return grid, intro_form(bars)
    return grid, make_form(lyrics, bars, grid.bar_seconds, halves=grid.layout.halves)


def _after(tags: str, lyrics: str, old: SourcePlan, seconds: float) -> tuple[Grid, Form]:
    """Music that starts where the song ends: the bar in progress there, then new sections and an ending."""
    wanted = parse_style(tags)
    grid = continue_grid(old.grid_at(old.grid.seconds), seconds, wanted.genre.ending)
    halves = grid.layout.halves
    return grid, continued_form(lyrics, grid.bars, grid.bar_seconds, rap=wanted.rap, halves=halves)


def _extended_plan(old: SourcePlan, before: Score | None, after: Score | None, seconds: float) -> SourcePlan:
    """The plan of the longer song, its sections end to end in whole bars."""
    early = before.form if before else ()
    if before and old.grid.phase < -_ROUNDING:
        # The bar in progress where the song begins is the song's own first.
        early = without_last_bar(early)
    form = (*early, *(_up_to(after, old) if after else old.form), *(after.form if after else ()))
    shift = before.seconds if before else 0.0
    grid = replace(
        old.grid,
        bars=sum(section.bars for section in form),
        seconds=seconds,
        phase=old.grid.phase + shift - sum(section.bars for section in early) * old.grid.bar_seconds,
        slowing=0.0 if after else old.grid.slowing,
        ending=after.ending if after else old.grid.ending,
    )
    begin, late = (old.grid.seconds, old.grid.slowing) if after and old.grid.slowing else old.late
    return replace(old, grid=grid, form=form, late=(begin + shift if late else 0.0, late))


def _up_to(after: Score, old: SourcePlan) -> Form:
    """The song's form up to the bar in progress at its end, with the bars in which its last chord is held."""
    played = old.grid.seconds + after.plan["frame"]["phase"] - old.grid.slowing - old.grid_at(old.grid.seconds).phase
    missing = max(round(played / old.grid.bar_seconds), 1) - old.grid.bars
    if missing < 0:
        return without_last_bar(old.form) if old.grid.bars > 1 else old.form
    return (*old.form[:-1], replace(old.form[-1], bars=old.form[-1].bars + missing))


def _all_sections(before: Score | None, old: SourcePlan, after: Score | None, shift: float) -> tuple[Section, ...]:
    """All sections, in seconds of the longer song."""
    later = shift + old.grid.seconds
    parts = (before.sections if before else (), 0.0), (old.sections, shift), (after.sections if after else (), later)
    found = (
        Section(one.name, round(one.start + moved, 3), round(one.end + moved, 3))
        for sections, moved in parts
        for one in sections
    )
    return tuple(one for one in found if one.start < one.end)


def _with_names(song: SourcePlan) -> SourcePlan:
    """The longer song with a name of its own for each section."""
    sung = {section.name for section in song.form if section.lines}
    names = names_in_order([section.name for section in song.times], sung)
    times = tuple(replace(one, name=name) for one, name in zip(song.times, names, strict=True))
    begins = [section for number, section in enumerate(song.form) if not _goes_on(song.form, number)]
    coming = iter(names_in_order([section.name for section in begins], sung))
    form: list[FormSection] = []
    for number, section in enumerate(song.form):
        name = form[-1].name if _goes_on(song.form, number) else next(coming)
        form.append(replace(section, name=name))
    return replace(song, times=times, form=tuple(form))


def _goes_on(form: Form, number: int) -> bool:
    """Whether this row of the form is more of the section before it, which a window cut."""
    return number > 0 and form[number].offset_bars > 0 and form[number].name == form[number - 1].name
