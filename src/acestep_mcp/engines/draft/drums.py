"""Grooves, fills and builds, as data on a grid of sixteenth notes.

A row is a drum's letter (see PIECES) and its steps: `X` accented, `x` plain, `o` soft (a ghost note), `.` nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from acestep_mcp.engines.draft.metres import bar_rows

PIECES = {
    "K": 36, "S": 38, "R": 37, "C": 39, "H": 42, "O": 46, "P": 44, "D": 51, "B": 53, "T": 54, "W": 56, "V": 70,
    "c": 63, "d": 64, "b": 60, "g": 61, "l": 75, "m": 65, "t": 81, "F": 41, "L": 45, "M": 47, "Y": 50, "Z": 49,
    "2": 35,
}  # fmt: skip
_LEVELS = {"X": 104, "x": 84, "o": 50}
_LIGHT = frozenset("HVTDtRbglcdPB")  # the drums that play in quiet sections
_LOW, _HIGH = "KF2dbL", "HVDTRtWcgC"  # the drums that vary, the first one that plays
_GHOSTS = 0.45  # no ghost notes below this intensity

# In these an open hi-hat at the end of the bar leads to the next one.
_MARKED_METRES = frozenset({"5/4", "7/8", "9/8", "12/8"})
_KICKS = {"5/4": (0, 12), "7/8": (0, 8)}  # the steps that keep their kick
SIX_EIGHT = "six eight"
"""The groove of 6/8, whatever the genre; the others are written for 4/4."""
_GROOVES: dict[str, str] = {
    "none": "",
    "rock": "K X.....x.X.......|K X.......X.x.....; S ....X.......X...; H x.x.x.x.x.x.x.x.",
    "rock 8": "K X...x...x.X...x.|K X.....x.x.X.....; S ....X.......X..o; H X.x.X.x.X.x.X.x.",
    "rock half": "K X.......x.x.....|K X.....x.........; S ........X.......; H x.x.x.x.x.x.x.x.",
    "four rock": "K X...X...X...X...; S ....X.......X...; H x.x.x.x.x.x.x.xo; T ..o...o...o...o.",
    "pop": "K X.....x...X.....|K X..x....X.x.....; S ....X.......X...; C ....o.......o...; H x.x.x.x.x.x.x.xo",
    "punk": "K X...x.x.X...x.x.|K X.x...x.X.x...x.; S ..X...X...X...X.|S ....X.......X...; H X.x.X.x.X.x.X.x.",
    "metal": "K X.xxX.xxX.xxX.xx|K XxxxX.x.XxxxX.x.; S ....X.......X...; D X...x...X...x...",
    "metal double": "K XxxxXxxxXxxxXxxx; S ....X.......X...|S ........X.......; B X...X...X...X...",
    "ballad": "K X.......x.......; R ....x.......x...; H x...x...x...x...; V ..o...o...o...o.",
    "lofi": "K X......x.xX.....|K X.....x...X..x..; S ....X..o....X...; H x.xox.x.x.x.xox.",
    "boom bap": "K X..x....x.X.....|K X.x......xX..x..; S ....X..o.o..X..o; H x.x.x.x.x.x.xox.",
    "boom bap 2": "K X......XX..x....|K X.x....x..X.....; S ....X.......X.o.; H x.xxx.x.x.xxx.x.",
    "trap": "K X......x..X.....|K X.....x....x.x..; S ........X.......; C ........x.......; H xoxoxoxoxoxxxoxo|H x.x.xxxxx.x.x.xx; O ..............x.",
    "trap sparse": "K X.........x.....|K X..x......x.....; C ........X.......; H x.x.x.x.x.x.xxxx; R ...o......o.....",
    "electro": "K X..x..x.X..x....|K X...X...X...X...; S ....X.......X...; C ....x.......x...; H ..x...x...x...x.; V xoxoxoxoxoxoxoxo",
    "disco": "K X...X...X...X...; S ....X.......X...; O ..x...x...x...x.; H x.o.x.o.x.o.x.o.; T ....x.......x...",
    "house": "K X...X...X...X...; C ....X.......X...; O ..X...X...X...X.; H xoxoxoxoxoxoxoxo; V o.xoo.xoo.xoo.xo",
    "house 2": "K X...X...X...X..o; C ....X.......X...; O ..X...X...X...X.; R ...x......x..x..; V xoxoxoxoxoxoxoxo",
    "techno": "K X...X...X...X...; O ..X...X...X...X.; H xoxoxoxoxoxoxoxo; C ....x.......x...; L ...o......o.....",
    "trance": "K X...X...X...X...; C ....X.......X...; O ..X...X...X...X.; H x.xox.xox.xox.xo; D ..o...o...o...o.",
    "break": "K X.........X.....|K X.x.......X.....; S ....X..o.o..X..o; H x.x.x.x.x.x.x.x.; D x...x...x...x...",
    "break 2": "K X.X.......X.....|K X..X......X..x..; S ....X..o.o..X.oo; H xoxoxoxoxoxoxoxo",
    "half time": "K X.....x.........|K X..x..........x.; S ........X.......; H x.x.x.x.x.xxx.x.; O ......x.......x.",
    "half time 2": "K X.........x..x..; S ........X.......; C ........X.......; H xxx.xxx.x.x.xxxx",
    "chip": "K X...x...X...x...; S ....X.......X...|S ....X.......X.X.; H x.x.x.x.x.x.x.x.",
    "funk": "K X.x.......x..x..|K X..x..x...x.....; S ....X..o.o..X..o; H x.xxx.xxx.xxx.xx; O ..............x.",
    "funk 2": "K X..x..x.x..x....|K X.x....x..x..x..; S ....X..o.o.oX...; H xxxxxxxxxxxxxxxx; W x...x...x...x...",
    "soul": "K X......xX.x.....|K X..x....x.x.....; S ....X..o....X..o; H x.x.x.x.x.x.x.x.; T ....o.......o...",
    "swing": "K x.......x.......; S ....o.......o.o.; P ....x.......x...; D X...x.x.X...x.x.",
    "swing ride": "D X...x.x.X...x.x.; P ....x.......x...; K o.......o......o|K o...............; R ............o...|R ......o.........",
    "shuffle": "K X.....x.X.......|K X.......X.....x.; S ....X.......X...; H X.x.X.x.X.x.X.x.",
    "shuffle ride": "K X.......X.....x.; S ....X...o...X...; D X.x.X.x.X.x.X.x.; P ....x.......x...",
    "train": "K X...x...X...x...; S o.xoo.xoo.xoo.xo; H ....o.......o...",
    "country": "K X.......X.......|K X.......X.x.....; R ....X.......X...; H x.x.x.x.x.x.x.x.",
    "brush folk": "K X.......x.......; S ..o.x.o...o.x.o.; V x.o.x.o.x.o.x.o.",
    "bossa": "K X.....xxX.....xx; R X..x...x..x..x..|R X..x..x...x..x..; H xoxoxoxoxoxoxoxo",
    "samba": "K X..xX..xX..xX..x; R x.xx.x.xx.x.xx.x; V xoxxxoxxxoxxxoxx; t ....x.......x...",
    "one drop": "K ........X.......; R ........x.......|R ........x.....o.; H x.xox.x.x.xox.x.; S ..............o.",
    "steppers": "K X...X...X...X...; R ........X.......; H x.xox.x.x.xox.xo",
    "dembow": "K X...X...X...X...; S ...X..X....X..X.; H x.x.x.x.x.x.x.x.; V ..o...o...o...o.",
    "salsa": "l ..X.X...X..X..X.|l X..X..X...X.X...; c x.o.x.xxx.o.x.xx; d ......x.......xx; W x...x...x...x...; m ....o.......o.o.; K ......x.......x.",
    "cumbia": "K X.......X.......; V x.ooX.oox.ooX.oo; W X...x...X...x...; c ......x.......xx; d ....x.......x...",
    "afro": "K X..x...xX..x....|K X.....x.X..x....; R ...x..x....x..x.; V xoxxxoxxxoxxxoxx; c x..x..x.x..x..x.; W ..x...x...x...x.",
    "amapiano": "K X...X...X...X...; V xoxoxoxoxoxoxoxo; L ...X..X..X....X.; R ....x.......x..x; c ..x..x....x..x..",
    "tango": "K X...x...X...x.x.|K X.....x.X...x...; R X.....x.x...x...; t ............o...",
    "waltz": "K X...........; R ....x...x...; P ....o...o...; t ........o...",
    "sleigh": "T x.o.x.o.x.o.; t x...........; K o...........",
    "bodhran": "F X..o..x..o..; g x.oo..x.oo.o; V x.o.x.o.x.o.",
    "tabla": "b X..xo.x.x..xo.x.; g ..x...o...x..o.x; d X.....x.X.......; t x...............; V o.o.o.o.o.o.o.o.",
    "epic": "F X.....x.X..x....|F X..x..x.X.......; L ......x....x..x.; 2 X.......X.......; S ............o.oo",
    "epic march": "S X..oX..oX.ooX.oo; 2 X...x...X...x...; F X.......X.....x.",
    "trip hop": "K X.....x...X..x..|K X..x......x.....; S ....X.......X..o; R ..........o.....; H x.x.x.xox.x.x.x.; V ..o...o...o...o.",
    "phonk": "K X...X...X...X...|K X..x..x.X..x..x.; C ....X.......X...; H x.x.x.x.x.x.x.xx; W X..X..X.X.X..X..|W X.XX..X.X..X.XX.",
    "drill": "K X.......x..X....|K X..x.......x....; S ........X.....X.|S ......X.......X.; C ........X.......; H x..x..x.x..x..xx; R ...o............",
    "grime": "K X..X....X.......|K X..X..X.........; S ....X.......X...; C ....X.......X.x.; H x.x.x.x.x.x.x.x.; W ......o.......o.",
    "two step": "K X.........X.....|K X......x..X.....; C ....X.......X...; S ....X..o....X..o; H ..x...x...x...x.; V x.oxx.oxx.oxx.ox; R ..o....o........",
    "hardstyle": "2 X...X...X...X...; K X.o.X.o.X.o.X.o.; C ....X.......X...; O ..X...X...X...X.; H xoxoxoxoxoxoxoxo",
    "post-rock": "K X.....x.X.......|K X..x..x.........; S ....X.......X.oo; D x.x.x.x.x.x.x.x.; L ..........o.o.oo",
    "corrido": "K X...........; S ....x...x...; R ....o...o..o; H x.x.x.x.x.x.",
    "bachata": "b X.x.x.x.X.x.x.X.; g ......x.......xx; V xoxxxoxxxoxxxoxx; K X.......x.......",
    "soca": "K X...X...X...X...; S ...x..X....x..X.|S ...X..x....X..x.; O ..x...x...x...x.; W x..x..x.x..x..x.; T xoxoxoxoxoxoxoxo",
    "stomp": "2 X.......X.......; C ....X.......X...; T ....o.......o...",
    "march": "S X..xX.xxX..xX.xx|S X.xxX.xxX.xxXxxx; 2 X...X...X...X...; P X.......X.......",
    "musette": "K x...........; S ....o...o...|S ....o...o.o.; D x...x...x.o.",
    "anthem": "K X.X.....X.X.....|K X.......X.X.....; S ....X.......X...; C ....X.......X...; F o.o.....o.o.....; T ....x.......x...",
    "jingle": "K X...x...X...x...; C ....X.......X.X.; T x.x.x.x.x.x.x.x.; H ..x...x...x...x.",
    "dhol": "F X..x..X.X..x..X.|F X..x..X.x.X...X.; Y ..x.xx.x..x.xx.x; C ....X.......X...; T x.x.x.x.x.x.x.x.",
    "qawwali": "b X..xx.x.X.x.x.x.; g ..x...x...x...xx; d X.......x.......; C ....X.......X...|C ....X.......X.X.",
    "ska": "K X.......X.......|K X...x...X...x...; S ....X.......X...; H x.x.x.x.x.x.x.x.; R ..........o.....",
    SIX_EIGHT: "K X.....x.....|K X.........x.; S ......X.....; H x.o.o.x.o.o.",
}  # fmt: skip


class DrumHit(NamedTuple):
    """`beat` is counted from the start of the bar, `pitch` is the General MIDI drum."""

    beat: float
    pitch: int
    velocity: int


def groove(name: str, metre: str, rng: random.Random) -> dict[str, str]:
    """The groove with one alternative chosen for each drum: the steps of one bar of the metre by drum letter."""
    chosen: dict[str, str] = {}
    for row in _GROOVES[name].split(";"):
        if row.strip():
            piece, pattern = rng.choice(row.split("|")).split()
            chosen[piece] = pattern if name == SIX_EIGHT else fit(piece, pattern, metre)
    if "H" in chosen and "O" not in chosen and metre in _MARKED_METRES:
        chosen["O"] = "x.".rjust(len(chosen["H"]), ".")
        chosen["H"] = chosen["H"][:-2] + ".."
    return chosen


def variants(rows: dict[str, str], metre: str, rng: random.Random) -> tuple[dict[str, str], ...]:
    """Four bars that follow each other: the groove, its low and high drum varied, the groove, and both varied further.

    The first beat stays as it is, and so does the kick that marks the beats of five or seven.
    """
    low = next((piece for piece in _LOW if piece in rows), None)
    others = [piece for piece in rows if piece != low]
    if low == "K" and metre in _KICKS:
        low = None
    high = next((piece for piece in _HIGH if piece in others), others[0] if others else None)
    second = {**rows, low: _varied(rows[low], rng)} if low else rows
    fourth = {**rows, low: _varied(second[low], rng)} if low else rows
    if high:
        # Quiet sections have no low drum.
        second = {**second, high: _varied(rows[high], rng, late=True)}
        fourth = {**fourth, high: _varied(second[high], rng)}
    return rows, second, rows, fourth


def _varied(row: str, rng: random.Random, *, late: bool = False) -> str:
    """The row with one more plain hit between the beats, or, where it is full, with one hit less."""
    steps = range(len(row) // 2 if late else 1, len(row))
    between = [step for step in steps if step % 4]
    free = [step for step in between if row[step] in ".o"]
    eighths = [step for step in free if step % 2 == 0]
    taken = [step for step in between if row[step] == "x"]
    if not (free or taken):
        return row
    step = rng.choice(eighths or free or taken)
    return row[:step] + ("x" if free else ".") + row[step + 1 :]


def fit(piece: str, pattern: str, metre: str) -> str:
    """The row as one bar of the metre. A kick on every beat would hide which is the first of five or seven."""
    four = pattern if len(pattern) == 16 else pattern + pattern[-4:]
    row = bar_rows(four, pattern[:12], metre)[0]
    if piece == "K" and metre in _KICKS and "." not in pattern[::4]:
        return "".join("." if at % 4 == 0 and at not in _KICKS[metre] else mark for at, mark in enumerate(row))
    return row


def bar(rows: dict[str, str], intensity: float, rng: random.Random) -> Iterator[DrumHit]:
    """One bar of the groove; quiet bars have fewer drums and no ghost notes."""
    for piece, pattern in rows.items():
        if intensity < 0.3 and piece not in _LIGHT:
            continue
        for step, mark in enumerate(pattern):
            if mark == "." or (mark == "o" and intensity < _GHOSTS):
                continue
            if mark == "o" and rng.random() < 0.25:
                continue
            level = _LEVELS[mark] * (0.7 + 0.38 * intensity)
            yield DrumHit(step / 4, PIECES[piece], round(level))


FILLS = (
    "SSYYMMFF", "SSSSMMFF", "S.SSM.FF", "YYMMLLFF", "S.S.SSSS", "K.SSK.SF", "SYSMSLSF", "S.Y.M.F.", "SSSYYYMF", "F.FMM.YS",
    "K.K.SSSS", "YSMSLSFS",
)  # fmt: skip


def fill(beats: float, length: float, pieces: str) -> Iterator[DrumHit]:
    """A crescendo over `pieces`, one of FILLS, in the last `length` beats of a bar of `beats`."""
    count = round(length * 4)
    for number in range(count):
        piece = pieces[number * len(pieces) // count]
        if piece != ".":
            velocity = 66 + round(40 * (number + 1) / count)
            yield DrumHit(beats - length + number / 4, PIECES[piece], velocity)


def roll(beats: float, progress: float) -> Iterator[DrumHit]:
    """One bar of a build-up: a snare roll that gets denser and louder as `progress` goes from 0 to 1."""
    gap = 0.5 if progress < 0.5 else 0.25
    for number in range(round(beats / gap)):
        velocity = round(48 + 48 * (progress + 0.5 * number * gap / beats))
        yield DrumHit(number * gap, PIECES["S"], min(110, velocity))
