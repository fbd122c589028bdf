"""From the published files to the modules in memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from acestep_mcp.engines.ace_step_v1 import published
from acestep_mcp.engines.ace_step_v1.autoencoder import Autoencoder, AutoencoderConfig
from acestep_mcp.engines.ace_step_v1.codec import Codec
from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser
from acestep_mcp.engines.ace_step_v1.loaded import LoadedV1
from acestep_mcp.engines.ace_step_v1.lyrics import LyricTokenizer, vocabulary_file
from acestep_mcp.engines.ace_step_v1.text import TextEncoder
from acestep_mcp.engines.ace_step_v1.transformer import TransformerConfig
from acestep_mcp.engines.ace_step_v1.vocoder import Vocoder, VocoderConfig
from acestep_mcp.engines.model.checkpoint import config_of
from acestep_mcp.engines.model.compilation import can_compile
from acestep_mcp.engines.model.device import torch_device, torch_dtype
from acestep_mcp.engines.model.lora import LoraTargets, merge
from acestep_mcp.engines.model.options import EngineOptions
from acestep_mcp.engines.model.placement import ModelParts
from acestep_mcp.engines.model.predictions import fast_predictions
from acestep_mcp.engines.model.quantization import check_quantization, quantize
from acestep_mcp.engines.model.streams import Aside
from acestep_mcp.engines.model.weights_folder import TensorReader, WeightsFolder, file_errors

_ALIASES = {"shared.weight": "encoder.embed_tokens.weight"}
"""UMT5's embedding has two names; a file may have either."""
_QUANTIZED_LAYERS = {
    "int8": r"transformer\.transformer_blocks\.",
    "fp8": r"transformer\.transformer_blocks\.\d+\.(attn\.to_qkv|ff\.(inverted|point)_conv\.conv)$",
}
"""For FP8 the projections of the self-attention and the feed-forward, which are most of the work."""
_UNUSED = r"^projectors\.|\.cross_attn\.(add_[qkv]_proj|to_add_out)$"
"""Matrices of the published model that inference does not use."""

ReadParameter = Callable[[str, torch.Size], Tensor]
"""Returns a published parameter by name; it must have the number of elements of the shape."""


def load(options: EngineOptions) -> LoadedV1:
    """Raises ConfigurationError that names the file, the tensor or the package at fault."""
    folder = published.find_weights(options.weights)
    lyrics = LyricTokenizer(vocabulary_file.find(options, folder))
    device = torch_device(options.device)
    dtype = torch_dtype(options.dtype, device)
    if options.quantize:
        check_quantization(options.quantize, device, dtype)
    # Quantised or offloaded weights are built in main memory, so that the device never holds all of them in bfloat16.
    built_on = torch.device("cpu") if options.offload or options.quantize else device
    files = WeightsFolder(folder, built_on, dtype, _ALIASES)
    with torch.no_grad():
        denoiser = _denoiser(files)
        for adapter, weight in options.lora:
            merge(lora_targets(denoiser), adapter, weight)
        if options.quantize:
            quantize(denoiser, options.quantize, _QUANTIZED_LAYERS[options.quantize])
        codec, text = _codec(files), _text(files)
    if device.type == "cuda":
        codec.channels_last()
    modules = {"text": (text.encoder,), "denoiser": (denoiser,), "codec": (codec.autoencoder, codec.vocoder)}
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
    return LoadedV1(denoiser, codec, text, lyrics, device, dtype, parts, aside, files.bytes_read)


def _denoiser(files: WeightsFolder) -> Denoiser:
    config = config_of(TransformerConfig, files.config(published.TRANSFORMER))
    return files.load(published.TRANSFORMER, lambda: Denoiser(config), load_parameters)


def _codec(files: WeightsFolder) -> Codec:
    entries = files.config(published.AUTOENCODER)
    given = {name: value for name, value in entries.items() if not name.startswith("_")}
    autoencoder = files.load(published.AUTOENCODER, lambda: Autoencoder(AutoencoderConfig(**given)), load_parameters)
    config = config_of(VocoderConfig, files.config(published.VOCODER))
    # A waveform in bfloat16 has rounding noise 45 dB below the music.
    dtype = torch.float32 if files.dtype == torch.bfloat16 else files.dtype
    return Codec(autoencoder, files.load(published.VOCODER, lambda: Vocoder(config), load_parameters, dtype))


def _text(files: WeightsFolder) -> TextEncoder:
    from tokenizers import Tokenizer
    from transformers import UMT5Config, UMT5EncoderModel

    def fill(encoder: Any, reader: TensorReader) -> None:
        # `to_empty` gave the two names of the embedding separate tensors.
        encoder.encoder.set_input_embeddings(encoder.shared)
        load_parameters(encoder, reader)

    config = files.config(published.TEXT)
    encoder: Any = files.load(published.TEXT, lambda: UMT5EncoderModel(UMT5Config(**config)), fill)
    file = files.folder / published.TOKENIZER
    with file_errors(file):
        # Unlike from_file, from_buffer raises ValueError for an invalid file.
        return TextEncoder(encoder, Tokenizer.from_buffer(file.read_bytes()))


def load_parameters(module: nn.Module, read: ReadParameter) -> None:
    """Copy the published value into every parameter of a module. Parameters that inference does not use are not read."""
    with torch.no_grad():
        for name, tensor in parameter_targets(module):
            is_normalised = re.fullmatch(r"head\..*\.weight", name)
            value = _fold_weight_norm(name, tensor.shape, read) if is_normalised else read(name, tensor.shape)
            tensor.copy_(value.reshape(tensor.shape))


def parameter_targets(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The name of each published parameter that inference uses, and the view of a tensor here that it is copied into.

    Modules are named as in the checkpoint. Only the denoiser has its two parts, and fused queries, keys and values.
    """
    for ours, parameter in module.named_parameters():
        name = re.sub(r"^(condition_encoder|transformer)\.", "", ours)
        parts = parameter.data.chunk(3) if ".to_qkv." in name else (parameter.data,)
        for letter, part in zip("qkv", parts, strict=False):
            yield name.replace(".to_qkv.", f".to_{letter}."), part


def lora_targets(denoiser: nn.Module) -> LoraTargets:
    weights = {name: tensor for name, tensor in parameter_targets(denoiser) if name.endswith(".weight")}
    return LoraTargets("ACE-Step v1", {name.removesuffix(".weight"): weights[name] for name in weights}, _UNUSED)


def _fold_weight_norm(name: str, shape: torch.Size, read: ReadParameter) -> Tensor:
    """The weight of a weight-normalised layer of the vocoder: `weight_v`, normalised per output channel, times `weight_g`."""
    direction = read(f"{name}_v", shape).float()
    length = read(f"{name}_g", torch.Size((shape[0], *[1] * (len(shape) - 1)))).float()
    norm = torch.linalg.vector_norm(direction.flatten(1), dim=1).view_as(length)
    return direction * (length / norm)
