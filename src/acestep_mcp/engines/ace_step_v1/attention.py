"""Linear self-attention and cross-attention with rotary position embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def rotary_table(length: int, width: int, theta: float, device: torch.device | None = None) -> Tensor:
    """Cosines and sines, [2, length, 1, width], float32.

    The published table repeats its angles in two halves but rotates neighbouring channels, so the channels of a pair have
    different angles. The weights were trained that way.
    """
    frequencies = 1.0 / theta ** (torch.arange(0, width, 2, device=device, dtype=torch.float32) / width)
    angles = torch.outer(torch.arange(length, device=device, dtype=torch.float32), frequencies).repeat(1, 2)
    return torch.stack((angles.cos(), angles.sin()))[:, :, None]


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Rotate x [B, T, heads, width] by position: [B, heads, T, width], float32."""
    x = x.float()
    cos, sin = table
    turned = torch.stack((-x[..., 1::2], x[..., 0::2]), dim=-1).flatten(-2)
    return torch.addcmul(x * cos, turned, sin).transpose(1, 2)


class LinearAttention(nn.Module):
    """Self-attention with relu features: linear in time and memory."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(width, 3 * width)
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def forward(self, x: Tensor, rotary: Tensor, frame_mask: Tensor | None) -> Tensor:
        """`frame_mask` [B, T, 1] is 0 for padding, whose keys are zeroed.

        A factor on the queries would cancel between numerator and denominator, so there is no weakened form.
        """
        q, k, v = self.to_qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2)
        # Products of bfloat16 are summed in float32. float16 would overflow in the sums over a song.
        dtype = torch.bfloat16 if x.dtype == torch.bfloat16 else torch.float32
        q, k, v = rotate(q, rotary).relu_().to(dtype), rotate(k, rotary).relu_().to(dtype), v.transpose(1, 2).to(dtype)
        if frame_mask is not None:
            k = k * frame_mask[:, None]
        size = q.float() @ k.sum(-2, dtype=torch.float32)[..., None] + 1e-15
        attended = (q @ (k.transpose(-1, -2) @ v)).float().div_(size)
        return self.to_out(attended.transpose(1, 2).flatten(2).to(x.dtype))


class CrossAttention(nn.Module):
    """Attention to the condition. Its keys and values are the same at every step and computed once."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = (nn.Linear(width, width) for _ in range(3))
        self.to_out = nn.Sequential(nn.Linear(width, width))

    def write_keys_values(self, condition: Tensor, rotary: Tensor, target: Tensor) -> None:
        """Write those of `condition` [B, N, D] into `target` [B, 2, heads, N, width]."""
        target[:, 0] = rotate(self.to_k(condition).unflatten(-1, (self.heads, -1)), rotary)
        target[:, 1] = self.to_v(condition).unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(
        self, x: Tensor, rotary: Tensor, keys_values: Tensor, mask: Tensor, query_scale: Tensor | None
    ) -> Tensor:
        """`mask` [B, 1, 1, N] is added to the scores; `query_scale` [B, 1, 1, 1] is a factor on each item's queries."""
        q = rotate(self.to_q(x).unflatten(-1, (self.heads, -1)), rotary)
        q = q.expand(len(mask), -1, -1, -1) if query_scale is None else q * query_scale
        keys, values = keys_values.unbind(1)
        out = F.scaled_dot_product_attention(q.to(x.dtype), keys, values, attn_mask=mask)
        return self.to_out(out.transpose(1, 2).flatten(2))
