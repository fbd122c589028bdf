"""Flow matching: the sigmas of a run, and the steps of the Euler and Heun schedulers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

_SHIFT = 3.0
_TRAIN_STEPS = 1000
Scheduler = Literal["euler", "heun"]


def shift_sigma(sigma: float) -> float:
    return _SHIFT * sigma / (1 + (_SHIFT - 1) * sigma)


def make_sigmas(steps: int, scheduler: Scheduler = "euler", *, sigma_max: float = 1.0) -> list[float]:
    """Sigmas from `sigma_max` down to a final 0; for heun every inner one occurs twice.

    The published schedule shifts twice: the table that the first and last sigma are taken from, then each sigma.
    A timestep is 1000 times its sigma; the final 0 has no timestep.
    """
    first, last = shift_sigma(sigma_max), shift_sigma(1 / _TRAIN_STEPS)
    # In float32 and scaled by 1000, as the published table.
    unshifted = torch.linspace(first * _TRAIN_STEPS, last * _TRAIN_STEPS, steps, dtype=torch.float32) / _TRAIN_STEPS
    sigmas = [shift_sigma(float(sigma)) for sigma in unshifted]
    if scheduler == "heun":
        sigmas = [sigmas[0]] + [sigma for sigma in sigmas[1:] for _ in range(2)]
    return [*sigmas, 0.0]


def scale_deviation(change: Tensor, granularity: float) -> Tensor:
    """The published "omega": scale the deviation of a change from its mean by 0.9 to 1.1."""
    weight = 0.9 + 0.2 / (1 + math.exp(-0.1 * granularity))
    mean = change.mean()
    return (change - mean) * weight + mean


class Stepper:
    """Moves x along the velocity by the difference of two sigmas.

    For heun odd calls do so as predictor steps; even calls redo that step with the mean of both velocities.
    """

    def __init__(self, sigmas: Sequence[float], scheduler: Scheduler, granularity: float) -> None:
        self._sigmas = sigmas
        self._last = len(sigmas) - 2
        self._corrects = scheduler == "heun"
        self._granularity = granularity
        self._predictor_start: tuple[Tensor, Tensor] | None = None

    def step(self, number: int, x: Tensor, velocity: Tensor) -> Tensor:
        sigmas = self._sigmas
        if self._predictor_start is None:
            if self._corrects and number < self._last:
                self._predictor_start = (x, velocity)
            change = (sigmas[number + 1] - sigmas[number]) * velocity
        else:
            (x, before), self._predictor_start = self._predictor_start, None
            change = (sigmas[number] - sigmas[number - 1]) * (before + velocity) / 2
        return x + scale_deviation(change, self._granularity)
