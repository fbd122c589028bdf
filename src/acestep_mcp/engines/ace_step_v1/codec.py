"""Waveforms to latents and back, in memory that does not grow with the song."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from acestep_mcp.engines.ace_step_v1.spectrum import HOP, RATE, log_mel, resample
from acestep_mcp.engines.ace_step_v1.vocoder import Vocoder
from acestep_mcp.engines.model import windows
from acestep_mcp.engines.model.windows import CONTEXT

OUTPUT_RATE = 48_000
MELS_PER_FRAME = 8
SAMPLES_PER_FRAME = MELS_PER_FRAME * HOP
_SHIFT, _SCALE = -1.9091, 0.1786
WINDOW = 147
"""Latent frames at a time, 13.65 s: at their edges samples of both rates, 44.1 and 48 kHz, fall together."""
_MARGIN = 147
"""Samples on each side that resampling sees beyond a window."""


class Codec:
    """The mel autoencoder (diffusers' AutoencoderDC) and the vocoder, on one device and in one dtype."""

    def __init__(self, autoencoder: Any, vocoder: Vocoder) -> None:
        self.autoencoder = autoencoder
        self.vocoder = vocoder

    def encode(self, waveform: Tensor, rate: int, *, window: int = WINDOW) -> Tensor:
        """Waveforms [B, 1 or 2, samples] as latents [B, 8, 16, T], float32; T = ceil(seconds * 44100 / 4096)."""
        like = self.vocoder.head.conv_post.weight
        stereo = waveform.expand(-1, 2, -1).to(like.device, torch.float32)
        samples = resample(stereo.flatten(0, 1), rate, RATE)
        samples = F.pad(samples, (0, -samples.shape[-1] % SAMPLES_PER_FRAME))
        mel = log_mel(samples).unflatten(0, (len(stereo), 2))
        mel = ((mel + 11) / 14 - 0.5) / 0.5
        latents = windows.encoded(self.autoencoder.encoder, mel.to(like.dtype), window, per_frame=MELS_PER_FRAME)
        return (latents.float() - _SHIFT) * _SCALE

    def decode(self, latents: Tensor, *, window: int = WINDOW) -> Iterator[Tensor]:
        """Latents [1, 8, 16, T] as the consecutive parts [2, samples] of the waveform at 48 kHz, on the CPU.

        `window` is a multiple of 147 frames. The parts together have ceil(4096 T * 160 / 147) samples.
        """
        length = latents.shape[-1]
        z = (latents / _SCALE + _SHIFT).to(self.vocoder.head.conv_post.weight.dtype)
        coarse = windows.coarse_decoded(self.autoencoder.decoder, z, window)
        for piece in windows.windows(length, window, CONTEXT):
            mel = windows.fine_decoded(self.autoencoder.decoder, piece.of(coarse))
            yield _resampled(self._voiced(mel), piece).cpu()

    @staticmethod
    def parts(latents: Tensor, window: int = WINDOW) -> int:
        """How many parts `decode` will give."""
        return -(-latents.shape[-1] // window)

    def _voiced(self, mel: Tensor) -> Tensor:
        """Normalised log-mel [1, 2, 128, T] as a waveform [2, 512 T] at 44.1 kHz."""
        return self.vocoder((mel[0] * 0.5 + 0.5) * 14 - 11)[:, 0].float()


def _resampled(samples: Tensor, piece: windows.Window) -> Tensor:
    """The window's own part of the samples made for it, at 48 kHz."""
    begin, first = (frame * SAMPLES_PER_FRAME for frame in (piece.begin, piece.first))
    before = _MARGIN if piece.begin < piece.first else 0
    after = _MARGIN if piece.last < piece.end else 0
    own = samples[:, first - begin - before : (piece.last - piece.begin) * SAMPLES_PER_FRAME + after]
    new = resample(own, RATE, OUTPUT_RATE)
    scale = OUTPUT_RATE / RATE
    return new[:, round(before * scale) : new.shape[-1] - round(after * scale)]
