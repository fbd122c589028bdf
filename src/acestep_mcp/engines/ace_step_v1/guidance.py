"""Guidance: how several predictions of the model become one velocity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["cfg", "apg", "cfg_star"]
_MOMENTUM = -0.75
_LONGEST = 2.5
_PLANE = (-1, -2)


@dataclass(frozen=True, slots=True)
class Guidance:
    """How a run is guided; fields as in the API. Scales 0 and 1 mean none."""

    kind: Kind = "apg"
    scale: float = 15.0
    interval: float = 0.5
    decay: float = 0.0
    minimum: float = 3.0
    tag_scale: float = 0.0
    lyric_scale: float = 0.0

    @property
    def on(self) -> bool:
        return self.scale not in {0, 1}

    @property
    def double(self) -> bool:
        """Tags and lyrics have a scale each; the kind is then not used."""
        return self.tag_scale > 1 and self.lyric_scale > 1

    def window(self, steps: int) -> range:
        """The entries of the timestep list that are guided; none when guidance is off."""
        if not self.on:
            return range(0)
        return range(math.floor(steps * (1 - self.interval) / 2), math.floor(steps * (self.interval / 2 + 0.5)))

    def scale_at(self, number: int, window: range) -> float:
        if self.decay <= 0 or len(window) < 2:
            return self.scale
        progress = (number - window.start) / (len(window) - 1)
        return self.scale - (self.scale - self.minimum) * progress * self.decay


def double_condition(cond: Tensor, uncond: Tensor, text_only: Tensor, *, tag: float, lyric: float) -> Tensor:
    return (1 - tag) * uncond + (tag - lyric) * text_only + lyric * cond


def cfg(cond: Tensor, uncond: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance."""
    return uncond + scale * (cond - uncond)


def cfg_star(cond: Tensor, uncond: Tensor, scale: float, number: int) -> Tensor:
    """Guidance with the unconditional prediction scaled to fit; the first two steps stand still."""
    if number <= 1:
        return torch.zeros_like(cond)
    flat, against = cond.flatten(1), uncond.flatten(1)
    fit = (flat * against).sum(1) / (against.square().sum(1) + 1e-8)
    fitted = fit.view(-1, *[1] * (cond.dim() - 1)) * uncond
    return fitted + scale * (cond - fitted)


class Projected:
    """Adaptive projected guidance (Sadat et al. 2024): with momentum, cut to a length, across the prediction only."""

    def __init__(self) -> None:
        self._running: Tensor | float = 0.0

    def __call__(self, cond: Tensor, uncond: Tensor, scale: float) -> Tensor:
        self._running = cond - uncond + _MOMENTUM * self._running
        return projected(cond, self._running, scale)


def projected(cond: Tensor, difference: Tensor, scale: float) -> Tensor:
    """Add the part of `difference` that is orthogonal to `cond`, per item and channel."""
    norm = torch.linalg.vector_norm(difference, dim=_PLANE, keepdim=True)
    difference = difference * (_LONGEST / norm).clamp(max=1)
    # Two nearly parallel vectors: what is left of the one is lost in single precision.
    double = torch.float32 if cond.device.type == "mps" else torch.float64
    unit = cond.to(double) / torch.linalg.vector_norm(cond.to(double), dim=_PLANE, keepdim=True).clamp(min=1e-12)
    wide = difference.to(double)
    across = wide - (wide * unit).sum(_PLANE, keepdim=True) * unit
    return cond + (scale - 1) * across.to(cond.dtype)
