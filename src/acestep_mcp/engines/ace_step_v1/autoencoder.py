"""The mel autoencoder (DC-AE, Chen et al. 2024) in windows, with the result of a single pass.

Log-mel is [B, 2, 128, 8 T], latents are [B, 8, 16, T], and modules are named as the published parameters. Convolutions
reach about a second, less than the windows overlap. Attention reaches the whole song, but it is linear: it needs only
one sum over all keys and values, which a first pass collects window by window.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acestep_mcp.engines.model.windows import Window, in_windows, windows

CONTEXT = 24
"""Latent frames of context on each side of a window: more than the receptive field of autoencoder and vocoder."""
_CONVOLUTIONS, _ATTENTION = "ResBlock", "EfficientViTBlock"
_EPSILON = 1e-15


@dataclass(frozen=True, slots=True)
class AutoencoderConfig:
    """Fields as in the checkpoint's config.json. Raises TypeError or ValueError for what is not supported.

    Stages are listed from the finest to the coarsest, the only one with attention. Of each kind of layer there is one.
    """

    encoder_block_types: Sequence[str]
    decoder_block_types: Sequence[str]
    encoder_block_out_channels: Sequence[int]
    decoder_block_out_channels: Sequence[int]
    encoder_layers_per_block: Sequence[int]
    decoder_layers_per_block: Sequence[int]
    encoder_qkv_multiscales: Sequence[Sequence[int]]
    decoder_qkv_multiscales: Sequence[Sequence[int]]
    in_channels: int = 2
    latent_channels: int = 8
    attention_head_dim: int = 32
    upsample_block_type: str = "interpolate"
    downsample_block_type: str = "Conv"
    decoder_norm_types: str = "rms_norm"
    decoder_act_fns: str = "silu"
    decoder_conv_act_fn: str = "relu"
    encoder_out_shortcut: bool = True
    decoder_in_shortcut: bool = True
    scaling_factor: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            given, only = getattr(self, field.name), field.default
            if isinstance(only, str | bool) and given != only:
                raise ValueError(f"{field.name} is {given!r}, and only {only!r} is supported")
        for types in (self.encoder_block_types, self.decoder_block_types):
            if list(types) != [_CONVOLUTIONS] * (len(types) - 1) + [_ATTENTION]:
                raise ValueError(f"the stages {types} are not supported: only {_CONVOLUTIONS}, the last {_ATTENTION}")


class ChannelRMSNorm(nn.Module):
    """RMS norm over the channels of [B, C, H, W], in float32, with weight and bias."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, x: Tensor) -> Tensor:
        unit = x * torch.rsqrt(x.float().square().mean(1, keepdim=True) + 1e-5)
        return unit.to(x.dtype) * self.weight[:, None, None] + self.bias[:, None, None]


class ConvolutionBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = ChannelRMSNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.norm(self.conv2(F.silu(self.conv1(x))))


