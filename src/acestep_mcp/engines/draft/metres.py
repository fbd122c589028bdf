"""The metres that the draft plays: their strong beats, and how rows written for 4/4 and 3/4 fill their bars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class BarLayout:
    """`groups` are the lengths, in sixteenths, of the groups of beats in a bar; a strong beat begins each of them.

    `note_lengths` are the lengths in quarter notes on which a melody moves, `fills` the lengths of a drum fill.
    """

    groups: tuple[int, ...]
    note_lengths: tuple[float, ...] = (1.0, 0.5, 0.25)
    fills: tuple[float, ...] = (1, 1, 2)

    @cached_property
    def quarters(self) -> float:
        """The length of a bar in quarter notes."""
        return sum(self.groups) / 4

    @cached_property
    def compound(self) -> bool:
        """Whether a beat is a dotted quarter, which divides into three."""
        return set(self.groups) == {6}

    @cached_property
    def strong_steps(self) -> tuple[int, ...]:
        """The sixteenths on which the strong beats fall."""
        return tuple(sum(self.groups[:number]) for number in range(len(self.groups)))

    @cached_property
    def halves(self) -> bool:
        """Whether a strong beat begins the second half of a bar."""
        return sum(self.groups) / 2 in self.strong_steps

    def weight(self, beat: float) -> float:
        """How strong a place in the bar is, `beat` in quarter notes from the beginning of a bar."""
        position = beat % self.quarters
        if min(position, self.quarters - position) < 0.01:
            return 2.0
        if any(abs(4 * position - step) < 0.04 for step in self.strong_steps):
            return 1.5
        on_beat = not self.compound and self.quarters % 1 == 0 and abs(position - round(position)) < 0.01
        return 1.0 if on_beat else 0.3

    def accent(self, beat: float) -> float:
        """The share of its loudness that a note of the accompaniment keeps, so that the bar is heard.

        In 4/4 the patterns themselves are enough.
        """
        if self.groups in {(8, 8), (8,)}:
            return 1.0
        return {2.0: 1.0, 1.5: 0.9}.get(self.weight(beat), 0.8)


_COMPOUND = ((1.5, 0.5, 0.25), (1.5,))
LAYOUTS = {
    "4/4": BarLayout((8, 8)), "2/2": BarLayout((8, 8)), "2/4": BarLayout((8,), fills=(1,)), "3/4": BarLayout((12,)),
    "5/4": BarLayout((12, 8)), "7/8": BarLayout((4, 4, 6), (0.5, 0.25), (1.5,)), "6/8": BarLayout((6, 6), *_COMPOUND),
    "9/8": BarLayout((6, 6, 6), *_COMPOUND), "12/8": BarLayout((6, 6, 6, 6), *_COMPOUND),
}  # fmt: skip
# What is played for other metres: what has the same pulse, or half of the bar.
_NEAREST = {
    "3/8": "6/8", "6/4": "3/4", "3/2": "3/4", "9/4": "3/4", "9/16": "9/8", "6/16": "6/8", "12/16": "12/8", "5/8": "5/4", "10/8": "5/4",
    "10/4": "5/4", "5/2": "5/4", "5/16": "5/4", "15/8": "5/4", "7/4": "7/8", "7/16": "7/8", "14/8": "7/8", "2/8": "2/4", "2/1": "2/2",
}  # fmt: skip


def played_metre(name: str) -> str:
    """The metre that the draft plays for a time signature: itself, or the nearest."""
    return name if name in LAYOUTS else _NEAREST.get(name, "4/4")


def bar_rows(fours: str, threes: str, metre: str) -> list[str]:
    """The alternatives for one bar of a metre, from those for bars of four beats and of three, separated by `|`.

    5/4 is a bar of three and the second half of a bar of four; 7/8 is a bar of four that ends an eighth early; in
    compound metres each beat becomes a dotted one. Rows may hold marks, `.` for silence and `-` for a held note.
    """
    of_three = threes.split("|")
    if metre in {"3/4", "9/8"}:
        return [row if metre == "3/4" else _dotted(row) for row in of_three]
    rows = enumerate(fours.split("|"))
    return [_bar(four, of_three[number % len(of_three)], metre) for number, four in rows]


def _bar(four: str, three: str, metre: str) -> str:
    match metre:
        case "2/4":
            return four[:8]
        case "5/4":
            return three[:12] + four[8:]
        case "7/8":
            return four[:14]
        case "6/8":
            return _dotted(four[:8])
        case "12/8":
            return _dotted(four)
        case _:
            return four


def _dotted(row: str) -> str:
    """Four sixteenths of each beat as the six of a dotted one: its second half falls on the third eighth, as swung.

    A row that marks nearly every eighth gets a soft one in the middle as well, so that three are heard.
    """
    marked = sum(mark not in ".-" for mark in row[::2])
    flowing = set(row) <= set(".oxX") and marked >= 0.7 * len(row[::2])
    beats = []
    for start in range(0, len(row), 4):
        first, early, middle, late = list(row[start : start + 4])
        second = "o" if flowing and early == "." else early
        third = late if middle in ".-" and late not in ".-" else middle
        held = "-" if "-" in row else "."
        beats.append("".join(mark + (held if mark != "." else ".") for mark in (first, second, third)))
    return "".join(beats)
