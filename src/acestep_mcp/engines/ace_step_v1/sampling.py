"""Runs of the model: from noise, or from a song's latents, to new latents [1, channels, height, T].

Each run is a generator: it yields after every step how many are done, of how many, and returns the latents. Stopping
is not asking for more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser, Said, Weaken
from acestep_mcp.engines.ace_step_v1.guidance import Guidance, Projected, cfg, cfg_star, double_condition
from acestep_mcp.engines.ace_step_v1.schedule import Scheduler, shifted, sigmas, stepper
from acestep_mcp.engines.ace_step_v1.transformer import Context

SAMPLES_PER_FRAME = 4096
LATENT_RATE = 44_100
Run = Generator[tuple[int, int], None, Tensor]
Noise = Callable[[int], Tensor]
"""Gives the next noise [1, channels, height, frames] of its seed, float32."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is asked for; fields as in the API, `granularity` is the published omega."""

    steps: int = 27
    scheduler: Scheduler = "euler"
    granularity: float = 10.0
    guidance: Guidance = field(default_factory=Guidance)
    weaken: Weaken = field(default_factory=Weaken)


def frames(seconds: float) -> int:
    """Latent frames in so many seconds, truncated towards zero."""
    return int(seconds * LATENT_RATE / 512 / 8)


def noise_of(seed: int, model: Denoiser) -> Noise:
    """Noise that is the same on every device: drawn on the CPU in float32."""
    generator = torch.Generator().manual_seed(seed)
    config, device = model.config, model.transformer.final.weight.device

    def draw(length: int) -> Tensor:
        shape = (1, config.in_channels, config.max_height, length)
        return torch.randn(shape, generator=generator, dtype=torch.float32).to(device)

    return draw


class Guided:
    """The guided velocity at each entry of the timestep list; its predictions run as one batch."""

    def __init__(self, model: Denoiser, said: Said, plan: Plan, length: int) -> None:
        self._model = model
        self._guidance = guidance = plan.guidance
        self._window = guidance.window(plan.steps)
        self._projected = Projected()
        conditions = [model.full(said)]
        if self._window:
            conditions.append(model.uncond(said, plan.weaken))
        if self._window and guidance.double:
            conditions.append(model.text_only(said, plan.weaken))
        weakened = torch.tensor([n == 1 for n in range(len(conditions))], device=said.text.device)
        self._context = model.context(conditions, length, weakened if plan.weaken.transformer else None)
        self._plain = self._context.first(1)

    def __call__(self, number: int, x: Tensor, level: float) -> Tensor:
        if number not in self._window:
            return predict(self._model, x, level, self._plain)
        return self._combined(number, predict(self._model, x, level, self._context))

    def _combined(self, number: int, predictions: Tensor) -> Tensor:
        guidance = self._guidance
        cond, uncond, *text_only = predictions.split(1)
        if text_only:
            return double_condition(cond, uncond, text_only[0], tag=guidance.tag_scale, lyric=guidance.lyric_scale)
        scale = guidance.scale_at(number, self._window)
        match guidance.kind:
            case "cfg":
                return cfg(cond, uncond, scale)
            case "cfg_star":
                return cfg_star(cond, uncond, scale, number)
        return self._projected(cond, uncond, scale)


def predict(model: Denoiser, x: Tensor, level: float, context: Context) -> Tensor:
    timestep = torch.full((len(x),), level * 1000, device=x.device)
    return model.transformer(x, timestep, context)


@dataclass(frozen=True, slots=True)
class Sampler:
    """The runs of one model under one description and plan."""

    model: Denoiser
    said: Said
    plan: Plan

    def from_noise(self, x: Tensor, *, top: float = 1.0) -> Run:
        """Ordinary sampling: x is noise, or for `top` below 1 a song at that level of noise."""
        plan = self.plan
        levels = sigmas(plan.steps, plan.scheduler, top=top)
        velocity = Guided(self.model, self.said, plan, x.shape[-1])
        step = stepper(levels, plan.scheduler, plan.granularity).step
        for number, level in enumerate(levels[:-1]):
            x = step(number, x, velocity(number, x, level))
            yield number + 1, len(levels) - 1
        return x

    def like(self, reference: Tensor, noise: Tensor, strength: float) -> Run:
        """A new song that follows a reference as far as `strength` (0..1) says."""
        top = 1 - strength
        start = shifted(top)
        x = (1 - start) * reference + start * noise
        shorter = replace(self.plan, steps=int(self.plan.steps * top))
        return (yield from replace(self, plan=shorter).from_noise(x, top=top))

    def inpaint(self, source: Tensor, span: range, variance: float, noises: tuple[Noise, Noise]) -> Run:
        """The frames of `span` anew, by as much as `variance` (0..1) says; `noises` are those of both seeds."""
        length = source.shape[-1]
        first, second = (noise(length) for noise in noises)
        new = mixed(first, second, variance)
        if span == range(length):
            return (yield from self.from_noise(new))
        inside = torch.zeros(length, dtype=torch.bool, device=source.device)
        inside[span.start : span.stop] = True
        return (yield from self._repaint(Canvas(source, torch.where(inside, new, first), inside), variance))

    def outpaint(self, source: Tensor, sides: tuple[int, int], variance: float, noises: tuple[Noise, Noise]) -> Run:
        """The song with so many new frames before and after it."""
        left, right = sides
        length = source.shape[-1]
        kept, fresh = noises[0](length), noises[1](max(length, left, right))
        noise = torch.cat((fresh[..., :left], kept, fresh[..., fresh.shape[-1] - right :]), dim=-1)
        padded = torch.nn.functional.pad(source, (left, right))
        outside = torch.ones(padded.shape[-1], dtype=torch.bool, device=source.device)
        outside[left : left + length] = False
        return (yield from self._repaint(Canvas(padded, noise, outside), variance))

    def _repaint(self, canvas: Canvas, variance: float) -> Run:
        """Plain Euler steps, the first of them left out: the less is to change, the more of the source is kept."""
        plan = self.plan
        levels = sigmas(plan.steps, plan.scheduler)
        velocity = Guided(self.model, self.said, plan, canvas.source.shape[-1])
        begin = int(plan.steps * (1 - variance))
        x = canvas.at(levels[begin])
        for number in range(begin, len(levels) - 1):
            level, following = levels[number], levels[number + 1]
            x = x + (following - level) * velocity(number, x, level)
            x = torch.where(canvas.free, x, canvas.at(following))
            yield number + 1 - begin, len(levels) - 1 - begin
        return x


@dataclass(frozen=True, slots=True)
class Canvas:
    """A song of which the frames where `free` [T] is true are made anew; the others follow the noised source."""

    source: Tensor
    noise: Tensor
    free: Tensor

    def at(self, level: float) -> Tensor:
        return noised(self.source, self.noise, level)


def noised(source: Tensor, noise: Tensor, level: float) -> Tensor:
    return (1 - level) * source + level * noise


def mixed(first: Tensor, second: Tensor, variance: float) -> Tensor:
    """Two noises as one of unit variance."""
    angle = variance * math.pi / 2
    return math.cos(angle) * first + math.sin(angle) * second
