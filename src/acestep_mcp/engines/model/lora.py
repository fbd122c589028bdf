"""LoRA adapters: their scale, what is said of those that do not fit, and merging them into weights.

Importing it does not import torch.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acestep_mcp.api.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import Size, Tensor

_PREFIX = re.compile(r"^(base_model\.model\.|transformer\.|ace_step_transformer\.)+(?=.)")
_KEY = re.compile(r"^(?P<target>.+?)\.(?P<part>lora_A|lora_B|lora\.down|lora\.up|alpha)(\.default(_0)?)?(\.weight)?$")
_SIDES = {"lora.down": "lora_A", "lora.up": "lora_B"}
_MAX_NAMED = 3

Adapter = dict[str, dict[str, "Tensor"]]
"""The tensors of each target: `lora_A`, `lora_B` and sometimes `alpha`."""


@dataclass(frozen=True, slots=True)
class LoraTargets:
    """The tensors of a model that an adapter may change, by their published names without ".weight".

    `unused` is a pattern of targets that the published model has and inference does not use; `model` is the model's name.
    """

    model: str
    tensors: Mapping[str, Tensor]
    unused: str


def merge(targets: LoraTargets, file: Path, weight: float) -> None:
    """Add an adapter to unquantised weights: W += weight * scale * B A.

    Raises ConfigurationError if it does not fit, and then changes nothing.
    """
    import torch
    from safetensors import SafetensorError

    try:
        adapter, metadata = _read(file)
        used = _used(targets, adapter)
    except (SafetensorError, OSError, ValueError, RecursionError) as exc:
        raise misfit(file, targets.model, str(exc)) from exc
    with torch.no_grad():
        for target, parts in used.items():
            down, up = parts["lora_A"].flatten(1).float(), parts["lora_B"].flatten(1).float()
            tensor = targets.tensors[target]
            change = (up @ down).reshape(tensor.shape) * (weight * _scale_of(target, parts, metadata))
            tensor.copy_((tensor.float() + change.to(tensor.device)).to(tensor.dtype))


def scale(alpha: float, rank: float, *, rank_stabilised: bool) -> float:
    """The factor of B A: alpha / rank, or alpha / sqrt(rank) for rsLoRA (Kalajdzievski 2023)."""
    return alpha / (math.sqrt(rank) if rank_stabilised else rank)


def misfit(file: Path, model: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The LoRA adapter {file} does not fit {model}: {why.rstrip('.')}. Leave it out, or name another."
    )


def _read(file: Path) -> tuple[Adapter, Mapping[str, Any]]:
    """The adapter, and its metadata by PEFT. Raises ValueError if it is none."""
    from safetensors import safe_open

    adapter: Adapter = {}
    with safe_open(file, framework="pt") as opened:
        for key in opened.keys():  # noqa: SIM118 - it is not a mapping
            parts = _KEY.match(_PREFIX.sub("", key))
            if parts is None:
                raise ValueError(f"it holds {key}, which is not part of a LoRA adapter")
            side = _SIDES.get(parts["part"], parts["part"])
            adapter.setdefault(parts["target"], {})[side] = opened.get_tensor(key)
        metadata = json.loads((opened.metadata() or {}).get("lora_adapter_metadata", "{}"))
    if not isinstance(metadata, dict):
        raise ValueError("its lora_adapter_metadata is no JSON object")  # noqa: TRY004 - as for a file that is not JSON
    return adapter, {_PREFIX.sub("", name): value for name, value in metadata.items()}


def _used(targets: LoraTargets, adapter: Adapter) -> Adapter:
    """The part for inference. Raises ValueError if the model lacks a target or a target has another shape."""
    unknown = sorted(
        target for target in adapter if target not in targets.tensors and not re.search(targets.unused, target)
    )
    if unknown:
        more = f" and {len(unknown) - _MAX_NAMED} more" if len(unknown) > _MAX_NAMED else ""
        raise ValueError(f"it changes {', '.join(unknown[:_MAX_NAMED])}{more}, which this model does not have")
    used = {target: parts for target, parts in adapter.items() if target in targets.tensors}
    for target, parts in used.items():
        _check_shapes(target, parts, targets.tensors[target].shape)
    return used


def _check_shapes(target: str, parts: Mapping[str, Tensor], shape: Size) -> None:
    down, up = parts.get("lora_A"), parts.get("lora_B")
    if down is None or up is None:
        raise ValueError(f"{target} does not have both lora_A and lora_B")
    fits = (
        down.dim() >= 2
        and up.dim() >= 2
        and up.shape[0] == shape[0]
        and up[0].numel() == down.shape[0] > 0
        and down[0].numel() == shape[1:].numel()
    )
    if not fits:
        shapes = f"{tuple(up.shape)} and {tuple(down.shape)}"
        raise ValueError(f"{target} has shapes {shapes}, which do not make a change of {tuple(shape)}")


def _scale_of(target: str, parts: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> float:
    """The scale of a target. A missing alpha is the rank."""
    rank = len(parts["lora_A"])
    alpha: float = metadata.get("lora_alpha", rank)
    for pattern, value in metadata.get("alpha_pattern", {}).items():
        if re.search(rf"(^|\.){pattern}$", target):
            alpha = value
    if "alpha" in parts:
        alpha = float(parts["alpha"])
    return scale(alpha, rank, rank_stabilised=bool(metadata.get("use_rslora")))
