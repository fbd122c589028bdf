"""The diffusion transformer: velocity from latents, timestep and condition.

Formulas are the published model's. Shapes are [B, T, D], with one token per latent frame and the inner width D.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from acestep_mcp.engines.ace_step_v1.attention import CrossAttention, LinearAttention, rotary_table

WEAKENED = 0.01
"""Factor on queries in a weakened prediction."""
WEAKENED_BLOCKS = range(15, 20)
_TIME_WIDTH = 256
_CPU_FRAMES = 32
"""Frames per step of the feed-forward on a CPU, few enough to stay in its cache."""
_PATCH_WIDTH = 256
"""Channels of the patch embedding per latent channel."""
_PATCH_GROUPS = 32


@dataclass(frozen=True, slots=True)
class TransformerConfig:
    """Fields as in the checkpoint's config.json; the published model does not vary other sizes."""

    in_channels: int = 8
    out_channels: int = 8
    num_layers: int = 24
    inner_dim: int = 2560
    attention_head_dim: int = 128
    num_attention_heads: int = 20
    mlp_ratio: float = 2.5
    rope_theta: float = 1e6
    speaker_embedding_dim: int = 512
    text_embedding_dim: int = 768
    lyric_encoder_vocab_size: int = 6693
    lyric_hidden_size: int = 1024
    lyric_encoder_num_layers: int = 6
    lyric_encoder_num_heads: int = 16
    lyric_encoder_ff_size: int = 4096
    max_height: int = 16


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """RMS norm without weight (eps 1e-6), in float32, then shift and scale, both [B, 1, D]."""
    size = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
    unit = torch.rsqrt(size.square() / x.shape[-1] + 1e-6).to(x.dtype)
    return torch.addcmul(shift, x * unit, 1 + scale)


