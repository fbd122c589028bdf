"""Resampling, and the log-mel spectrogram that the autoencoder works on."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

RATE = 44_100
WINDOW = 2048
HOP = 512
MELS = 128
_MIN_HERTZ, _MAX_HERTZ = 40.0, 16_000.0
_ZERO_CROSSINGS = 6
_ROLL_OFF = 0.99
_MAX_COLUMNS = 4096
"""Columns of the spectrogram at a time: the complex spectrum is twenty times as large as its mel."""


def log_mel(waveform: Tensor) -> Tensor:
    """Natural logarithm of the mel magnitudes [B, 128, samples / 512] of waveforms [B, samples] at 44.1 kHz."""
    padding = WINDOW - HOP
    padded = F.pad(waveform[:, None], (padding // 2, (padding + 1) // 2), mode="reflect")[:, 0]
    columns = (padded.shape[-1] - WINDOW) // HOP + 1
    parts = (range(first, min(first + _MAX_COLUMNS, columns)) for first in range(0, columns, _MAX_COLUMNS))
    return torch.cat([_log_mel(padded[:, part.start * HOP : (part.stop - 1) * HOP + WINDOW]) for part in parts], dim=-1)


def _log_mel(samples: Tensor) -> Tensor:
    window = torch.hann_window(WINDOW, device=samples.device)
    spectrum = torch.stft(samples, WINDOW, HOP, window=window, center=False, return_complex=True)
    magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-6).sqrt()
    return (mel_filters().to(samples.device) @ magnitude).clamp(min=1e-5).log()


@cache
def mel_filters() -> Tensor:
    """Triangular filters [128, 1025] of unit area on Slaney's mel scale (Slaney, Auditory Toolbox, 1998)."""
    edges = _hertz(torch.linspace(_mel(_MIN_HERTZ), _mel(_MAX_HERTZ), MELS + 2, dtype=torch.float64))
    frequencies = torch.linspace(0, RATE / 2, WINDOW // 2 + 1, dtype=torch.float64)
    low, middle, high = (edges[n : n + MELS, None] for n in range(3))
    rising = (frequencies - low) / (middle - low)
    falling = (high - frequencies) / (high - middle)
    return (torch.minimum(rising, falling).clamp(min=0) * 2 / (high - low)).float()


def _mel(hertz: float) -> float:
    """Linear below 1 kHz, logarithmic above."""
    return hertz * 3 / 200 if hertz < 1000 else 15 + 27 * math.log(hertz / 1000) / math.log(6.4)


def _hertz(mels: Tensor) -> Tensor:
    return torch.where(mels < 15, mels * 200 / 3, 1000 * torch.exp((mels - 15) * math.log(6.4) / 27))


def resample(waveform: Tensor, rate: int, new_rate: int) -> Tensor:
    """Waveforms [B, samples] at another rate: a windowed sinc of six zero crossings, as in the model's training.

    The result has ceil(samples * new_rate / rate) samples.
    """
    if rate == new_rate:
        return waveform
    common = math.gcd(rate, new_rate)
    old, new = rate // common, new_rate // common
    kernel, width = _sinc_kernel(old, new)
    padded = F.pad(waveform, (width, width + old))
    filtered = F.conv1d(padded[:, None], kernel.to(waveform), stride=old)
    length = math.ceil(waveform.shape[-1] * new / old)
    return filtered.transpose(1, 2).flatten(1)[:, :length]


@cache
def _sinc_kernel(old: int, new: int) -> tuple[Tensor, int]:
    """A filter for each of the `new` phases, [new, 1, taps], and the samples before the current one that it covers."""
    cutoff = min(old, new) * _ROLL_OFF
    width = math.ceil(_ZERO_CROSSINGS * old / cutoff)
    times = torch.arange(-width, width + old, dtype=torch.float64)[None, None] / old
    phases = torch.arange(0, -new, -1, dtype=torch.float64)[:, None, None] / new
    t = ((phases + times) * cutoff).clamp(-_ZERO_CROSSINGS, _ZERO_CROSSINGS)
    window = torch.cos(t * math.pi / _ZERO_CROSSINGS / 2).square()
    return (torch.sinc(t) * window * cutoff / old).float(), width
