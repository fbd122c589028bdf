"""The song while it is being composed: style, grid, sections and chords, all in beats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from acestep_mcp.engines.draft.form import Part as FormPart
from acestep_mcp.engines.draft.frame import Frame
from acestep_mcp.engines.draft.harmony import Chord, chord
from acestep_mcp.engines.draft.seeds import Dice
from acestep_mcp.engines.draft.style import Style

_SAME_AS = {"intro": "verse", "outro": "chorus", "solo": "verse", "drop": "chorus", "build": "verse", "break": "bridge"}


@dataclass(frozen=True, slots=True)
class Span:
    """A section laid on the grid: `beat` and `length` in quarter notes, and the section that follows it."""

    part: FormPart
    beat: int
    length: int
    following: FormPart | None

    @property
    def end(self) -> int:
        return self.beat + self.length


@dataclass(frozen=True, slots=True)
class Song:
    """Everything the players share. `chords` has one chord a beat, `progressions` the numerals by kind of section.

    `new_lines` are sung to tunes of the fresh seed, whatever the variance.
    """

    style: Style
    frame: Frame
    dice: Dice
    spans: tuple[Span, ...]
    chords: tuple[Chord, ...]
    progressions: dict[str, str]
    new_lines: frozenset[str] = frozenset()

    @property
    def beats(self) -> int:
        return self.frame.bars * self.frame.beats

    def fullness(self, part: FormPart) -> float:
        """0 to 1: how much plays, and how loud, in a section of this music."""
        return min(1.0, part.intensity * (0.6 + 0.55 * self.style.drive))


def laid(form: Sequence[FormPart], beats: int) -> tuple[Span, ...]:
    """The sections one after another, in bars of `beats` quarter notes."""
    spans, beat = [], 0
    for part, following in pairwise((*form, None)):
        if part is not None:
            spans.append(Span(part, beat, part.bars * beats, following))
            beat += part.bars * beats
    return tuple(spans)


def outline(style: Style, frame: Frame, form: Sequence[FormPart], dice: Dice) -> Song:
    """Chooses the harmony of every section."""
    spans = laid(form, frame.beats)
    progressions: dict[str, str] = {}
    chords: list[Chord] = []
    for span in spans:
        numerals = progressions.setdefault(span.part.kind, _progression(style, frame, span.part.kind, dice))
        chords.extend(_chords(numerals.split(), span, frame))
    if frame.ending in {"ring", "slow"} and len(chords) > 2 * frame.beats:
        dominant = chord("V" if not frame.key.minor or frame.key.scale == "harmonic minor" else "VII", frame.key)
        chords[-frame.beats :] = [dominant] * frame.beats
    return Song(style, frame, dice, spans, tuple(chords), progressions)


def _progression(style: Style, frame: Frame, kind: str, dice: Dice) -> str:
    """Verse and chorus have different ones where the genre knows several; intros and solos borrow."""
    choices = (style.genre.minor if frame.key.minor else style.genre.major).split("|")
    order = sorted(choices)
    dice.stream("harmony", 0.5).shuffle(order)
    home = _SAME_AS.get(kind, kind)
    place = {"verse": 0, "chorus": 1, "pre": 2, "bridge": 3}.get(home, 0)
    if dice.stream(f"harmony/{home}", 0.7).random() < 0.2:
        place += 1
    return order[place % len(order)]


def _chords(numerals: Sequence[str], span: Span, frame: Frame) -> Iterator[Chord]:
    """One chord a bar, one in two bars where bars are short or the music stands still."""
    slow = frame.bar < 1.45 or (
        frame.bar < 2.4 and span.part.kind in {"intro", "bridge", "break"} and span.part.bars >= 8
    )
    bars = 2 if slow and span.part.bars >= 2 * len(numerals) else 1
    for beat in range(span.length):
        bar = span.part.into + beat // frame.beats
        yield chord(numerals[bar // bars % len(numerals)], frame.key)
