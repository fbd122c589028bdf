"""From the published files to a pipeline in memory."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.api.requests import Request
from acestep_mcp.engines import Source
from acestep_mcp.engines.ace_step_v1.published import Options
from acestep_mcp.engines.ace_step_v15 import published
from acestep_mcp.engines.model import placement
from acestep_mcp.engines.model.engine import Song, is_memory

_OURS = ("vae", "transformer", "condition_encoder", "audio_tokenizer", "audio_token_detokenizer")
_REMEDY = (
    "Name a folder with a model of ACE-Step 1.5 as diffusers keeps it, or leave out --weights and let the published one "
    "be fetched."
)
_XL = 2560
"""Width of the 5 B transformer; the 2 B one has 2048."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The pipeline, and which model of the family it holds."""

    pipe: Any
    device: torch.device
    model: str

    @property
    def turbo(self) -> bool:
        """Made for eight steps without guidance."""
        return bool(self.pipe.is_turbo)

    @property
    def covers(self) -> bool:
        """It can hear a song's structure: the audio tokenizer is published with some models only."""
        return self.pipe.audio_tokenizer is not None and self.pipe.audio_token_detokenizer is not None

    def play(self, request: Request, source: Source | None) -> Song:
        """Steps, then the finished song. Raises InvalidRequest for values that do not fit the source."""
        from acestep_mcp.engines.ace_step_v15.tasks import play

        return play(self, request, source)

    def free(self) -> None:
        """Give all memory back, whoever still holds the modules; they are of no use after it."""
        self.pipe.remove_all_hooks()
        for part in self.pipe.components.values():
            if isinstance(part, nn.Module):
                nn.Module.to(part, "meta")  # the libraries' own `to` warns of it
        placement.free(self.device)


def load(options: Options) -> Loaded:
    """Raises ConfigurationError that names what is at fault."""
    published.refuse_unknown(options)
    folder = published.found(options.weights)
    device = placement.device_of(options.device)
    pipe = _pipeline(folder, placement.dtype_of(options.dtype, device))
    pipe.set_progress_bar_config(disable=True)
    pipe.vae.enable_tiling()
    if options.offload and device.type != "cpu":
        pipe.enable_model_cpu_offload(device=device)
    else:
        pipe.to(device)
    return Loaded(pipe, device, _named(pipe))


def _pipeline(folder: Path, dtype: torch.dtype) -> Any:
    """Every module on the processor, with nothing in it that was not read."""
    try:
        from diffusers import AceStepPipeline
        from diffusers.utils import logging as diffusers_logging
        from transformers import AutoModel
        from transformers.utils import logging as transformers_logging
    except ImportError as exc:
        raise ConfigurationError(f"ACE-Step 1.5 needs newer packages ({exc}): {published.UPGRADE}.") from exc
    for quiet in (diffusers_logging, transformers_logging):
        quiet.disable_progress_bar()
    only = {"local_files_only": True, "use_safetensors": True}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of what diffusers takes from torch
            text, told = AutoModel.from_pretrained(
                str(folder / "text_encoder"), dtype=dtype, output_loading_info=True, **only
            )
            pipe: Any = AceStepPipeline.from_pretrained(str(folder), text_encoder=text, torch_dtype=dtype, **only)
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RuntimeError) as exc:
        if is_memory(exc):
            raise
        words = str(exc).strip().splitlines() or [type(exc).__name__]
        raise ConfigurationError(f"The model in {folder} cannot be loaded: {words[0]}. {_REMEDY}") from exc
    missing = {"text_encoder": set(told["missing_keys"])} | {name: _missing(folder, name, pipe) for name in _OURS}
    for name, names in missing.items():
        if names:
            raise ConfigurationError(f"{folder / name}: the tensor {min(names)} is missing. {_REMEDY}")
    return pipe


def _missing(folder: Path, name: str, pipe: Any) -> set[str]:
    """What of a module stands in none of its files: what is no parameter is left random without a word."""
    module = getattr(pipe, name)
    if module is None:
        return set()
    there: set[str] = set()
    for file in (folder / name).glob("*.safetensors"):
        with safe_open(file, framework="pt") as opened:
            there |= set(opened.keys())
    return set(module.state_dict()) - there


def _named(pipe: Any) -> str:
    """`ACE-Step-v1.5-XL turbo` and the like, by the transformer's own description."""
    config = pipe.transformer.config
    kind = config.get("model_version") or ("turbo" if pipe.is_turbo else "base")
    return f"ACE-Step-v1.5{'-XL' if config.hidden_size >= _XL else ''} {kind}"
