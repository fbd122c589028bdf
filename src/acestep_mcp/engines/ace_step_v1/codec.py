"""Waveforms to latents and back, in windows that bound the memory; a GPU with room takes a song as one."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from acestep_mcp.engines.ace_step_v1.autoencoder import CONTEXT, Autoencoder
from acestep_mcp.engines.ace_step_v1.vocoder import Vocoder
from acestep_mcp.engines.model.compilation import compiled, mark_dynamic
from acestep_mcp.engines.model.resampling import resample
from acestep_mcp.engines.model.windows import Window, windows

RATE = 44_100
OUTPUT_RATE = 48_000
HOP = 512
MELS_PER_FRAME = 8
SAMPLES_PER_FRAME = MELS_PER_FRAME * HOP
_LATENT_SHIFT, _LATENT_SCALE = -1.9091, 0.1786
WINDOW = 147
"""Latent frames per window, 13.65 s: a whole number of samples at both 44.1 and 48 kHz."""
_BYTES_PER_FRAME = 6 << 20
"""More than decoding takes at the published sizes: about 2 MiB, counted from the largest features."""
_MARGIN = 147
"""Samples of context for resampling on each side of a window: exactly 160 at the output rate, or the seam would shift."""
_FFT_SIZE = 2048
_MELS = 128
_MIN_HERTZ, _MAX_HERTZ = 40.0, 16_000.0
_MAX_COLUMNS = 4096
"""Columns of the spectrogram at a time: the complex spectrum is twenty times as large as its mel."""


class Codec:
    """The mel autoencoder and the vocoder, on one device and each in its own dtype."""

    def __init__(self, autoencoder: Autoencoder, vocoder: Vocoder) -> None:
        self.autoencoder = autoencoder
        self.vocoder = vocoder
        self._fine: Callable[[Tensor], Tensor] = autoencoder.decoder.fine
        self._waveform: Callable[[Tensor], Tensor] = vocoder.forward

    def compile(self, **options: Any) -> None:
        """Compile what takes most of the time of decoding, once for all lengths; `options` go to `torch.compile`."""
        self._fine = compiled(self._fine, **options)
        self._waveform = compiled(self._waveform, **options)

    def channels_last(self) -> None:
        """Store the autoencoder's filters with their channels last, as a GPU's convolutions take them."""
        self.autoencoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # its stubs lack it

    def window(self, frames: int) -> int:
        """Latent frames per window: on a GPU all of a song, if half of the free memory is enough for it."""
        device = next(self.autoencoder.parameters()).device
        if device.type != "cuda" or frames * _BYTES_PER_FRAME > torch.cuda.mem_get_info(device)[0] / 2:
            return WINDOW
        return frames + -frames % WINDOW

    def encode(self, waveform: Tensor, rate: int, *, window: int = WINDOW) -> Tensor:
        """Waveforms [B, 1 or 2, samples] as latents [B, 8, 16, T], float32; T = ceil(seconds * 44100 / 4096)."""
        weight = next(self.autoencoder.parameters())
        stereo = waveform.expand(-1, 2, -1).to(weight.device, torch.float32)
        samples = resample(stereo.flatten(0, 1), rate, RATE)
        samples = F.pad(samples, (0, -samples.shape[-1] % SAMPLES_PER_FRAME))
        mel = log_mel(samples).unflatten(0, (len(stereo), 2))
        mel = ((mel + 11) / 14 - 0.5) / 0.5
        latents = self.autoencoder.encoder(mel.to(weight.dtype), window, per_frame=MELS_PER_FRAME)
        return (latents.float() - _LATENT_SHIFT) * _LATENT_SCALE

    def decode(self, latents: Tensor, *, window: int | None = None) -> Iterator[Tensor]:
        """Latents [1, 8, 16, T] as the consecutive parts [2, samples] of the waveform at 48 kHz.

        `window` is in latent frames, a multiple of 147. The parts have together ceil(4096 T * 160 / 147) samples.
        """
        length = latents.shape[-1]
        window = window or self.window(length)
        z = (latents / _LATENT_SCALE + _LATENT_SHIFT).to(next(self.autoencoder.parameters()).dtype)
        coarse = self.autoencoder.decoder.coarse(z, window)
        for part in windows(length, window, CONTEXT):
            features = part.with_context(coarse)
            mark_dynamic(features, 3)
            yield _at_output_rate(self._vocode(self._fine(features)), part)

    def _vocode(self, mel: Tensor) -> Tensor:
        """Normalised log-mel [1, 2, 128, T] as a waveform [2, 512 T] at 44.1 kHz."""
        mel = mel[0].to(self.vocoder.head.conv_post.weight.dtype)
        log_mel = (mel * 0.5 + 0.5) * 14 - 11
        mark_dynamic(log_mel, 2)
        return self._waveform(log_mel)[:, 0].float()


def _at_output_rate(samples: Tensor, part: Window) -> Tensor:
    """Samples computed for a window, without its context, at 48 kHz."""
    first, last = ((frame - part.begin) * SAMPLES_PER_FRAME for frame in (part.first, part.last))
    begin = max(0, first - _MARGIN)
    new = resample(samples[:, begin : last + _MARGIN], RATE, OUTPUT_RATE)
    start, length = (math.ceil(count * OUTPUT_RATE / RATE) for count in (first - begin, last - first))
    return new[:, start : start + length]


def log_mel(waveform: Tensor) -> Tensor:
    """Natural logarithm of the mel magnitudes [B, 128, samples / 512] of waveforms [B, samples] at 44.1 kHz."""
    padded = F.pad(waveform, ((_FFT_SIZE - HOP) // 2,) * 2, mode="reflect")
    window = torch.hann_window(_FFT_SIZE, device=waveform.device)
    mels = []
    for first in range(0, waveform.shape[-1] // HOP, _MAX_COLUMNS):
        samples = padded[:, first * HOP : (first + _MAX_COLUMNS - 1) * HOP + _FFT_SIZE]
        spectrum = torch.stft(samples, _FFT_SIZE, HOP, window=window, center=False, return_complex=True)
        magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-6).sqrt()
        mels.append((_mel_filters().to(samples.device) @ magnitude).clamp(min=1e-5).log())
    return torch.cat(mels, dim=-1)


@cache
def _mel_filters() -> Tensor:
    """Triangular filters [128, 1025] of unit area on Slaney's mel scale (Slaney, Auditory Toolbox, 1998)."""
    from transformers.audio_utils import mel_filter_bank

    bins = _FFT_SIZE // 2 + 1
    filters = mel_filter_bank(bins, _MELS, _MIN_HERTZ, _MAX_HERTZ, RATE, norm="slaney", mel_scale="slaney")
    return torch.from_numpy(filters.T).float().contiguous()
