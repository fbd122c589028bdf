"""The length of a song in bars, and how long its intro, solos and outro may be."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_EDGE, LONGEST_SOLO = 8, 16
"""The most bars of an intro or outro, and of a solo."""
EDGE_SECONDS, _SOLO_SECONDS = 17.0, 24.0
SHORT_SONG, _SHORT_EDGE, _SHORT_OPENING = 45.0, 0.1, 0.2
"""A song of so many seconds has no outro of its own, and an intro of at most this share; the first if it has both."""
_ROUNDING = 0.001


@dataclass(frozen=True, slots=True)
class SongLength:
    """`bars` bars of `bar_seconds` seconds, in which a line takes about `line_seconds`.

    `halves`: lines may begin in the middle of a bar.
    """

    bars: int
    bar_seconds: float
    line_seconds: float = 5.0
    halves: bool = False

    @property
    def seconds(self) -> float:
        return self.bars * self.bar_seconds

    @property
    def unit(self) -> int:
        """The bars of which longer passages are multiples."""
        return 4 if self.bars >= 20 else 2

    @property
    def edge(self) -> int:
        """The bars of an intro or outro; 0 if even one bar would take too much of a short song."""
        is_short = self.seconds <= SHORT_SONG
        return self._edge(_SHORT_EDGE * self.seconds if is_short else min(EDGE_SECONDS, 0.12 * self.seconds))

    @property
    def opening(self) -> int:
        """The bars of an intro where there is no outro."""
        if self.seconds > SHORT_SONG:
            return self.edge
        return self._edge(0.9 * _SHORT_OPENING * self.seconds) or int(
            self.bar_seconds <= _SHORT_OPENING * self.seconds + _ROUNDING
        )

    def _edge(self, most: float) -> int:
        return next((size for size in (LONGEST_EDGE, 4, 2, 1) if size * self.bar_seconds <= most + _ROUNDING), 0)

    @property
    def solo(self) -> int:
        """The most bars of a solo that does not become long: a multiple of the unit."""
        fitting = int(_SOLO_SECONDS / self.bar_seconds) // self.unit * self.unit
        return max(self.unit, min(LONGEST_SOLO, fitting))
