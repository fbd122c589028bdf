"""One guided step of the ACE-Step engine against its bare matrix products.

    python bench/engine.py [PAIRS] [--layers 6] [--width 1280] [--seconds 60] [--threads 2] [--processor-time]

Three predictions (fully conditioned, weakened, tags only) run as one batch of 60 s of audio in float32 on the CPU.
The floor computes the same matrix products on tensors of the same shapes and nothing else; cross-attention's keys and
values are cached in both and not measured. The two alternate; the result is the median of the pairs' ratios.

The floor computes every product three times. The engine computes those before the first cross-attention once, because
the three predictions are identical up to there. With --layers 24, as published, this saves a quarter of what it saves
with 6.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional as F

from acestep_mcp.engines.ace_step_v1.sampling import latent_frames
from acestep_mcp.engines.ace_step_v1.transformer import Transformer, TransformerConfig

sys.path.insert(0, str(Path(__file__).parents[1]))
from tools.random_parameters import parameter

PREDICTIONS = 3
CONDITION = 300
"""Condition tokens: a speaker, some tags, a page of lyrics."""


def model_of(given):
    heads = given.width // 128
    config = TransformerConfig(
        num_layers=given.layers, inner_dim=given.width, num_attention_heads=heads, attention_head_dim=128
    )
    model = Transformer(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(parameter(name, value.shape))
    return model


def floor_of(model, context, length):
    """The matrix products of a step, in its order."""
    config = model.config
    width, heads = config.inner_dim, config.num_attention_heads
    x = torch.randn(PREDICTIONS, length, width)
    hidden = torch.randn(PREDICTIONS, length, int(width * config.mlp_ratio))
    qkv = torch.randn(3, PREDICTIONS, heads, length, 128)
    out = torch.randn(PREDICTIONS, length, width)
    project, _, narrow = model.proj_in.early_conv_layers
    raw, wide = torch.randn(PREDICTIONS, length, 128), torch.randn(PREDICTIONS, length, 2048)

    def run():
        F.linear(raw, project.weight)
        F.linear(wide, narrow.weight)
        for block, (keys, values) in zip(
            model.transformer_blocks, context.keys_values.permute(1, 2, 0, 3, 4, 5), strict=True
        ):
            F.linear(x, block.attn.to_qkv.weight)
            q, k, v = qkv
            q @ (k.transpose(-1, -2) @ v)
            F.linear(out, block.attn.to_out[0].weight)
            F.linear(x, block.cross_attn.to_q.weight)
            (q @ keys.transpose(-1, -2)) @ values
            F.linear(out, block.cross_attn.to_out[0].weight)
            F.linear(x, block.ff.inverted_conv.conv.weight)
            F.linear(hidden, block.ff.point_conv.conv.weight)
        F.linear(x, model.final_layer.linear.weight)

    return run


def seconds_of(run, clock):
    began = clock()
    run()
    return clock() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="?", type=int, default=9)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--processor-time", action="store_true", help="for a machine that is busy with other work")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    length = latent_frames(given.seconds)
    model = model_of(given)
    latents = torch.randn(1, 8, 16, length)
    timestep = torch.full((1,), 500.0)
    with torch.inference_mode():
        condition = torch.randn(PREDICTIONS, CONDITION, given.width)
        mask = torch.ones(PREDICTIONS, CONDITION)
        context = model.context(condition, mask, length, torch.tensor([False, True, False]))
        floor = floor_of(model, context, length)

        def step():
            model(latents, timestep, context)

        for run in (step, floor):
            run()
        clock = time.process_time if given.processor_time else time.perf_counter
        pairs = [(seconds_of(step, clock), seconds_of(floor, clock)) for _ in range(given.pairs)]
    for ours, bare in pairs:
        print(f"step {ours:.3f} s   products {bare:.3f} s   ratio {ours / bare:.3f}")
    ratio = statistics.median(ours / bare for ours, bare in pairs)
    print(
        f"median ratio {ratio:.3f} ({given.layers} layers of width {given.width}, {length} frames, torch {torch.__version__})"
    )


if __name__ == "__main__":
    main()
