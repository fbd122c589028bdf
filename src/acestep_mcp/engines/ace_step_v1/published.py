"""The published files: where they lie, whether they are whole, and what is missing. Nothing here is heavy."""

from __future__ import annotations

import ctypes
import json
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from acestep_mcp.api.errors import ConfigurationError

REPOSITORY = "ACE-Step/ACE-Step-v1-3.5B"
REVISION = "82cd0d7b6322bd28cd4e830fe675ddb6180ce36c"
"""The commit of the weights.

Unverified: the Hub was not asked when this was written. It is the one in the public code of others who have these
weights (snapshot paths, pins in manifests), and the only one they name. A commit that the Hub does not have is refused.
"""

TRANSFORMER = "ace_step_transformer/diffusion_pytorch_model.safetensors"
AUTOENCODER = "music_dcae_f8c8/diffusion_pytorch_model.safetensors"
VOCODER = "music_vocoder/diffusion_pytorch_model.safetensors"
TEXT = "umt5-base/model.safetensors"
WEIGHTS = (TRANSFORMER, AUTOENCODER, VOCODER, TEXT)
_TOKENIZER = ("umt5-base/tokenizer.json", "umt5-base/tokenizer_config.json", "umt5-base/special_tokens_map.json")
FILES = (*WEIGHTS, *(f"{Path(name).parent.name}/config.json" for name in WEIGHTS), *_TOKENIZER)


@dataclass(frozen=True, slots=True)
class Published:
    """Files of one commit of a repository on the Hugging Face Hub."""

    repository: str
    revision: str
    files: tuple[str, ...]

    def snapshot(self, cache: Path | None = None) -> Path:
        """Their folder in a cache laid out as Hugging Face's; the user's own if none is given."""
        if cache is None:
            from huggingface_hub import constants  # 20 ms

            cache = Path(constants.HF_HUB_CACHE)
        return cache / f"models--{self.repository.replace('/', '--')}" / "snapshots" / self.revision


PUBLISHED = Published(REPOSITORY, REVISION, FILES)

VOCABULARY = "vocab.json"
VOCABULARY_URL = (
    "https://raw.githubusercontent.com/ace-step/ACE-Step/d612523f50e252c0e138e68ae75b06223f96e934"
    "/acestep/models/lyrics_utils/vocab.json"
)
VOCABULARY_SHA256 = "c2a66ea48c478c0bb9acb5497144b926acdeaa37128faa799508d40f2b9cc558"

_INSTALL = "pip install 'acestep-mcp[engine]'"
DOWNLOAD = "`acestep-mcp engine --download` fetches it"
_PACKAGES = (
    "torch", "safetensors", "huggingface_hub", "transformers", "diffusers",
    "tokenizers", "num2words", "pypinyin", "cutlet", "unidic_lite", "hangul_romanize", "py3langid",
)  # fmt: skip
_PUBLIC_CODE_CACHE = Path("~/.cache/ace-step/checkpoints")
_READ = ("config.json", "model_index.json")
_LONGEST_HEADER = 100 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """What is loaded, and where to.

    `weights` and `vocabulary` are what a person named; None is looked for (`data_dir` holds the vocabulary that was
    downloaded). `device` is a name as PyTorch knows it or "auto"; `dtype`
    "bfloat16", "float16", "float32" or None, the device's usual one. `offload` keeps on the device only what computes.
    `quantize` is None or "int8"; `loras` are adapters and their weights. `compiled` lets torch
    compile the transformer at its first use for each length.
    """

    data_dir: Path
    weights: Path | None = None
    vocabulary: Path | None = None
    device: str = "auto"
    dtype: str | None = None
    offload: bool = False
    quantize: str | None = None
    loras: tuple[tuple[Path, float], ...] = ()
    compiled: bool = False


def obstacle(options: Options) -> str | None:
    """What keeps the engine from starting by itself, as half a sentence after "cannot run here:"; None is nothing."""
    if missing := lacks_packages():
        return missing
    try:
        lyric_vocabulary(options, found(options.weights))
    except ConfigurationError as exc:
        return exc.message.rstrip(".")
    absent = [str(file) for file, _ in options.loras if not file.is_file()]
    return f"the LoRA adapter {absent[0]} is not there: correct --lora or ACESTEP_LORA" if absent else None


def lacks_packages(packages: tuple[str, ...] = _PACKAGES) -> str | None:
    """Half a sentence on what is not installed and how it comes here; None is nothing."""
    missing = [name for name in packages if find_spec(name) is None]
    return f"it needs the Python packages {', '.join(missing)}: {_INSTALL}" if missing else None


