"""Edits: a stretch made anew, music added, another style, other words. Tempo, key and beat stay the source's."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from acestep_mcp.api.edits import inpaint_window, outpaint_lengths
from acestep_mcp.api.errors import FieldError, InvalidRequest
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio, is_instrumental
from acestep_mcp.audio import Sound
from acestep_mcp.audio.measure import follow_curve, level, loudness, loudness_curve
from acestep_mcp.audio.splice import conform, from_float, inpaint, outpaint, to_float
from acestep_mcp.engines import Audio, Section, Source, Step
from acestep_mcp.engines.draft.compose import Brief, compose
from acestep_mcp.engines.draft.form import Part, form, lead_up, sung_lines, window_form, with_words
from acestep_mcp.engines.draft.frame import Frame, continued
from acestep_mcp.engines.draft.mix import CEILING_DBFS, TARGET_LUFS, faded_out, silence
from acestep_mcp.engines.draft.perform import played
from acestep_mcp.engines.draft.render import RATE, Renderer
from acestep_mcp.engines.draft.score import VERSION, Score
from acestep_mcp.engines.draft.seeds import Dice
from acestep_mcp.engines.draft.source_plan import Former, former, plan_of
from acestep_mcp.engines.draft.style import style

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acestep_mcp.api.edits import EditWindow

_FADE = 0.030
_PRE_ROLL = 4.0  # seconds of music before a window, so that what rings into it rings
_NEIGHBOURHOOD = 8.0  # seconds on each side that say how loud a window should be
_MOST_APART = 6.0  # LU between a window and its surroundings that are still music, not a flaw
_QUIET_BED = 0.4
_CONTINUITY = 0.5  # how much of an added part's material is thrown anew


def inpainted(request: AudioInpaint, source: Source, renderer: Renderer) -> Iterator[Step | Audio]:
    """The window composed anew on the source's grid; every sample outside it and its seams stays as it is."""
    yield Step("composing", 0, 1)
    old = former(source)
    window = inpaint_window(request, source.sound.seconds)
    bars = _bars(old.frame, window)
    parts = window_form(old.form, bars, request.lyrics, old.frame.bar)
    score = compose(
        Brief(request.tags, "", old.frame.seconds, _dice(old, request.seed or 0, request.variance), old.frame, parts)
    )
    begin = max(0.0, window.start - _PRE_ROLL)
    music = silence(min(window.end + 0.1, old.frame.seconds) - begin)
    yield from played(score.parts, renderer, music, begin)
    yield Step("levelling", 0, 1)
    lead = min(_FADE, window.start - begin)
    music = music[round((window.start - lead - begin) * RATE) :]
    if window.end >= source.sound.seconds:
        faded_out(music, score.ending)
    new = _levelled(music, _surroundings(source.sound, window), source.sound)
    sound = inpaint(source.sound, new, window.start, window.end, fade=_FADE, lead=lead)
    plan = plan_of(replace(old, form=parts), made_by=None)
    yield Audio(sound, request.tags, _lyrics(request.lyrics), (*window.notes, *old.notes), _sections(score), plan)


def outpainted(request: AudioOutpaint, source: Source, renderer: Renderer) -> Iterator[Step | Audio]:
    """The song goes on before and after itself, in its own tempo and key; all of its samples stay as they are."""
    yield Step("composing", 0, 1)
    old = former(source)
    lengths = outpaint_lengths(request, source.sound.seconds)
    dice = _dice(old, request.seed or 0, _CONTINUITY)
    words = request.lyrics
    loud = loudness(to_float(source.sound), source.sound.sample_rate)
    added: list[Sound | None] = [None, None]
    scores: list[Score | None] = [None, None]
    for place, seconds in enumerate((lengths.before, lengths.after)):
        if seconds <= 0:
            continue
        sung = words if place == 1 or lengths.after <= 0 else ""
        brief = (
            _before(request.tags, sung, old, seconds, dice)
            if place == 0
            else _after(request.tags, sung, old, seconds, dice)
        )
        score = scores[place] = compose(brief)
        music = silence(seconds)
        yield from played(score.parts, renderer, music)
        yield Step("levelling", place, 2)
        if place == 1:
            faded_out(music, score.ending)
        added[place] = _levelled(music, loud, source.sound)
    sound = outpaint(source.sound, added[0], added[1], fade=_FADE)
    whole = _extended(old, scores[0], scores[1], sound.seconds)
    sections = _shifted(scores[0], old, scores[1], lengths.before)
    plan = plan_of(whole, made_by=None)
    yield Audio(sound, request.tags, _lyrics(request.lyrics), old.notes, sections, plan)


