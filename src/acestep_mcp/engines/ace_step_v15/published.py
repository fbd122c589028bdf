"""The published files in the layout of diffusers: their names, where they are looked for, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.api.model_options import Checkpoint
from acestep_mcp.engines.ace_step_v15.lora_files import adapter_file, check_file
from acestep_mcp.engines.model.checkpoint import HubFiles, read_config, require_whole
from acestep_mcp.engines.model.options import EngineOptions
from acestep_mcp.engines.model.packages import missing_packages

NAME = "ace-step-v1.5"
TURBO, SFT, BASE = get_args(Checkpoint)
_TOKENIZER = "tokenizer/*"
"""What a tokenizer has besides its two main files depends on the version of transformers that wrote it."""
PUBLISHED = HubFiles(
    TURBO,
    "200ba991ae448051e14b0183157e35c2d27c9fb0",
    (
        "model_index.json",
        "scheduler/scheduler_config.json",
        "condition_encoder/config.json",
        "condition_encoder/diffusion_pytorch_model.safetensors",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
        "transformer/config.json",
        "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
        "transformer/diffusion_pytorch_model-00002-of-00002.safetensors",
        "transformer/diffusion_pytorch_model.safetensors.index.json",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ),
    (_TOKENIZER,),
)
"""The turbo model of 5 B, which is fetched and looked for unless another is named.

Unverified: it was not looked up on the Hub. Repository, commit and files are those that several public projects pin
and list.
"""
CHECKPOINTS = {TURBO: PUBLISHED} | {
    name: HubFiles(
        name,
        "main",  # no commit of these two is known here
        (
            "model_index.json",
            "scheduler/scheduler_config.json",
            "text_encoder/config.json",
            "tokenizer/tokenizer_config.json",
            *(f"{module}/config.json" for module in ("condition_encoder", "transformer", "vae")),
        ),
        (
            "text_encoder/model*.safetensors*",
            "*/diffusion_pytorch_model*.safetensors*",
            "audio_token*/config.json",
            _TOKENIZER,
        ),
    )
    for name in (SFT, BASE)
}
"""The checkpoints that the makers publish in the layout of diffusers. Any other works from a folder: `--weights`."""
TURBO_SHIFT, GUIDED_SHIFT = 3.0, 1.0
"""The shift of the timesteps, for turbo and for base and sft.

Turbo: the makers' documentation (docs/en/INFERENCE.md of ACE-Step-1.5: "Recommended 3.0 for turbo models") and the
default of diffusers. Base and sft: the makers' default for their Python interface, and the preset of acestep.cpp. Their
web interface begins at 3 for these as well.
"""

_PACKAGES = (
    "torch", "safetensors", "huggingface_hub", "transformers", "diffusers", "accelerate", "tokenizers", "py3langid",
)  # fmt: skip
_MODULES = ("vae", "text_encoder", "transformer", "condition_encoder")
_OTHER_FILES = ("tokenizer/tokenizer_config.json", "scheduler/scheduler_config.json")
UPGRADE = "pip install --upgrade 'acestep-mcp[engine]'"


def unavailable_reason(options: EngineOptions) -> str | None:
    """Why the engine cannot start, as half a sentence after "cannot run here:"; None if it can."""
    if missing := lacks_packages():
        return missing
    try:
        find_weights(options.weights, checkpoint(options))
        reject_unsupported(options)
    except ConfigurationError as exc:
        return exc.message.rstrip(".")
    return None


def lacks_packages() -> str | None:
    """Which Python packages are missing, as half a sentence; None if all are installed."""
    return missing_packages(_PACKAGES)


def reject_unsupported(options: EngineOptions) -> None:
    """Raises ConfigurationError for options that cannot be used with this engine or with each other."""
    if options.quantize not in (None, "int8"):
        raise ConfigurationError(
            f"the engine {NAME} has no --quantize {options.quantize} (or the setting of that name): take int8."
        )
    if options.batch > 1:
        raise ConfigurationError(f"the engine {NAME} makes one song at a time: leave --batch (ACESTEP_BATCH) out.")
    fixed = [name for name, value in {"--quantize": options.quantize, "--compile": options.compile}.items() if value]
    if fixed and options.lora_dir:
        raise ConfigurationError(
            f"{' and '.join(fixed)} cannot be used with --lora-dir, which changes the model between songs: leave one out."
        )
    if options.quantize and find_spec("torchao") is None:
        raise ConfigurationError("--quantize int8 needs the package torchao: pip install torchao, or leave it out.")
    if (options.lora or options.lora_dir) and (missing := missing_packages(("peft",))):
        raise ConfigurationError(f"for LoRA adapters {missing}.")
    for path, _ in options.lora:
        check_file(adapter_file(path))


def checkpoint(options: EngineOptions) -> HubFiles:
    """The published checkpoint that the options name."""
    return CHECKPOINTS[options.checkpoint or TURBO]


def find_weights(folder: Path | None = None, published: HubFiles = PUBLISHED) -> Path:
    """The folder with complete weights: `folder` alone if given, else the Hugging Face cache's.

    Raises ConfigurationError with the first file that is missing, truncated or invalid.
    """
    found = published.snapshot() if folder is None else folder
    chosen = "" if published is PUBLISHED else f" --checkpoint {published.repository}"
    download = f"`acestep-mcp engine --engine {NAME}{chosen} --download` fetches it"
    if folder is None and not found.is_dir():
        raise published.absent(f"{download}, or name a folder")
    remedy = download if folder is None else "name a folder with a model of ACE-Step 1.5 in the layout of diffusers"
    require_whole(_required_files(found), remedy)
    return found


def _required_files(folder: Path) -> Iterator[Path]:
    """The files every model has, then those its own index names. An index comes before the files it names."""
    yield from (folder / name for name in ("model_index.json", *_OTHER_FILES))
    index = read_config(folder / "model_index.json")
    optional = [name for name in ("audio_tokenizer", "audio_token_detokenizer") if _has_part(index.get(name))]
    for name in (*_MODULES, *optional):
        yield folder / name / "config.json"
        yield from _weight_files(folder / name)


def _has_part(entry: Any) -> bool:
    """An index maps each part to its library and class, or to two nulls if the model does not have the part."""
    return isinstance(entry, list) and bool(entry) and entry[0] is not None


def _weight_files(folder: Path) -> Iterator[Path]:
    """The files that an index names, or the default file."""
    shards: set[str] = set()
    for index in sorted(folder.glob("*.safetensors.index.json")):
        yield index
        weight_map = read_config(index).get("weight_map")
        # Only the file name counts: an index must not lead outside the folder.
        shards |= {Path(str(name)).name for name in weight_map.values()} if isinstance(weight_map, dict) else set()
    default = "model.safetensors" if folder.name == "text_encoder" else "diffusion_pytorch_model.safetensors"
    yield from (folder / name for name in sorted(shards or {default}))
