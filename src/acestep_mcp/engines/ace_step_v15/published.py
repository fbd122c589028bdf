"""The published files in the layout of diffusers: their names, where they are looked for, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.model.checkpoint import HubFiles, file_problem, read_config
from acestep_mcp.engines.model.options import EngineOptions
from acestep_mcp.engines.model.packages import missing_packages

NAME = "ace-step-v1.5"
PUBLISHED = HubFiles(
    "ACE-Step/acestep-v15-xl-turbo-diffusers",
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
        "tokenizer/special_tokens_map.json",
        "tokenizer/added_tokens.json",
        "tokenizer/chat_template.jinja",
        "tokenizer/merges.txt",
        "tokenizer/vocab.json",
        "transformer/config.json",
        "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
        "transformer/diffusion_pytorch_model-00002-of-00002.safetensors",
        "transformer/diffusion_pytorch_model.safetensors.index.json",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ),
)
"""The turbo model of 5 B, which is downloaded and looked for by default.

Unverified: it was not looked up on the Hub. Repository, commit and files are those that several public projects pin
and list. Any other model of the family works from a folder: `--weights`.
"""

_PACKAGES = (
    "torch", "safetensors", "huggingface_hub", "transformers", "diffusers", "accelerate", "tokenizers", "py3langid",
)  # fmt: skip
_MODULES = ("vae", "text_encoder", "transformer", "condition_encoder")
_OTHER_FILES = ("tokenizer/tokenizer_config.json", "scheduler/scheduler_config.json")
UPGRADE = "pip install --upgrade 'acestep-mcp[engine]'"
_DOWNLOAD = f"`acestep-mcp engine --engine {NAME} --download` fetches it"


def unavailable_reason(options: EngineOptions) -> str | None:
    """Why the engine cannot start, as half a sentence after "cannot run here:"; None if it can."""
    if missing := lacks_packages():
        return missing
    try:
        find_weights(options.weights)
        reject_unsupported(options)
    except ConfigurationError as exc:
        return exc.message.rstrip(".")
    return None


def lacks_packages() -> str | None:
    """Which Python packages are missing, as half a sentence; None if all are installed."""
    return missing_packages(_PACKAGES)


def reject_unsupported(options: EngineOptions) -> None:
    """Raises ConfigurationError for options that only the engine for v1 supports."""
    given = {"--quantize": options.quantize, "--compile": options.compile, "--lora": options.lora}
    unsupported = [name for name, value in given.items() if value]
    if unsupported:
        raise ConfigurationError(
            f"the engine {NAME} has no {', '.join(unsupported)} (or the setting of that name): leave it out, or take ace-step-v1."
        )


def find_weights(folder: Path | None = None) -> Path:
    """The folder with complete weights: `folder` alone if given, else the Hugging Face cache's.

    Raises ConfigurationError with the first file that is missing, truncated or invalid.
    """
    found = folder if folder is not None else PUBLISHED.snapshot()
    if folder is None and not found.is_dir():
        raise ConfigurationError(
            f"the weights of {PUBLISHED.repository} are not on this machine ({found} is where they would be looked "
            f"for): {_DOWNLOAD}, or name a folder with --weights or ACESTEP_WEIGHTS."
        )
    remedy = _DOWNLOAD if folder is None else "name a folder with a model of ACE-Step 1.5 in the layout of diffusers"
    for file in _required_files(found):
        if problem := file_problem(file):
            raise ConfigurationError(f"{file} {problem}: {remedy}.")
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
