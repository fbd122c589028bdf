"""Peak memory of decoding a long song against that of a short one.

    python bench/engine_decode.py [--full] [--lengths 60 240]

Each length is decoded in its own process, on the CPU in float32, with random weights: the small sizes of the tests, or
the published sizes with --full. Memory is the process's peak resident set; its value before decoding is printed too.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests" / "engines" / "ace_step_v1"
MIB = 2**20


def codec_of(full):
    import engine_memory

    from acestep_mcp.engines.ace_step_v1.autoencoder import Autoencoder, AutoencoderConfig
    from acestep_mcp.engines.ace_step_v1.codec import Codec
    from acestep_mcp.engines.ace_step_v1.vocoder import Vocoder, VocoderConfig
    from acestep_mcp.engines.ace_step_v1.weights import load_parameters
    from acestep_mcp.engines.model.checkpoint import config_of

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tools.random_parameters import parameter

    small = json.loads((TESTS / "numbers" / "configs.json").read_text(encoding="utf-8"))
    configs = engine_memory.CONFIGS if full else small
    given = {name: value for name, value in configs["music_dcae_f8c8"].items() if not name.startswith("_")}
    modules = Autoencoder(AutoencoderConfig(**given)), Vocoder(config_of(VocoderConfig, configs["music_vocoder"]))
    for module in modules:
        load_parameters(module, parameter)
        module.eval()
    return Codec(*modules)


def measure(seconds, full):
    import torch

    from acestep_mcp.engines.ace_step_v1.sampling import latent_frames

    codec = codec_of(full)
    latents = torch.randn(1, 8, 16, latent_frames(seconds), generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        for _ in codec.decode(latents[..., :30]):
            pass
        before, began = peak(), time.perf_counter()
        samples = sum(part.shape[-1] for part in codec.decode(latents))
    took = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "samples": samples, "before": before, "peak": peak(), "took": took}))


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--lengths", type=float, nargs=2, default=(60, 240))
    parser.add_argument("--one", type=float)
    given = parser.parse_args()
    if given.one:
        measure(given.one, given.full)
        return
    peaks = []
    for seconds in given.lengths:
        command = [sys.executable, __file__, "--one", str(seconds), *(["--full"] if given.full else [])]
        told = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        peaks.append(told["peak"])
        print(
            f"{seconds:g} s: peak {told['peak'] / MIB:.0f} MiB ({told['before'] / MIB:.0f} before), "
            f"{told['samples']} samples in {told['took']:.1f} s"
        )
    print(f"ratio of the peaks {peaks[1] / peaks[0]:.3f}")


if __name__ == "__main__":
    main()
