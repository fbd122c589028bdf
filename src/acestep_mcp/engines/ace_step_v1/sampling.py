"""Sampling runs: from noise, or from a song's latents, to new latents [1, channels, height, T].

Each run is a generator. For every prediction it yields what it asks of the model, and after every step the steps done and
their total; it returns the latents. A run stops when it is not advanced any further.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from acestep_mcp.engines.ace_step_v1.denoiser import Conditioning, Denoiser, EntropyRectification
from acestep_mcp.engines.ace_step_v1.guidance import MOMENTUM, Guidance, ProjectedGuidance, RunGuidance
from acestep_mcp.engines.model.long_edits import Noises
from acestep_mcp.engines.model.rounds import ModelCall, SamplingRun

_SHIFT = 3.0
_TRAIN_STEPS = 1000
Scheduler = Literal["euler", "heun"]
NoiseSource = Callable[[int], Tensor]
"""Draws the next noise [1, channels, height, frames] from its generator, float32."""


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """Settings of a run; fields as in the API. `granularity` is the published omega."""

    steps: int = 27
    scheduler: Scheduler = "euler"
    granularity: float = 10.0
    guidance: Guidance = field(default_factory=Guidance)
    rectification: EntropyRectification = field(default_factory=EntropyRectification)


def latent_frames(seconds: float) -> int:
    """Latent frames in a duration, rounded down."""
    return int(seconds * 44_100 / 512 / 8)


def noise_source(seed: int, model: Denoiser) -> NoiseSource:
    """Noise drawn on the CPU in float32, so that it is the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    like = model.transformer.empty_latents(1, 1)

    def draw(length: int) -> Tensor:
        return torch.randn(*like.shape[:-1], length, generator=generator, dtype=like.dtype).to(like.device)

    return draw


def noise_sources(seed: int | None, model: Denoiser) -> Noises:
    """From the seed, and from the next one for what an edit regenerates (the published "retake" generator)."""
    return noise_source(seed or 0, model), noise_source(((seed or 0) + 1) % 2**32, model)


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


class GuidedVelocity:
    """The guided velocity at each timestep. Its predictions run as one batch."""

    def __init__(self, model: Denoiser, conditioning: Conditioning, plan: SamplingPlan, length: int) -> None:
        self._guidance = RunGuidance(plan.guidance, plan.steps)
        conditions = [model.full(conditioning)]
        if self._guidance.guided:
            conditions.append(model.unconditional(conditioning, plan.rectification))
        if self._guidance.guided and plan.guidance.double:
            conditions.append(model.unconditional(conditioning, plan.rectification, tags=True))
        weakened = torch.tensor([n == 1 for n in range(len(conditions))], device=conditioning.text.device)
        self._predict = model.prepare(conditions, length, weakened if plan.rectification.transformer else None)

    def __call__(self, number: int, x: Tensor, sigma: float) -> Generator[ModelCall, Tensor, Tensor]:
        if number not in self._guidance.guided:
            return (yield self._predict(x, sigma, 1))
        return self._guidance.velocity(number, (yield self._predict(x, sigma)))