def remixed(request: AudioToAudio, source: Source, renderer: Renderer) -> Iterator[Step | Audio]:
    """Another arrangement by the new tags, over the source's length, tempo, key and loudness curve."""
    yield Step("composing", 0, 1)
    old = former(source)
    known = old.made_by is not None or any(part.lines for part in old.form)
    parts = with_words(old.form, request.lyrics) if known else _new_form(request, old.frame)
    dice = Dice(request.seed or 0)
    score = compose(Brief(request.tags, "", old.frame.seconds, dice, old.frame, parts))
    music = silence(source.sound.seconds)
    yield from played(score.parts, renderer, music)
    yield Step("levelling", 0, 1)
    curve = loudness_curve(to_float(source.sound), source.sound.sample_rate)
    sound = _like(follow_curve(music, RATE, curve), source.sound)
    plan = plan_of(Former(old.frame, parts, request.tags, dice.seed), made_by=None)
    yield Audio(sound, request.tags, _lyrics(request.lyrics), old.notes, _sections(score), plan)


def reworded(request: AudioToAudio, source: Source, renderer: Renderer) -> Iterator[Step | Audio]:
    """Other words over the same music: composed again from its plan, else under the recording itself."""
    yield Step("composing", 0, 1)
    old = former(source)
    if old.made_by == (VERSION, renderer) and old.seed is not None:
        yield from _over_same_bed(request, source, old, renderer)
    else:
        yield from _over_recording(request, source, old, renderer)


def _over_same_bed(request: AudioToAudio, source: Source, old: Former, renderer: Renderer) -> Iterator[Step | Audio]:
    parts = with_words(old.form, request.lyrics)
    kept = {line for part in old.form for line in part.lines}
    new = frozenset(line for part in parts for line in part.lines if line not in kept)
    seed = old.seed or 0
    score = compose(Brief(old.tags, "", old.frame.seconds, Dice(seed, request.seed), old.frame, parts, new))
    music = silence(source.sound.seconds)
    yield from played(score.parts, renderer, music)
    yield Step("levelling", 0, 1)
    faded_out(music, score.ending)
    plan = plan_of(replace(old, form=parts), made_by=None if new else (VERSION, renderer))
    notes = () if new or is_instrumental(request.lyrics) else ("No line is new: the song was played again as it was.",)
    yield Audio(_like(music, source.sound), request.tags, _lyrics(request.lyrics), notes, _sections(score), plan)


def _over_recording(request: AudioToAudio, source: Source, old: Former, renderer: Renderer) -> Iterator[Step | Audio]:
    if is_instrumental(request.lyrics):
        message = (
            "has no words, and the voice of a recording without a plan cannot be taken out; give lyrics or remix it"
        )
        raise InvalidRequest.of(FieldError("lyrics", message, value=request.lyrics))
    parts = (
        with_words(old.form, request.lyrics) if any(part.lines for part in old.form) else _new_form(request, old.frame)
    )
    score = compose(Brief(request.tags, "", old.frame.seconds, Dice(request.seed or 0), old.frame, parts))
    music = silence(source.sound.seconds)
    yield from played([part for part in score.parts if part.name.startswith("voice")], renderer, music)
    yield Step("levelling", 0, 1)
    bed = to_float(conform(source.sound, Sound(np.zeros((0, 2), np.int32), RATE, 24)))
    loud = loudness(bed, RATE)
    voice = level(music, RATE, max(-30.0, loud - 2.0), CEILING_DBFS)
    count = min(len(bed), len(voice))
    voice[:count] += _QUIET_BED * bed[:count]
    note = "The source has no plan of how it was made: the recording itself lies quietly under the new voice."
    plan = plan_of(replace(old, form=parts), made_by=None)
    sound = _like(voice, source.sound)
    yield Audio(sound, request.tags, _lyrics(request.lyrics), (note, *old.notes), _sections(score), plan)


def _dice(old: Former, seed: int, variance: float) -> Dice:
    """The former song's dice, a share of them thrown anew; all of them where there is no former song."""
    return Dice(seed) if old.seed is None else Dice(old.seed, seed, variance)


def _bars(frame: Frame, window: EditWindow) -> tuple[int, int]:
    """The whole bars that lie inside the window, at least the one in its middle."""
    first = math.ceil((window.start - frame.phase) / frame.bar - 0.1)
    last = math.floor((window.end - frame.phase) / frame.bar + 0.1)
    first, last = (min(max(bar, 0), frame.bars) for bar in (first, last))
    if first >= last:
        middle = int(((window.start + window.end) / 2 - frame.phase) / frame.bar)
        first = min(max(middle, 0), frame.bars - 1)
        last = first + 1
    return first, last


def _new_form(request: AudioToAudio, frame: Frame) -> tuple[Part, ...]:
    return form(request.lyrics, frame.bars, frame.bar, rap=style(request.tags).rap)


