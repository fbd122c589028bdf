"""The pipeline's own means for speed: attention backends, and compiling."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from typing import Any

import torch

from acestep_mcp.api.errors import ConfigurationError

_COMPILERS = ("g++", "clang++", "c++", "gcc", "cl")


def set_attention(pipe: Any, name: str, device: torch.device) -> None:
    """Choose what computes the transformer's attention. Raises ConfigurationError where it cannot be used."""
    dtype = pipe.transformer.dtype
    if name != "native" and device.type != "cuda":
        raise ConfigurationError(
            f"--attention {name} runs on CUDA only, and the device is {device.type}: leave it out."
        )
    if name == "flash" and dtype not in (torch.bfloat16, torch.float16):
        kind = str(dtype).removeprefix("torch.")
        raise ConfigurationError(f"--attention flash computes in bfloat16 or float16, not in {kind}: set --dtype.")
    try:
        pipe.transformer.set_attention_backend(name)
    except (ValueError, RuntimeError, ImportError) as exc:
        raise ConfigurationError(f"--attention {name} cannot be used here: {exc} Or leave it out.") from exc
    # A backend applies to every model without one of its own, and the lyrics of the condition encoder are padded.
    pipe.condition_encoder.set_attention_backend("native")


def compile_blocks(pipe: Any, device: torch.device) -> None:
    """Compile the transformer's blocks, which have one code: at the first song, then no more for other lengths.

    Raises ConfigurationError where nothing can be compiled.
    """
    if device.type == "cuda" and find_spec("triton") is None:
        raise ConfigurationError("--compile needs the package triton, which is not installed: leave it out.")
    if device.type == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", ""), *_COMPILERS))):
        raise ConfigurationError("--compile needs a C++ compiler such as g++, and there is none: leave it out.")
    for block in pipe.transformer.layers:
        block.compile(dynamic=True)
