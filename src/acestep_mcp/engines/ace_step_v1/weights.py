"""From the published files to the modules in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from acestep_mcp.engines.ace_step_v1 import published
from acestep_mcp.engines.ace_step_v1.autoencoder import Autoencoder, AutoencoderConfig
from acestep_mcp.engines.ace_step_v1.codec import Codec
from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser
from acestep_mcp.engines.ace_step_v1.loaded import LoadedV1
from acestep_mcp.engines.ace_step_v1.lyrics import LyricTokenizer
from acestep_mcp.engines.ace_step_v1.parameter_names import load_parameters, lora_targets
from acestep_mcp.engines.ace_step_v1.prediction import fast_predictions
from acestep_mcp.engines.ace_step_v1.text import TextEncoder
from acestep_mcp.engines.ace_step_v1.transformer import TransformerConfig
from acestep_mcp.engines.ace_step_v1.vocoder import Vocoder, VocoderConfig
from acestep_mcp.engines.model.checkpoint import config_of, read_config
from acestep_mcp.engines.model.compilation import can_compile
from acestep_mcp.engines.model.device import torch_device, torch_dtype
from acestep_mcp.engines.model.lora import merge
from acestep_mcp.engines.model.options import EngineOptions
from acestep_mcp.engines.model.placement import ModelParts
from acestep_mcp.engines.model.quantization import check_quantization, quantize
from acestep_mcp.engines.model.streams import Aside
from acestep_mcp.engines.model.tensor_file import TensorReader, file_errors

Module = TypeVar("Module", bound=nn.Module)
_ALIASES = {"shared.weight": "encoder.embed_tokens.weight"}
"""UMT5's embedding has two names; a file may have either."""
_QUANTIZED_LAYERS = {
    "int8": r"transformer\.transformer_blocks\.",
    "fp8": r"transformer\.transformer_blocks\.\d+\.(attn\.to_qkv|ff\.(inverted|point)_conv\.conv)$",
}
"""For FP8 the projections of the self-attention and the feed-forward, which are most of the work."""


def load(options: EngineOptions) -> LoadedV1:
    """Raises ConfigurationError that names the file, the tensor or the package at fault."""
    folder = published.find_weights(options.weights)
    lyrics = LyricTokenizer(published.find_vocabulary(options, folder))
    device = torch_device(options.device)
    dtype = torch_dtype(options.dtype, device)
    if options.quantize:
        check_quantization(options.quantize, device, dtype)
    # Quantised or offloaded weights are built in main memory, so that the device never holds all of them in bfloat16.
    checkpoint = _Checkpoint(folder, torch.device("cpu") if options.offload or options.quantize else device, dtype)
    with torch.no_grad():
        denoiser = checkpoint.denoiser()
        for adapter, weight in options.lora:
            merge(lora_targets(denoiser), adapter, weight)
        if options.quantize:
            quantize(denoiser, options.quantize, _QUANTIZED_LAYERS[options.quantize])
        codec, text = checkpoint.codec(), checkpoint.text()
    if device.type == "cuda":
        codec.channels_last()
    modules = {
        "text": (text.encoder,),
        "denoiser": (denoiser,),
        "codec": (codec.autoencoder, codec.vocoder),
    }
    compiling = options.compile if options.compile is not None else device.type == "cuda"
    if compiling or options.batch > 1:
        denoiser.predictions = fast_predictions(
            denoiser.transformer, device, compiling=compiling, offload=options.offload, batch=options.batch
        )
    if compiling and can_compile(device):
        codec.compile()
    # With offload the codec is on the device only while no denoiser is.
    aside = Aside(torch.cuda.Stream(device) if device.type == "cuda" and not options.offload else None)
    parts = ModelParts(modules, device, offload=options.offload)
    return LoadedV1(denoiser, codec, text, lyrics, device, dtype, parts, aside, checkpoint.bytes_read)


class _Checkpoint:
    """The published folder, loaded to one device and dtype; the vocoder is never in bfloat16."""

    def __init__(self, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        self.folder = folder
        self.device = device
        self.dtype = dtype
        self.bytes_read = 0

    def denoiser(self) -> Denoiser:
        config = config_of(TransformerConfig, self._config(published.TRANSFORMER))
        return self._load(published.TRANSFORMER, lambda: Denoiser(config))

    def codec(self) -> Codec:
        entries = self._config(published.AUTOENCODER)
        given = {name: value for name, value in entries.items() if not name.startswith("_")}
        autoencoder = self._load(published.AUTOENCODER, lambda: Autoencoder(AutoencoderConfig(**given)))
        vocoder_config = config_of(VocoderConfig, self._config(published.VOCODER))
        # A waveform in bfloat16 has rounding noise 45 dB below the music.
        dtype = torch.float32 if self.dtype == torch.bfloat16 else self.dtype
        return Codec(autoencoder, self._load(published.VOCODER, lambda: Vocoder(vocoder_config), dtype))

    def text(self) -> TextEncoder:
        from tokenizers import Tokenizer
        from transformers import UMT5Config, UMT5EncoderModel

        config = self._config(published.TEXT)
        encoder: Any = self._load(published.TEXT, lambda: UMT5EncoderModel(UMT5Config(**config)))
        file = self.folder / published.TOKENIZER
        with file_errors(file):
            # Unlike from_file, from_buffer raises ValueError for an invalid file.
            return TextEncoder(encoder, Tokenizer.from_buffer(file.read_bytes()))

    def _config(self, weights: str) -> dict[str, Any]:
        file = (self.folder / weights).with_name("config.json")
        with file_errors(file):
            return read_config(file)

    def _load(self, weights: str, build: Callable[[], Module], dtype: torch.dtype | None = None) -> Module:
        """A module in evaluation mode with the published parameters. It is never initialised with random ones."""
        file = self.folder / weights
        with file_errors(file.with_name("config.json")), torch.device("meta"):
            module = nn.Module.to(build(), dtype or self.dtype)  # the libraries' own `to` warns about it
        module.to_empty(device=self.device)
        _tie_embeddings(module)
        with file_errors(file):
            reader = TensorReader(file, _ALIASES)
            load_parameters(module, reader)
        self.bytes_read += reader.bytes_read
        return module.requires_grad_(requires_grad=False).eval()


def _tie_embeddings(module: nn.Module) -> None:
    """`to_empty` gives the two names of UMT5's embedding separate tensors."""
    model: Any = module
    if hasattr(module, "shared"):
        model.encoder.set_input_embeddings(model.shared)