def found(given: Path | None = None) -> Path:
    """The folder with whole weights: the one given and no other, else a cache's.

    Raises ConfigurationError naming the first file that is missing, cut short or no such file.
    """
    folder = given if given is not None else next((place for place in places() if place.is_dir()), None)
    if folder is None:
        raise ConfigurationError(
            f"the weights of {REPOSITORY} are not on this machine ({PUBLISHED.snapshot()} is where they would be looked for): "
            "`acestep-mcp engine --download` fetches them, or name their folder with --weights or ACESTEP_WEIGHTS."
        )
    for name in FILES:
        problem = problem_of(folder / name)
        if problem:
            raise ConfigurationError(f"{folder / name} {problem}: {_remedy(given)}.")
    return folder


def _remedy(given: Path | None) -> str:
    if given is None:
        return DOWNLOAD
    return "put the published file there, or leave out --weights and ACESTEP_WEIGHTS and let it be downloaded"


def places() -> Iterator[Path]:
    """Where the weights are looked for: the Hugging Face cache, then that of the model's public code."""
    yield PUBLISHED.snapshot()
    other = _PUBLIC_CODE_CACHE.expanduser()
    yield PUBLISHED.snapshot(other)
    if (other / TRANSFORMER).is_file():
        yield other


def lyric_vocabulary(options: Options, weights: Path) -> Path:
    """The lyric vocabulary's file: the one given and no other, else beside the weights, else the one downloaded."""
    named, kept = options.vocabulary, kept_vocabulary(options.data_dir)
    for file in (named,) if named else (weights / VOCABULARY, kept):
        if file.is_file():
            return file
    if named:
        raise ConfigurationError(f"the lyric vocabulary {named} is not there: correct --vocab or ACESTEP_LYRIC_VOCAB.")
    raise ConfigurationError(f"the lyric vocabulary {kept} is not there: {DOWNLOAD}, or name one with --vocab.")


def kept_vocabulary(data_dir: Path) -> Path:
    """Where the downloaded one is kept."""
    return data_dir / "ace-step-v1" / VOCABULARY


def problem_of(file: Path) -> str | None:
    """What is wrong with a file, without reading more than its header."""
    try:
        if file.suffix == ".safetensors":
            return _torn(file)
        if file.name in _READ or file.name.endswith(".index.json"):
            read_config(file)
        return None if file.stat().st_size else "is empty"
    except FileNotFoundError:
        return "is missing"
    except OSError as exc:
        return f"cannot be read ({exc.strerror or exc})"
    except (ValueError, TypeError, AttributeError, LookupError):  # JSON, but of another shape
        return "is not what its name says"


def read_config(file: Path) -> dict[str, Any]:
    told = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(told, dict):
        raise ValueError("no object")  # noqa: TRY004 - as of a file that is no JSON at all
    return told


def _torn(file: Path) -> str | None:
    """Whether a safetensors file ends where its header says."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        head = opened.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 0 < length <= min(_LONGEST_HEADER, max(0, size - 8)):
            return f"is cut short or not a safetensors file ({size:,} bytes)"
        header = json.loads(opened.read(length))
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    whole = 8 + length + max(ends, default=0)
    return None if size == whole else f"is not whole: {size:,} bytes where its header says {whole:,}"


def device_name(device: str) -> str | None:
    """The device as every process of this machine names it, without PyTorch; None where no lock is needed.

    A CUDA device is named by its UUID, as the driver numbers devices for this process.
    """
    kind, _, number = device.partition(":")
    if kind in {"auto", "cuda"}:
        uuid = _gpu_uuid(int(number) if number.isdecimal() else 0)
        if uuid or kind == "cuda":
            return uuid or device
    is_apple = sys.platform == "darwin" and kind in {"auto", "mps"}
    return "mps" if is_apple else None


def _gpu_uuid(ordinal: int) -> str | None:
    """`GPU-...` of a CUDA device, from the driver itself: no context is made, and no memory taken."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        device, uuid = ctypes.c_int(), (ctypes.c_ubyte * 16)()
        calls = (
            lambda: driver.cuInit(0),
            lambda: driver.cuDeviceGet(ctypes.byref(device), ordinal),
            lambda: driver.cuDeviceGetUuid(ctypes.byref(uuid), device),
        )
        if any(call() for call in calls):
            return None
    except (OSError, AttributeError):
        return None
    return "GPU-" + re.sub(r"^(.{8})(.{4})(.{4})(.{4})", r"\1-\2-\3-\4-", bytes(uuid).hex())
