"""The published files in the layout of diffusers: where they lie, whether they are whole. Nothing here is heavy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.ace_step_v1.published import Options, Published, lacks_packages, problem_of, read_config

NAME = "ace-step-v1.5"
PUBLISHED = Published(
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
"""The turbo model of 5 B, which is what is fetched and looked for by itself.

Unverified: the Hub was not asked when this was written. Repository, commit and files are those that several public
projects pin and list. Any other model of the family works from a folder: `--weights`.
"""

_PACKAGES = (
    "torch", "safetensors", "huggingface_hub", "transformers", "diffusers", "accelerate", "tokenizers", "py3langid",
)  # fmt: skip
_MODULES = ("vae", "text_encoder", "transformer", "condition_encoder")
_OTHERS = ("tokenizer/tokenizer_config.json", "scheduler/scheduler_config.json")
UPGRADE = "pip install --upgrade 'acestep-mcp[engine]'"
_DOWNLOAD = f"`acestep-mcp engine --engine {NAME} --download` fetches it"


def obstacle(options: Options) -> str | None:
    """What keeps the engine from starting by itself, as half a sentence after "cannot run here:"; None is nothing."""
    if missing := lacks():
        return missing
    try:
        found(options.weights)
        refuse_unknown(options)
    except ConfigurationError as exc:
        return exc.message.rstrip(".")
    return None


def lacks() -> str | None:
    """Which Python packages are not installed, as half a sentence; None is nothing."""
    return lacks_packages(_PACKAGES)


def refuse_unknown(options: Options) -> None:
    """Raises ConfigurationError for options that only the engine for v1 has."""
    given = {"--quantize": options.quantize, "--compile": options.compiled, "--lora": options.loras}
    wrong = [name for name, value in given.items() if value]
    if wrong:
        raise ConfigurationError(
            f"the engine {NAME} has no {', '.join(wrong)} (or the setting of that name): leave it out, or take ace-step-v1."
        )


def found(given: Path | None = None) -> Path:
    """The folder with whole weights: the one given and no other, else the Hugging Face cache's.

    Raises ConfigurationError naming the first file that is missing, cut short or no such file.
    """
    folder = given if given is not None else PUBLISHED.snapshot()
    if given is None and not folder.is_dir():
        raise ConfigurationError(
            f"the weights of {PUBLISHED.repository} are not on this machine ({folder} is where they would be looked "
            f"for): {_DOWNLOAD}, or name a folder with --weights or ACESTEP_WEIGHTS."
        )
    remedy = _DOWNLOAD if given is None else "name a folder with a model of ACE-Step 1.5 as diffusers keeps it"
    for file in _files_of(folder):
        if problem := problem_of(file):
            raise ConfigurationError(f"{file} {problem}: {remedy}.")
    return folder


def _files_of(folder: Path) -> Iterator[Path]:
    """What the model must have, and what else its own index says that it has; each file before what it names."""
    yield from (folder / name for name in ("model_index.json", *_OTHERS))
    index = read_config(folder / "model_index.json")
    optional = [name for name in ("audio_tokenizer", "audio_token_detokenizer") if _is_named(index.get(name))]
    for name in (*_MODULES, *optional):
        yield folder / name / "config.json"
        yield from _weights_of(folder / name)


def _is_named(entry: Any) -> bool:
    """An index gives the library and the class of each part, and nothing twice where there is none."""
    return isinstance(entry, list) and bool(entry) and entry[0] is not None


def _weights_of(folder: Path) -> Iterator[Path]:
    """Those that an index names, or one file."""
    named: set[str] = set()
    for index in sorted(folder.glob("*.safetensors.index.json")):
        yield index
        shards = read_config(index).get("weight_map")
        # Whatever an index says, nothing outside of the folder is meant.
        named |= {Path(str(name)).name for name in shards.values()} if isinstance(shards, dict) else set()
    own = "model.safetensors" if folder.name == "text_encoder" else "diffusion_pytorch_model.safetensors"
    yield from (folder / name for name in sorted(named or {own}))
