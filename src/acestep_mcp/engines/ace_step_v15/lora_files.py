"""Where the LoRA adapters of ACE-Step 1.5 lie, their names, and the scale that PEFT stores beside them. Does not need torch."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.model.checkpoint import file_problem, read_config
from acestep_mcp.engines.model.lora import scale

_IN_FOLDER = ("adapter_model.safetensors", "pytorch_lora_weights.safetensors")
"""The file of an adapter that is a folder, as PEFT and as diffusers name it."""
_NOT_IN_A_TAG = set(":,<>")


def offered(folder: Path | None) -> dict[str, Path]:
    """The adapters in a folder by their names: files NAME.safetensors, and folders NAME as PEFT or diffusers write them.

    Names that cannot be written in a tag are left out, and so is what cannot be read.
    """
    try:
        found = sorted(folder.iterdir()) if folder else []
    except OSError:
        return {}
    named = {}
    for path in found:
        file, name = (path, path.stem) if path.suffix == ".safetensors" else (adapter_file(path), path.name)
        if file.suffix == ".safetensors" and file.is_file() and name.strip() and not _NOT_IN_A_TAG.intersection(name):
            named[name.strip()] = file
    return named


def adapter_file(path: Path) -> Path:
    """The adapter's file: the path, or the file in it if it is a folder."""
    return next((path / name for name in _IN_FOLDER if (path / name).is_file()), path)


def check_file(file: Path) -> None:
    """Raises ConfigurationError for a file that is missing, no safetensors file or cut short."""
    if file.suffix != ".safetensors":
        raise ConfigurationError(
            f"the LoRA adapter {file} is neither a safetensors file nor a folder with one "
            f"({' or '.join(_IN_FOLDER)}): correct --lora or ACESTEP_LORA."
        )
    if problem := file_problem(file):
        raise ConfigurationError(
            f"the LoRA adapter {file} {problem}: correct --lora or ACESTEP_LORA, or fetch it again."
        )


def peft_scale(file: Path) -> float:
    """The scale in PEFT's own file beside the adapter, alpha / rank, which the loader of diffusers does not read; else 1.

    Raises ConfigurationError where the two cannot be used.
    """
    config = file.with_name("adapter_config.json")
    if file.name != _IN_FOLDER[0] or not config.is_file():
        return 1.0
    try:
        return _scale_in(read_config(config))
    except (OSError, ValueError, TypeError, ArithmeticError) as exc:
        raise ConfigurationError(f"{config} cannot be used: {exc}. Convert the adapter, or leave it out.") from exc


def _scale_in(settings: dict[str, Any]) -> float:
    if settings.get("use_dora"):
        raise ValueError("it is a DoRA adapter, which the pipeline cannot use")
    if settings.get("alpha_pattern") or settings.get("rank_pattern"):
        raise ValueError("its layers differ in rank or alpha")
    rank = float(settings.get("r", 1))
    found = scale(float(settings.get("lora_alpha", rank)), rank, rank_stabilised=bool(settings.get("use_rslora")))
    if not math.isfinite(found):
        raise ValueError("its alpha is no number")
    return found
