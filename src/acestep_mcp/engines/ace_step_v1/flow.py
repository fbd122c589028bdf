"""Flow editing (Kulikov et al. 2024): a song moved from one description of it to another."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser, Said
from acestep_mcp.engines.ace_step_v1.guidance import Guidance, Projected, projected
from acestep_mcp.engines.ace_step_v1.sampling import Noise, Plan, Run, noised, predict
from acestep_mcp.engines.ace_step_v1.schedule import sigmas


@dataclass(frozen=True, slots=True)
class Flow:
    """What an edit starts and ends with, and when it happens.

    From step `begin` * n to `end` * n the song is moved by the difference of both descriptions' velocities, averaged
    over `average` noises; after that the new description is sampled alone.
    """

    before: Said
    after: Said
    begin: float
    end: float
    average: int = 1

    def run(self, model: Denoiser, plan: Plan, source: Tensor, noise: Noise) -> Run:
        levels = sigmas(plan.steps, plan.scheduler)
        total, length = len(levels) - 1, source.shape[-1]
        first, last = int(plan.steps * self.begin), int(plan.steps * self.end)
        # The published edit keeps a momentum for the old description and none for the new.
        both = Velocities(model, [(self.before, True), (self.after, False)], plan.guidance, length)
        x = source
        for number in range(first, last):
            level, following = levels[number], levels[number + 1]
            x = x + (following - level) * self._difference(both, x, source, level, noise)
            yield number + 1 - first, total - first
        if last == total:
            return x
        alone = Velocities(model, [(self.after, True)], plan.guidance, length)
        x = x + noised(source, noise(length), levels[last]) - source
        for number in range(last, total):
            level, following = levels[number], levels[number + 1]
            x = x + (following - level) * alone(level, x)
            yield number + 1 - first, total - first
        return x

    def _difference(self, both: Velocities, x: Tensor, source: Tensor, level: float, noise: Noise) -> Tensor:
        total = torch.zeros_like(x)
        for _ in range(self.average):
            old = noised(source, noise(x.shape[-1]), level)
            was, will_be = both(level, old, x + old - source).split(1)
            total = total + will_be - was
        return total / self.average


class Velocities:
    """The velocity of each of some songs under its own description, guided at every step away from none at all.

    `said` has with each description whether its guidance has momentum.
    """

    def __init__(self, model: Denoiser, said: list[tuple[Said, bool]], guidance: Guidance, length: int) -> None:
        self._model = model
        self._guidance = guidance
        self._projected = [Projected() if momentum else None for _, momentum in said]
        conditions = [model.full(each) for each, _ in said]
        if guidance.on:
            conditions += [model.nothing(each) for each, _ in said]
        self._context = model.context(conditions, length)

    def __call__(self, level: float, *songs: Tensor) -> Tensor:
        x = torch.cat(songs)
        if not self._guidance.on:
            return predict(self._model, x, level, self._context)
        cond, uncond = predict(self._model, torch.cat((x, x)), level, self._context).chunk(2)
        parts = zip(self._projected, cond.split(1), uncond.split(1), strict=True)
        return torch.cat([self._guided(*part) for part in parts])

    def _guided(self, momentum: Projected | None, cond: Tensor, uncond: Tensor) -> Tensor:
        scale = self._guidance.scale
        return momentum(cond, uncond, scale) if momentum else projected(cond, cond - uncond, scale)
