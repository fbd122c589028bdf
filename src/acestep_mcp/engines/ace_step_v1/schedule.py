"""Flow matching: the noise levels of a run, and what one step does with the model's velocity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

_SHIFT = 3.0
_STEPS = 1000
Scheduler = Literal["euler", "heun"]


def shifted(sigma: float) -> float:
    return _SHIFT * sigma / (1 + (_SHIFT - 1) * sigma)


def sigmas(steps: int, scheduler: Scheduler = "euler", *, top: float = 1.0) -> list[float]:
    """Noise levels from `top` down to a final 0; heun has every inner one twice.

    The published schedule shifts twice: once the table that the first and last level are taken from, then each
    level. One timestep is 1000 times its level, so there is one level more than timesteps.
    """
    first, last = shifted(top), shifted(1 / _STEPS)
    # In float32 and through 1000ths, as the published table is.
    levels = torch.linspace(first * _STEPS, last * _STEPS, steps, dtype=torch.float32) / _STEPS
    once = [shifted(float(level)) for level in levels]
    if scheduler == "heun":
        once = [once[0]] + [level for level in once[1:] for _ in range(2)]
    return [*once, 0.0]


def mean_shifted(change: Tensor, granularity: float) -> Tensor:
    """The published "omega": a change's deviation from its mean, scaled by 0.9 to 1.1."""
    weight = 0.9 + 0.2 / (1 + math.exp(-0.1 * granularity))
    mean = change.mean()
    return (change - mean) * weight + mean


class Euler:
    """x moves along the velocity by the difference of two levels."""

    def __init__(self, levels: Sequence[float], granularity: float) -> None:
        self._levels = levels
        self._granularity = granularity

    def step(self, number: int, x: Tensor, velocity: Tensor) -> Tensor:
        change = (self._levels[number + 1] - self._levels[number]) * velocity
        return x + mean_shifted(change, self._granularity)


class Heun:
    """Odd calls go ahead as Euler does; even ones go again from where that began, by the mean of both velocities."""

    def __init__(self, levels: Sequence[float], granularity: float) -> None:
        self._levels = levels
        self._granularity = granularity
        self._kept: tuple[Tensor, Tensor] | None = None

    def step(self, number: int, x: Tensor, velocity: Tensor) -> Tensor:
        levels = self._levels
        if self._kept is None:
            if number < len(levels) - 2:
                self._kept = (x, velocity)
            change = (levels[number + 1] - levels[number]) * velocity
        else:
            (x, before), self._kept = self._kept, None
            change = (levels[number] - levels[number - 1]) * (before + velocity) / 2
        return x + mean_shifted(change, self._granularity)


def stepper(levels: Sequence[float], scheduler: Scheduler, granularity: float) -> Euler | Heun:
    return (Heun if scheduler == "heun" else Euler)(levels, granularity)
