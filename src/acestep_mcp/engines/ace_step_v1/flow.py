"""Flow editing (Kulikov et al. 2024): a song moved from one conditioning to another."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from acestep_mcp.engines.ace_step_v1.denoiser import Conditioning, Denoiser
from acestep_mcp.engines.ace_step_v1.guidance import MOMENTUM, Guidance, ProjectedGuidance
from acestep_mcp.engines.ace_step_v1.sampling import NoiseSource, SamplingPlan, SamplingRun, add_noise, make_sigmas
from acestep_mcp.engines.model.rounds import ModelCall


@dataclass(frozen=True, slots=True)
class FlowEdit:
    """The two conditionings, and the steps in which the song is moved between them.

    From step `begin` * n to `end` * n the song moves by the difference of both velocities, averaged over `average`
    noises; after that it is sampled with the new conditioning alone.
    """

    old: Conditioning
    new: Conditioning
    begin: float
    end: float
    average: int = 1

    def run(self, model: Denoiser, plan: SamplingPlan, source: Tensor, noise: NoiseSource) -> SamplingRun:
        sigmas = make_sigmas(plan.steps, plan.scheduler)
        total, length = len(sigmas) - 1, source.shape[-1]
        first, last = int(plan.steps * self.begin), int(plan.steps * self.end)
        # The published edit uses momentum for the old conditioning and none for the new.
        both = EditVelocity(model, [(self.old, MOMENTUM), (self.new, 0.0)], plan.guidance, length)
        # All noise is drawn now: copying it to a GPU waits for the steps before.
        drawn = iter([noise(length) for _ in range((last - first) * self.average + (last < total))])
        x = source
        for number in range(first, last):
            sigma, following = sigmas[number], sigmas[number + 1]
            change = torch.zeros_like(x)
            for _ in range(self.average):
                noised = add_noise(source, next(drawn), sigma)
                old, new = (yield from both(sigma, noised, x + noised - source)).split(1)
                change = change + new - old
            x = x + (following - sigma) * (change / self.average)
            yield number + 1 - first, total - first
        if last == total:
            return x
        new_only = EditVelocity(model, [(self.new, MOMENTUM)], plan.guidance, length)
        x = x + add_noise(source, next(drawn), sigmas[last]) - source
        for number in range(last, total):
            sigma, following = sigmas[number], sigmas[number + 1]
            x = x + (following - sigma) * (yield from new_only(sigma, x))
            yield number + 1 - first, total - first
        return x


class EditVelocity:
    """The guided velocity of several songs, each with its own conditioning. The unconditional prediction has none.

    `conditionings` gives with each the momentum of its guidance.
    """

    def __init__(
        self, model: Denoiser, conditionings: list[tuple[Conditioning, float]], guidance: Guidance, length: int
    ) -> None:
        self._guidance = guidance
        self._projected = [ProjectedGuidance(momentum) for _, momentum in conditionings]
        conditions = [model.full(each) for each, _ in conditionings]
        if guidance.enabled:
            conditions += [model.empty(each) for each, _ in conditionings]
        self._predict = model.prepare(conditions, length)

    def __call__(self, sigma: float, *songs: Tensor) -> Generator[ModelCall, Tensor, Tensor]:
        x = torch.cat(songs)
        if not self._guidance.enabled:
            return (yield self._predict(x, sigma))
        conditional, unconditional = (yield self._predict(torch.cat((x, x)), sigma)).chunk(2)
        parts = zip(self._projected, conditional.split(1), unconditional.split(1), strict=True)
        return torch.cat([guide(plus, minus, self._guidance.scale) for guide, plus, minus in parts])
