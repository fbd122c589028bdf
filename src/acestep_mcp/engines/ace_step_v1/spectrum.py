"""The log-mel spectrogram that the autoencoder works on."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

RATE = 44_100
HOP = 512
_WINDOW = 2048
_MELS = 128
_MIN_HERTZ, _MAX_HERTZ = 40.0, 16_000.0
_MAX_COLUMNS = 4096
"""Columns of the spectrogram at a time: the complex spectrum is twenty times as large as its mel."""


def log_mel(waveform: Tensor) -> Tensor:
    """Natural logarithm of the mel magnitudes [B, 128, samples / 512] of waveforms [B, samples] at 44.1 kHz."""
    padded = F.pad(waveform, ((_WINDOW - HOP) // 2,) * 2, mode="reflect")
    window = torch.hann_window(_WINDOW, device=waveform.device)
    mels = []
    for first in range(0, waveform.shape[-1] // HOP, _MAX_COLUMNS):
        samples = padded[:, first * HOP : (first + _MAX_COLUMNS - 1) * HOP + _WINDOW]
        spectrum = torch.stft(samples, _WINDOW, HOP, window=window, center=False, return_complex=True)
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-6).sqrt()
        mels.append((_mel_filters().to(samples.device) @ magnitude).clamp(min=1e-5).log())
    return torch.cat(mels, dim=-1)


@cache
def _mel_filters() -> Tensor:
    """Triangular filters [128, 1025] of unit area on Slaney's mel scale (Slaney, Auditory Toolbox, 1998)."""
    from transformers.audio_utils import mel_filter_bank

    bins = _WINDOW // 2 + 1
    filters = mel_filter_bank(bins, _MELS, _MIN_HERTZ, _MAX_HERTZ, RATE, norm="slaney", mel_scale="slaney")
    return torch.from_numpy(filters.T).float().contiguous()
