"""Melodies: one note per syllable over the chords, with pauses between phrases and recurring motifs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from acestep_mcp.engines.draft.harmony import Chord, Key
from acestep_mcp.engines.draft.metres import BarLayout
from acestep_mcp.engines.draft.sung_syllables import UNSUNG, SungSyllable
from acestep_mcp.engines.draft.syllables import Syllable

_CONTOURS = {
    "arch": (0.0, 0.6, 1.0, 0.7, 0.2),
    "fall": (1.0, 0.7, 0.5, 0.2, 0.0),
    "rise": (0.0, 0.2, 0.4, 0.7, 1.0),
    "wave": (0.2, 0.9, 0.4, 0.8, 0.1),
    "bowl": (0.8, 0.3, 0.0, 0.4, 0.9),
}
_LONG = 0.9
"""Beats from which a note is long, and its dissonance heard."""
_HEARD, _GRINDING = 0.3, 50.0
_LIFT = {"chorus": 3.5, "drop": 4.0, "pre": 1.5, "bridge": 2.0, "solo": 2.0, "outro": -1.0}


class MelodyNote(NamedTuple):
    """A melody note in beats from the start of the song; `accent` is 0 to 1, `sung` the syllable that is sung on it."""

    beat: float
    length: float
    pitch: int
    accent: float
    sung: SungSyllable = UNSUNG


class PitchWish(NamedTuple):
    """The pitch before a note, the one that the contour asks for, the strength of its place, and how far the tune moves."""

    previous: float
    wanted: float
    weight: float
    spread: float


@dataclass(frozen=True, slots=True)
class Phrase:
    """Where a line is sung: `beat` and `length` in quarter notes, and the `kind` of its section.

    `cadence` is true if the phrase comes to rest.
    """

    beat: float
    length: float
    kind: str
    cadence: bool


@dataclass(frozen=True, slots=True)
class MelodyContext:
    """What a melody has to fit: the key, one chord per bar, the range in MIDI pitches, the metre."""

    key: Key
    chords: Sequence[Chord]
    low: int
    high: int
    bar: BarLayout

    def chord(self, beat: float) -> Chord:
        return self.chords[min(len(self.chords) - 1, max(0, int((beat + 0.01) / self.bar.quarters)))]

    def chords_during(self, beat: float, length: float) -> tuple[Chord, ...]:
        """The chord of a note, for a long one with that of the next bar if it is still heard there."""
        first, last = self.chord(beat), self.chord(beat + length - _HEARD)
        return (first, last) if length >= _LONG and last != first else (first,) * (2 if length >= _LONG else 1)


def melody(
    rhythm: Sequence[tuple[float, float]],
    phrase: Phrase,
    context: MelodyContext,
    rng: random.Random,
    spread: float = 1.0,
) -> list[MelodyNote]:
    """A pitch for each (onset, length) of the phrase. `rng` decides the contour: the same stream gives the same motif.

    No long note lies a semitone from a note of a chord that sounds with it; where the next chord allows none, the note
    ends with its chord.
    """
    contour = _CONTOURS[rng.choice(sorted(_CONTOURS))]
    pitch_rng = random.Random(rng.random())
    notes: list[MelodyNote] = []
    middle = (context.low + context.high) / 2 + _LIFT.get(phrase.kind, 0.0) * min(1.0, spread)
    previous = middle + pitch_rng.uniform(-2, 2) * spread
    for number, (onset, length) in enumerate(rhythm):
        last = number == len(rhythm) - 1
        wanted = middle - 3 * min(1.0, spread) + 7 * spread * _interpolate(contour, number / max(1, len(rhythm) - 1))
        beat = phrase.beat + onset
        weight = 3.0 if last else context.bar.weight(beat) + (1.0 if length >= 1 else 0.0)
        chords = context.chords_during(beat, length)
        wish = PitchWish(previous, wanted, weight, spread)
        pitch = _pitch(context, chords, wish, pitch_rng, rest=last and phrase.cadence)
        held = _until_itgrinds(context, MelodyNote(beat, length, pitch, min(1.0, 0.4 + 0.2 * weight)), chords)
        notes.append(held)
        previous = pitch
    return notes


def _until_itgrinds(context: MelodyContext, note: MelodyNote, chords: Sequence[Chord]) -> MelodyNote:
    """The note, up to the next chord if it lies a semitone from that."""
    if len(chords) < 2 or not grinds(chords[1], note.pitch % 12):
        return note
    bar = context.bar.quarters
    change = (int((note.beat + 0.01) / bar) + 1) * bar
    return note._replace(length=max(0.2, min(note.length, change - note.beat)))


def rhythm(
    line: Sequence[Syllable], length: float, rng: random.Random, steps: Sequence[float] = (1.0, 0.5, 0.25)
) -> list[tuple[float, float]]:
    """(onset, length) in beats of each syllable in a phrase of `length` beats; the end stays free for a breath.

    The syllables move on the longest of `steps` with which all fit.
    """
    count = len(line)
    available = length - min(2.0, 0.2 * length)
    step_beats = next((step for step in steps if count * step <= available), available / count)
    lead_in = (
        rng.choice((0.0, 0.0, step_beats, 2 * step_beats)) if count * step_beats <= available - 2 * step_beats else 0.0
    )
    spare = int((available - lead_in) / step_beats + 0.001) - count
    units = [1] * count
    _lengthen(units, line, spare, rng)
    onset, placed = lead_in, []
    for number, unit in enumerate(units):
        sounding = unit * step_beats * (0.8 if line[number].pause else 0.97)
        if number == count - 1:
            sounding = max(step_beats, min(length - 0.25 - onset, max(unit * step_beats, 1.0 if count > 1 else 2.0)))
        placed.append((onset, sounding))
        onset += unit * step_beats
    return placed


def _lengthen(units: list[int], line: Sequence[Syllable], spare: int, rng: random.Random) -> None:
    """Distribute the spare steps: a third to the last note, the rest to word ends, so that words stay together."""
    ends = [number for number in range(len(line) - 1) if line[number + 1].starts_word] or list(range(len(line)))
    units[-1] += spare // 3
    for number in (number for number in ends if line[number].pause):
        if spare > len(line) // 2:
            units[number] += 1
            spare -= 1
    for _ in range(max(0, spare - spare // 3)):
        units[rng.choice(ends)] += 1


def improvised_syllables(phrase: Phrase, density: float, rng: random.Random) -> list[Syllable]:
    """Made-up syllables for an instrument: about `density` notes per beat, in groups."""
    count = max(2, round(phrase.length * density * rng.uniform(0.7, 1.1)))
    return [Syllable(starts_word=number == 0 or rng.random() < 0.45) for number in range(count)]


def _interpolate(contour: Sequence[float], share: float) -> float:
    position = share * (len(contour) - 1)
    left = min(int(position), len(contour) - 2)
    return contour[left] + (contour[left + 1] - contour[left]) * (position - left)


def _pitch(context: MelodyContext, chords: Sequence[Chord], wish: PitchWish, rng: random.Random, *, rest: bool) -> int:
    """The pitch that best fits chord, scale, contour and previous note.

    `chords` has one chord for a short note, and the first and the last for a long one.
    """
    previous, wanted, weight, spread = wish
    still = 4.0 * max(0.0, 1 - spread)
    dissonances = _dissonances(chords[0], context.key)
    best = (float("inf"), round(previous))
    for pitch in range(context.low, context.high + 1):
        dissonance = dissonances[pitch % 12]
        if dissonance is None:
            continue
        cost = (0.35 + still) * abs(pitch - wanted) + _leap_cost(abs(pitch - previous)) + rng.uniform(0, 1.6)
        cost += weight * dissonance
        if len(chords) > 1:
            cost += _GRINDING * grinds(chords[0], pitch % 12) + 4.0 * grinds(chords[1], pitch % 12)
        if rest:
            cost += {0: 0.0, 4: 0.6, 3: 0.6}.get((pitch - context.key.tonic) % 12, 2.5)
        if cost < best[0]:
            best = (cost, pitch)
    return best[1]


@lru_cache(maxsize=2048)
def grinds(chord: Chord, pitch_class: int) -> bool:
    """Whether a note lies a semitone from a note of the chord."""
    return any((pitch_class - tone) % 12 in {1, 11} for tone in chord.tones)


def _leap_cost(distance: float) -> float:
    if distance < 0.5:
        return 0.9
    if distance <= 2.5:
        return 0.0
    return 0.5 * (distance - 2) if distance <= 7.5 else 2.5 + 1.2 * (distance - 7)


@lru_cache(maxsize=512)
def _dissonances(chord: Chord, key: Key) -> tuple[float | None, ...]:
    """The dissonance of each pitch class, None for those that are neither in the chord nor in the scale."""
    known = {*key.pitch_classes, *chord.tones}
    return tuple(_dissonance(pitch, chord) if pitch in known else None for pitch in range(12))


def _dissonance(pitch_class: int, chord: Chord) -> float:
    """0 for a chord tone, more for other notes of the scale, most a semitone above a chord tone."""
    if pitch_class in chord.tones:
        return 0.0 if pitch_class in chord.tones[:3] else 0.3
    return 3.0 if (pitch_class - 1) % 12 in chord.tones else 1.4
