"""Who carries the tune where: a singer where there are words, an instrument where there are none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from acestep_mcp.engines.draft.instruments import PROGRAMS, RANGES, VOICE_RANGE
from acestep_mcp.engines.draft.melody import Ground, Phrase, Tone, improvised, sing
from acestep_mcp.engines.draft.song import Song, Span
from acestep_mcp.engines.draft.style import soloist
from acestep_mcp.engines.draft.syllables import syllables

_FORMS = ("ABAB", "AABA", "ABAC", "AAAB")
_DENSITY = {
    "intro": 0.45,
    "verse": 0.8,
    "chorus": 0.95,
    "bridge": 0.6,
    "solo": 1.2,
    "drop": 1.3,
    "build": 0.6,
    "outro": 0.5,
}


@dataclass(frozen=True, slots=True)
class Lead:
    """The tune: what is sung and what is played."""

    sung: tuple[Tone, ...]
    played: tuple[Tone, ...]
    voice: int
    instrument: int


def lead(song: Song) -> Lead:
    """The whole song's tune."""
    style = song.style
    instrument = PROGRAMS[soloist(style) or song.dice.stream("lead", 0.4).choice(style.genre.leads.split("|"))]
    voice = PROGRAMS[style.genre.voice]
    has_words = any(span.part.lines for span in song.spans)
    sung: list[Tone] = []
    played: list[Tone] = []
    for span in song.spans:
        if span.part.lines:
            sung.extend(_sung(song, span))
        elif _plays(span, has_words):
            played.extend(_improvised(song, span, instrument))
    return Lead(tuple(sung), tuple(played), voice, instrument)


def _plays(span: Span, has_words: bool) -> bool:
    if has_words:
        return span.part.kind in {"solo", "drop", "intro"}
    return span.part.kind not in {"break", "intro"} or span.part.bars <= 2


def _sung(song: Song, span: Span) -> Iterator[Tone]:
    low, high = (edge + song.style.register for edge in VOICE_RANGE)
    ground = Ground(song.frame.key, song.chords, low, high, song.frame.beats)
    count = len(span.part.lines)
    letters = song.dice.stream(f"form/{span.part.kind}", 3.0).choice(_FORMS)
    for number, line in enumerate(span.part.lines):
        begins = _grid(span.length * number / count)
        ends = _grid(span.length * (number + 1) / count)
        answers = number == count - 1 or number % 2 == 1
        phrase = Phrase(span.beat + begins, max(0.5, ends - begins), span.part.kind, answers)
        name = f"tune/{span.part.kind}/{letters[number % 4]}"
        rng = song.dice.anew(name) if line in song.new_lines else song.dice.stream(name, 3.0)
        yield from sing(syllables(line), phrase, ground, rng, 0.3 if song.style.rap else 1.0)


def _grid(beat: float) -> float:
    return round(beat * 4) / 4


def _improvised(song: Song, span: Span, program: int) -> Iterator[Tone]:
    low, high = RANGES.get(program, (VOICE_RANGE[0] + 2, VOICE_RANGE[1] + 4))
    ground = Ground(song.frame.key, song.chords, low, high, song.frame.beats)
    bars = 2 if song.frame.bar > 1.6 else 4
    letters = song.dice.stream(f"form/{span.part.kind}", 3.0).choice(_FORMS)
    density = (
        _DENSITY.get(span.part.kind, 0.8) * min(1.3, max(0.5, song.frame.beat / 0.5)) * (0.6 + 0.6 * song.style.drive)
    )
    for number, beat in enumerate(range(0, span.length, bars * song.frame.beats)):
        length = min(bars * song.frame.beats, span.length - beat)
        if _rests(song, span, number):
            continue
        phrase = Phrase(span.beat + beat, length, span.part.kind, number % 2 == 1)
        rng = song.dice.stream(f"tune/{span.part.kind}/{letters[number % 4]}", 3.0)
        yield from sing(improvised(phrase, density, rng), phrase, ground, rng)


def _rests(song: Song, span: Span, number: int) -> bool:
    """An intro lets the band begin alone; quiet music leaves room."""
    if span.part.kind in {"intro", "outro"}:
        return number == 0 and span.part.bars > 2
    return song.dice.stream(f"rest/{span.part.kind}/{number}", 3.0).random() < 0.3 - 0.3 * song.style.drive
