"""Edits of songs that are too long for one run: new music in stretches, each with music of the song beside it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from acestep_mcp.engines.model.rounds import SamplingRun, mapped

Noises = tuple[Callable[[int], Tensor], Callable[[int], Tensor]]
"""The two sources of a request: each draws its next noise for so many frames."""


class EditRuns(Protocol):
    """Edits in one run each, of latents whose last dimension is frames."""

    def inpaint(self, source: Tensor, span: range, variance: float, noises: Noises) -> SamplingRun:
        """Regenerate the frames of `span`; `variance` (0..1) says how much they change."""

    def outpaint(self, source: Tensor, sides: tuple[int, int], noises: Noises) -> SamplingRun:
        """Add so many new frames before and after the source."""


@dataclass(frozen=True, slots=True)
class LongEdits:
    """Edits in runs of at most `longest` frames.

    Beside a stretch are at least `least_context` frames of the song, if it has as many.
    """

    runs: EditRuns
    longest: int
    least_context: int

    def inpaint(self, source: Tensor, span: range, variance: float, noises: Noises) -> SamplingRun:
        length = source.shape[-1]
        if length <= self.longest:
            return (yield from self.runs.inpaint(source, span, variance, noises))
        pieces = math.ceil(len(span) / (self.longest - 2 * self.least_context))
        size = math.ceil(len(span) / pieces)
        context = (self.longest - size) // 2
        song = source.clone()
        for number, first in enumerate(range(span.start, span.stop, size)):
            last = min(first + size, span.stop)
            begin, end = max(0, first - context), min(length, last + context)
            span_here = range(first - begin, last - begin)
            run = self.runs.inpaint(song[..., begin:end], span_here, variance, noises)
            new = yield from _part(run, number, pieces)
            song[..., first:last] = new[..., span_here.start : span_here.stop]
        return song

    def outpaint(self, source: Tensor, sides: tuple[int, int], noises: Noises) -> SamplingRun:
        if source.shape[-1] + sum(sides) <= self.longest:
            return (yield from self.runs.outpaint(source, sides, noises))
        pieces = [self._pieces(source.shape[-1], side) for side in sides]
        song, done, parts = source, 0, sum(map(len, pieces))
        for side, sizes in enumerate(pieces):
            for size in sizes:
                kept = min(song.shape[-1], self.longest - size)
                edge = song[..., song.shape[-1] - kept :] if side else song[..., :kept]
                run = self.runs.outpaint(edge, (0, size) if side else (size, 0), noises)
                new = yield from _part(run, done, parts)
                song = torch.cat((song, new[..., kept:]) if side else (new[..., :size], song), dim=-1)
                done += 1
        return song

    def _pieces(self, length: int, frames: int) -> list[int]:
        """Sizes that add up to `frames`, each leaving room in a run for enough of a song of `length` frames."""
        largest = self.longest - min(length, self.least_context)
        return [min(largest, frames - first) for first in range(0, frames, largest)]


def _part(run: SamplingRun, number: int, parts: int) -> SamplingRun:
    """A run that reports the progress of all runs together."""

    def of_all(progress: tuple[int, int]) -> tuple[int, int]:
        step, steps = progress
        return number * steps + step, parts * steps

    return mapped(run, of_all)
