"""Resampling as torchaudio does by default, which ACE-Step v1 was trained with: a windowed sinc of six zero crossings."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from acestep_mcp.audio.resample import resampled_array

_ZERO_CROSSINGS = 6
_ROLL_OFF = 0.99
_MAX_TAPS = 4_000_000
"""The most taps of all filters: for unusual rates (44,101 Hz) they would take gigabytes, so soxr resamples those."""
_KEPT = 8


def resample(waveform: Tensor, rate: int, new_rate: int) -> Tensor:
    """Waveforms [B, samples] at another rate.

    The result has ceil(samples * new_rate / rate) samples; where soxr resamples, it may have one fewer.
    """
    if rate == new_rate:
        return waveform
    common = math.gcd(rate, new_rate)
    if rate * new_rate > _MAX_TAPS * common**2:
        samples = resampled_array(waveform.T.contiguous().cpu().numpy(), rate, new_rate)
        return torch.from_numpy(samples).T.to(waveform)
    old, new = rate // common, new_rate // common
    kernel, width = _sinc_kernel(old, new, waveform.device)
    padded = F.pad(waveform, (width, width + old))
    filtered = F.conv1d(padded[:, None], kernel.to(waveform.dtype), stride=old)
    length = math.ceil(waveform.shape[-1] * new / old)
    return filtered.transpose(1, 2).flatten(1)[:, :length]


@lru_cache(_KEPT)
def _sinc_kernel(old: int, new: int, device: torch.device) -> tuple[Tensor, int]:
    """A filter for each of the `new` phases, [new, 1, taps], and the samples before the current one that it covers.

    It is kept on the device: copying it there waits for what was queued before.
    """
    cutoff = min(old, new) * _ROLL_OFF
    width = math.ceil(_ZERO_CROSSINGS * old / cutoff)
    times = torch.arange(-width, width + old, dtype=torch.float64)[None, None] / old
    phases = torch.arange(0, -new, -1, dtype=torch.float64)[:, None, None] / new
    t = ((phases + times) * cutoff).clamp(-_ZERO_CROSSINGS, _ZERO_CROSSINGS)
    window = torch.cos(t * math.pi / _ZERO_CROSSINGS / 2).square()
    return (torch.sinc(t) * window * cutoff / old).float().to(device), width
