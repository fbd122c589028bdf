"""Processing a long sequence in overlapping windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Window:
    """The frames `first` to `last`, computed from the frames `begin` to `end`, which include context on both sides."""

    first: int
    last: int
    begin: int
    end: int

    def with_context(self, x: Tensor, scale: int = 1) -> Tensor:
        """The columns of x that the window is computed from; x has `scale` columns per frame."""
        return x[..., self.begin * scale : self.end * scale]

    def without_context(self, x: Tensor, scale: int = 1) -> Tensor:
        """The columns of the window itself, of a result computed from `with_context`."""
        return x[..., (self.first - self.begin) * scale : (self.last - self.begin) * scale]


def windows(length: int, size: int, context: int) -> Iterator[Window]:
    """Consecutive windows of `size` frames, with `context` frames on each side where they exist."""
    for first in range(0, length, size):
        last = min(first + size, length)
        yield Window(first, last, max(0, first - context), min(length, last + context))


def in_windows(run: Callable[[Tensor], Tensor], x: Tensor, size: int, context: int, *, per_frame: int = 1) -> Tensor:
    """Apply `run` to x window by window. x has `per_frame` columns for each column of the result."""
    parts = windows(x.shape[-1] // per_frame, size, context)
    return torch.cat([part.without_context(run(part.with_context(x, per_frame))) for part in parts], dim=-1)
