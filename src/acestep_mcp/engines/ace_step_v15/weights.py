"""From the published files to a pipeline in memory."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.ace_step_v15 import acceleration, published
from acestep_mcp.engines.ace_step_v15.adapters import Adapters, merge
from acestep_mcp.engines.ace_step_v15.loaded import LoadedV15
from acestep_mcp.engines.model.device import torch_device, torch_dtype
from acestep_mcp.engines.model.engine import is_out_of_memory
from acestep_mcp.engines.model.options import EngineOptions
from acestep_mcp.engines.model.quantization import quantize

_DIFFUSERS_MODULES = ("vae", "transformer", "condition_encoder", "audio_tokenizer", "audio_token_detokenizer")
_REMEDY = (
    "Name a folder with a model of ACE-Step 1.5 in the layout of diffusers, or leave out --weights and let the published "
    "one be fetched."
)
_XL_WIDTH = 2560
"""Width of the 5 B transformer; the 2 B one has 2048."""


def load(options: EngineOptions) -> LoadedV15:
    """Raises ConfigurationError that names the file, the tensor or the package at fault."""
    published.reject_unsupported(options)
    folder = published.find_weights(options.weights, published.checkpoint(options))
    device = torch_device(options.device)
    pipe = _pipeline(folder, torch_dtype(options.dtype, device))
    pipe.set_progress_bar_config(disable=True)
    pipe.vae.enable_tiling()
    _prepare(pipe, options, device)
    if options.offload and device.type != "cpu":
        pipe.enable_model_cpu_offload(device=device)
    else:
        pipe.to(device)
    usual = published.TURBO_SHIFT if pipe.is_turbo else published.GUIDED_SHIFT
    return LoadedV15(pipe, device, _model_name(pipe), usual if options.shift is None else options.shift, Adapters(pipe))


def _prepare(pipe: Any, options: EngineOptions, device: torch.device) -> None:
    """Adapters before int8, which cannot be changed, and compiling last."""
    merge(pipe, options.lora)
    if options.quantize:
        quantize(pipe.transformer, options.quantize, r"layers\.")
    if options.attention:
        acceleration.set_attention(pipe, options.attention, device)
    if options.compile:
        acceleration.compile_blocks(pipe, device)


def _pipeline(folder: Path, dtype: torch.dtype) -> Any:
    """Every module on the CPU. Raises ConfigurationError if a tensor is in none of the files."""
    try:
        from diffusers import AceStepPipeline
        from diffusers.utils import logging as diffusers_logging
        from transformers import AutoModel
        from transformers.utils import logging as transformers_logging
    except ImportError as exc:
        raise ConfigurationError(f"ACE-Step 1.5 needs newer packages ({exc}): {published.UPGRADE}.") from exc
    for library in (diffusers_logging, transformers_logging):
        library.disable_progress_bar()
    local = {"local_files_only": True, "use_safetensors": True}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # diffusers uses deprecated parts of torch
            text, info = AutoModel.from_pretrained(
                str(folder / "text_encoder"), dtype=dtype, output_loading_info=True, **local
            )
            pipe: Any = AceStepPipeline.from_pretrained(str(folder), text_encoder=text, torch_dtype=dtype, **local)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError) as exc:
        if is_out_of_memory(exc):
            raise
        lines = str(exc).strip().splitlines() or [type(exc).__name__]
        raise ConfigurationError(f"The model in {folder} cannot be loaded: {lines[0]}. {_REMEDY}") from exc
    missing = {"text_encoder": set(info["missing_keys"])}
    missing |= {name: _missing_tensors(folder, name, pipe) for name in _DIFFUSERS_MODULES}
    for name, names in missing.items():
        if names:
            raise ConfigurationError(f"{folder / name}: the tensor {min(names)} is missing. {_REMEDY}")
    return pipe


def _missing_tensors(folder: Path, name: str, pipe: Any) -> set[str]:
    """Tensors of a module that are in none of its files: diffusers leaves missing buffers random, without a warning."""
    module = getattr(pipe, name)
    if module is None:
        return set()
    stored: set[str] = set()
    for file in (folder / name).glob("*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            stored |= set(opened.keys())
    return set(module.state_dict()) - stored


def _model_name(pipe: Any) -> str:
    """Such as `ACE-Step-v1.5-XL turbo`, from the transformer's config."""
    config = pipe.transformer.config
    kind = config.get("model_version") or ("turbo" if pipe.is_turbo else "base")
    return f"ACE-Step-v1.5{'-XL' if config.hidden_size >= _XL_WIDTH else ''} {kind}"
