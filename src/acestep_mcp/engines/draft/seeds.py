"""Chance, one stream for each musical decision, so that one can be thrown anew and the others stay."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dice:
    """Streams of chance named by what they decide; the same seed and name: the same stream, in every process.

    With a `fresh` seed, each stream is thrown anew with the probability `variance`, or as its caller weighs it.
    """

    seed: int
    fresh: int | None = None
    variance: float = 0.0

    def stream(self, name: str, weight: float = 1.0) -> random.Random:
        """`weight` above 1 makes a decision change sooner under low variance, below 1 later."""
        if self.fresh is not None and random.Random(f"{self.fresh}?{name}").random() < self.variance * weight:
            return random.Random(f"{self.fresh}/{name}")
        return random.Random(f"{self.seed}/{name}")

    def anew(self, name: str) -> random.Random:
        """The stream of the fresh seed, where there is one."""
        return random.Random(f"{self.seed if self.fresh is None else self.fresh}/{name}")
