"""A long song through the autoencoder in pieces, with the result of one pass.

Convolutions see a second or so: they run in windows that overlap by more than that. Attention sees the whole song,
but linear attention needs of it only a sum over all keys, which is collected window by window first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

CONTEXT = 24
"""Latent frames that a window sees on each side beyond itself: more than autoencoder and vocoder together reach."""


@dataclass(frozen=True, slots=True)
class Window:
    """The frames `first` to `last`, and those from `begin` to `end` that are looked at for them."""

    first: int
    last: int
    begin: int
    end: int

    def of(self, x: Tensor, scale: int = 1) -> Tensor:
        """The part of x that is looked at; x has `scale` columns for each frame."""
        return x[..., self.begin * scale : self.end * scale]

    def own(self, x: Tensor, scale: int = 1) -> Tensor:
        """Of what was made from `of`, the window's own part."""
        return x[..., (self.first - self.begin) * scale : (self.last - self.begin) * scale]


def windows(length: int, size: int, context: int) -> Iterator[Window]:
    for first in range(0, length, size):
        last = min(first + size, length)
        yield Window(first, last, max(0, first - context), min(length, last + context))


def in_windows(run: Callable[[Tensor], Tensor], x: Tensor, size: int, context: int, *, per_frame: int = 1) -> Tensor:
    """`run` on x, whose last dimension has `per_frame` columns for each one of the result."""
    parts = windows(x.shape[-1] // per_frame, size, context)
    return torch.cat([window.own(run(window.of(x, per_frame))) for window in parts], dim=-1)


def coarse_decoded(decoder: Any, z: Tensor, size: int) -> Tensor:
    """The decoder's first stage, the one with attention: latents [B, 8, 16, T] to features [B, C, 16, T]."""
    x = decoder.conv_in(z)
    if decoder.in_shortcut:
        x = x + z.repeat_interleave(decoder.in_shortcut_repeats, dim=1)
    return _stage(decoder.up_blocks[-1], x, size)


def fine_decoded(decoder: Any, x: Tensor) -> Tensor:
    """The other stages: features [B, C, 16, T] to log-mel [B, 2, 128, 8 T]."""
    for stage in reversed(decoder.up_blocks[:-1]):
        x = stage(x)
    x = decoder.norm_out(x.movedim(1, -1)).movedim(-1, 1)
    return decoder.conv_out(decoder.conv_act(x))


def encoded(encoder: Any, mel: Tensor, size: int, *, per_frame: int) -> Tensor:
    """Log-mel [B, 2, 128, per_frame T] to latents [B, 8, 16, T]."""

    def fine(x: Tensor) -> Tensor:
        x = encoder.conv_in(x)
        for stage in encoder.down_blocks[:-1]:
            x = stage(x)
        return x

    x = _stage(encoder.down_blocks[-1], in_windows(fine, mel, size, CONTEXT, per_frame=per_frame), size)
    latents = encoder.conv_out(x)
    if encoder.out_shortcut:
        latents = latents + x.unflatten(1, (-1, encoder.out_shortcut_average_group_size)).mean(dim=2)
    return latents


def _stage(blocks: Any, x: Tensor, size: int) -> Tensor:
    for block in blocks:
        if hasattr(block, "attn"):
            x = in_windows(block.conv_out, _attended(block.attn, x, size), size, 1)
        else:
            x = in_windows(block, x, size, CONTEXT)
    return x


def _attended(attn: Any, x: Tensor, size: int) -> Tensor:
    """Run diffusers' SanaMultiscaleLinearAttention in two passes: the sum over all keys, then the queries.

    It takes another formula for a handful of positions, which gives the same numbers.
    """
    pieces = list(windows(x.shape[-1], size, CONTEXT))
    total = torch.zeros((), device=x.device)
    for piece in pieces:
        _, key, value = _features(attn, piece, x)
        total = total + F.pad(value, (0, 0, 0, 1), value=1) @ key.transpose(-1, -2)
    result = torch.empty_like(x)
    for piece in pieces:
        query, _, _ = _features(attn, piece, x)
        mixed = total @ query
        mixed = (mixed[:, :, :-1] / (mixed[:, :, -1:] + attn.eps)).flatten(1, 2).unflatten(-1, (x.shape[2], -1))
        own = attn.norm_out(attn.to_out(mixed.to(x.dtype).movedim(1, -1))).movedim(-1, 1)
        here = x[..., piece.first : piece.last]
        result[..., piece.first : piece.last] = own + here if attn.residual_connection else own
    return result


def _features(attn: Any, piece: Window, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values [B, heads, width, positions] of one window, float32."""
    near = piece.of(x).movedim(1, -1)
    plain = torch.cat((attn.to_q(near), attn.to_k(near), attn.to_v(near)), dim=-1).movedim(-1, 1)
    scales = torch.cat([plain, *(scale(plain) for scale in attn.to_qkv_multiscale)], dim=1)
    own = piece.own(scales).flatten(2).float().unflatten(1, (-1, 3 * attn.attention_head_dim))
    query, key, value = own.chunk(3, dim=2)
    return attn.nonlinearity(query), attn.nonlinearity(key), value