class Conv(nn.Module):
    """A layer in a module of its own, as the checkpoint's names have it."""

    def __init__(self, conv: nn.Linear | nn.Conv1d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class FeedForward(nn.Module):
    """A gated feed-forward with a depthwise convolution over time.

    The convolution is written as three products, which keep the memory layout and can be fused by a compiler.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        hidden = int(config.inner_dim * config.mlp_ratio)
        self.inverted_conv = Conv(nn.Linear(config.inner_dim, 2 * hidden))
        self.depth_conv = Conv(nn.Conv1d(2 * hidden, 2 * hidden, 3, groups=2 * hidden))
        self.point_conv = Conv(nn.Linear(hidden, config.inner_dim, bias=False))

    def forward(self, x: Tensor, frame_mask: Tensor | None, buffer: Tensor | None) -> Tensor:
        """`buffer` [B, T, 2 hidden] is reused for the hidden features at every step, if given: on a CPU."""
        if buffer is not None:
            return self._in_cache(x, buffer[: len(x)])
        hidden = F.silu(self.inverted_conv(x))
        if frame_mask is not None:
            hidden = hidden * frame_mask
        return self.point_conv(self._gated(F.pad(hidden, (0, 0, 1, 1))))

    def _in_cache(self, x: Tensor, buffer: Tensor) -> Tensor:
        """The same, convolved and gated one item and a few frames at a time, so that they stay in a CPU's cache."""
        widen, length = self.inverted_conv.conv, x.shape[1]
        torch.addmm(cast("Tensor", widen.bias), x.flatten(0, 1), widen.weight.T, out=buffer.flatten(0, 1))
        gated = x.new_empty(*x.shape[:2], self.point_conv.conv.weight.shape[1])
        for hidden, out in zip(buffer, gated, strict=True):
            for first in range(0, length, _CPU_FRAMES):
                last = min(first + _CPU_FRAMES, length)
                part = F.silu(hidden[max(0, first - 1) : last + 1])
                if first == 0 or last == length:
                    part = F.pad(part, (0, 0, int(first == 0), int(last == length)))
                self._gated(part, out[first:last])
        return self.point_conv(gated)

    def _gated(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """Convolves and gates hidden features [..., T + 2, 2 hidden], which have a frame before and one after."""
        before, here, after = self.depth_conv.conv.weight.squeeze(1).T.contiguous()
        bias = cast("Tensor", self.depth_conv.conv.bias)
        mixed = torch.addcmul(bias, x[..., 1:-1, :], here)
        mixed = mixed.addcmul_(x[..., :-2, :], before).addcmul_(x[..., 2:, :], after)
        value, gate = mixed.chunk(2, dim=-1)
        return torch.mul(value, F.silu(gate, inplace=True), out=out)


class Context(NamedTuple):
    """The `StepContext` of a batch of B conditions.

    `rotary` [2, T or N, 1, width]: the rotary table; `buffer`: memory for the feed-forwards on a CPU, which is not used
    with a frame mask; `keys_values` [B, blocks, 2, heads, N, width]: the condition's for each cross-attention; `mask` [B, 1,
    1, N]: 0 for the condition's valid tokens, minus infinity for the others; `query_scale` [B, 1, 1, 1]: the factor on
    queries in the weakened blocks; `frame_mask` [B, T, 1]: 0 for padding.
    """

    rotary: Tensor
    buffer: Tensor | None
    keys_values: Tensor
    mask: Tensor
    query_scale: Tensor
    frame_mask: Tensor | None = None

    @property
    def conditions(self) -> int:
        return len(self.mask)

    @property
    def tokens(self) -> int:
        return self.mask.shape[-1]

    def rows(self) -> list[Tensor]:
        rows = [self.keys_values, self.mask, self.query_scale]
        return rows if self.frame_mask is None else [*rows, self.frame_mask]

    def lengths(self) -> list[tuple[Tensor, int]]:
        lengths = [(self.rotary, 1), (self.keys_values, 4), (self.mask, 3)]
        return lengths if self.frame_mask is None else [*lengths, (self.frame_mask, 1)]

    def first(self, conditions: int) -> Context:
        return Context(self.rotary, self.buffer, *(each[:conditions] for each in self.rows()))

    def without_memory(self) -> Context:
        return self._replace(buffer=None)

    def copy_row(self, row: int, given: Context, condition: int, frames: int) -> None:
        tokens = given.tokens
        self.keys_values[row, ..., :tokens, :], self.keys_values[row, ..., tokens:, :] = given.keys_values[condition], 0
        self.mask[row, ..., :tokens], self.mask[row, ..., tokens:] = given.mask[condition], -torch.inf
        self.query_scale[row] = given.query_scale[condition]
        if self.frame_mask is not None:
            self.frame_mask[row, :frames], self.frame_mask[row, frames:] = 1, 0


class TransformerBlock(nn.Module):
    def __init__(self, config: TransformerConfig, *, weakened: bool) -> None:
        super().__init__()
        self.weakened = weakened
        self.scale_shift_table = nn.Parameter(torch.empty(6, config.inner_dim))
        self.attn = LinearAttention(config.inner_dim, config.num_attention_heads)
        self.cross_attn = CrossAttention(config.inner_dim, config.num_attention_heads)
        self.ff = FeedForward(config)

    def forward(self, x: Tensor, time: Tensor, context: Context, keys_values: Tensor) -> Tensor:
        """`time` [B, 6, D]: shift, scale and gate of the attention, then of the feed-forward."""
        shift, scale, gate, shift_ff, scale_ff, gate_ff = (self.scale_shift_table + time).unsqueeze(2).unbind(1)
        rotary = context.rotary[:, : x.shape[1]]
        query_scale = context.query_scale if self.weakened else None
        x = torch.addcmul(x, gate, self.attn(modulate(x, shift, scale), rotary, context.frame_mask))
        x = x + self.cross_attn(x, rotary, keys_values, context.mask, query_scale)
        return x.addcmul_(gate_ff, self.ff(modulate(x, shift_ff, scale_ff), context.frame_mask, context.buffer))


class PatchEmbedding(nn.Module):
    """Latents [B, channels, height, T] as one token per frame."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width = config.in_channels * _PATCH_WIDTH
        self.early_conv_layers = nn.Sequential(
            nn.Linear(config.in_channels * config.max_height, width),
            nn.GroupNorm(_PATCH_GROUPS, width, eps=1e-6),
            nn.Linear(width, config.inner_dim),
        )

    def forward(self, latents: Tensor, frame_mask: Tensor | None) -> Tensor:
        widen, norm, narrow = cast("tuple[nn.Linear, nn.GroupNorm, nn.Linear]", tuple(self.early_conv_layers))
        x = widen(latents.flatten(1, 2).transpose(1, 2))
        # GroupNorm for channels-last features, of the frames that are no padding.
        groups = x.float().unflatten(-1, (_PATCH_GROUPS, -1))
        weight = torch.ones_like(groups[..., :1, :1]) if frame_mask is None else frame_mask.float()[..., None]
        count = weight.sum(1, keepdim=True) * groups.shape[-1]
        centred = groups - (groups * weight).sum((1, 3), keepdim=True) / count
        variance = (centred.square() * weight).sum((1, 3), keepdim=True) / count
        unit = (centred * torch.rsqrt(variance + norm.eps)).flatten(2)
        return narrow(torch.addcmul(norm.bias, unit, norm.weight).to(x.dtype))


class TimeEmbedding(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(_TIME_WIDTH, config.inner_dim)
        self.linear_2 = nn.Linear(config.inner_dim, config.inner_dim)

    def forward(self, timestep: Tensor) -> Tensor:
        """`timestep` [B] in 0..1000: a sinusoid, cosines first, with base 10,000."""
        half = _TIME_WIDTH // 2
        steps = torch.arange(half, device=timestep.device, dtype=torch.float32)
        angles = timestep.float()[:, None] * torch.exp(-math.log(10_000) / half * steps)
        sinusoid = torch.cat((angles.cos(), angles.sin()), dim=-1)
        return self.linear_2(F.silu(self.linear_1(sinusoid.to(self.linear_1.weight.dtype))))


class FinalLayer(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.scale_shift_table = nn.Parameter(torch.empty(2, config.inner_dim))
        self.linear = nn.Linear(config.inner_dim, config.out_channels * config.max_height)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        shift, scale = (self.scale_shift_table + time[:, None]).unsqueeze(2).unbind(1)
        return self.linear(modulate(x, shift, scale))


class Transformer(nn.Module):
    """A `StepModel`: velocities of latents [B, channels, height, T]."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.proj_in = PatchEmbedding(config)
        self.timestep_embedder = TimeEmbedding(config)
        self.t_block = nn.Sequential(nn.SiLU(), nn.Linear(config.inner_dim, 6 * config.inner_dim))
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(config, weakened=n in WEAKENED_BLOCKS) for n in range(config.num_layers)
        )
        self.final_layer = FinalLayer(config)

    def context(self, condition: Tensor, mask: Tensor, frames: int, weakened: Tensor | None = None) -> Context:
        batch, tokens, _ = condition.shape
        context = self.static_context(batch, frames, tokens)
        rotary = context.rotary[:, :tokens]
        for number, block in enumerate(self.transformer_blocks):
            cross_attention = cast("TransformerBlock", block).cross_attn
            cross_attention.write_keys_values(condition, rotary, context.keys_values[:, number])
        context.mask.fill_(-torch.inf).masked_fill_(mask[:, None, None].bool(), 0)
        context.query_scale.fill_(1)
        if weakened is not None:
            context.query_scale.masked_fill_(weakened[:, None, None, None], WEAKENED)
        widest, buffer = cast("TransformerBlock", self.transformer_blocks[0]).ff.inverted_conv.conv.weight, None
        if widest.device.type == "cpu" and type(widest.data) is Tensor:  # not quantised
            # Fresh memory is slow on a CPU, since its pages are mapped one by one.
            buffer = widest.new_empty(batch, frames, len(widest))
        return context._replace(frame_mask=None, buffer=buffer)

    def static_context(self, conditions: int, frames: int, tokens: int) -> Context:
        weight, config = self.final_layer.linear.weight, self.config
        rotary = rotary_table(max(frames, tokens), config.attention_head_dim, config.rope_theta, weight.device)
        heads = (config.num_attention_heads, tokens, config.attention_head_dim)
        keys_values = weight.new_empty(conditions, config.num_layers, 2, *heads)
        mask, query_scale = (weight.new_empty(conditions, 1, 1, size) for size in (tokens, 1))
        return Context(rotary, None, keys_values, mask, query_scale, weight.new_empty(conditions, frames, 1))

    def empty_latents(self, conditions: int, frames: int) -> Tensor:
        shape = (conditions, self.config.in_channels, self.config.max_height, frames)
        return self.final_layer.linear.weight.new_zeros(shape, dtype=torch.float32)

    def forward(self, latents: Tensor, timestep: Tensor, context: Context) -> Tensor:
        """Velocity [B, channels, height, T], float32, of latents of that shape at `timestep` [B] in 0..1000.

        Latents and timestep may have one item for all B conditions of the context: up to the first cross-attention
        the predictions are then the same and computed once.
        """
        x = self.proj_in(latents.to(self.final_layer.linear.weight.dtype), context.frame_mask)
        time = self.timestep_embedder(timestep)
        blocks_time = self.t_block(time).unflatten(-1, (6, -1))
        for number, block in enumerate(self.transformer_blocks):
            x = block(x, blocks_time, context, context.keys_values[:, number])
        x = self.final_layer(x, time)
        return x.unflatten(-1, (self.config.max_height, -1)).permute(0, 3, 2, 1).float()
