"""Seeded random streams, one for each musical decision, so that one can be redrawn while the others stay."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seeds:
    """Random streams named by what they decide. Seed and name determine the stream, in every process.

    With an `edit_seed`, each stream is redrawn from it with the probability `variance` (times the caller's weight).
    """

    seed: int
    edit_seed: int | None = None
    variance: float = 0.0

    def stream(self, name: str, weight: float = 1.0) -> random.Random:
        """A `weight` above 1 makes a decision more likely to change under low variance, below 1 less likely."""
        if self.edit_seed is not None and random.Random(f"{self.edit_seed}?{name}").random() < self.variance * weight:
            return random.Random(f"{self.edit_seed}/{name}")
        return random.Random(f"{self.seed}/{name}")

    def edit_stream(self, name: str) -> random.Random:
        """The stream of the edit seed if there is one, whatever the variance."""
        return random.Random(f"{self.seed if self.edit_seed is None else self.edit_seed}/{name}")
