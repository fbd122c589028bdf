"""Where each published parameter goes: the names of the checkpoint and ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser
from acestep_mcp.engines.ace_step_v1.vocoder import Vocoder

Read = Callable[[str, torch.Size], Tensor]
"""Gives a published parameter by its name; the shape tells how many elements it must have, in which order."""

_RENAMED = (
    (r"^transformer\.patch\.project", "proj_in.early_conv_layers.0"),
    (r"^transformer\.patch\.norm", "proj_in.early_conv_layers.1"),
    (r"^transformer\.patch\.narrow", "proj_in.early_conv_layers.2"),
    (r"^transformer\.time\.", "timestep_embedder."),
    (r"^transformer\.time_block", "t_block.1"),
    (r"^transformer\.final_table", "final_layer.scale_shift_table"),
    (r"^transformer\.final", "final_layer.linear"),
    (r"^transformer\.blocks", "transformer_blocks"),
    (r"\.to_out\.", ".to_out.0."),
    (r"\.ff\.widen", ".ff.inverted_conv.conv"),
    (r"\.ff\.taps_bias", ".ff.depth_conv.conv.bias"),
    (r"\.ff\.taps", ".ff.depth_conv.conv.weight"),
    (r"\.ff\.narrow", ".ff.point_conv.conv"),
    (r"^conditions\.speaker", "speaker_embedder"),
    (r"^conditions\.text", "genre_embedder"),
    (r"^conditions\.lyric_embedding", "lyric_embs"),
    (r"^conditions\.lyric_out", "lyric_proj"),
    (r"^conditions\.lyric_encoder\.embed_norm", "lyric_encoder.embed.out.1"),
    (r"^conditions\.lyric_encoder\.embed", "lyric_encoder.embed.out.0"),
    (r"^conditions\.lyric_encoder\.layers", "lyric_encoder.encoders"),
    (r"^conditions\.", ""),
    (r"\.(w_[12])\.", r".feed_forward.\1."),
)
_FUSED = re.compile(r"\.to_(qkv|kv|q)\.")


class Place(NamedTuple):
    """A published parameter: its name and shape, and the part of ours that it fills, in its own order."""

    name: str
    shape: torch.Size
    into: Tensor


def fill(module: nn.Module, read: Read) -> None:
    """Give every parameter of a module its published value; what inference never needs is never read."""
    with torch.no_grad():
        for name, shape, into in places(module):
            if isinstance(module, Vocoder) and name.startswith("head.") and name.endswith(".weight"):
                value = _folded(name, shape, read)
            else:
                value = read(name, shape)
            into.copy_(value.reshape(into.shape))


def places(module: nn.Module) -> Iterator[Place]:
    """Where each published parameter that inference needs goes."""
    for name, parameter in module.named_parameters():
        if isinstance(module, Denoiser):
            yield from _denoiser(name, parameter.data, module.config.attention_head_dim)
        else:
            yield Place(name, parameter.shape, parameter.data)


def _denoiser(name: str, into: Tensor, head: int) -> Iterator[Place]:
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    fused = _FUSED.search(name)
    if name.endswith("depth_conv.conv.weight"):
        yield Place(name, torch.Size((into.shape[1], 1, into.shape[0])), into.T)
    elif not fused:
        yield Place(name, into.shape, into)
    else:
        for letter, part in zip(fused[1], into.chunk(len(fused[1])), strict=True):
            turned = part if letter == "v" else _even_first(part, head)
            yield Place(_FUSED.sub(f".to_{letter}.", name), part.shape, turned)


def _even_first(part: Tensor, head: int) -> Tensor:
    """Rows that lie with each head's even channels before its odd ones, in the published order (see `rotate`)."""
    return part.unflatten(0, (-1, 2, head // 2)).transpose(1, 2)


def _folded(name: str, shape: torch.Size, read: Read) -> Tensor:
    """Weight normalisation folded: a direction `weight_v` of unit length per first dimension, times `weight_g`."""
    direction = read(f"{name}_v", shape)
    length = read(f"{name}_g", torch.Size((shape[0], *[1] * (len(shape) - 1))))
    norm = torch.linalg.vector_norm(direction.flatten(1), dim=1).view_as(length)
    return direction * (length / norm)
