"""The time grid of a song: tempo, metre, bars, the first beat, and how the end slows down; and its key."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from acestep_mcp.engines.draft.harmony import NAMES, SCALES, Key
from acestep_mcp.engines.draft.metres import LAYOUTS, BarLayout
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.style import Style

METRES = {name: layout.quarters for name, layout in LAYOUTS.items()}
"""Quarter notes per bar of the metres that the draft plays."""
# A genre's usual tempo counts beats; in compound metres these are dotted quarters, and a little slower.
_COMPOUND_TEMPO = 1.25
_SHORT_HOLD, _LONG_HOLD = 1.4, 3.4  # seconds the last chord rings
_SUNG = 0.8  # the share of a song that is sung where there are many words
_FIT = 0.05  # how far a free tempo may be lowered so that the song ends on time


@dataclass(frozen=True, slots=True)
class Grid:
    """`tempo` is in quarter notes per minute; bar 0 starts at `phase` seconds; the body has `bars` bars.

    The last bar takes `slowing` seconds more than the others. From the end of the body to `seconds` the last chord is
    held; with `ending` "fade" the music goes on under a fade.
    """

    tempo: float
    metre: str
    tonic: int
    scale: str
    bars: int
    seconds: float
    phase: float = 0.0
    slowing: float = 0.0
    ending: str = "ring"

    @property
    def key(self) -> Key:
        return Key(self.tonic, self.scale)

    @property
    def beat_seconds(self) -> float:
        """Seconds per quarter note."""
        return 60 / self.tempo

    @property
    def layout(self) -> BarLayout:
        return LAYOUTS[self.metre]

    @property
    def beats_per_bar(self) -> float:
        """Quarter notes per bar."""
        return METRES[self.metre]

    @property
    def bar_seconds(self) -> float:
        """Seconds per bar."""
        return self.beat_seconds * self.beats_per_bar

    def time_at(self, beat: float) -> float:
        """The time in seconds of `beat`, counted in quarter notes from bar 0."""
        time = self.phase + beat * self.beat_seconds
        if not self.slowing:
            return time
        last = (self.bars - 1) * self.beats_per_bar
        share = max(0.0, (beat - last) / self.beats_per_bar)
        return time + self.slowing * (share * share if share < 1 else 1.0)

    def plan(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_plan(cls, plan: Any) -> Grid | None:
        """The grid stored in a plan, or None if it is missing or invalid."""
        if not isinstance(plan, dict) or set(plan) != set(cls.__dataclass_fields__):
            return None
        try:
            grid = cls(**{name: _PLANNED[name](value) for name, value in plan.items()})
        except (TypeError, ValueError, OverflowError):
            return None
        sane = 20 <= grid.tempo <= 400 and 0 < grid.seconds <= 4000 and 1 <= grid.bars <= 4000
        known = (
            grid.metre in METRES
            and 0 <= grid.tonic < 12
            and grid.scale in SCALES
            and abs(grid.phase) <= 4000
            and 0 <= grid.slowing < 60
        )
        return grid if sane and known else None


_PLANNED: dict[str, Any] = {
    "tempo": float, "metre": str, "tonic": int, "scale": str, "bars": int, "seconds": float, "phase": float,
    "slowing": float, "ending": str,
}  # fmt: skip


def new_grid(style: Style, seconds: float, seeds: Seeds, stresses: float = 0.0) -> Grid:
    """Tempo, metre and key from the tags or at random, and bars so that the song ends after exactly `seconds`.

    The more stressed syllables there are for the length, the faster is a tempo that the tags leave open.
    """
    key = style.key or _key(style, seeds)
    metre = style.metre or {3: "3/4"}.get(style.genre.meter, "4/4")
    tempo = style.bpm or _free_tempo(style, metre, seeds, stresses / seconds)
    ending = "ring" if seconds < 12 and style.genre.ending == "fade" else style.genre.ending
    bar = 60 / tempo * METRES[metre]
    slowing = 0.3 * bar if ending == "slow" and seconds > 12 else 0.0
    if ending == "fade":
        bars = max(1, math.ceil(seconds / bar))
    else:
        tempo, bars = _fitted(tempo, METRES[metre], seconds - slowing, free=style.bpm is None)
    return Grid(round(tempo, 4), metre, key.tonic, key.scale, bars, seconds, 0.0, round(slowing, 4), ending)


def _free_tempo(style: Style, metre: str, seeds: Seeds, density: float) -> float:
    """A tempo of the style's range; of its upper half where stresses, so many a second, have too few strong beats."""
    low, high = style.tempo
    layout, factor = LAYOUTS[metre], _tempo_factor(metre)
    enough = 60 * density / _SUNG * layout.quarters / len(layout.strong_steps) / factor
    least = min(max(low, enough), (low + high) / 2)
    return seeds.stream(f"tempo/{style.genre.name}").uniform(least, high) * factor


def fastest_tempo(style: Style, metre: str) -> float:
    """The upper end of the style's range."""
    return style.tempo[1] * _tempo_factor(metre)


def _tempo_factor(metre: str) -> float:
    return _COMPOUND_TEMPO if LAYOUTS[metre].compound else 1.0


def _fitted(tempo: float, beats: float, seconds: float, *, free: bool) -> tuple[float, int]:
    """Whole bars that leave time for the last chord; a `free` tempo is lowered a little if that would ring too long."""
    hold = min(_SHORT_HOLD, 0.25 * seconds)
    bars = max(1, int((seconds - hold) * tempo / 60 / beats))
    if free and seconds - bars * beats * 60 / tempo > _LONG_HOLD:
        tempo = max(tempo * (1 - _FIT), 60 * beats * bars / (seconds - _LONG_HOLD))
    return tempo, bars


def continue_grid(old: Grid, seconds: float, ending: str) -> Grid:
    """The same grid from the end of `old` on, for `seconds` more. Bar 0 is the bar in progress there."""
    phase = -((old.seconds - old.phase - old.slowing) % old.bar_seconds)
    if old.bar_seconds + phase < 0.01:
        phase = 0.0
    ending = "ring" if ending == "fade" and seconds < 12 else ending
    hold = 0.0 if ending == "fade" else min(_SHORT_HOLD, 0.3 * seconds)
    available = (seconds - hold - phase) / old.bar_seconds
    bars = max(1, math.ceil(available - 0.001) if ending == "fade" else int(available))
    return replace(old, bars=bars, seconds=seconds, phase=phase, slowing=0.0, ending=ending)


def regrid(old: Grid, tempo: float, key: Key) -> Grid:
    """The grid of a song of the same length and metre at another tempo, or in another key."""
    if tempo == old.tempo:
        return replace(old, tonic=key.tonic, scale=key.scale)
    bar = 60 / tempo * old.beats_per_bar
    slowing = 0.3 * bar if old.slowing else 0.0
    if old.ending in {"fade", "none"}:
        bars = max(1, math.ceil(old.seconds / bar - 0.001))
    else:
        bars = _fitted(tempo, old.beats_per_bar, old.seconds - slowing, free=False)[1]
    return Grid(tempo, old.metre, key.tonic, key.scale, bars, old.seconds, 0.0, round(slowing, 4), old.ending)


def _key(style: Style, seeds: Seeds) -> Key:
    rng = seeds.stream(f"key/{style.genre.name}")
    weights = [2.0 / (1 + number) for number in range(len(style.scales))]
    scale = rng.choices(style.scales, weights)[0]
    tonic = rng.randrange(len(NAMES))
    return Key(tonic, scale)