def _before(tags: str, lyrics: str, old: Former, seconds: float, dice: Dice) -> Brief:
    """Music that ends where the song begins: its bars are counted back from the song's first."""
    first = seconds + old.frame.phase
    bars = max(1, math.ceil(first / old.frame.bar))
    phase = first - bars * old.frame.bar
    frame = replace(old.frame, bars=bars, seconds=seconds, phase=phase, slowing=0.0, ending="none")
    parts = form(lyrics, bars, frame.bar) if sung_lines(lyrics) else lead_up(bars)
    return Brief(tags, "", seconds, dice, frame, parts)


def _after(tags: str, lyrics: str, old: Former, seconds: float, dice: Dice) -> Brief:
    """Music that begins where the song ends: a bar that is under way there, then sections of its own, and an end."""
    wanted = style(tags)
    frame = continued(old.frame, seconds, wanted.genre.ending)
    link = Part("link", "intro", 1, (), 0.6)
    rest = form(lyrics, frame.bars - 1, frame.bar, rap=wanted.rap) if frame.bars > 1 else ()
    return Brief(tags, "", seconds, dice, frame, (link, *rest))


def _extended(old: Former, before: Score | None, after: Score | None, seconds: float) -> Former:
    """The grid of the longer song, its sections laid end to end in whole bars."""
    bars_before = sum(part.bars for part in before.form) if before else 0
    bars_after = sum(part.bars for part in after.form) if after else 0
    frame = replace(
        old.frame,
        seconds=seconds,
        phase=old.frame.phase + (before.seconds if before else 0.0) - bars_before * old.frame.bar,
        slowing=0.0,
        ending=after.ending if after else old.frame.ending,
    )
    total = max(1, math.floor((seconds - frame.phase) / frame.bar + 0.01))
    parts = (*(before.form if before else ()), *old.form, *(after.form if after else ()))
    spare = total - bars_before - old.frame.bars - bars_after
    last = parts[-1]
    parts = (*parts[:-1], replace(last, bars=max(1, last.bars + spare)))
    return replace(old, frame=replace(frame, bars=sum(part.bars for part in parts)), form=parts)


def _shifted(before: Score | None, old: Former, after: Score | None, shift: float) -> tuple[Section, ...]:
    """All sections on the longer song's clock."""
    found = list(_sections(before)) if before else []
    beat = 0
    for number, part in enumerate(old.form):
        start = max(0.0, old.frame.at(beat)) if number else 0.0
        beat += part.bars * old.frame.beats
        end = old.frame.at(beat) if number < len(old.form) - 1 else old.frame.seconds
        found.append(Section(part.name, round(start + shift, 3), round(end + shift, 3)))
    if after:
        later = shift + old.frame.seconds
        found.extend(Section(s.name, round(s.start + later, 3), round(s.end + later, 3)) for s in after.sections)
    return tuple(found)


def _sections(score: Score) -> tuple[Section, ...]:
    """The score's sections; the pieces of one that a window cut are one again."""
    found: list[Section] = []
    for stretch in score.sections:
        if found and found[-1].name == stretch.name:
            found[-1] = replace(found[-1], end=stretch.end)
        else:
            found.append(Section(stretch.name, stretch.start, stretch.end))
    return tuple(found)


def _surroundings(sound: Sound, window: EditWindow) -> float:
    """The LUFS a window should have: what it had, unless that is far from the music beside it."""
    rate = sound.sample_rate
    first, last = round(window.start * rate), round(window.end * rate)
    reach = round(_NEIGHBOURHOOD * rate)
    near = np.concatenate([sound.pcm[max(0, first - reach) : first], sound.pcm[last : last + reach]])
    beside = loudness(to_float(replace(sound, pcm=near)), rate)
    inside = loudness(to_float(replace(sound, pcm=sound.pcm[first:last])), rate)
    if beside == -math.inf:
        return inside if inside > -math.inf else TARGET_LUFS
    return inside if abs(inside - beside) <= _MOST_APART else beside


def _levelled(music: NDArray[np.float32], lufs: float, like: Sound) -> Sound:
    """New music as loud as wanted, in the rate, channels and depth of the song it joins."""
    wanted = TARGET_LUFS if lufs == -math.inf else lufs
    return conform(from_float(level(music, RATE, wanted, CEILING_DBFS), RATE, 24), like)


def _like(music: NDArray[np.float32], source: Sound) -> Sound:
    """Music for a whole song, as loud as the source and exactly as long, in its rate, channels and depth."""
    lufs = loudness(to_float(source), source.sample_rate)
    sound = _levelled(music, lufs, source)
    pcm = np.zeros((len(source.pcm), source.channels), np.int32)
    count = min(len(pcm), len(sound.pcm))
    pcm[:count] = sound.pcm[:count]
    return replace(sound, pcm=pcm)


def _lyrics(lyrics: str) -> str:
    return "[inst]" if is_instrumental(lyrics) else lyrics
