"""The vocoder: log-mel to waveform. Modules are named as the published parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class VocoderConfig:
    """Fields as in the checkpoint's config.json."""

    input_channels: int = 128
    depths: Sequence[int] = (3, 3, 9, 3)
    dims: Sequence[int] = (128, 256, 384, 512)
    upsample_rates: Sequence[int] = (4, 4, 2, 2, 2, 2, 2)
    upsample_kernel_sizes: Sequence[int] = (8, 8, 4, 4, 4, 4, 4)
    upsample_initial_channel: int = 1024
    resblock_kernel_sizes: Sequence[int] = (3, 7, 11, 13)
    resblock_dilation_sizes: Sequence[Sequence[int]] = ((1, 3, 5),) * 4
    pre_conv_kernel_size: int = 13
    post_conv_kernel_size: int = 13
    kernel_sizes: Sequence[int] = (7,)


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of [B, C, T]."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.dwconv(x).transpose(1, 2))
        return x + (self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))).transpose(1, 2)


class Backbone(nn.Module):
    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        kernel, dims = config.kernel_sizes[0], config.dims
        stem = nn.Conv1d(config.input_channels, dims[0], kernel, padding=kernel // 2, padding_mode="replicate")
        layers = [nn.Sequential(stem, ChannelNorm(dims[0]))]
        layers += [nn.Sequential(ChannelNorm(before), nn.Conv1d(before, after, 1)) for before, after in pairwise(dims)]
        self.channel_layers = nn.ModuleList(layers)
        self.stages = nn.ModuleList(
            nn.Sequential(*(ConvNeXtBlock(dim, kernel) for _ in range(depth)))
            for dim, depth in zip(dims, config.depths, strict=True)
        )
        self.norm = ChannelNorm(dims[-1])

    def forward(self, x: Tensor) -> Tensor:
        for layer, stage in zip(self.channel_layers, self.stages, strict=True):
            x = stage(layer(x))
        return self.norm(x)


class ResBlock(nn.Module):
    def __init__(self, channels: int, kernel: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_same_length_conv(channels, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_same_length_conv(channels, kernel, 1) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        for dilated, plain in zip(self.convs1, self.convs2, strict=True):
            x = x + plain(F.silu(dilated(F.silu(x))))
        return x


class Head(nn.Module):
    """A HiFi-GAN generator (Kong et al. 2020)."""

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        channels, kernel = config.upsample_initial_channel, config.pre_conv_kernel_size
        self.conv_pre = nn.Conv1d(config.dims[-1], channels, kernel, padding=kernel // 2)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        self.kernels = len(config.resblock_kernel_sizes)
        for rate, width in zip(config.upsample_rates, config.upsample_kernel_sizes, strict=True):
            self.ups.append(nn.ConvTranspose1d(channels, channels // 2, width, rate, padding=(width - rate) // 2))
            channels //= 2
            for size, dilations in zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True):
                self.resblocks.append(ResBlock(channels, size, dilations))
        kernel = config.post_conv_kernel_size
        self.conv_post = nn.Conv1d(channels, 1, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_pre(x)
        for number, up in enumerate(self.ups):
            x = up(F.silu(x))
            blocks = self.resblocks[number * self.kernels : (number + 1) * self.kernels]
            total = blocks[0](x)
            for block in blocks[1:]:
                total += block(x)
            x = total / self.kernels
        return self.conv_post(F.silu(x)).tanh()


class Vocoder(nn.Module):
    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.backbone = Backbone(config)
        self.head = Head(config)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Log-mel [B, mels, T] to waveform [B, 1, 512 T] at 44.1 kHz."""
        return self.head(self.backbone(log_mel))


def _same_length_conv(channels: int, kernel: int, dilation: int) -> nn.Conv1d:
    return nn.Conv1d(channels, channels, kernel, dilation=dilation, padding=(kernel - 1) * dilation // 2)
