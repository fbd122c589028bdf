"""Load time and peak memory of ACE-Step v1 at full size with random weights, against the size of its parameters.

    python bench/engine_memory.py FOLDER [--device cpu] [--dtype bfloat16] [--offload] [--quantize int8]

FOLDER is filled once with 8.3 GB in the published layout; the model is loaded in its own process.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONFIGS = {
    # The published sizes where they are known; a medium size for the autoencoder, which has 0.157 B as published.
    "ace_step_transformer": {"num_layers": 24, "inner_dim": 2560, "ssl_latent_dims": [1024, 768]},
    "music_vocoder": {},
    "music_dcae_f8c8": {
        "in_channels": 2, "latent_channels": 8, "attention_head_dim": 32,
        "encoder_block_types": ["ResBlock"] * 3 + ["EfficientViTBlock"],
        "decoder_block_types": ["ResBlock"] * 3 + ["EfficientViTBlock"],
        "encoder_block_out_channels": [128, 256, 512, 1024], "decoder_block_out_channels": [128, 256, 512, 1024],
        "encoder_layers_per_block": [2, 2, 3, 3], "decoder_layers_per_block": [3, 3, 3, 3],
        "encoder_qkv_multiscales": [[], [], [5], [5]], "decoder_qkv_multiscales": [[], [], [5], [5]],
        "upsample_block_type": "interpolate", "downsample_block_type": "Conv",
        "decoder_norm_types": "rms_norm", "decoder_act_fns": "silu", "scaling_factor": 0.41407,
    },
    "umt5-base": {
        "vocab_size": 256384, "d_model": 768, "d_kv": 64, "d_ff": 2048, "num_layers": 12, "num_heads": 12,
        "feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu_new", "is_gated_act": True,
    },
}  # fmt: skip


def make(folder: Path) -> None:
    """Write the checkpoint tensor by tensor, so that it need not fit in memory."""
    sys.path.insert(0, str(ROOT))
    import torch
    from tests.engines.ace_step_v1 import checkpoint

    def shape_alone(_name, shape):
        return torch.empty(shape, device="meta")

    checkpoint.parameter = shape_alone
    weights = {
        "ace_step_transformer/diffusion_pytorch_model": checkpoint.denoiser_weights,
        "music_dcae_f8c8/diffusion_pytorch_model": checkpoint.autoencoder_weights,
        "music_vocoder/diffusion_pytorch_model": checkpoint.vocoder_weights,
        "umt5-base/model": checkpoint.text_weights,
    }
    for name, shapes in weights.items():
        file = folder / f"{name}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        config = CONFIGS[file.parent.name]
        (file.parent / "config.json").write_text(json.dumps(config), encoding="utf-8")
        write(file, shapes(config))
    checkpoint.make_tokenizer(folder / "umt5-base", 300)
    checkpoint.make_vocabulary(folder / "vocab.json")


def write(file: Path, shapes: dict) -> None:
    import torch

    header, end = {}, 0
    for name, tensor in shapes.items():
        begin, end = end, end + 2 * tensor.numel()
        header[name] = {"dtype": "BF16", "shape": list(tensor.shape), "data_offsets": [begin, end]}
    told = json.dumps(header).encode()
    noise = torch.randn(1 << 22).mul_(0.02).bfloat16()
    with file.open("wb") as opened:
        opened.write(len(told).to_bytes(8, "little") + told)
        for tensor in shapes.values():
            for first in range(0, tensor.numel(), len(noise)):
                opened.write(noise[: tensor.numel() - first].view(torch.uint8).numpy())


def measure(folder: Path, given: argparse.Namespace) -> None:
    import torch

    import acestep_mcp.engines.ace_step_v1.weights as loading
    from acestep_mcp.engines.model.options import EngineOptions

    if given.quantize:
        import torchao.quantization  # noqa: F401 - its memory is not part of loading

    from transformers import UMT5EncoderModel  # noqa: F401

    before = resident()
    with Peak() as peak:
        began = time.perf_counter()
        options = EngineOptions(
            data_dir=folder,
            weights=folder,
            device=given.device,
            dtype=given.dtype,
            offload=given.offload,
            quantize=given.quantize,
        )
        loaded = loading.load(options)
        seconds = time.perf_counter() - began
    modules = (loaded.denoiser, loaded.codec.autoencoder, loaded.codec.vocoder, loaded.text.encoder)
    kept = sum(value.numel() * value.element_size() for module in modules for value in module.parameters())
    lines = {
        "parameters loaded": f"{kept / 2**30:.2f} GiB as plain tensors",
        "read from disk": f"{loaded.bytes_read / 2**30:.2f} GiB of {sum(f.stat().st_size for f in folder.rglob('*.safetensors')) / 2**30:.2f}",
        "seconds": f"{seconds:.1f}",
        "process memory, less what it had after the imports": f"peak {(peak.bytes - before) / 2**30:.2f} GiB, "
        f"after loading {(resident() - before) / 2**30:.2f} GiB",
    }
    if loaded.device.type == "cuda":
        lines["device, after loading"] = f"{torch.cuda.memory_allocated() / 2**30:.2f} GiB"
        lines["device, peak of loading"] = f"{torch.cuda.max_memory_allocated() / 2**30:.2f} GiB"
        for part in ("text", "denoiser", "codec"):
            with loaded.parts.using(part):
                lines[f"device, while using {part}"] = f"{torch.cuda.memory_allocated() / 2**30:.2f} GiB"
    began = time.perf_counter()
    loaded.free()
    lines["freed"] = f"in {time.perf_counter() - began:.1f} s to {(resident() - before) / 2**30:.2f} GiB"
    for name, value in lines.items():
        print(f"{name}: {value}")


class Peak:
    """The largest resident memory during the block, sampled every 5 ms."""

    def __enter__(self):
        self.bytes, self._over = 0, threading.Event()
        self._watch = threading.Thread(target=self._look)
        self._watch.start()
        return self

    def _look(self):
        while not self._over.wait(0.005):
            self.bytes = max(self.bytes, resident())

    def __exit__(self, *_):
        self._over.set()
        self._watch.join()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--offload", action="store_true")
    parser.add_argument("--quantize")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.folder, arguments)
    else:
        if not (arguments.folder / "vocab.json").is_file():
            make(arguments.folder)
        sys.exit(subprocess.run([sys.executable, *sys.argv, "--measure"], check=False).returncode)
