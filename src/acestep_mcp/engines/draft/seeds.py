"""Chance, one stream for each musical decision, so that one can be thrown anew and the others stay."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seeds:
    """Streams of chance named by what they decide; the same seed and name: the same stream, in every process.

    With a `fresh` seed, each stream is thrown anew with the probability `variance`, or as its caller weighs it.
    """

    seed: int
    edit_seed: int | None = None
    variance: float = 0.0

    def stream(self, name: str, weight: float = 1.0) -> random.Random:
        """`weight` above 1 makes a decision change sooner under low variance, below 1 later."""
        if self.edit_seed is not None and random.Random(f"{self.edit_seed}?{name}").random() < self.variance * weight:
            return random.Random(f"{self.edit_seed}/{name}")
        return random.Random(f"{self.seed}/{name}")

    def edit_stream(self, name: str) -> random.Random:
        """The stream of the fresh seed, where there is one."""
        return random.Random(f"{self.seed if self.edit_seed is None else self.edit_seed}/{name}")
