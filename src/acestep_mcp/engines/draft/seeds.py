"""Seeded random streams, one for each musical decision, so that one can be redrawn while the others stay."""

from __future__ import annotations

import random
from dataclasses import dataclass

_ANOTHER_SONG = 0.95
_GOLDEN = 0.6180339887498949
"""Multiples of it, without their whole part, are spread evenly: any few in a row hold the share that is asked for."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """Random streams named by what they decide. Seed and name determine the stream, in every process.

    With an `edit_seed`, the share `variance` of the song's passages is redrawn from it (`of_passage`). What the whole song
    rests on, such as its chords and its band, is redrawn as well where `variance` is near 1.
    """

    seed: int
    edit_seed: int | None = None
    variance: float = 0.0

    def stream(self, name: str) -> random.Random:
        """The stream of a decision on which the whole song rests."""
        redrawn = self.edit_seed is not None and self.variance >= _ANOTHER_SONG
        return random.Random(f"{self.edit_seed if redrawn else self.seed}/{name}")

    def of_passage(self, name: str, number: int) -> Seeds:
        """The seeds of passage `number` of what one player does: a line, or some bars.

        A passage that is redrawn under some variance is redrawn under every higher one.
        """
        if self.edit_seed is None:
            return self
        first = random.Random(f"{self.edit_seed}?{name}").random()
        return Seeds(self.edit_seed if (first + number * _GOLDEN) % 1 < self.variance else self.seed)

    def edit_stream(self, name: str) -> random.Random:
        """The stream of the edit seed if there is one, whatever the variance."""
        return random.Random(f"{self.seed if self.edit_seed is None else self.edit_seed}/{name}")
