"""The parameters of a module by their names in the checkpoint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from acestep_mcp.engines.model.lora import LoraTargets

_UNUSED = r"^projectors\.|\.cross_attn\.(add_[qkv]_proj|to_add_out)$"
"""Matrices of the published model that inference does not use."""

ReadParameter = Callable[[str, torch.Size], Tensor]
"""Returns a published parameter by name; it must have the number of elements of the shape."""


def load_parameters(module: nn.Module, read: ReadParameter) -> None:
    """Copy the published value into every parameter of a module. Parameters that inference does not use are not read."""
    with torch.no_grad():
        for name, tensor in parameter_targets(module):
            is_normalised = re.fullmatch(r"head\..*\.weight", name)
            value = _fold_weight_norm(name, tensor.shape, read) if is_normalised else read(name, tensor.shape)
            tensor.copy_(value.reshape(tensor.shape))


def parameter_targets(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The name of each published parameter that inference uses, and the view of a tensor here that it is copied into.

    Modules are named as in the checkpoint. Only the denoiser has its two parts, and fused queries, keys and values.
    """
    for ours, parameter in module.named_parameters():
        name = re.sub(r"^(condition_encoder|transformer)\.", "", ours)
        parts = parameter.data.chunk(3) if ".to_qkv." in name else (parameter.data,)
        for letter, part in zip("qkv", parts, strict=False):
            yield name.replace(".to_qkv.", f".to_{letter}."), part


def lora_targets(denoiser: nn.Module) -> LoraTargets:
    weights = {name: tensor for name, tensor in parameter_targets(denoiser) if name.endswith(".weight")}
    return LoraTargets("ACE-Step v1", {name.removesuffix(".weight"): weights[name] for name in weights}, _UNUSED)


def _fold_weight_norm(name: str, shape: torch.Size, read: ReadParameter) -> Tensor:
    """The weight of a weight-normalised layer of the vocoder: `weight_v`, normalised per output channel, times `weight_g`."""
    direction = read(f"{name}_v", shape).float()
    length = read(f"{name}_g", torch.Size((shape[0], *[1] * (len(shape) - 1)))).float()
    norm = torch.linalg.vector_norm(direction.flatten(1), dim=1).view_as(length)
    return direction * (length / norm)
