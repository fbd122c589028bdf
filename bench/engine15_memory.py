"""The memory of ACE-Step 1.5's transformer, in bfloat16 and with int8, and of the parts that `--offload` moves.

    python bench/engine15_memory.py [--layers 8]

The sizes are those of the checkpoints called XL: 32 blocks, of which `--layers` are made, with random weights. int8 needs
torchao.
"""

from __future__ import annotations

import argparse
from types import SimpleNamespace

import torch
from diffusers import AceStepTransformer1DModel, AutoencoderOobleck
from transformers import Qwen3Config, Qwen3Model

from acestep_mcp.engines.ace_step_v15 import acceleration

XL = {
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
}
ALL_LAYERS = 32
GIB = 2**30


def stored(module: torch.nn.Module) -> float:
    """GiB of the parameters, those inside torchao's tensors too."""
    return sum(_bytes(each) for each in module.parameters()) / GIB


def _bytes(tensor: torch.Tensor) -> int:
    if type(tensor.data) is torch.Tensor:
        return tensor.nbytes
    inner = [getattr(tensor, name) for name in tensor.__tensor_flatten__()[0]]
    return sum(_bytes(each) for each in inner)


def made(build: object, **options: object) -> torch.nn.Module:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        return build(**options)
    finally:
        torch.set_default_dtype(before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=8)
    layers = parser.parse_args().layers
    transformer = made(AceStepTransformer1DModel, **XL, num_hidden_layers=layers, encoder_hidden_size=2048).eval()
    blocks, whole = stored(transformer.layers), stored(transformer)
    print(f"{layers} blocks in bfloat16: {blocks:.2f} GiB, the rest of the transformer {whole - blocks:.2f} GiB")
    rest = whole - blocks
    print(f"so {ALL_LAYERS} and the rest: {blocks / layers * ALL_LAYERS + rest:.2f} GiB")
    states = torch.randn(1, 64, XL["hidden_size"], dtype=torch.bfloat16)
    linear = transformer.layers[0].mlp.gate_proj
    with torch.inference_mode():
        plain = linear(states)
        acceleration.quantize(SimpleNamespace(transformer=transformer))
        changed = transformer.layers[0].mlp.gate_proj(states)
    blocks = stored(transformer.layers)
    print(
        f"{layers} blocks with int8: {blocks:.2f} GiB, so {ALL_LAYERS} and the rest: {blocks / layers * ALL_LAYERS + rest:.2f} GiB"
    )
    print(f"one product differs by {float((changed - plain).float().norm() / plain.float().norm()):.2%}")
    del transformer
    with torch.device("meta"):
        text = made(Qwen3Model, config=Qwen3Config(hidden_size=1024, intermediate_size=3072, num_hidden_layers=28, num_attention_heads=16, num_key_value_heads=8, head_dim=128, vocab_size=151_669))  # fmt: skip
        vae = made(AutoencoderOobleck)
    print(f"by their sizes alone: text encoder {stored(text):.2f} GiB, autoencoder {stored(vae):.2f} GiB")


if __name__ == "__main__":
    main()
