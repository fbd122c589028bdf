"""The accompaniment: chords, arpeggios, basses and drums, each from a pattern, in beats."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from acestep_mcp.engines.draft import drums
from acestep_mcp.engines.draft.bass_patterns import BASSES
from acestep_mcp.engines.draft.harmony import Chord, nearest, voicing
from acestep_mcp.engines.draft.harmony import chord as chord_named
from acestep_mcp.engines.draft.instruments import PERCUSSION_ROWS
from acestep_mcp.engines.draft.metres import BarLayout, bar_rows
from acestep_mcp.engines.draft.patterns import Pattern
from acestep_mcp.engines.draft.song import Song, Span
from acestep_mcp.engines.draft.sung_syllables import UNSUNG, SungSyllable

_ACCENTS = {"X": 1.0, "x": 0.84, "o": 0.64}
_BUILDERS = frozenset(
    {
        "trance",
        "deep house",
        "edm",
        "techno",
        "dubstep",
        "synthwave",
        "k-pop",
        "drum and bass",
        "synth-pop",
        "hardstyle",
        "uk garage",
    }
)


class BeatNote(NamedTuple):
    """A note in beats from the start of the song."""

    beat: float
    length: float
    pitch: int
    velocity: float
    sung: SungSyllable = UNSUNG


cached_voicing = lru_cache(maxsize=4096)(voicing)


def upper_tones(chord: Chord) -> tuple[int, ...]:
    """The tones a chord instrument plays: the root of a chord of four or more is left to the bass."""
    return chord.tones if len(chord.tones) < 4 else chord.tones[1:]


def tonic_voicing(song: Song, pattern: Pattern) -> tuple[int, ...]:
    """The tonic chord in the pattern's range: the voicing from which every section starts."""
    tonic = chord_named("i" if song.grid.key.minor else "I", song.grid.key)
    return cached_voicing(tonic.tones, (), pattern.low, pattern.high)


