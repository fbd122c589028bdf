"""The diffusion transformer: latents, time and a condition in, velocity out.

Formulas are the published model's; shapes are [B, T, D] with one token per latent frame, D the inner width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WEAKENED = 0.01
"""Factor on the query projections of a weakened prediction."""
WEAKENED_BLOCKS = range(15, 20)
_TIME_WIDTH = 256
_FRAMES = 32
"""Frames of the feed-forward that a processor works on at a time."""
_PATCH_WIDTH = 256
"""Channels of the patch embedding for each channel of the latents."""


@dataclass(frozen=True, slots=True)
class Config:
    """Widths as the checkpoint's config.json names them; what it leaves out is fixed."""

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

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Self:
        return cls(**{field.name: given[field.name] for field in fields(cls) if field.name in given})


def rotary_table(length: int, width: int, theta: float, device: torch.device | None = None) -> Tensor:
    """Cosines and sines, [2, length, 1, width], float32, for heads whose even channels come first.

    The published angles are two equal halves although the rotation is of neighbours, so both channels of a pair turn
    by angles of their own: the weights were trained with that.
    """
    frequencies = 1.0 / theta ** (torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
    angles = torch.outer(torch.arange(length, device=device, dtype=torch.float32), frequencies).repeat(1, 2)
    angles = torch.cat((angles[:, 0::2], angles[:, 1::2]), dim=1)
    return torch.stack((angles.cos(), angles.sin()))[:, :, None]


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Turn x [B, T, heads, width] by its position: [B, heads, T, width], float32.

    Our query and key projections put the even channels of a head before the odd ones (`names.places` sees to it):
    halves are turned in a quarter of the time that neighbours take, and no product notices.
    """
    (cos_even, cos_odd), (sin_even, sin_odd) = (part.chunk(2, dim=-1) for part in table)
    even, odd = x.chunk(2, dim=-1)
    batch, length, heads, width = x.shape
    turned = torch.empty(batch, heads, length, width, dtype=torch.float32, device=x.device)
    inside = turned.transpose(1, 2)
    inside[..., : width // 2] = (even * cos_even).addcmul_(odd, sin_even, value=-1)
    inside[..., width // 2 :] = (odd * cos_odd).addcmul_(even, sin_odd)
    return turned


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """RMS norm without weight (eps 1e-6), in float32, then shift and scale, both [B, 1, D]."""
    size = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32)
    unit = torch.rsqrt(size.square() / x.shape[-1] + 1e-6).to(x.dtype)
    return torch.addcmul(shift, x * unit, 1 + scale)


class LinearAttention(nn.Module):
    """Self-attention with relu features: as long as the song in time and memory, not its square."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.to_qkv = nn.Linear(config.inner_dim, 3 * config.inner_dim)
        self.to_out = nn.Linear(config.inner_dim, config.inner_dim)

    def forward(self, x: Tensor, table: Tensor, frames: Tensor | None) -> Tensor:
        """`frames` [1, T, 1]: 1 where there is music; the padding's keys are zero and so nobody hears them.

        A factor on the queries would cancel between numerator and denominator, so weakening has no place here.
        """
        q, k, v = self.to_qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2)
        q, k, v = rotate(q, table).relu_(), rotate(k, table).relu_(), v.transpose(1, 2).float()
        if frames is not None:
            k = k * frames[:, None]
        heard = (q @ (k.transpose(-1, -2) @ v)).div_(q @ k.sum(-2)[..., None] + 1e-15)
        return self.to_out(heard.transpose(1, 2).flatten(2).to(x.dtype))