@dataclass(frozen=True, slots=True)
class Sampler:
    """The runs of one model with one conditioning and plan."""

    model: Denoiser
    conditioning: Conditioning
    plan: SamplingPlan

    def from_noise(self, x: Tensor, *, sigma_max: float = 1.0) -> SamplingRun:
        """Ordinary sampling from noise or, for `sigma_max` below 1, from a song with noise of that level.

        For heun each step but the last is taken twice: the second time with the mean of both velocities.
        """
        plan = self.plan
        sigmas = make_sigmas(plan.steps, plan.scheduler, sigma_max=sigma_max)
        guided = GuidedVelocity(self.model, self.conditioning, plan, x.shape[-1])
        total, predictor = len(sigmas) - 1, None
        for number in range(total):
            velocity = yield from guided(number, x, sigmas[number])
            if predictor is None:
                if plan.scheduler == "heun" and number < total - 1:
                    predictor = (x, velocity)
                change = (sigmas[number + 1] - sigmas[number]) * velocity
            else:
                (x, before), predictor = predictor, None
                change = (sigmas[number] - sigmas[number - 1]) * (before + velocity) / 2
            x = x + scale_deviation(change, plan.granularity)
            yield number + 1, total
        return x

    def inpaint(self, source: Tensor, span: range, variance: float, noises: Noises) -> SamplingRun:
        """Regenerate the frames of `span`; `variance` (0..1) says how much they change. `noises` as from `noise_sources`."""
        length = source.shape[-1]
        first, second = (noise(length) for noise in noises)
        new = mix_noise(first, second, variance)
        if span == range(length):
            return (yield from self.from_noise(new))
        mask = torch.zeros(length, dtype=torch.bool, device=source.device)
        mask[span.start : span.stop] = True
        return (yield from self._repaint(source, torch.where(mask, new, first), mask, variance))

    def outpaint(self, source: Tensor, sides: tuple[int, int], noises: Noises, *, variance: float = 1.0) -> SamplingRun:
        """Add new frames before and after the source; `sides` are their numbers."""
        left, right = sides
        length = source.shape[-1]
        inner, outer = noises[0](length), noises[1](max(length, left, right))
        noise = torch.cat((outer[..., :left], inner, outer[..., outer.shape[-1] - right :]), dim=-1)
        padded = torch.nn.functional.pad(source, (left, right))
        mask = torch.ones(padded.shape[-1], dtype=torch.bool, device=source.device)
        mask[left : left + length] = False
        return (yield from self._repaint(padded, noise, mask, variance))

    def _repaint(self, source: Tensor, noise: Tensor, mask: Tensor, variance: float) -> SamplingRun:
        """Regenerate frames where `mask` [T] is true; the others follow the noised source.

        Plain Euler steps. The lower the variance, the more of the first steps are skipped.
        """
        plan = self.plan
        sigmas = make_sigmas(plan.steps, plan.scheduler)
        velocity = GuidedVelocity(self.model, self.conditioning, plan, source.shape[-1])
        begin = int(plan.steps * (1 - variance))
        x = add_noise(source, noise, sigmas[begin])
        for number in range(begin, len(sigmas) - 1):
            sigma, following = sigmas[number], sigmas[number + 1]
            x = x + (following - sigma) * (yield from velocity(number, x, sigma))
            x = torch.where(mask, x, add_noise(source, noise, following))
            yield number + 1 - begin, len(sigmas) - 1 - begin
        return x


@dataclass(frozen=True, slots=True)
class FlowEdit:
    """Flow editing (Kulikov et al. 2024): a song is moved from one conditioning to another.

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
        both = EditVelocity(model, plan.guidance, length, (self.old, MOMENTUM), (self.new, 0.0))
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
        new_only = EditVelocity(model, plan.guidance, length, (self.new, MOMENTUM))
        x = x + add_noise(source, next(drawn), sigmas[last]) - source
        for number in range(last, total):
            sigma, following = sigmas[number], sigmas[number + 1]
            x = x + (following - sigma) * (yield from new_only(sigma, x))
            yield number + 1 - first, total - first
        return x


class EditVelocity:
    """The guided velocity of several songs, each with its own conditioning and momentum of guidance.

    The unconditional prediction has neither tags nor lyrics.
    """

    def __init__(self, model: Denoiser, guidance: Guidance, length: int, *songs: tuple[Conditioning, float]) -> None:
        self._guidance = guidance
        self._projected = [ProjectedGuidance(momentum) for _, momentum in songs]
        conditions = [model.full(conditioning) for conditioning, _ in songs]
        if guidance.enabled:
            conditions += [model.empty(conditioning) for conditioning, _ in songs]
        self._predict = model.prepare(conditions, length)

    def __call__(self, sigma: float, *latents: Tensor) -> Generator[ModelCall, Tensor, Tensor]:
        x = torch.cat(latents)
        if not self._guidance.enabled:
            return (yield self._predict(x, sigma))
        conditional, unconditional = (yield self._predict(torch.cat((x, x)), sigma)).chunk(2)
        parts = zip(self._projected, conditional.split(1), unconditional.split(1), strict=True)
        return torch.cat([guide(plus, minus, self._guidance.scale) for guide, plus, minus in parts])


def add_noise(source: Tensor, noise: Tensor, sigma: float) -> Tensor:
    return (1 - sigma) * source + sigma * noise


def mix_noise(first: Tensor, second: Tensor, variance: float) -> Tensor:
    """Two noises mixed to unit variance."""
    angle = variance * math.pi / 2
    return math.cos(angle) * first + math.sin(angle) * second
