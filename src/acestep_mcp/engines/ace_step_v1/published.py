"""The published files of v1: names, places, what is missing, and the download. Does not import torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.ace_step_v1.lyrics import vocabulary_file
from acestep_mcp.engines.model import hub
from acestep_mcp.engines.model.checkpoint import DOWNLOAD_HINT, HubFiles, require_whole
from acestep_mcp.engines.model.options import EngineOptions
from acestep_mcp.engines.model.packages import missing_packages

REPOSITORY = "ACE-Step/ACE-Step-v1-3.5B"
REVISION = "82cd0d7b6322bd28cd4e830fe675ddb6180ce36c"
"""The commit of the weights.

Unverified: it was not looked up on the Hub. It is the only commit that other public code with these weights names
(snapshot paths, pins in manifests). The Hub refuses a commit that it does not have.
"""

TRANSFORMER = "ace_step_transformer/diffusion_pytorch_model.safetensors"
AUTOENCODER = "music_dcae_f8c8/diffusion_pytorch_model.safetensors"
VOCODER = "music_vocoder/diffusion_pytorch_model.safetensors"
TEXT = "umt5-base/model.safetensors"
WEIGHTS = (TRANSFORMER, AUTOENCODER, VOCODER, TEXT)
TOKENIZER = "umt5-base/tokenizer.json"
FILES = (*WEIGHTS, *(f"{Path(name).parent.name}/config.json" for name in WEIGHTS), TOKENIZER)
PUBLISHED = HubFiles(REPOSITORY, REVISION, FILES)

_PACKAGES = (
    "torch", "safetensors", "huggingface_hub", "transformers",
    "tokenizers", "num2words", "pypinyin", "cutlet", "unidic_lite", "hangul_romanize", "py3langid",
)  # fmt: skip
_PUBLIC_CODE_CACHE = Path("~/.cache/ace-step/checkpoints")


def unavailable_reason(options: EngineOptions) -> str | None:
    """Why the engine cannot start, as half a sentence after "cannot run here:"; None if it can."""
    if missing := lacks_packages():
        return missing
    try:
        vocabulary_file.find(options, find_weights(options.weights))
    except ConfigurationError as exc:
        return exc.message.rstrip(".")
    if options.batch > 1 and options.offload:
        return (
            "--batch needs the whole model on the device, and --offload keeps parts of it away: leave one of them out"
        )
    absent = [str(file) for file, _ in options.lora if not file.is_file()]
    return f"the LoRA adapter {absent[0]} is not there: correct --lora or ACESTEP_LORA" if absent else None


def lacks_packages() -> str | None:
    """Which Python packages are missing, as half a sentence; None if all are installed."""
    return missing_packages(_PACKAGES)


def find_weights(folder: Path | None = None) -> Path:
    """The folder with complete weights: `folder` alone if given, else a cache's.

    Raises ConfigurationError with the first file that is missing, truncated or invalid.
    """
    found = folder if folder is not None else next((cached for cached in cache_folders() if cached.is_dir()), None)
    if found is None:
        raise PUBLISHED.absent("`acestep-mcp engine --download` fetches them, or name their folder")
    put = "put the published file there, or leave out --weights and ACESTEP_WEIGHTS and let it be downloaded"
    require_whole((found / name for name in FILES), DOWNLOAD_HINT if folder is None else put)
    return found


def cache_folders() -> Iterator[Path]:
    """Where the weights are looked for: the Hugging Face cache, then the cache of the model's public code."""
    yield PUBLISHED.snapshot()
    other = _PUBLIC_CODE_CACHE.expanduser()
    yield PUBLISHED.snapshot(other)
    if (other / TRANSFORMER).is_file():
        yield other


def download(options: EngineOptions, fetch: hub.Fetch, report: hub.Report) -> None:
    """Fetch weights into the Hugging Face cache and the vocabulary into the data folder, unless the options name them.

    Raises ConfigurationError if a host cannot be reached or sends another file, StorageError if the disk is full.
    """
    if options.weights is None:
        find_weights(hub.download(PUBLISHED, report))
    if options.lyric_vocab is None:
        vocabulary_file.download(options.data_dir, fetch, report)
