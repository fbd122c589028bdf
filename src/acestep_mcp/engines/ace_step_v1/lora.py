"""LoRA adapters, merged into the weights: W += weight * scale * B A."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser
from acestep_mcp.engines.ace_step_v1.parameter_names import parameter_targets

_PREFIX = re.compile(r"^(base_model\.model\.|transformer\.|ace_step_transformer\.)+(?=.)")
_KEY = re.compile(r"^(?P<target>.+?)\.(?P<part>lora_A|lora_B|lora\.down|lora\.up|alpha)(\.default(_0)?)?(\.weight)?$")
_SIDES = {"lora.down": "lora_A", "lora.up": "lora_B"}
_UNUSED = re.compile(r"^projectors\.|\.cross_attn\.(add_[qkv]_proj|to_add_out)$")
"""Targets of the published model that inference does not use."""
_MAX_NAMED = 3


def merge(denoiser: Denoiser, file: Path, weight: float) -> None:
    """Add an adapter to unquantised weights. Raises ConfigurationError if it does not fit, and then changes nothing."""
    adapter, metadata = _read(file)
    targets = {
        name.removesuffix(".weight"): tensor for name, tensor in parameter_targets(denoiser) if name.endswith(".weight")
    }
    unknown = sorted(target for target in adapter if target not in targets and not _UNUSED.search(target))
    if unknown:
        more = f" and {len(unknown) - _MAX_NAMED} more" if len(unknown) > _MAX_NAMED else ""
        raise _misfit(file, f"it changes {', '.join(unknown[:_MAX_NAMED])}{more}, which this model does not have")
    used = {target: parts for target, parts in adapter.items() if target in targets}
    for target, parts in used.items():
        _check_shapes(file, target, parts, targets[target].shape)
    with torch.no_grad():
        for target, parts in used.items():
            down, up = parts["lora_A"].flatten(1).float(), parts["lora_B"].flatten(1).float()
            tensor = targets[target]
            change = (up @ down).reshape(tensor.shape) * (weight * _scale(target, parts, metadata))
            tensor.copy_((tensor.float() + change.to(tensor.device)).to(tensor.dtype))


def _read(file: Path) -> tuple[dict[str, dict[str, Tensor]], Mapping[str, Any]]:
    """The tensors of each target, and the adapter's metadata by PEFT."""
    adapter: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(file, framework="pt") as opened:
            for key in opened.keys():  # noqa: SIM118 - it is not a mapping
                parts = _KEY.match(_PREFIX.sub("", key))
                if parts is None:
                    raise _misfit(file, f"it holds {key}, which is not part of a LoRA adapter")
                side = _SIDES.get(parts["part"], parts["part"])
                adapter.setdefault(parts["target"], {})[side] = opened.get_tensor(key)
            metadata = json.loads((opened.metadata() or {}).get("lora_adapter_metadata", "{}"))
    except (SafetensorError, OSError, ValueError, RecursionError) as exc:
        raise _misfit(file, str(exc)) from exc
    if not isinstance(metadata, dict):
        raise _misfit(file, "its lora_adapter_metadata is no JSON object")
    return adapter, {_PREFIX.sub("", name): value for name, value in metadata.items()}


def _check_shapes(file: Path, target: str, parts: Mapping[str, Tensor], shape: torch.Size) -> None:
    down, up = parts.get("lora_A"), parts.get("lora_B")
    if down is None or up is None:
        raise _misfit(file, f"{target} does not have both lora_A and lora_B")
    fits = (
        down.dim() >= 2
        and up.dim() >= 2
        and up.shape[0] == shape[0]
        and up[0].numel() == down.shape[0] > 0
        and down[0].numel() == shape[1:].numel()
    )
    if not fits:
        shapes = f"{tuple(up.shape)} and {tuple(down.shape)}"
        raise _misfit(file, f"{target} has shapes {shapes}, which do not make a change of {tuple(shape)}")


def _scale(target: str, parts: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> float:
    """Alpha / rank, or alpha / sqrt(rank) for rsLoRA. A missing alpha is the rank."""
    rank = len(parts["lora_A"])
    alpha: float = metadata.get("lora_alpha", rank)
    for pattern, value in metadata.get("alpha_pattern", {}).items():
        if re.search(rf"(^|\.){pattern}$", target):
            alpha = value
    if "alpha" in parts:
        alpha = float(parts["alpha"])
    return alpha / (math.sqrt(rank) if metadata.get("use_rslora") else rank)


def _misfit(file: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The LoRA adapter {file} does not fit ACE-Step v1: {why}. Leave it out, or name another."
    )
