"""Guidance: combining several predictions of the model into one velocity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

GuidanceType = Literal["cfg", "apg", "cfg_star"]
MOMENTUM = -0.75
_MAX_NORM = 2.5
_PLANE = (-1, -2)


@dataclass(frozen=True, slots=True)
class Guidance:
    """Guidance of a run; fields as in the API. A scale of 0 or 1 means none."""

    kind: GuidanceType = "apg"
    scale: float = 15.0
    interval: float = 0.5
    decay: float = 0.0
    minimum: float = 3.0
    tag_scale: float = 0.0
    lyric_scale: float = 0.0

    @property
    def enabled(self) -> bool:
        return self.scale not in {0, 1}

    @property
    def double(self) -> bool:
        """Tags and lyrics have separate scales; `kind` is then not used."""
        return self.tag_scale > 1 and self.lyric_scale > 1

    def guided_steps(self, steps: int) -> range:
        """The indices of the guided timesteps; none if guidance is disabled."""
        if not self.enabled:
            return range(0)
        return range(math.floor(steps * (1 - self.interval) / 2), math.floor(steps * (self.interval / 2 + 0.5)))


def double_condition(
    conditional: Tensor, unconditional: Tensor, text_only: Tensor, *, tag: float, lyric: float
) -> Tensor:
    return (1 - tag) * unconditional + (tag - lyric) * text_only + lyric * conditional


def classifier_free_guidance(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    return unconditional + scale * (conditional - unconditional)


def cfg_star(conditional: Tensor, unconditional: Tensor, scale: float, number: int) -> Tensor:
    """CFG* (Fan et al. 2025): the unconditional prediction is scaled to fit; the first two velocities are zero."""
    if number <= 1:
        return torch.zeros_like(conditional)
    flat_conditional, flat_unconditional = conditional.flatten(1), unconditional.flatten(1)
    factor = (flat_conditional * flat_unconditional).sum(1) / (flat_unconditional.square().sum(1) + 1e-8)
    fitted = factor.view(-1, *[1] * (conditional.dim() - 1)) * unconditional
    return fitted + scale * (conditional - fitted)


class ProjectedGuidance:
    """Adaptive projected guidance (APG, Sadat et al. 2024).

    Adds the part of the difference that is orthogonal to the conditional prediction, per item and channel, with its norm
    limited to 2.5. The difference includes those of earlier steps, times a power of `momentum`.
    """

    def __init__(self, momentum: float = MOMENTUM) -> None:
        self._momentum = momentum
        self._before: Tensor | float = 0.0

    def __call__(self, conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
        self._before = difference = conditional - unconditional + self._momentum * self._before
        norm = torch.linalg.vector_norm(difference, dim=_PLANE, keepdim=True)
        # The vectors are nearly parallel: single precision loses the orthogonal part. MPS has no float64.
        double = torch.float32 if conditional.device.type == "mps" else torch.float64
        limited = (difference * (_MAX_NORM / norm).clamp(max=1)).to(double)
        direction = conditional.to(double)
        unit = direction / torch.linalg.vector_norm(direction, dim=_PLANE, keepdim=True).clamp(min=1e-12)
        orthogonal = limited - (limited * unit).sum(_PLANE, keepdim=True) * unit
        return conditional + (scale - 1) * orthogonal.to(conditional.dtype)


class RunGuidance:
    """The guidance of one run, with the momentum of its APG. `number` is the index of a timestep of `steps`."""

    def __init__(self, guidance: Guidance, steps: int) -> None:
        self.guided = guidance.guided_steps(steps)
        self._guidance = guidance
        self._projected = ProjectedGuidance()

    def velocity(self, number: int, predictions: Tensor) -> Tensor:
        """From the conditional, the unconditional and, if guidance is double, the prediction with tags alone."""
        conditional, unconditional, *text_only = predictions.split(1)
        tag, lyric = self._guidance.tag_scale, self._guidance.lyric_scale
        if text_only:
            return double_condition(conditional, unconditional, text_only[0], tag=tag, lyric=lyric)
        scale = self._scale(number)
        match self._guidance.kind:
            case "cfg":
                return classifier_free_guidance(conditional, unconditional, scale)
            case "cfg_star":
                return cfg_star(conditional, unconditional, scale, number)
        return self._projected(conditional, unconditional, scale)

    def _scale(self, number: int) -> float:
        guidance, guided = self._guidance, self.guided
        if guidance.decay <= 0 or len(guided) < 2:
            return guidance.scale
        progress = (number - guided.start) / (len(guided) - 1)
        return guidance.scale - (guidance.scale - guidance.minimum) * progress * guidance.decay
