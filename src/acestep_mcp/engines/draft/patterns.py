"""Rhythm patterns for chords on a grid of sixteenth notes, as data.

Chord steps: `X` accented, `x` plain, `o` soft, `.` nothing.
A row has sixteen steps for four beats; `three` is its version for three beats. `metres.bar_rows` makes those of other
metres from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Playing = Literal["chord", "arp", "power", "single", "bells", "pick", "pad"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """`gate` is the sounding share of the time to the next note; `order` the sequence of chord tones in an arpeggio.

    `low` and `high` bound the pitches; `weight` (see `mix.volume_controller`) and `pan` (0 to 127) place it in the
    mix; `strum` is the time between the first and last note of a chord, in beats.
    """

    playing: Playing
    steps: str
    three: str
    gate: float = 0.9
    low: int = 52
    high: int = 72
    weight: float = 80
    pan: int = 64
    order: tuple[int, ...] = (0, 1, 2, 3)
    strum: float = 0.0


_UP_DOWN = (0, 1, 2, 3, 2, 1)

PATTERNS: dict[str, Pattern] = {
    "pad": Pattern("pad", "x...............", "x...........", 1.0, 50, 74, 58, 64),
    "choirpad": Pattern("pad", "x...............", "x...........", 1.0, 55, 76, 54, 58),
    "spread": Pattern("chord", "x.....o...x.....|x.......x...o...", "x.......o...", 0.96, 50, 72, 82, 56, strum=0.03),
    "ballad": Pattern("pick", "x.o.o.o.x.o.o.o.", "x.o.o.o.o.o.", 1.0, 48, 74, 88, 60, (0, 1, 2, 1)),
    "pulse": Pattern("chord", "X...x...x...x...|X...x...X...x.x.", "X...x...x...", 0.85, 52, 72, 78, 58),
    "strum": Pattern("chord", "X...x.x...x.x.x.|X...x.o.x.o.x.o.", "X...x.o.x.o.", 0.9, 48, 70, 70, 84, strum=0.09),
    "boom chuck": Pattern("chord", "....X.......X.o.", "....x...x...", 0.4, 50, 69, 72, 80, strum=0.05),
    "roll": Pattern("arp", "x.x.x.x.x.x.x.x.|x.xxx.xxx.xxx.xx", "x.x.x.x.x.x.", 0.8, 55, 79, 56, 40, (0, 2, 1, 3, 2, 0, 3, 1)),
    "pick": Pattern("pick", "x.o.x.o.x.o.x.o.|x..o..x.x..o..o.", "x.o.o.o.o.o.", 1.6, 48, 72, 76, 78, (0, 2, 1, 3)),
    "arp": Pattern("arp", "x.x.x.x.x.x.x.x.|x..x..x.x..x..x.", "x.x.x.x.x.x.", 0.8, 60, 84, 60, 44, _UP_DOWN),
    "fast arp": Pattern("arp", "xoxoxoxoxoxoxoxo", "xoxoxoxoxoxo", 0.7, 60, 84, 52, 84, (0, 1, 2, 0, 1, 2, 3)),
    "slow arp": Pattern("arp", "x...x...x...x...|x.....x...x.....", "x...x...x...", 1.8, 57, 84, 66, 46, _UP_DOWN),
    "alberti": Pattern("arp", "x.o.x.o.x.o.x.o.", "x.o.o.o.o.o.", 0.95, 52, 72, 84, 60, (0, 2, 1, 2)),
    "bells": Pattern("bells", "x.....x.....x...|....x.....x.....|x.........x...x.", "x.......x...", 1.5, 72, 91, 58, 88),
    "stab": Pattern("chord", "x.....x.........|......x...x.....|..x.....x.....x.", "x.......o...", 0.35, 55, 74, 62, 42),
    "hits": Pattern("chord", "X.........x.....|......X...X.....|..............xX", "X.......x...", 0.5, 56, 74, 58, 48),
    "offbeat": Pattern("chord", "..X...X...X...X.|..X...X..x..x.X.", "..X...X...X.", 0.6, 54, 74, 76, 60),
    "pluck": Pattern("chord", "X..x..x.x..x..x.|X..X..X...X..x..", "X..x..x.x...", 0.5, 57, 79, 62, 68),
    "power": Pattern("power", "X.x.x.x.x.x.x.x.|X..x..x.x..x..x.", "X.x.x.x.x.x.", 0.92, 40, 57, 120, 30),
    "power2": Pattern("power", "X.x.x.x.x.x.x.x.|X...x...x...x...", "X.x.x.x.x.x.", 0.92, 40, 57, 112, 98),
    "supersaw": Pattern("power", "X..x..x.x..x..x.|X.......X.......", "X.....x.....", 0.9, 48, 65, 62, 64),
    "gallop": Pattern("power", "X.xxX.xxX.xxX.xx|X.xxx.xxX.x.x.x.", "X.xxX.xxX.xx", 0.7, 38, 52, 124, 30),
    "shuffle": Pattern("power", "X.o.x.o.X.o.x.o.", "X.o.x.o.x.o.", 0.85, 40, 57, 100, 46),
    "charleston": Pattern("chord", "X.....x.........|......x.......x.|x.........x.....", "x.......x...", 0.5, 54, 73, 74, 54),
    "bossa": Pattern("chord", "x..x...x..x.x...|x...x..x...x..x.", "x...x.x.....", 0.75, 52, 70, 80, 74, strum=0.02),
    "montuno": Pattern("arp", "x.xx.xx.x.x.xx.x|x.x.xx.xx.xx.x.x", "x.xx.xx.x.x.", 0.8, 60, 82, 70, 50, (0, 2, 1, 2, 3, 1)),
    "skank": Pattern("chord", "....X.......X...|....X.x.....X...", "....X...X...", 0.3, 55, 74, 72, 46),
    "bubble": Pattern("chord", "..x.o.x...x.o.x.", "..x...x...x.", 0.3, 52, 70, 56, 84),
    "scratch": Pattern("chord", "x.oxo.xo..x.o.xo|x.o...xox.o.x.xo", "x.oxo.x.o.xo", 0.4, 55, 74, 60, 88),
    "clav": Pattern("chord", "X..o.x..X..x.o..|x.xo..x..x.o..x.", "X..o.x..x...", 0.4, 50, 69, 56, 36),
    "march": Pattern("chord", "X...X...X...X.x.", "X...x...x...", 0.35, 50, 70, 80, 58),
    "waltz": Pattern("chord", "....x...x...x...", "....x...x...", 0.5, 54, 72, 78, 60),
    "ostinato": Pattern("arp", "X.ooX.ooX.ooX.oo|X.o.x.o.X.oox.oo", "X.ooX.ooX.oo", 0.6, 50, 67, 74, 50, (0, 0, 1, 0, 2, 1)),
    "pizz": Pattern("arp", "x...x.x.x...x.x.", "x...x.x.x.x.", 0.5, 57, 79, 70, 82, _UP_DOWN),
    "tremolo": Pattern("arp", "xoxoxoxoxoxoxoxo", "xoxoxoxoxoxo", 0.9, 60, 81, 58, 92, (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2)),
    "son": Pattern("chord", "X.xxX.x.X.xxX.x.|X..xX.xxX..xX.x.", "X.xxx.xxx.x.", 0.5, 52, 72, 76, 78, strum=0.06),
    "requinto": Pattern("arp", "x.xxx.xxx.xxX.xx|x.xxX.xxx.xxX.x.", "x.xxx.xxx.xx", 0.7, 60, 84, 74, 46, (0, 2, 1, 3, 2, 1)),
    "tumbi": Pattern("arp", "X.xxX.x.X.xxX.xx|X..xX..xX.x.X.xx", "X.xxX.xxX.x.", 0.4, 64, 84, 70, 84, (0, 0, 2, 0, 1, 0)),
    "mallet": Pattern("arp", "x...x.x.x...x.x.|x.x...x.x.x...x.", "x...x.x.x...", 0.8, 65, 89, 62, 86, _UP_DOWN),
    "line": Pattern("arp", "x.......x...x...|x...x...x.......", "x.......x...", 1.0, 50, 72, 76, 46, (0, 2, 1, 2)),
    "timpani": Pattern("single", "X.......x.......|X.......x...x.x.", "X.......x...", 0.9, 36, 52, 74, 64),
}  # fmt: skip