def comp(song: Song, span: Span, name: str, pattern: Pattern) -> Iterator[BeatNote]:
    """The notes of a chord instrument in one section."""
    if pattern.playing == "pad":
        yield from _pad_notes(song, span, pattern, _level(song, span))
        return
    beats, level = song.grid.beats_per_bar, _level(song, span)
    previous = tonic_voicing(song, pattern)
    onsets = list(_onsets(song, span, name, pattern))
    first = round(span.beat / beats)
    for (onset, mark, number), following in pairwise([*onsets, (span.length, "", 0)]):
        bar = first + int(onset // beats)
        rng = song.seeds.of_passage(name, bar).stream(f"pattern/{name}/{bar}/{number}")
        chord = song.chord_at(span.beat + onset)
        previous = cached_voicing(upper_tones(chord), previous, pattern.low, pattern.high)
        length = max(0.1, (following[0] - onset) * pattern.gate)
        base = BeatNote(span.beat + onset, length, 0, level * _ACCENTS[mark] * song.grid.layout.accent(onset))
        yield from _chord_notes(pattern, base, chord, previous, (number, onset % beats == 0, rng))


def _onsets(song: Song, span: Span, name: str, pattern: Pattern) -> Iterator[tuple[float, str, int]]:
    """Where the instrument plays: the beat in the section, the mark, and which of the notes of two bars it is."""
    beats, number = song.grid.beats_per_bar, 0
    rows = bar_rows(pattern.steps, pattern.three, song.grid.metre)
    first = round(span.beat / beats)
    for bar in range(span.section.bars):
        seeds = song.seeds.of_passage(name, first + bar)
        row = seeds.stream(f"pattern/{name}/{span.section.kind}").choice(rows)
        number = number if bar % 2 else 0
        for step, mark in enumerate(_chord_steps(row, song.grid.layout)):
            if mark != ".":
                yield bar * beats + step / 4, mark, number
                number += 1


def _chord_steps(row: str, layout: BarLayout) -> str:
    """The steps of one bar: no strong beat is soft, and no bar is empty."""
    steps = "".join("x" if mark == "o" and at in layout.strong_steps else mark for at, mark in enumerate(row))
    return steps if steps.strip(".") else "x" + steps[1:]


def _chord_notes(
    pattern: Pattern, base: BeatNote, chord: Chord, pitches: Sequence[int], state: tuple[int, bool, random.Random]
) -> Iterator[BeatNote]:
    number, begins_bar, rng = state
    match pattern.playing:
        case "arp":
            tone = pattern.order[number % len(pattern.order)]
            octave = 12 * (tone // len(pitches))
            yield BeatNote(
                base.beat, base.length, min(pattern.high + 7, pitches[tone % len(pitches)] + octave), base.velocity
            )
        case "pick":
            yield from _picked_notes(pattern, base, chord, pitches, None if begins_bar else number)
        case "power" | "single":
            root = nearest(chord.root, (pattern.low + pattern.high) / 2 - 3)
            for pitch in (root, root + 7)[: 2 if pattern.playing == "power" else 1]:
                yield BeatNote(base.beat, base.length, pitch, base.velocity)
        case "bells":
            if rng.random() < 0.6:
                pitch = nearest(rng.choice(chord.tones), rng.uniform(pattern.low + 4, pattern.high - 4))
                yield BeatNote(base.beat, base.length, pitch, base.velocity)
        case _:
            for order, pitch in enumerate(pitches):
                late = pattern.strum * order / max(1, len(pitches) - 1)
                yield BeatNote(base.beat + late, max(0.08, base.length - late), pitch, base.velocity)


def _picked_notes(
    pattern: Pattern, base: BeatNote, chord: Chord, pitches: Sequence[int], number: int | None
) -> Iterator[BeatNote]:
    """Broken chords over a bass note at the beginning of each bar, where `number` is None."""
    if number is None:
        yield BeatNote(base.beat, max(base.length, 1.5), nearest(chord.root, pattern.low - 5), base.velocity * 0.95)
        yield BeatNote(base.beat, base.length * 1.5, pitches[-1], base.velocity)
        return
    tone = pattern.order[number % len(pattern.order)]
    yield BeatNote(base.beat, base.length * 1.3, pitches[tone % len(pitches)], base.velocity * 0.9)


def _pad_notes(song: Song, span: Span, pattern: Pattern, level: float) -> Iterator[BeatNote]:
    """Held chords, one for each change of harmony."""
    previous = tonic_voicing(song, pattern)
    start = span.beat
    for bar in range(1, span.section.bars + 1):
        beat = span.beat + bar * song.grid.beats_per_bar
        if bar < span.section.bars and song.chord_at(beat) == song.chord_at(start):
            continue
        previous = cached_voicing(upper_tones(song.chord_at(start)), previous, pattern.low, pattern.high)
        for pitch in previous:
            yield BeatNote(start, beat - start, pitch, level * 0.9)
        start = beat


def bass_line(song: Song, span: Span, name: str, low: int) -> Iterator[BeatNote]:
    """The bass line of one section, near `low`; quiet sections hold the roots."""
    beats = song.grid.beats_per_bar
    full = song.fullness(span.section)
    style = name if full > 0.3 else "pedal"
    alternatives, strong = bar_rows(*BASSES[style], song.grid.metre), song.grid.layout.strong_steps
    first = round(span.beat / beats)
    for bar in range(span.section.bars):
        rng = song.seeds.of_passage("bass", first + bar).stream(f"bass/{span.section.kind}")
        usual, other = rng.choice(alternatives), rng.choice(alternatives)
        rng = random.Random(f"{rng.random()}/{bar}")
        steps = other if bar % 4 == 3 else usual
        for step, mark in enumerate(steps):
            if mark not in "-.":
                beat = span.beat + bar * beats + step / 4
                held = len(steps[step + 1 :]) - len(steps[step + 1 :].lstrip("-"))
                pitch = _bass_pitch(song, beat, mark, low, rng)
                accent = (1.0 if step in strong else 0.9) * song.grid.layout.accent(step / 4)
                yield BeatNote(beat, (held + 1) / 4 * 0.94, pitch, _level(song, span) * accent)


def _bass_pitch(song: Song, beat: float, mark: str, low: int, rng: random.Random) -> int:
    chord = song.chord_at(beat)
    root = low + (chord.root - low) % 12
    third = (chord.tones[1] - chord.root) % 12 if len(chord.tones) > 2 else 12
    seventh = (chord.tones[3] - chord.root) % 12 if len(chord.tones) > 3 else 12
    steps = {"r": 0, "R": 12, "t": third, "f": 7, "F": -5 if root - 5 >= low - 4 else 7, "s": seventh}
    if mark != "a":
        return root + steps[mark]
    next_chord = song.chord_at(int(beat) + 1)
    target = nearest(next_chord.root, root)
    scale = song.grid.key.pitch_classes
    neighbours = [pitch for pitch in (target - 2, target + 2) if pitch % 12 in scale]
    return rng.choice(neighbours) if neighbours and rng.random() < 0.7 else target - 1


def drum_track(song: Song, groove: str) -> Iterator[BeatNote]:
    """The drums of the whole song: groove by section, fills before the next one, builds before a drop."""
    fills = sorted(drums.FILLS)
    song.seeds.stream("fills").shuffle(fills)
    for number, span in enumerate(song.spans):
        first = round(span.beat / song.grid.beats_per_bar)
        drawn: dict[int, list[dict[str, str]]] = {}
        for bar in range(span.section.bars):
            seeds = song.seeds.of_passage("drums", first + bar)
            if seeds.seed not in drawn:
                drawn[seeds.seed] = _drum_variants(song, groove, seeds.stream(f"drums/{span.section.kind}"))
            rows = drawn[seeds.seed][(bar + span.section.offset_bars) % 4]
            rng = seeds.stream(f"drums/{first + bar}")
            for hit in _drum_bar(song, span, bar, rows, fills[number % len(fills)], rng):
                loud = hit.velocity * song.grid.layout.accent(hit.beat)
                yield BeatNote(span.beat + bar * song.grid.beats_per_bar + hit.beat, 0.2, hit.pitch, loud)


def _drum_variants(song: Song, groove: str, rng: random.Random) -> list[dict[str, str]]:
    plain = _with_percussion(song, drums.groove(groove, song.grid.metre, rng))
    return list(drums.variants(plain, song.grid.metre, rng))


def _with_percussion(song: Song, rows: dict[str, str]) -> dict[str, str]:
    """The rows of a groove, and those of the percussion that the tags name."""
    added = [PERCUSSION_ROWS[name].split() for name in song.style.percussion if name in PERCUSSION_ROWS]
    return {**{piece: drums.fit(piece, steps, song.grid.metre) for piece, steps in added}, **rows}


def _drum_bar(
    song: Song, span: Span, bar: int, rows: dict[str, str], fill: str, rng: random.Random
) -> Iterator[drums.DrumHit]:
    full, beats = song.fullness(span.section), song.grid.beats_per_bar
    left = span.section.bars - bar
    following = song.fullness(span.following) if span.following else 0.0
    building = _builds(song, span) and left <= min(4, span.section.bars)
    if building:
        yield from drums.roll(beats, 1 - (left - 1) / min(4, span.section.bars))
        yield from (hit for hit in drums.bar(rows, full, rng) if hit.pitch == drums.PIECES["K"] and left > 1)
        return
    if span.section.kind == "break" or (span.section.kind == "intro" and full < 0.3 and bar < span.section.bars // 2):
        return
    filling = left == 1 and rows and full >= 0.3 and (following >= 0.4 or not span.following) and span.section.bars > 1
    cut = beats - (rng.choice(song.grid.layout.fills) if filling else 0)
    yield from (hit for hit in drums.bar(rows, full, rng) if hit.beat < cut)
    if filling:
        yield from drums.fill(beats, beats - cut, fill)
    if bar == 0 and not span.section.offset_bars and full >= 0.6 and rows and span.beat > 0:
        yield drums.DrumHit(0, drums.PIECES["Z"], round(70 + 25 * full))


def _builds(song: Song, span: Span) -> bool:
    if span.section.kind == "build":
        return True
    follows = span.following is not None and span.following.kind in {"chorus", "drop"}
    return follows and song.style.genre.name in _BUILDERS and span.section.kind == "pre"


def _level(song: Song, span: Span) -> float:
    return 54 + 42 * song.fullness(span.section)
