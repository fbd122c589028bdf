"""The condition encoder: speaker, tags and lyrics as one sequence for the transformer's cross-attention."""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

from acestep_mcp.engines.ace_step_v1.transformer import WEAKENED, TransformerConfig

Tokens = tuple[Tensor, Tensor]
"""Their ids [B, N] or hidden states [B, N, width], and a mask [B, N] that is 1 for the valid ones."""
WEAKENED_LAYERS = (4, 5)
_ROWS = 512
"""Query rows at a time: all scores of a long lyric at once would not fit in memory."""


class RelativeAttention(nn.Module):
    """Attention with Transformer-XL relative positions."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear_q, self.linear_k, self.linear_v = (nn.Linear(width, width) for _ in range(3))
        self.linear_out = nn.Linear(width, width)
        self.linear_pos = nn.Linear(width, width, bias=False)
        self.pos_bias_u = nn.Parameter(torch.empty(heads, width // heads))
        self.pos_bias_v = nn.Parameter(torch.empty(heads, width // heads))

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor, query_scale: float) -> Tensor:
        """`x` [B, T, D]; `positions` [2T - 1, D], the largest relative position first; `mask` [B, T]."""
        q = self._split(self.linear_q(x) * query_scale)
        k, v = self._split(self.linear_k(x)), self._split(self.linear_v(x))
        p = self._split(self.linear_pos(positions)[None])
        parts = zip(range(0, x.shape[1], _ROWS), q.split(_ROWS, dim=2), strict=True)
        rows = [self._rows(part, first, k, v, p, mask) for first, part in parts]
        return self.linear_out(torch.cat(rows, dim=2).transpose(1, 2).flatten(2))

    def _rows(self, q: Tensor, first: int, k: Tensor, v: Tensor, p: Tensor, mask: Tensor) -> Tensor:
        """Attention of the query rows from `first` on to all keys."""
        count, length = q.shape[2], k.shape[2]
        u_bias, v_bias = self.pos_bias_u[:, None], self.pos_bias_v[:, None]
        # Row i uses the positions i to i - (T - 1): all rows together use one contiguous range.
        begin = length - first - count
        needed = p[:, :, begin : begin + length + count - 1]
        scores = (q + u_bias) @ k.transpose(-1, -2) + _align((q + v_bias) @ needed.transpose(-1, -2), length)
        masked = ~mask.bool()[:, None, None]
        weights = (scores / math.sqrt(q.shape[-1])).masked_fill(masked, -torch.inf).softmax(-1)
        return weights.masked_fill(masked, 0) @ v

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _align(scores: Tensor, length: int) -> Tensor:
    """Shift row r of scores [..., rows, length + rows - 1] left by rows - 1 - r, and keep `length` columns."""
    rows, width = scores.shape[-2:]
    if rows == 1:
        return scores
    shifted = scores.flatten(-2)[..., rows - 1 : rows - 1 + rows * (width - 1)]
    return shifted.unflatten(-1, (rows, width - 1))[..., :length]


class LyricLayer(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width, wide = config.lyric_hidden_size, config.lyric_encoder_ff_size
        self.self_attn = RelativeAttention(width, config.lyric_encoder_num_heads)
        self.norm_mha = nn.LayerNorm(width, eps=1e-5)
        self.norm_ff = nn.LayerNorm(width, eps=1e-5)
        layers = {"w_1": nn.Linear(width, wide), "activation": nn.SiLU(), "w_2": nn.Linear(wide, width)}
        self.feed_forward = nn.Sequential(OrderedDict(layers))

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor, query_scale: float) -> Tensor:
        x = x + self.self_attn(self.norm_mha(x), positions, mask, query_scale)
        return x + self.feed_forward(self.norm_ff(x))


class LyricEncoder(nn.Module):
    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        width = config.lyric_hidden_size
        out = nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width, eps=1e-5))
        self.embed = nn.Sequential(OrderedDict(out=out))
        self.encoders = nn.ModuleList(LyricLayer(config) for _ in range(config.lyric_encoder_num_layers))
        self.after_norm = nn.LayerNorm(width, eps=1e-5)

    def forward(self, x: Tensor, mask: Tensor, *, weakened: bool) -> Tensor:
        x = self.embed(x) * math.sqrt(x.shape[-1])
        positions = _sinusoids(x.shape[1], x.shape[2], x.device).to(x.dtype)
        for number, layer in enumerate(self.encoders):
            x = layer(x, positions, mask, WEAKENED if weakened and number in WEAKENED_LAYERS else 1.0)
        return self.after_norm(x)


def _sinusoids(length: int, width: int, device: torch.device) -> Tensor:
    """[2 length - 1, width] for the relative positions length - 1 .. 1 - length: sines in even columns, cosines in odd ones, base 10,000."""
    positions = torch.arange(length - 1, -length, -1, device=device, dtype=torch.float32)
    frequencies = torch.exp(-math.log(10_000) / width * torch.arange(0, width, 2, device=device, dtype=torch.float32))
    angles = torch.outer(positions, frequencies)
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)


class ConditionEncoder(nn.Module):
    """One sequence [B, 1 + text + lyric, D] and its mask."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.speaker_width = config.speaker_embedding_dim
        self.speaker_embedder = nn.Linear(config.speaker_embedding_dim, config.inner_dim)
        self.genre_embedder = nn.Linear(config.text_embedding_dim, config.inner_dim)
        self.lyric_embs = nn.Embedding(config.lyric_encoder_vocab_size, config.lyric_hidden_size)
        self.lyric_encoder = LyricEncoder(config)
        self.lyric_proj = nn.Linear(config.lyric_hidden_size, config.inner_dim)

    def forward(self, text: Tokens, lyric: Tokens, speaker: Tensor | None = None, *, weakened: bool = False) -> Tokens:
        """`text`: hidden states [B, n, text width] and mask; `lyric`: ids [B, m] and mask. A missing speaker is zeros.

        `weakened` scales down the queries of two layers of the lyric encoder.
        """
        dtype = self.speaker_embedder.weight.dtype
        hidden, text_mask = text
        ids, lyric_mask = lyric
        if speaker is None:
            speaker = torch.zeros(len(ids), self.speaker_width, device=ids.device)
        lyric_tokens = self.lyric_proj(self.lyric_encoder(self.lyric_embs(ids), lyric_mask, weakened=weakened))
        speaker_token, text_tokens = self.speaker_embedder(speaker.to(dtype)), self.genre_embedder(hidden.to(dtype))
        tokens = torch.cat((speaker_token[:, None], text_tokens, lyric_tokens), dim=1)
        return tokens, torch.cat((torch.ones_like(text_mask[:, :1]), text_mask, lyric_mask), dim=1)
