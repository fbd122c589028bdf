"""Small LoRA adapters for the model of `checkpoint15`, as the makers' training and as diffusers write them."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

RANK = 2
LAYERS = {
    "layers.0.self_attn.q_proj": ("layers.0.self_attn.to_q", (32, 32)),
    "layers.1.cross_attn.o_proj": ("layers.1.cross_attn.to_out.0", (32, 32)),
    "layers.1.mlp.gate_proj": ("layers.1.mlp.gate_proj", (64, 32)),
}
"""By the makers' name: the name in diffusers, and the shape of the weight."""
PUBLISHED = "base_model.model."


def factors(seed: int = 1) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """A and B of each layer, by the makers' name."""
    draw = torch.Generator().manual_seed(seed)
    return {
        name: (torch.randn(RANK, columns, generator=draw), torch.randn(rows, RANK, generator=draw))
        for name, (_, (rows, columns)) in LAYERS.items()
    }


def changes(seed: int = 1) -> dict[str, torch.Tensor]:
    """B A of each layer, by its name in diffusers."""
    return {LAYERS[name][0]: b @ a for name, (a, b) in factors(seed).items()}


def peft_adapter(folder: Path, *, alpha: float, seed: int = 1, **more: object) -> Path:
    """A folder as PEFT writes it."""
    folder.mkdir(parents=True)
    save_file(tensors(PUBLISHED, seed), folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"r": RANK, "lora_alpha": alpha} | more), encoding="utf-8")
    return folder


def adapter(file: Path, seed: int = 1) -> Path:
    """A file as diffusers writes it; its scale is 1."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors("transformer.", seed, in_diffusers=True), file)
    return file


def tensors(prefix: str, seed: int = 1, *, in_diffusers: bool = False) -> dict[str, torch.Tensor]:
    found = {}
    for name, (a, b) in factors(seed).items():
        layer = LAYERS[name][0] if in_diffusers else name
        found |= {f"{prefix}{layer}.lora_A.weight": a, f"{prefix}{layer}.lora_B.weight": b}
    return found