class CrossAttention(nn.Module):
    """Attention of the music to the condition, whose keys and values are the same at every step."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.to_q = nn.Linear(config.inner_dim, config.inner_dim)
        self.to_kv = nn.Linear(config.inner_dim, 2 * config.inner_dim)
        self.to_out = nn.Linear(config.inner_dim, config.inner_dim)

    def keys_values(self, condition: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        k, v = self.to_kv(condition).unflatten(-1, (2, self.heads, -1)).unbind(2)
        return rotate(k, table).to(v.dtype), v.transpose(1, 2).contiguous()

    def forward(
        self, x: Tensor, table: Tensor, keys_values: tuple[Tensor, Tensor], mask: Tensor, strength: Tensor | None
    ) -> Tensor:
        """`strength` [B, 1, 1, 1] is the factor on each item's queries."""
        q = rotate(self.to_q(x).unflatten(-1, (self.heads, -1)), table)
        q = q.expand(len(mask), -1, -1, -1) if strength is None else q * strength
        out = F.scaled_dot_product_attention(q.to(x.dtype), *keys_values, attn_mask=mask)
        return self.to_out(out.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """Widen, mix neighbours in time, gate, narrow.

    The depthwise convolution is three products: the song stays in its layout, and they fuse where there is a compiler.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        hidden = int(config.inner_dim * config.mlp_ratio)
        self.widen = nn.Linear(config.inner_dim, 2 * hidden)
        self.taps = nn.Parameter(torch.empty(3, 2 * hidden))
        self.taps_bias = nn.Parameter(torch.empty(2 * hidden))
        self.narrow = nn.Linear(hidden, config.inner_dim, bias=False)

    def forward(self, x: Tensor, frames: Tensor | None, room: Tensor | None) -> Tensor:
        """`room` [songs, T, 2 hidden] takes the widened song where the same memory is to be used at every step."""
        if room is None:
            wide = F.linear(x, self.widen.weight)
        else:
            wide = room[: len(x)]
            torch.mm(x.flatten(0, 1), self.widen.weight.T, out=wide.flatten(0, 1))
        if x.device.type != "cpu":
            value, gate = self._mixed(wide, frames, 0, x.shape[1])
            return self.narrow(value * gate)
        # A processor goes through one song at a time, a few frames at a time: they stay in its cache.
        gated = x.new_empty(*x.shape[:2], self.narrow.in_features)
        for song, into in zip(wide.split(1), gated.split(1), strict=True):
            for first in range(0, x.shape[1], _FRAMES):
                value, gate = self._mixed(song, frames, first, min(first + _FRAMES, x.shape[1]))
                torch.mul(value, gate, out=into[:, first : first + _FRAMES])
        return self.narrow(gated)

    def _mixed(self, wide: Tensor, frames: Tensor | None, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Values and gates of the frames `first` to `last`."""
        begin, end = max(0, first - 1), min(last + 1, wide.shape[1])
        x = F.silu(wide[:, begin:end] + self.widen.bias, inplace=True)
        if frames is not None:
            x *= frames[:, begin:end]
        before, here, after = self.taps
        mixed = torch.addcmul(self.taps_bias, x[:, first - begin : last - begin], here)
        mixed[:, int(begin == first) :].addcmul_(x[:, : last - 1 - begin], before)
        mixed[:, : end - 1 - first].addcmul_(x[:, first + 1 - begin :], after)
        value, gate = mixed.chunk(2, dim=-1)
        return value, F.silu(gate, inplace=True)


@dataclass(frozen=True, slots=True)
class Context:
    """What stays the same at every step of a run, for each item of a batch.

    `table` is the rotary table of the frames, `keys_values` the condition as each block's cross-attention sees it,
    `mask` [B, 1, 1, N] which of its tokens count, `strength` [B, 1, 1, 1] the factor on queries in the weakened
    blocks, `frames` [1, T, 1] where there is music and not padding, `room` memory for the feed-forwards.
    """

    table: Tensor
    keys_values: list[tuple[Tensor, Tensor]]
    mask: Tensor
    strength: Tensor | None = None
    frames: Tensor | None = None
    room: Tensor | None = None

    def first(self, items: int) -> Context:
        """The context of the first items alone."""
        keys_values = [(keys[:items], values[:items]) for keys, values in self.keys_values]
        strength = None if self.strength is None else self.strength[:items]
        return replace(self, keys_values=keys_values, mask=self.mask[:items], strength=strength)


class Block(nn.Module):
    def __init__(self, config: Config, *, weakens: bool) -> None:
        super().__init__()
        self.weakens = weakens
        self.scale_shift_table = nn.Parameter(torch.empty(6, config.inner_dim))
        self.attn = LinearAttention(config)
        self.cross_attn = CrossAttention(config)
        self.ff = FeedForward(config)

    def forward(self, x: Tensor, time: Tensor, context: Context, keys_values: tuple[Tensor, Tensor]) -> Tensor:
        """`time` [B, 6, D]: shift, scale and gate of the attention, then of the feed-forward."""
        shift, scale, gate, shift_ff, scale_ff, gate_ff = (self.scale_shift_table + time).unsqueeze(2).unbind(1)
        strength = context.strength if self.weakens else None
        x = torch.addcmul(x, gate, self.attn(modulate(x, shift, scale), context.table, context.frames))
        x = x + self.cross_attn(x, context.table, keys_values, context.mask, strength)
        return x.addcmul_(gate_ff, self.ff(modulate(x, shift_ff, scale_ff), context.frames, context.room))


class Patch(nn.Module):
    """Latents [B, channels, height, T] as one token per frame."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.in_channels * _PATCH_WIDTH
        self.project = nn.Linear(config.in_channels * config.max_height, width)
        self.norm = nn.GroupNorm(32, width, eps=1e-6)
        self.narrow = nn.Linear(width, config.inner_dim)

    def forward(self, latents: Tensor) -> Tensor:
        x = self.project(latents.flatten(1, 2).transpose(1, 2))
        # GroupNorm in our layout: its scale and shift of each channel, applied in one pass.
        variance, mean = torch.var_mean(x.float().unflatten(-1, (32, -1)), dim=(1, 3), correction=0)
        per_channel = x.shape[-1] // 32
        scale = self.norm.weight * torch.rsqrt(variance + self.norm.eps).repeat_interleave(per_channel, dim=1)
        shift = self.norm.bias - mean.repeat_interleave(per_channel, dim=1) * scale
        return self.narrow(torch.addcmul(shift[:, None], x, scale[:, None]).to(x.dtype))


class TimeEmbedding(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(_TIME_WIDTH, config.inner_dim)
        self.linear_2 = nn.Linear(config.inner_dim, config.inner_dim)

    def forward(self, timestep: Tensor) -> Tensor:
        """`timestep` [B] in 0..1000: a sinusoid with the cosines first, period up to 10,000."""
        half = _TIME_WIDTH // 2
        steps = torch.arange(half, device=timestep.device, dtype=torch.float32)
        angles = timestep.float()[:, None] * torch.exp(-math.log(10_000) / half * steps)
        sinusoid = torch.cat((angles.cos(), angles.sin()), dim=-1)
        return self.linear_2(F.silu(self.linear_1(sinusoid.to(self.linear_1.weight.dtype))))


class Transformer(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.patch = Patch(config)
        self.time = TimeEmbedding(config)
        self.time_block = nn.Linear(config.inner_dim, 6 * config.inner_dim)
        self.blocks = nn.ModuleList(Block(config, weakens=n in WEAKENED_BLOCKS) for n in range(config.num_layers))
        self.final_table = nn.Parameter(torch.empty(2, config.inner_dim))
        self.final = nn.Linear(config.inner_dim, config.out_channels * config.max_height)
        self.bucket = 1
        """Frames and condition tokens are padded to a multiple of this."""

    def compile_blocks(self, *, bucket: int = 64, **options: Any) -> None:
        """Let torch compile the blocks, which are one code, at their first use for each padded length.

        `options` go to `torch.compile`. What was compiled is kept on disk for the next process.
        """
        self.bucket = bucket
        for block in self.blocks:
            block.compile(**options)

    def context(self, condition: Tensor, mask: Tensor, frames: int, weakened: Tensor | None = None) -> Context:
        """For `frames` latent frames under `condition` [B, N, D], whose tokens count where `mask` [B, N] says.

        `weakened` [B] is true for the items whose queries are weakened.
        """
        length = self._padded(frames)
        condition = F.pad(condition, (0, 0, 0, self._padded(condition.shape[1]) - condition.shape[1]))
        mask = F.pad(mask, (0, condition.shape[1] - mask.shape[1]))
        table = self._table(max(condition.shape[1], length), condition.device)
        tokens = table[:, : condition.shape[1]]
        blocks = cast("list[Block]", list(self.blocks))
        keys_values = [block.cross_attn.keys_values(condition, tokens) for block in blocks]
        strength = None
        if weakened is not None:
            strength = torch.where(weakened, WEAKENED, 1.0)[:, None, None, None]
        music = None
        if self.bucket > 1:
            music = (torch.arange(length, device=condition.device) < frames)[None, :, None].to(condition.dtype)
        return Context(
            table[:, :length],
            keys_values,
            mask[:, None, None].bool(),
            strength,
            music,
            self._room(len(condition), length),
        )

    def _room(self, songs: int, length: int) -> Tensor | None:
        """On a processor new memory is slow: its pages come one by one."""
        weight = cast("Block", self.blocks[0]).ff.widen.weight
        if weight.device.type != "cpu" or type(weight.data) is not Tensor or self.bucket > 1:
            return None
        return weight.new_empty(songs, length, len(weight))

    def _padded(self, length: int) -> int:
        return length + -length % self.bucket

    def forward(self, latents: Tensor, timestep: Tensor, context: Context) -> Tensor:
        """Velocity [B, channels, height, T], float32, of latents of this shape at `timestep` [B] in 0..1000.

        One song and one timestep for all of the context's B conditions do: as far as the first cross-attention their
        predictions are the same and are computed once.
        """
        x = self.patch(latents.to(self.final.weight.dtype))
        time = self.time(timestep)
        x = F.pad(x, (0, 0, 0, context.table.shape[1] - x.shape[1]))
        blocks_time = self.time_block(F.silu(time)).unflatten(-1, (6, -1))
        for block, keys_values in zip(self.blocks, context.keys_values, strict=True):
            x = block(x, blocks_time, context, keys_values)
        x = x[:, : latents.shape[-1]]
        shift, scale = (self.final_table + time[:, None]).unsqueeze(2).unbind(1)
        x = self.final(modulate(x, shift, scale))
        return x.unflatten(-1, (self.config.max_height, -1)).permute(0, 3, 2, 1).float()

    def _table(self, length: int, device: torch.device) -> Tensor:
        return rotary_table(length, self.config.attention_head_dim, self.config.rope_theta, device)
