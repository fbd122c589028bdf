"""Edits of songs that are too long for one run: new music in stretches, each with finished music beside it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from acestep_mcp.api import requests
from acestep_mcp.engines.ace_step_v1.sampling import NoiseSource, Sampler, SamplingRun, latent_frames
from acestep_mcp.engines.model.rounds import mapped

LONGEST = latent_frames(requests.LONGEST)
"""Latent frames per run."""
_MIN_CONTEXT = latent_frames(30)
"""Minimum frames of finished music beside a stretch, if the song has as many."""


def inpaint(
    sampler: Sampler, source: Tensor, span: range, variance: float, noises: tuple[NoiseSource, NoiseSource]
) -> SamplingRun:
    """`Sampler.inpaint` for a source of any length."""
    length = source.shape[-1]
    if length <= LONGEST:
        return (yield from sampler.inpaint(source, span, variance, noises))
    pieces = math.ceil(len(span) / (LONGEST - 2 * _MIN_CONTEXT))
    size = math.ceil(len(span) / pieces)
    context = (LONGEST - size) // 2
    song = source.clone()
    for number, first in enumerate(range(span.start, span.stop, size)):
        last = min(first + size, span.stop)
        begin, end = max(0, first - context), min(length, last + context)
        span_here = range(first - begin, last - begin)
        run = sampler.inpaint(song[..., begin:end], span_here, variance, noises)
        new = yield from _part(run, number, pieces)
        song[..., first:last] = new[..., span_here.start : span_here.stop]
    return song


def outpaint(
    sampler: Sampler, source: Tensor, sides: tuple[int, int], noises: tuple[NoiseSource, NoiseSource]
) -> SamplingRun:
    """`Sampler.outpaint` with variance 1, for any lengths."""
    if source.shape[-1] + sum(sides) <= LONGEST:
        return (yield from sampler.outpaint(source, sides, 1.0, noises))
    song, done, parts = source, 0, sum(len(_pieces(source.shape[-1], side)) for side in sides)
    for side, frames in enumerate(sides):
        for size in _pieces(source.shape[-1], frames):
            kept = min(song.shape[-1], LONGEST - size)
            edge = song[..., song.shape[-1] - kept :] if side else song[..., :kept]
            run = sampler.outpaint(edge, (0, size) if side else (size, 0), 1.0, noises)
            new = yield from _part(run, done, parts)
            song = torch.cat((song, new[..., kept:]) if side else (new[..., :size], song), dim=-1)
            done += 1
    return song


def _pieces(length: int, frames: int) -> list[int]:
    """Sizes that add up to `frames`, each leaving room in a run for enough of a song of `length` frames."""
    largest = LONGEST - min(length, _MIN_CONTEXT)
    return [min(largest, frames - first) for first in range(0, frames, largest)]


def _part(run: SamplingRun, number: int, parts: int) -> SamplingRun:
    """A run that reports the progress of all runs together."""

    def of_all(progress: tuple[int, int]) -> tuple[int, int]:
        step, steps = progress
        return number * steps + step, parts * steps

    return mapped(run, of_all)
