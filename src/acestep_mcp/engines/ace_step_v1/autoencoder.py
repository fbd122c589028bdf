"""The mel autoencoder (diffusers' AutoencoderDC) in windows, with the result of a single pass.

Convolutions reach about a second, less than the windows overlap. Attention reaches the whole song, but it is linear: it
needs only one sum over all keys and values, which a first pass collects window by window.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from acestep_mcp.engines.model.windows import Window, in_windows, windows

CONTEXT = 24
"""Latent frames of context on each side of a window: more than the receptive field of autoencoder and vocoder."""


def decode_coarse(decoder: Any, z: Tensor, size: int) -> Tensor:
    """The decoder's first stage, which has the attention: latents [B, 8, 16, T] to features [B, C, 16, T]."""
    x = decoder.conv_in(z)
    if decoder.in_shortcut:
        x = x + z.repeat_interleave(decoder.in_shortcut_repeats, dim=1)
    return _stage(decoder.up_blocks[-1], x, size)


def decode_fine(decoder: Any, x: Tensor) -> Tensor:
    """The other stages: features [B, C, 16, T] to log-mel [B, 2, 128, 8 T]."""
    for stage in reversed(decoder.up_blocks[:-1]):
        x = stage(x)
    x = decoder.norm_out(x.movedim(1, -1)).movedim(-1, 1)
    return decoder.conv_out(decoder.conv_act(x))


def encode(encoder: Any, mel: Tensor, size: int, *, per_frame: int) -> Tensor:
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
            x = in_windows(block.conv_out, _attend(block.attn, x, size), size, 1)
        else:
            x = in_windows(block, x, size, CONTEXT)
    return x


def _attend(attn: Any, x: Tensor, size: int) -> Tensor:
    """Diffusers' SanaMultiscaleLinearAttention in two passes: the sum over all keys and values, then the queries.

    For very short inputs diffusers uses another formula, with the same result.
    """
    parts = list(windows(x.shape[-1], size, CONTEXT))
    total = torch.zeros((), device=x.device)
    for part in parts:
        _, key, value = _query_key_value(attn, part, x)
        total = total + F.pad(value, (0, 0, 0, 1), value=1) @ key.transpose(-1, -2)
    result = torch.empty_like(x)
    for part in parts:
        query, _, _ = _query_key_value(attn, part, x)
        attended = total @ query
        attended = (
            (attended[:, :, :-1] / (attended[:, :, -1:] + attn.eps)).flatten(1, 2).unflatten(-1, (x.shape[2], -1))
        )
        out = attn.norm_out(attn.to_out(attended.to(x.dtype).movedim(1, -1))).movedim(-1, 1)
        residual = x[..., part.first : part.last]
        result[..., part.first : part.last] = out + residual if attn.residual_connection else out
    return result


def _query_key_value(attn: Any, window: Window, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values [B, heads, width, positions] of one window, float32."""
    near = window.with_context(x).movedim(1, -1)
    plain = torch.cat((attn.to_q(near), attn.to_k(near), attn.to_v(near)), dim=-1).movedim(-1, 1)
    scales = torch.cat([plain, *(scale(plain) for scale in attn.to_qkv_multiscale)], dim=1)
    qkv = window.without_context(scales).flatten(2).float().unflatten(1, (-1, 3 * attn.attention_head_dim))
    query, key, value = qkv.chunk(3, dim=2)
    return attn.nonlinearity(query), attn.nonlinearity(key), value
