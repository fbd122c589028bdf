"""Maps the parameter names of the checkpoint to those of the modules here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser
from acestep_mcp.engines.ace_step_v1.vocoder import Vocoder

ReadParameter = Callable[[str, torch.Size], Tensor]
"""Returns a published parameter by name; it must have the number of elements of the shape."""

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
    (r"^condition_encoder\.speaker", "speaker_embedder"),
    (r"^condition_encoder\.text", "genre_embedder"),
    (r"^condition_encoder\.lyric_embedding", "lyric_embs"),
    (r"^condition_encoder\.lyric_out", "lyric_proj"),
    (r"^condition_encoder\.lyric_encoder\.embed_norm", "lyric_encoder.embed.out.1"),
    (r"^condition_encoder\.lyric_encoder\.embed", "lyric_encoder.embed.out.0"),
    (r"^condition_encoder\.lyric_encoder\.layers", "lyric_encoder.encoders"),
    (r"^condition_encoder\.", ""),
    (r"\.(w_[12])\.", r".feed_forward.\1."),
)
_FUSED = re.compile(r"\.to_(qkv|kv)\.")


class ParameterTarget(NamedTuple):
    """A published parameter's name and shape, and the view of a tensor here that it is copied into."""

    name: str
    shape: torch.Size
    tensor: Tensor


def load_parameters(module: nn.Module, read: ReadParameter) -> None:
    """Copy the published value into every parameter of a module. Parameters that inference does not use are not read."""
    with torch.no_grad():
        for name, shape, tensor in parameter_targets(module):
            if isinstance(module, Vocoder) and name.startswith("head.") and name.endswith(".weight"):
                value = _fold_weight_norm(name, shape, read)
            else:
                value = read(name, shape)
            tensor.copy_(value.reshape(tensor.shape))


def parameter_targets(module: nn.Module) -> Iterator[ParameterTarget]:
    """A target for each published parameter that inference uses."""
    for name, parameter in module.named_parameters():
        if isinstance(module, Denoiser):
            yield from _denoiser_targets(name, parameter.data)
        else:
            yield ParameterTarget(name, parameter.shape, parameter.data)


def _denoiser_targets(name: str, tensor: Tensor) -> Iterator[ParameterTarget]:
    for pattern, replacement in _RENAMED:
        name = re.sub(pattern, replacement, name)
    fused = _FUSED.search(name)
    if name.endswith("depth_conv.conv.weight"):
        yield ParameterTarget(name, torch.Size((tensor.shape[1], 1, tensor.shape[0])), tensor.T)
    elif not fused:
        yield ParameterTarget(name, tensor.shape, tensor)
    else:
        for letter, part in zip(fused[1], tensor.chunk(len(fused[1])), strict=True):
            yield ParameterTarget(_FUSED.sub(f".to_{letter}.", name), part.shape, part)


def _fold_weight_norm(name: str, shape: torch.Size, read: ReadParameter) -> Tensor:
    """The weight of a weight-normalised layer: `weight_v`, normalised per output channel, times `weight_g`."""
    direction = read(f"{name}_v", shape).float()
    length = read(f"{name}_g", torch.Size((shape[0], *[1] * (len(shape) - 1)))).float()
    norm = torch.linalg.vector_norm(direction.flatten(1), dim=1).view_as(length)
    return direction * (length / norm)