class GatedConvolution(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = 8 * channels
        self.conv_inverted = nn.Conv2d(channels, wide, 1)
        self.conv_depth = nn.Conv2d(wide, wide, 3, padding=1, groups=wide)
        self.conv_point = nn.Conv2d(wide // 2, channels, 1, bias=False)
        self.norm = ChannelRMSNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.conv_depth(F.silu(self.conv_inverted(x))).chunk(2, dim=1)
        return x + self.norm(self.conv_point(value * F.silu(gate)))


def _local_projection(channels: int, heads: int, kernel: int) -> nn.Sequential:
    """Queries, keys and values mixed with those near them, head by head."""
    near = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)
    mixed = nn.Conv2d(channels, channels, 1, groups=3 * heads, bias=False)
    return nn.Sequential(OrderedDict(proj_in=near, proj_out=mixed))


class MultiscaleLinearAttention(nn.Module):
    def __init__(self, channels: int, head_dim: int, kernels: Sequence[int]) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.to_q, self.to_k, self.to_v = (nn.Linear(channels, channels, bias=False) for _ in range(3))
        self.to_qkv_multiscale = nn.ModuleList(
            _local_projection(3 * channels, channels // head_dim, kernel) for kernel in kernels
        )
        self.to_out = nn.Linear(channels * (1 + len(kernels)), channels, bias=False)
        self.norm_out = ChannelRMSNorm(channels)

    def forward(self, x: Tensor, size: int) -> Tensor:
        """Two passes: the sum over all keys and values, then the queries."""
        parts = list(windows(x.shape[-1], size, CONTEXT))
        total = torch.zeros((), device=x.device)
        for part in parts:
            _, key, value = self._query_key_value(part, x)
            total = total + F.pad(value, (0, 0, 0, 1), value=1) @ key.transpose(-1, -2)
        result = torch.empty_like(x)
        for part in parts:
            query, _, _ = self._query_key_value(part, x)
            summed = total @ query
            attended = (summed[:, :, :-1] / (summed[:, :, -1:] + _EPSILON)).flatten(1, 2).to(x.dtype)
            out = self.to_out(attended.unflatten(-1, (x.shape[2], -1)).movedim(1, -1)).movedim(-1, 1)
            result[..., part.first : part.last] = self.norm_out(out) + x[..., part.first : part.last]
        return result

    def _query_key_value(self, window: Window, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [B, heads, width, positions] of one window, float32."""
        near = window.with_context(x).movedim(1, -1)
        plain = torch.cat((self.to_q(near), self.to_k(near), self.to_v(near)), dim=-1).movedim(-1, 1)
        scales = torch.cat([plain, *(project(plain) for project in self.to_qkv_multiscale)], dim=1)
        heads = window.without_context(scales).flatten(2).float().unflatten(1, (-1, 3 * self.head_dim))
        query, key, value = heads.chunk(3, dim=2)
        return F.relu(query), F.relu(key), value


class AttentionBlock(nn.Module):
    def __init__(self, channels: int, head_dim: int, kernels: Sequence[int]) -> None:
        super().__init__()
        self.attn = MultiscaleLinearAttention(channels, head_dim, kernels)
        self.conv_out = GatedConvolution(channels)

    def forward(self, x: Tensor, size: int) -> Tensor:
        return in_windows(self.conv_out, self.attn(x, size), size, 1)


class Downsample(nn.Module):
    """Half the height and width; the shortcut averages the pixels of each group of channels."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        down = self.conv(x)
        return down + F.pixel_unshuffle(x, 2).unflatten(1, (down.shape[1], -1)).mean(2)


class Upsample(nn.Module):
    """Twice the height and width; the shortcut repeats channels."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, padding=1)
        self.repeats = 4 * out // channels

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2)) + F.pixel_shuffle(x.repeat_interleave(self.repeats, 1), 2)


class MelEncoder(nn.Module):
    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        channels, (*counts, last) = config.encoder_block_out_channels, config.encoder_layers_per_block
        attention = channels[-1], config.attention_head_dim, config.encoder_qkv_multiscales[-1]
        self.conv_in = nn.Conv2d(config.in_channels, channels[0], 3, padding=1)
        self.down_blocks = nn.ModuleList(
            nn.Sequential(*(ConvolutionBlock(here) for _ in range(count)), Downsample(here, coarser))
            for (here, coarser), count in zip(pairwise(channels), counts, strict=True)
        )
        self.down_blocks.append(nn.ModuleList(AttentionBlock(*attention) for _ in range(last)))
        self.conv_out = nn.Conv2d(channels[-1], config.latent_channels, 3, padding=1)

    def forward(self, mel: Tensor, size: int, *, per_frame: int) -> Tensor:
        """Log-mel [B, 2, 128, per_frame T] to latents; `size` is the window in latent frames."""
        *fine, coarse = self.down_blocks
        x = in_windows(nn.Sequential(self.conv_in, *fine), mel, size, CONTEXT, per_frame=per_frame)
        for block in cast("nn.ModuleList", coarse):
            x = block(x, size)
        latents = self.conv_out(x)
        return latents + x.unflatten(1, (latents.shape[1], -1)).mean(2)


class MelDecoder(nn.Module):
    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        channels, (*counts, last) = config.decoder_block_out_channels, config.decoder_layers_per_block
        attention = channels[-1], config.attention_head_dim, config.decoder_qkv_multiscales[-1]
        self.conv_in = nn.Conv2d(config.latent_channels, channels[-1], 3, padding=1)
        self.up_blocks = nn.ModuleList(
            nn.Sequential(Upsample(coarser, here), *(ConvolutionBlock(here) for _ in range(count)))
            for (here, coarser), count in zip(pairwise(channels), counts, strict=True)
        )
        self.up_blocks.append(nn.ModuleList(AttentionBlock(*attention) for _ in range(last)))
        self.norm_out = ChannelRMSNorm(channels[0])
        self.conv_out = nn.Conv2d(channels[0], config.in_channels, 3, padding=1)

    def coarse(self, z: Tensor, size: int) -> Tensor:
        """The first stage, which has the attention: latents [B, 8, 16, T] to features [B, C, 16, T]."""
        x = self.conv_in(z)
        x = x + z.repeat_interleave(x.shape[1] // z.shape[1], dim=1)
        for block in cast("nn.ModuleList", self.up_blocks[-1]):
            x = block(x, size)
        return x

    def fine(self, x: Tensor) -> Tensor:
        """The other stages: features [B, C, 16, T] to log-mel [B, 2, 128, 8 T]."""
        *stages, _ = self.up_blocks
        for stage in reversed(stages):
            x = stage(x)
        return self.conv_out(F.relu(self.norm_out(x)))


class Autoencoder(nn.Module):
    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.encoder = MelEncoder(config)
        self.decoder = MelDecoder(config)
