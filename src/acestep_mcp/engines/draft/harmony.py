"""Keys, scales, chords and how one chord moves to the next."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from acestep_mcp.readers.musical_key import read_key

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "locrian": (0, 1, 3, 5, 6, 8, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
}
_MINOR = frozenset(
    {"minor", "dorian", "phrygian", "harmonic minor", "melodic minor", "locrian", "minor pentatonic", "blues"}
)
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_QUALITIES: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7), "min": (0, 3, 7), "dim": (0, 3, 6), "aug": (0, 4, 8), "5": (0, 7), "sus2": (0, 2, 7),
    "sus4": (0, 5, 7), "dom7": (0, 4, 7, 10), "maj7": (0, 4, 7, 11), "min7": (0, 3, 7, 10), "6": (0, 4, 7, 9),
    "min6": (0, 3, 7, 9), "dom9": (0, 4, 10, 14), "maj9": (0, 4, 11, 14), "min9": (0, 3, 10, 14),
    "add9": (0, 4, 7, 14), "m7b5": (0, 3, 6, 10), "7sus4": (0, 5, 7, 10),
}  # fmt: skip
_NUMERALS = {"i": 0, "ii": 1, "iii": 2, "iv": 3, "v": 4, "vi": 5, "vii": 6}
_ROMAN = re.compile(r"(?P<shift>[b#]?)(?P<numeral>[ivIV]+)(?P<suffix>.*)")


@dataclass(frozen=True, slots=True)
class Key:
    """`tonic` is a pitch class (0 = C), `scale` a name in SCALES."""

    tonic: int
    scale: str

    @property
    def minor(self) -> bool:
        return self.scale in _MINOR

    @property
    def pitch_classes(self) -> tuple[int, ...]:
        return _pitch_classes(self.tonic, self.scale)

    @property
    def name(self) -> str:
        return f"{NAMES[self.tonic]} {'minor' if self.minor else 'major'}"

    @classmethod
    def named(cls, name: str) -> Key | None:
        """A key in words, such as `F# minor` or `D dorian`; None if it is none."""
        found = read_key(name)
        return cls(found.pitch_class, found.mode) if found else None


@cache
def _pitch_classes(tonic: int, scale: str) -> tuple[int, ...]:
    return tuple((tonic + step) % 12 for step in SCALES[scale])


@dataclass(frozen=True, slots=True)
class Chord:
    """`tones` are pitch classes, the root first; `symbol` is its Roman numeral in the key."""

    symbol: str
    tones: tuple[int, ...]

    @property
    def root(self) -> int:
        return self.tones[0]


def chord(symbol: str, key: Key) -> Chord:
    """The chord of a Roman numeral such as `ii7`, `bVII`, `Imaj7`, `V7`, `iv` in the key. Raises ValueError."""
    found = _ROMAN.fullmatch(symbol)
    if found is None:
        raise ValueError(symbol)
    degrees = SCALES["minor" if key.minor else "major"]
    root = degrees[_NUMERALS[found["numeral"].lower()]] + {"b": -1, "#": 1, "": 0}[found["shift"]]
    quality = _quality(found["suffix"], minor=found["numeral"].islower())
    return Chord(symbol, tuple((key.tonic + root + step) % 12 for step in _QUALITIES[quality]))


def _quality(suffix: str, *, minor: bool) -> str:
    if suffix in _QUALITIES and suffix != "6":
        return suffix
    plain = (
        {"": "min", "7": "min7", "9": "min9", "6": "min6"} if minor else {"": "maj", "7": "dom7", "9": "dom9", "6": "6"}
    )
    return plain[suffix]


def voicing(tones: Sequence[int], previous: Sequence[int], low: int, high: int) -> tuple[int, ...]:
    """One pitch for each tone, between `low` and `high`, with the least movement from the previous voicing."""
    middle = (low + high) / 2
    best: tuple[float, tuple[int, ...]] | None = None
    for pitches in _voicings(tones, low, high):
        cost = (
            _movement(pitches, previous) + 0.6 * abs(sum(pitches) / len(pitches) - middle) + 0.3 * _low_seconds(pitches)
        )
        if best is None or (cost, pitches) < best:
            best = (cost, pitches)
    return best[1] if best else tuple(nearest(tone, middle) for tone in tones)


def _voicings(tones: Sequence[int], low: int, high: int) -> Iterable[tuple[int, ...]]:
    octaves = [range(low + (tone - low) % 12, high + 1, 12) for tone in tones]
    for pitches in itertools.product(*octaves):
        ordered = tuple(sorted(pitches))
        if ordered[-1] - ordered[0] <= 16:
            yield ordered


def _movement(pitches: Sequence[int], previous: Sequence[int]) -> float:
    if not previous:
        return 0.0
    if len(pitches) == len(previous):
        return float(sum(abs(pitch - old) for pitch, old in zip(pitches, previous, strict=True)))
    return float(sum(min(abs(pitch - old) for old in previous) for pitch in pitches))


def _low_seconds(pitches: Sequence[int]) -> float:
    """Penalty for intervals of a second, which sound muddy in a low register."""
    pairs = itertools.pairwise(pitches)
    return float(sum((3 if lower < 60 else 1) for lower, upper in pairs if upper - lower <= 2))


def nearest(pitch_class: int, pitch: float) -> int:
    """The pitch of that pitch class nearest to `pitch`."""
    return round((pitch - pitch_class) / 12) * 12 + pitch_class
