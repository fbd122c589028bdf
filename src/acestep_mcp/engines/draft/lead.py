"""The melody of a song: sung where a section has lyrics, played by an instrument elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from acestep_mcp.engines.draft.feels import feel_of
from acestep_mcp.engines.draft.instruments import PROGRAMS, RANGES, VOICE_RANGE
from acestep_mcp.engines.draft.kept_tune import with_pitches_of
from acestep_mcp.engines.draft.line_language import language_of
from acestep_mcp.engines.draft.melody import MelodyContext, MelodyNote, Phrase, improvised_syllables, melody, rhythm
from acestep_mcp.engines.draft.song import Song, Span
from acestep_mcp.engines.draft.style import soloist
from acestep_mcp.engines.draft.syllables import syllables
from acestep_mcp.engines.draft.text_setting import BREATH, LinePlace, line_places, set_text

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


_SUBSTITUTES = ("flute", "clean guitar", "piano", "violin", "vibraphone", "trumpet", "saw lead", "harp", "voice")


@dataclass(frozen=True, slots=True)
class Lead:
    """The melody; `voice` and `instrument` are General MIDI programs. Without an instrument nothing plays it."""

    sung: tuple[MelodyNote, ...]
    played: tuple[MelodyNote, ...]
    voice: int
    instrument: int | None


def lead(song: Song) -> Lead:
    """Compose the melody of the whole song."""
    instrument, voice = _instrument(song), _voice(song)
    lines = [line for span in song.spans for line in span.section.lines]
    has_lyrics, language = bool(lines), language_of(lines)
    sung: list[MelodyNote] = []
    played: list[MelodyNote] = []
    for span in song.spans:
        if span.section.lines:
            sung.extend(_sung_notes(song, span, language))
        elif instrument is not None and _plays(song, span, has_lyrics):
            played.extend(_instrumental_notes(song, span, instrument))
    return Lead(tuple(_one_at_a_time(sung)), tuple(played), voice, instrument)


def _instrument(song: Song) -> int | None:
    """The program that plays the melody: the named soloist, one of the genre's, or else another that is allowed."""
    style = song.style
    if not style.lineup.melody:
        return None
    named = soloist(style)
    if named and style.lineup.plays(PROGRAMS[named]):
        return PROGRAMS[named]
    options = [name for name in style.genre.leads.split("|") if style.lineup.plays(PROGRAMS[name])]
    options = (
        options or [name for name in (*style.instruments, *_SUBSTITUTES) if style.lineup.plays(PROGRAMS[name])][:1]
    )
    return PROGRAMS[song.seeds.stream("lead").choice(options)] if options else None


def _voice(song: Song) -> int:
    """The program that sings: the genre's, unless the tags refuse that sound."""
    usual = PROGRAMS[song.style.genre.voice]
    options = (usual, *(PROGRAMS[name] for name in ("voice", "choir", "synth voice")))
    lineup = song.style.lineup
    allowed = [program for program in options if program not in lineup.refused]
    return next((program for program in allowed if lineup.plays(program)), (allowed or [usual])[0])


def _plays(song: Song, span: Span, has_lyrics: bool) -> bool:
    if span.section.kind == "solo" and not song.style.lineup.solos:
        return False
    if has_lyrics:
        return span.section.kind in {"solo", "drop", "intro"}
    return span.section.kind not in {"break", "intro"} or span.section.bars <= 2


def _sung_notes(song: Song, span: Span, language: str) -> Iterator[MelodyNote]:
    feel, layout = feel_of(song.style.genre.name, rap=song.style.rap), song.grid.layout
    low, high = (edge + song.style.register for edge in VOICE_RANGE)
    context = MelodyContext(song.grid.key, song.chords, low, high, layout)
    count = len(span.section.lines)
    places = line_places(span.length, count, layout)
    for number, (line, (start, length)) in enumerate(zip(span.section.lines, places, strict=True)):
        cadence = number == count - 1 or number % 2 == 1
        phrase = Phrase(span.beat + start, length, span.section.kind, cadence)
        seeds = song.seeds.of_passage("voice", int(phrase.beat))
        letters = seeds.stream(f"form/{span.section.kind}").choice(_FORMS)
        name = f"{span.section.kind}/{letters[number % 4]}"
        stream = song.seeds.edit_stream if line in song.new_lines else seeds.stream
        sung = syllables(line, language)
        if not sung:
            continue
        free = min(1.0, phrase.beat) if number == 0 else max(0.0, BREATH * length - 0.25)
        place = LinePlace(phrase.beat, length, free)
        timed = set_text(sung, place, layout, feel, stream(f"rhythm/{song.style.genre.name}/{name}"))
        tune = melody(timed, phrase, context, stream(f"tune/{name}"), 0.12 if feel.spoken else 1.0)
        pitched = tune if feel.spoken else with_pitches_of(song.tune, tune, context)
        yield from (note._replace(sung=one.sung) for note, one in zip(pitched, sung, strict=True))


def _one_at_a_time(notes: list[MelodyNote]) -> Iterator[MelodyNote]:
    """The notes, each of which ends where the next one begins."""
    ordered = sorted(notes)
    for note, following in pairwise([*ordered, None]):
        if note is not None:
            yield note if following is None else note._replace(length=min(note.length, following.beat - note.beat))


def _instrumental_notes(song: Song, span: Span, program: int) -> Iterator[MelodyNote]:
    low, high = RANGES.get(program, (VOICE_RANGE[0] + 2, VOICE_RANGE[1] + 4))
    context = MelodyContext(song.grid.key, song.chords, low, high, song.grid.layout)
    bars = 2 if song.grid.bar_seconds > 1.6 else 4
    density = (
        _DENSITY.get(span.section.kind, 0.8)
        * min(1.3, max(0.5, song.grid.beat_seconds / 0.5))
        * (0.6 + 0.6 * song.style.drive)
    )
    for number, bar in enumerate(range(0, span.section.bars, bars)):
        beat = bar * song.grid.beats_per_bar
        length = min(bars * song.grid.beats_per_bar, span.length - beat)
        if _rests(song, span, number):
            continue
        phrase = Phrase(span.beat + beat, length, span.section.kind, number % 2 == 1)
        seeds = song.seeds.of_passage("lead", int(phrase.beat))
        letters = seeds.stream(f"form/{span.section.kind}").choice(_FORMS)
        rng = seeds.stream(f"tune/{span.section.kind}/{letters[number % 4]}")
        timed = rhythm(improvised_syllables(phrase, density, rng), length, rng, song.grid.layout.note_lengths)
        yield from with_pitches_of(song.tune, melody(timed, phrase, context, rng), context)


def _rests(song: Song, span: Span, number: int) -> bool:
    """Whether a phrase is left out: long intros start without the lead, quiet music has more rests."""
    if span.section.kind in {"intro", "outro"}:
        return number == 0 and span.section.bars > 2
    return song.seeds.stream(f"rest/{span.section.kind}/{number}").random() < 0.3 - 0.3 * song.style.drive
