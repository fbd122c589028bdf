"""Sets the syllables of a line to a rhythm: stressed ones on strong places, in the feel of the genre.

The rhythm is the cheapest way through the line, found by dynamic programming: a syllable costs what its place in the bar
and its distance from the one before it cost.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from acestep_mcp.engines.draft.feels import Feel
from acestep_mcp.engines.draft.metres import BarLayout
from acestep_mcp.engines.draft.syllables import Syllable

_LATE = {2.0: 0.0, 1.5: 0.15, 1.0: 1.1}
_SPOKEN_LATE = {2.0: 0.0, 1.5: 0.1, 1.0: 0.3}
_WEAK_EIGHTH, _WEAK_SIXTEENTH = 5.0, 6.5
_TAKEN = {2.0: 2.4, 1.5: 2.2, 1.0: 1.0}
_LONGEST_GAP = 3.0
_ENDLESS = float("inf")
BREATH = 0.2
"""The share of a line that stays free at its end."""
_LONGEST_LINE = 16.0


class LinePlace(NamedTuple):
    """Where a line is sung: `beat` and `length` in quarter notes from the beginning of the song, and the beats before it that are free."""

    beat: float
    length: float
    free: float = 0.0


def line_places(length: float, count: int, bar: BarLayout) -> list[tuple[float, float]]:
    """Where in a section of `length` quarter notes its lines begin, and how long they are: whole bars where they fit.

    What is left of the section stays free at its end.
    """
    each = length / count
    unit = bar.quarters
    if each < unit - 0.01 or (each < 2 * unit - 0.01 and bar.halves):
        unit = unit / 2 if bar.halves and each >= unit / 2 else 0.5
    size = max(unit, int(each / unit + 0.01) * unit) if each >= unit else each
    return [(number * size, min(size, _LONGEST_LINE)) for number in range(count)]


def set_text(
    line: Sequence[Syllable], place: LinePlace, bar: BarLayout, feel: Feel, rng: random.Random
) -> list[tuple[float, float]]:
    """(onset, length) in beats of each syllable, from the beginning of the line; the first may come before it.

    The line's end stays free for a breath. The same stream gives lines of the same stresses the same rhythm.
    """
    step = _step(len(line), place.length, bar, feel)
    taste = round(rng.random(), 6)
    pattern = tuple((one.stress, one.starts_word, one.pause) for one in line)
    bar_beat = round(place.beat % bar.quarters, 4)
    onsets = step and _onsets(
        pattern, LinePlace(bar_beat, place.length, min(place.free, feel.pickup)), bar.groups, feel, step, taste
    )
    if not onsets:
        even = (place.length - _breath(place.length)) / len(line)
        onsets = tuple(number * even for number in range(len(line)))
    return list(_lengths(line, onsets, place.length, feel))


def _breath(length: float) -> float:
    """The beats at the end of a line that stay free."""
    return min(2.0, BREATH * length)


def _step(count: int, length: float, bar: BarLayout, feel: Feel) -> float:
    """The beats of the grid on which the syllables fall; 0 if they are too many for sixteenths."""
    available = length - _breath(length)
    if feel.spoken and count * 0.25 <= available:
        return 0.25
    steps = bar.note_lengths if bar.compound else (0.5, 0.25)
    fitting = (step for step in steps if count * step <= 0.85 * available + 0.01)
    return next(fitting, 0.25 if count * 0.25 <= available + 0.25 else 0.0)


@lru_cache(maxsize=2048)
def _onsets(
    pattern: tuple[tuple[float, bool, bool], ...],
    place: LinePlace,
    groups: tuple[int, ...],
    feel: Feel,
    step: float,
    taste: float,
) -> tuple[float, ...]:
    """The cheapest onsets of the syllables on a grid of `step` beats; empty if there is none."""
    bar = BarLayout(groups)
    first = -round(place.free / step)
    last = max(1, round((place.length - _breath(place.length)) / step))
    likes = random.Random(taste)
    weights = [_weight(bar, place.beat + at * step) for at in range(first, last)]
    liked = [_liked(feel, bar, place.beat + at * step) - 0.5 * likes.random() for at in range(first, last)]
    pace = (last * step) / (len(pattern) + 0.5)
    size = last - first
    costs = [_first_cost(pattern[0], at + first, step, feel, weights[at], liked[at]) for at in range(size)]
    came_from: list[list[int]] = []
    for number in range(1, len(pattern)):
        gaps = _gap_costs(pattern[number - 1], pattern[number], pace, feel, step)
        places = [
            _place_cost(pattern[number][0], weight, feel) + like for weight, like in zip(weights, liked, strict=True)
        ]
        costs, back = _advance(costs, gaps, places)
        came_from.append(back)
    return _trace(costs, came_from, first, step, 0.3 if feel.spoken else 0.04)


def _advance(costs: list[float], gaps: list[float], places: list[float]) -> tuple[list[float], list[int]]:
    """The least costs of a syllable at each place, and where the one before it is then."""
    found, back = [], []
    for at, place_cost in enumerate(places):
        best, came = _ENDLESS, -1
        for gap, gap_cost in enumerate(gaps[:at], 1):
            cost = costs[at - gap] + gap_cost
            if cost < best:
                best, came = cost, at - gap
        found.append(best + place_cost)
        back.append(came)
    return found, back


def _trace(
    costs: list[float], came_from: list[list[int]], first: int, step: float, filling: float
) -> tuple[float, ...]:
    # The later a line ends, the better it fills its time.
    ends = [cost - filling * at for at, cost in enumerate(costs)]
    at = min(range(len(ends)), key=ends.__getitem__)
    if ends[at] == _ENDLESS:
        return ()
    found = [at]
    for back in reversed(came_from):
        at = back[at]
        if at < 0:
            return ()
        found.append(at)
    return tuple((place + first) * step for place in reversed(found))


def _weight(bar: BarLayout, beat: float) -> float:
    """The strength of a place, that of a sixteenth below that of an eighth."""
    weight = bar.weight(beat)
    return weight if weight >= 1 or abs(2 * beat - round(2 * beat)) < 0.01 else 0.1


def _liked(feel: Feel, bar: BarLayout, beat: float) -> float:
    at = round((beat % bar.quarters) * 4) % len(feel.liked)
    return -1.1 if feel.liked[at] == "x" else 0.0


def _place_cost(stress: float, weight: float, feel: Feel) -> float:
    if feel.spoken:
        return stress * (_SPOKEN_LATE.get(weight, 0.8 if weight > 0.2 else 2.5))
    late = _LATE.get(weight, _WEAK_EIGHTH if weight > 0.2 else _WEAK_SIXTEENTH)
    return stress * late + (1 - stress) * _TAKEN.get(weight, 0.0 if weight > 0.2 else 0.25)


def _first_cost(
    syllable: tuple[float, bool, bool], at: int, step: float, feel: Feel, weight: float, liked: float
) -> float:
    """Where a line begins: at its lead-in, unstressed syllables before it."""
    onset = at * step
    if onset < 0 and syllable[0] > 0.5:
        return _ENDLESS
    away = abs(onset - feel.lead_in) if syllable[0] > 0.5 else max(0.0, onset - feel.lead_in)
    return _place_cost(syllable[0], weight, feel) + liked + 0.6 * away


def _gap_costs(
    before: tuple[float, bool, bool], after: tuple[float, bool, bool], pace: float, feel: Feel, step: float
) -> list[float]:
    """The cost of one step, two, and so on between two syllables: those of a word stay together, a comma is a breath."""
    if feel.spoken:
        return [_spoken_gap(before, after, steps * step) for steps in range(1, round(_LONGEST_GAP / step) + 1)]
    stretch = feel.lengthened ** (before[0] - 0.5)
    ideal = max(step, pace * stretch * (1.8 if before[2] else 1.0))
    found = []
    for steps in range(1, round(_LONGEST_GAP / step) + 1):
        gap = steps * step
        longer = gap / ideal if gap > ideal else ideal / gap
        cost = 0.8 * (longer - 1) + (0.25 if before[2] and gap < 1 else 0.0)
        inside = 0.0 if after[1] else 0.7 * max(0.0, gap - max(0.5, pace))
        found.append(cost + inside)
    return found


def _spoken_gap(before: tuple[float, bool, bool], after: tuple[float, bool, bool], gap: float) -> float:
    """Rap runs in sixteenths, an eighth here and there, and stops between words or at a comma."""
    if gap <= 0.3:
        return 0.6 if before[2] else 0.0
    if gap <= 0.55:
        return 0.9
    if not after[1]:
        return 4.0
    return (0.3 if before[2] else 1.2) + 0.5 * abs(gap - 1)


def _lengths(
    line: Sequence[Syllable], onsets: Sequence[float], length: float, feel: Feel
) -> Sequence[tuple[float, float]]:
    """The onsets with the lengths of their notes: up to the next one, shorter before a pause, the last one held."""
    found = []
    for number, onset in enumerate(onsets):
        if number == len(onsets) - 1:
            held = (
                min(length - (0.75 if length >= 4 else 0.4) - onset, max(1.0, 1.5 * length / len(onsets)))
                if not feel.spoken
                else 0.5
            )
            found.append((onset, max(0.2, held)))
            continue
        gap = onsets[number + 1] - onset
        sounding = gap * feel.touch if gap <= 2 else 2 * feel.touch
        if line[number].pause:
            sounding = max(0.2, min(sounding, gap - (0.5 if gap > 1 else 0.2 * gap)))
        found.append((onset, sounding))
    return found
