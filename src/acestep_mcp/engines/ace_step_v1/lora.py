"""Published LoRA adapters, added to the weights once: W += weight * scale * B A."""

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
from acestep_mcp.engines.ace_step_v1.parameter_names import places

_PREFIX = re.compile(r"^(base_model\.model\.|transformer\.|ace_step_transformer\.)+(?=.)")
_KEY = re.compile(r"^(?P<target>.+?)\.(?P<part>lora_A|lora_B|lora\.down|lora\.up|alpha)(\.default(_0)?)?(\.weight)?$")
_SIDES = {"lora.down": "lora_A", "lora.up": "lora_B"}
_UNUSED = re.compile(r"^projectors\.|\.cross_attn\.(add_[qkv]_proj|to_add_out)$")
"""Targets that the published model has and inference never computes."""
_SHOWN = 3


def merge(denoiser: Denoiser, file: Path, weight: float) -> None:
    """Add an adapter; before any quantisation. Raises ConfigurationError, and then has changed nothing."""
    adapter, told = _read(file)
    into = {place.name.removesuffix(".weight"): place for place in places(denoiser) if place.name.endswith(".weight")}
    unknown = sorted(target for target in adapter if target not in into and not _UNUSED.search(target))
    if unknown:
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise _unfit(file, f"it changes {', '.join(unknown[:_SHOWN])}{more}, which this model does not have")
    used = {target: parts for target, parts in adapter.items() if target in into}
    for target, parts in used.items():
        _check(file, target, parts, into[target].shape)
    with torch.no_grad():
        for target, parts in used.items():
            down, up = parts["lora_A"].flatten(1).float(), parts["lora_B"].flatten(1).float()
            part = into[target].into
            change = (up @ down).reshape(part.shape) * (weight * _scale(target, parts, told))
            part.copy_((part.float() + change.to(part.device)).to(part.dtype))


def _read(file: Path) -> tuple[dict[str, dict[str, Tensor]], Mapping[str, Any]]:
    """The tensors of each target, and what the file says of its making."""
    adapter: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(file, framework="pt") as opened:
            for key in opened.keys():  # noqa: SIM118 - it is no mapping
                parts = _KEY.match(_PREFIX.sub("", key))
                if parts is None:
                    raise _unfit(file, f"it holds {key}, which is no part of a LoRA adapter")
                side = _SIDES.get(parts["part"], parts["part"])
                adapter.setdefault(parts["target"], {})[side] = opened.get_tensor(key)
            told = json.loads((opened.metadata() or {}).get("lora_adapter_metadata", "{}"))
    except (SafetensorError, OSError, ValueError) as exc:
        raise _unfit(file, str(exc)) from exc
    return adapter, {_PREFIX.sub("", name): value for name, value in told.items()}


def _check(file: Path, target: str, parts: Mapping[str, Tensor], shape: torch.Size) -> None:
    down, up = parts.get("lora_A"), parts.get("lora_B")
    if down is None or up is None:
        raise _unfit(file, f"{target} has not both of lora_A and lora_B")
    fits = (
        down.dim() >= 2
        and up.dim() >= 2
        and up.shape[0] == shape[0]
        and up[0].numel() == down.shape[0] > 0
        and down[0].numel() == shape[1:].numel()
    )
    if not fits:
        shapes = f"{tuple(up.shape)} and {tuple(down.shape)}"
        raise _unfit(file, f"{target} has shapes {shapes}, which do not make a change of {tuple(shape)}")


def _scale(target: str, parts: Mapping[str, Tensor], told: Mapping[str, Any]) -> float:
    """The factor alpha / rank, or over its root where told; an alpha that nobody tells is the rank."""
    rank = len(parts["lora_A"])
    alpha: float = told.get("lora_alpha", rank)
    for pattern, value in told.get("alpha_pattern", {}).items():
        if re.search(rf"(^|\.){pattern}$", target):
            alpha = value
    if "alpha" in parts:
        alpha = float(parts["alpha"])
    return alpha / (math.sqrt(rank) if told.get("use_rslora") else rank)


def _unfit(file: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"The LoRA adapter {file} does not fit ACE-Step v1: {why}. Leave it out, or name another."
    )
