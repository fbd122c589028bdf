"""Sampling runs: from noise, or from a song's latents, to new latents [1, channels, height, T].

Each run is a generator. For every prediction it yields what it asks of the model, and after every step the steps done and
their total; it returns the latents. A run stops when it is not advanced any further.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from acestep_mcp.engines.ace_step_v1.denoiser import Conditioning, Denoiser, EntropyRectification
from acestep_mcp.engines.ace_step_v1.guidance import (
    Guidance,
    ProjectedGuidance,
    cfg_star,
    classifier_free_guidance,
    double_condition,
)
from acestep_mcp.engines.ace_step_v1.schedule import Scheduler, Stepper, make_sigmas, shift_sigma
from acestep_mcp.engines.model.rounds import ModelCall

SAMPLES_PER_FRAME = 4096
LATENT_RATE = 44_100
SamplingRun = Generator[tuple[int, int] | ModelCall, Any, Tensor]
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
    return int(seconds * LATENT_RATE / 512 / 8)


def noise_source(seed: int, model: Denoiser) -> NoiseSource:
    """Noise drawn on the CPU in float32, so that it is the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    config, device = model.config, model.transformer.final_layer.linear.weight.device

    def draw(length: int) -> Tensor:
        shape = (1, config.in_channels, config.max_height, length)
        return torch.randn(shape, generator=generator, dtype=torch.float32).to(device)

    return draw


class GuidedVelocity:
    """The guided velocity at each timestep. Its predictions run as one batch."""

    def __init__(self, model: Denoiser, conditioning: Conditioning, plan: SamplingPlan, length: int) -> None:
        self._guidance = guidance = plan.guidance
        self._guided_steps = guidance.guided_steps(plan.steps)
        self._projected = ProjectedGuidance()
        conditions = [model.full(conditioning)]
        if self._guided_steps:
            conditions.append(model.unconditional(conditioning, plan.rectification))
        if self._guided_steps and guidance.double:
            conditions.append(model.text_only(conditioning, plan.rectification))
        weakened = torch.tensor([n == 1 for n in range(len(conditions))], device=conditioning.text.device)
        self._predict = model.prepare(conditions, length, weakened if plan.rectification.transformer else None)

    def __call__(self, number: int, x: Tensor, sigma: float) -> Generator[ModelCall, Tensor, Tensor]:
        if number not in self._guided_steps:
            return (yield self._predict(x, sigma, 1))
        return self._combine(number, (yield self._predict(x, sigma)))

    def _combine(self, number: int, predictions: Tensor) -> Tensor:
        guidance = self._guidance
        conditional, unconditional, *text_only = predictions.split(1)
        if text_only:
            return double_condition(
                conditional, unconditional, text_only[0], tag=guidance.tag_scale, lyric=guidance.lyric_scale
            )
        scale = guidance.scale_at(number, self._guided_steps)
        match guidance.kind:
            case "cfg":
                return classifier_free_guidance(conditional, unconditional, scale)
            case "cfg_star":
                return cfg_star(conditional, unconditional, scale, number)
        return self._projected(conditional, unconditional, scale)


@dataclass(frozen=True, slots=True)
class Sampler:
    """The runs of one model with one conditioning and plan."""

    model: Denoiser
    conditioning: Conditioning
    plan: SamplingPlan

    def from_noise(self, x: Tensor, *, sigma_max: float = 1.0) -> SamplingRun:
        """Ordinary sampling from noise or, for `sigma_max` below 1, from a song with noise of that level."""
        plan = self.plan
        sigmas = make_sigmas(plan.steps, plan.scheduler, sigma_max=sigma_max)
        velocity = GuidedVelocity(self.model, self.conditioning, plan, x.shape[-1])
        stepper = Stepper(sigmas, plan.scheduler, plan.granularity)
        for number, sigma in enumerate(sigmas[:-1]):
            x = stepper.step(number, x, (yield from velocity(number, x, sigma)))
            yield number + 1, len(sigmas) - 1
        return x

    def from_reference(self, reference: Tensor, noise: Tensor, strength: float) -> SamplingRun:
        """A new song that follows the reference as closely as `strength` (0..1) says."""
        sigma_max = 1 - strength
        x = add_noise(reference, noise, shift_sigma(sigma_max))
        shorter = replace(self.plan, steps=int(self.plan.steps * sigma_max))
        return (yield from replace(self, plan=shorter).from_noise(x, sigma_max=sigma_max))

    def inpaint(
        self, source: Tensor, span: range, variance: float, noises: tuple[NoiseSource, NoiseSource]
    ) -> SamplingRun:
        """Regenerate the frames of `span`; `variance` (0..1) says how much they change. One noise source per seed."""
        length = source.shape[-1]
        first, second = (noise(length) for noise in noises)
        new = mix_noise(first, second, variance)
        if span == range(length):
            return (yield from self.from_noise(new))
        mask = torch.zeros(length, dtype=torch.bool, device=source.device)
        mask[span.start : span.stop] = True
        return (yield from self._repaint(MaskedSource(source, torch.where(mask, new, first), mask), variance))

    def outpaint(
        self, source: Tensor, sides: tuple[int, int], variance: float, noises: tuple[NoiseSource, NoiseSource]
    ) -> SamplingRun:
        """Add new frames before and after the source; `sides` are their numbers."""
        left, right = sides
        length = source.shape[-1]
        inner, outer = noises[0](length), noises[1](max(length, left, right))
        noise = torch.cat((outer[..., :left], inner, outer[..., outer.shape[-1] - right :]), dim=-1)
        padded = torch.nn.functional.pad(source, (left, right))
        mask = torch.ones(padded.shape[-1], dtype=torch.bool, device=source.device)
        mask[left : left + length] = False
        return (yield from self._repaint(MaskedSource(padded, noise, mask), variance))

    def _repaint(self, target: MaskedSource, variance: float) -> SamplingRun:
        """Plain Euler steps. The lower the variance, the more of the first steps are skipped."""
        plan = self.plan
        sigmas = make_sigmas(plan.steps, plan.scheduler)
        velocity = GuidedVelocity(self.model, self.conditioning, plan, target.source.shape[-1])
        begin = int(plan.steps * (1 - variance))
        x = target.at(sigmas[begin])
        for number in range(begin, len(sigmas) - 1):
            sigma, following = sigmas[number], sigmas[number + 1]
            x = x + (following - sigma) * (yield from velocity(number, x, sigma))
            x = torch.where(target.mask, x, target.at(following))
            yield number + 1 - begin, len(sigmas) - 1 - begin
        return x


@dataclass(frozen=True, slots=True)
class MaskedSource:
    """Latents whose frames are regenerated where `mask` [T] is true; the others follow the noised source."""

    source: Tensor
    noise: Tensor
    mask: Tensor

    def at(self, sigma: float) -> Tensor:
        return add_noise(self.source, self.noise, sigma)


def add_noise(source: Tensor, noise: Tensor, sigma: float) -> Tensor:
    return (1 - sigma) * source + sigma * noise


def mix_noise(first: Tensor, second: Tensor, variance: float) -> Tensor:
    """Two noises mixed to unit variance."""
    angle = variance * math.pi / 2
    return math.cos(angle) * first + math.sin(angle) * second
