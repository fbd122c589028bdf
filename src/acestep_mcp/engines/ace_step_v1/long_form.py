"""Songs longer than the model can hold: painted in stretches, each beside music that is already there."""

from __future__ import annotations

import math
from collections.abc import Generator

import torch
from torch import Tensor

from acestep_mcp.api import requests
from acestep_mcp.engines.ace_step_v1.sampling import Noise, Run, Sampler, frames

LONGEST = frames(requests.LONGEST)
"""Latent frames that are sampled at once."""
_BESIDE = frames(30)
"""Frames of finished music that a stretch has beside it at least, where the song has so many."""


def inpaint(sampler: Sampler, source: Tensor, span: range, variance: float, noises: tuple[Noise, Noise]) -> Run:
    """`Sampler.inpaint` for a source of any length."""
    length = source.shape[-1]
    if length <= LONGEST:
        return (yield from sampler.inpaint(source, span, variance, noises))
    pieces = math.ceil(len(span) / (LONGEST - 2 * _BESIDE))
    size = math.ceil(len(span) / pieces)
    beside = (LONGEST - size) // 2
    song = source.clone()
    for number, first in enumerate(range(span.start, span.stop, size)):
        last = min(first + size, span.stop)
        begin, end = max(0, first - beside), min(length, last + beside)
        own = range(first - begin, last - begin)
        run = sampler.inpaint(song[..., begin:end], own, variance, noises)
        new = yield from _part(run, number, pieces)
        song[..., first:last] = new[..., own.start : own.stop]
    return song


def outpaint(sampler: Sampler, source: Tensor, sides: tuple[int, int], noises: tuple[Noise, Noise]) -> Run:
    """`Sampler.outpaint` with all of the new music new, for any lengths."""
    if source.shape[-1] + sum(sides) <= LONGEST:
        return (yield from sampler.outpaint(source, sides, 1.0, noises))
    song, done, parts = source, 0, sum(len(_pieces(source.shape[-1], side)) for side in sides)
    for side, wanted in enumerate(sides):
        for size in _pieces(source.shape[-1], wanted):
            near = min(song.shape[-1], LONGEST - size)
            edge = song[..., song.shape[-1] - near :] if side else song[..., :near]
            run = sampler.outpaint(edge, (0, size) if side else (size, 0), 1.0, noises)
            new = yield from _part(run, done, parts)
            song = torch.cat((song, new[..., near:]) if side else (new[..., :size], song), dim=-1)
            done += 1
    return song


def _pieces(length: int, wanted: int) -> list[int]:
    """Sizes that add up to `wanted`, each small enough to lie beside enough of a song of `length`."""
    most = LONGEST - min(length, _BESIDE)
    return [min(most, wanted - first) for first in range(0, wanted, most)]


def _part(run: Run, number: int, parts: int) -> Generator[tuple[int, int], None, Tensor]:
    """A run whose progress is that of the whole."""
    while True:
        try:
            step, steps = next(run)
        except StopIteration as end:
            return end.value
        yield number * steps + step, parts * steps
