"""From the published files to the modules in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.api.requests import Request
from acestep_mcp.engines import Source
from acestep_mcp.engines.ace_step_v1 import lora, published, transformer, vocoder
from acestep_mcp.engines.ace_step_v1.codec import Codec
from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser
from acestep_mcp.engines.ace_step_v1.lyrics import Lyrics
from acestep_mcp.engines.ace_step_v1.parameter_names import fill
from acestep_mcp.engines.ace_step_v1.text import TextEncoder
from acestep_mcp.engines.model import placement
from acestep_mcp.engines.model.engine import Song
from acestep_mcp.engines.model.placement import Part, Parts

Module = TypeVar("Module", bound=nn.Module)
_AT_ONCE = 256 << 20
"""Bytes read before a file is mapped anew: what was read of a mapped file counts as ours until then."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model in memory. With offload a part may compute only while it is `using`; without, that costs nothing."""

    denoiser: Denoiser
    codec: Codec
    text: TextEncoder
    lyrics: Lyrics
    device: torch.device
    dtype: torch.dtype
    parts: Parts
    bytes_read: int

    def using(self, part: Part) -> AbstractContextManager[None]:
        """The part is on the device while the block lasts."""
        return self.parts.using(part)

    def play(self, request: Request, source: Source | None) -> Song:
        """Steps, then the finished song. Raises InvalidRequest for values that do not fit the source."""
        from acestep_mcp.engines.ace_step_v1.tasks import play

        return play(self, request, source)

    def free(self) -> None:
        """Give all memory back, whoever still holds the modules; they are of no use after it."""
        self.parts.free()


def load(options: published.Options) -> Loaded:
    """Raises ConfigurationError that names the file, the tensor or the package at fault."""
    folder = published.found(options.weights)
    lyrics = Lyrics(published.lyric_vocabulary(options, folder))
    device = placement.device_of(options.device)
    dtype = placement.dtype_of(options.dtype, device)
    # What is quantised or offloaded is made in main memory first: the device never holds it whole in bfloat16.
    source = _Source(folder, torch.device("cpu") if options.offload or options.quantize else device, dtype)
    with torch.no_grad():
        denoiser = source.denoiser()
        for adapter, weight in options.loras:
            lora.merge(denoiser, adapter, weight)
        if options.quantize:
            placement.quantize(denoiser, options.quantize)
        codec, text = source.codec(), source.text()
    modules = {
        "text": (text.encoder,),
        "denoiser": (denoiser,),
        "codec": (codec.autoencoder, codec.vocoder),
    }
    if options.compiled:
        placement.compile_transformer(denoiser, device, offload=options.offload)
    parts = Parts(modules, device, offload=options.offload)
    return Loaded(denoiser, codec, text, lyrics, device, dtype, parts, source.bytes_read)


class _Source:
    """The published folder, for one device and dtype."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        self.folder = folder
        self.device = device
        self.dtype = dtype
        self.bytes_read = 0

    def denoiser(self) -> Denoiser:
        config = transformer.Config.read(self._config(published.TRANSFORMER))
        return self._filled(published.TRANSFORMER, lambda: Denoiser(config))

    def codec(self) -> Codec:
        from diffusers import AutoencoderDC

        told = self._config(published.AUTOENCODER)
        config = {name: value for name, value in told.items() if not name.startswith("_")}
        autoencoder: Any = self._filled(published.AUTOENCODER, lambda: AutoencoderDC(**config))
        voice = vocoder.Config.read(self._config(published.VOCODER))
        return Codec(autoencoder, self._filled(published.VOCODER, lambda: vocoder.Vocoder(voice)))

    def text(self) -> TextEncoder:
        from transformers import AutoTokenizer, UMT5Config, UMT5EncoderModel

        config = self._config(published.TEXT)
        encoder: Any = self._filled(published.TEXT, lambda: UMT5EncoderModel(UMT5Config(**config)))
        folder = self.folder / Path(published.TEXT).parent
        with _blamed(folder / "tokenizer.json"):
            tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        return TextEncoder(encoder, tokenizer)

    def _config(self, weights: str) -> dict[str, Any]:
        file = (self.folder / weights).with_name("config.json")
        with _blamed(file):
            return published.read_config(file)

    def _filled(self, weights: str, build: Callable[[], Module]) -> Module:
        """A module that never had other parameters than the published ones, ready for inference."""
        file = self.folder / weights
        with _blamed(file.with_name("config.json")), torch.device("meta"):
            module = nn.Module.to(build(), self.dtype)  # the libraries' own `to` warns of it
        module.to_empty(device=self.device)
        _tie(module)
        with _blamed(file):
            reader = Reader(file)
            fill(module, reader)
        self.bytes_read += reader.bytes_read
        return module.requires_grad_(requires_grad=False).eval()


class Reader:
    """Tensors of one safetensors file by name, memory-mapped: what is not asked for is not read."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.bytes_read = 0
        self._reopen()

    def _reopen(self) -> None:
        self._since = 0
        self._opened: Any = safe_open(self.file, framework="pt")
        self._names = frozenset(self._opened.keys())

    def __call__(self, name: str, shape: torch.Size) -> Tensor:
        """The tensor of this name, which has as many elements as `shape` and as many rows."""
        if self._since > _AT_ONCE:
            self._reopen()
        value: Tensor = self._opened.get_tensor(self._known(name))
        if value.shape[:1] != shape[:1] or value.numel() != shape.numel():
            told = f"the shape {tuple(value.shape)}, which does not fit {tuple(shape)}"
            raise ConfigurationError(
                f"{self.file}: {name} has {told}. It belongs to another model, or config.json beside it does."
            )
        self._since += value.nbytes
        self.bytes_read += value.nbytes
        return value.float() if name.endswith(("weight_g", "weight_v")) else value

    def _known(self, name: str) -> str:
        for known in (name, _TIED.get(name, name)):
            if known in self._names:
                return known
        raise ConfigurationError(f"{self.file}: the tensor {name} is missing. It is a file of another model.")


_TIED = {"shared.weight": "encoder.embed_tokens.weight"}
"""UMT5's embedding has two names, and files hold either."""


def _tie(module: nn.Module) -> None:
    """`to_empty` gives the two names of UMT5's embedding a tensor each."""
    inner: Any = module
    if hasattr(module, "shared"):
        inner.encoder.set_input_embeddings(inner.shared)


@contextmanager
def _blamed(file: Path) -> Iterator[None]:
    """What a library says of a file it cannot use, as our error."""
    try:
        yield
    except (SafetensorError, StrictDataclassError, OSError, ValueError, TypeError, LookupError) as exc:
        raise ConfigurationError(
            f"{file} cannot be used: {str(exc).splitlines()[0] if str(exc) else type(exc).__name__}. "
            "Fetch the published file again."
        ) from exc
