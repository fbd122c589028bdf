"""The song while it is being composed: style, grid, sections and chords, all in beats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from acestep_mcp.engines.draft.form_section import FormSection
from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.harmony import Chord, chord
from acestep_mcp.engines.draft.melody import MelodyNote
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.style import Style

_SHARES_HARMONY = {
    "intro": "verse",
    "outro": "chorus",
    "solo": "verse",
    "drop": "chorus",
    "build": "verse",
    "break": "bridge",
}


@dataclass(frozen=True, slots=True)
class Span:
    """A section on the grid: `beat` and `length` in quarter notes, and the section that follows."""

    section: FormSection
    beat: float
    length: float
    following: FormSection | None

    @property
    def end(self) -> float:
        return self.beat + self.length


@dataclass(frozen=True, slots=True)
class Song:
    """What all players share. `chords` has one chord per bar, `progressions` the numerals by kind of section.

    The melodies of `new_lines` come from the edit seed, whatever the variance. `tune` is one that the melody follows.
    """

    style: Style
    grid: Grid
    seeds: Seeds
    spans: tuple[Span, ...]
    chords: tuple[Chord, ...]
    progressions: dict[str, str]
    new_lines: frozenset[str] = frozenset()
    tune: tuple[MelodyNote, ...] = ()

    @property
    def beats(self) -> float:
        return self.grid.bars * self.grid.beats_per_bar

    def chord_at(self, beat: float) -> Chord:
        """The chord at a time in quarter notes from the start of the song."""
        bar = int((beat + 0.01) / self.grid.beats_per_bar)
        return self.chords[min(max(0, bar), len(self.chords) - 1)]

    def fullness(self, section: FormSection) -> float:
        """How much plays, and how loud, in a section: 0 to 1."""
        return min(1.0, section.intensity * (0.6 + 0.55 * self.style.drive))


def lay_out(form: Sequence[FormSection], beats: float) -> tuple[Span, ...]:
    """Place the sections one after another, in bars of `beats` quarter notes."""
    spans, beat = [], 0.0
    for section, following in pairwise((*form, None)):
        if section is not None:
            spans.append(Span(section, beat, section.bars * beats, following))
            beat += section.bars * beats
    return tuple(spans)


def outline(style: Style, grid: Grid, form: Sequence[FormSection], seeds: Seeds) -> Song:
    """Choose the harmony of every section."""
    spans = lay_out(form, grid.beats_per_bar)
    progressions: dict[str, str] = {}
    chords: list[Chord] = []
    for span in spans:
        numerals = progressions.setdefault(span.section.kind, _progression(style, grid, span.section.kind, seeds))
        chords.extend(_chords(numerals.split(), span, grid))
    if grid.ending in {"ring", "slow"} and len(chords) > 2:
        leading = not grid.key.minor or grid.key.scale in {"harmonic minor", "melodic minor"}
        chords[-1] = chord("V" if leading else "VII", grid.key)
    return Song(style, grid, seeds, spans, tuple(chords), progressions)


def _progression(style: Style, grid: Grid, kind: str, seeds: Seeds) -> str:
    """The numerals for a kind of section. Verse and chorus differ if the genre has several; intros and solos share."""
    choices = (style.genre.minor if grid.key.minor else style.genre.major).split("|")
    order = sorted(choices)
    seeds.stream("harmony").shuffle(order)
    home = _SHARES_HARMONY.get(kind, kind)
    index = {"verse": 0, "chorus": 1, "pre": 2, "bridge": 3}.get(home, 0)
    if seeds.stream(f"harmony/{home}").random() < 0.2:
        index += 1
    return order[index % len(order)]


def _chords(numerals: Sequence[str], span: Span, grid: Grid) -> Iterator[Chord]:
    """The chord of every bar: a new one each bar, or every two bars if bars are short or the section is calm."""
    slow = grid.bar_seconds < 1.45 or (
        grid.bar_seconds < 2.4 and span.section.kind in {"intro", "bridge", "break"} and span.section.bars >= 8
    )
    bars = 2 if slow and span.section.bars >= 2 * len(numerals) else 1
    for bar in range(span.section.offset_bars, span.section.offset_bars + span.section.bars):
        yield chord(numerals[bar // bars % len(numerals)], grid.key)
