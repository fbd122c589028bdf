"""A small checkpoint folder with random weights, and with the file names, parameter names and shapes of the published one."""

import json
import re
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers, processors
from tools.random_parameters import parameter

from acestep_mcp.engines.ace_step_v1.autoencoder import Autoencoder, AutoencoderConfig
from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser
from acestep_mcp.engines.ace_step_v1.transformer import TransformerConfig
from acestep_mcp.engines.ace_step_v1.vocoder import Vocoder, VocoderConfig
from acestep_mcp.engines.ace_step_v1.weights import parameter_targets
from acestep_mcp.engines.model.checkpoint import config_of

CONFIGS = Path(__file__).parent / "numbers" / "configs.json"
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "pl", "tr", "ru", "cs", "nl", "ar", "zh-cn", "ja", "hu", "ko", "hi")
LETTERS = "!'(),-.:;?abcdefghijklmnopqrstuvwxyz0123456789[] "
CONVOLUTIONS = {
    "proj_in.early_conv_layers.0.weight": (8, 16, 1),
    "proj_in.early_conv_layers.2.weight": (-1, 1, 1),
    "inverted_conv.conv.weight": (-1, 1),
    "point_conv.conv.weight": (-1, 1),
}
"""Dimensions of published weights after the first, where the modules here have matrices."""
SMALLER = {
    "ace_step_transformer": {"num_layers": 16},
    "music_vocoder": {
        "upsample_rates": [8, 8, 8], "upsample_kernel_sizes": [16, 16, 16], "upsample_initial_channel": 16,
        "resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1]],
    },
    "umt5-base": {"num_layers": 10},
}  # fmt: skip
"""Where a song needs less than the recorded numbers do: the vocoder took most of its time. Some weakened layers stay."""


def small_configs() -> dict:
    """The configurations of the recorded numbers, smaller."""
    recorded = json.loads(CONFIGS.read_text(encoding="utf-8"))
    return {name: config | SMALLER.get(name, {}) for name, config in recorded.items()}


def make_checkpoint(folder: Path, configs: dict | None = None) -> None:
    """The four folders of the model and, beside them, `vocab.json` for lyrics."""
    configs = configs or small_configs()
    weights = {
        "ace_step_transformer/diffusion_pytorch_model": denoiser_weights(configs["ace_step_transformer"]),
        "music_dcae_f8c8/diffusion_pytorch_model": autoencoder_weights(configs["music_dcae_f8c8"]),
        "music_vocoder/diffusion_pytorch_model": vocoder_weights(configs["music_vocoder"]),
        "umt5-base/model": text_weights(configs["umt5-base"]),
    }
    for name, tensors in weights.items():
        file = folder / f"{name}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, file, metadata={"format": "pt"})
        config = json.dumps(configs[file.parent.name])
        (file.parent / "config.json").write_text(config, encoding="utf-8")
    make_tokenizer(folder / "umt5-base", configs["umt5-base"]["vocab_size"])
    make_vocabulary(folder / "vocab.json")


def denoiser_weights(config: dict) -> dict[str, torch.Tensor]:
    """The parameters that inference uses, and those that it does not."""
    with torch.device("meta"):
        module = Denoiser(config_of(TransformerConfig, config))
    shapes = {name: published_shape(name, tensor.shape) for name, tensor in parameter_targets(module)}
    shapes |= unused_shapes(config)
    return {name: parameter(name, torch.Size(shape)) for name, shape in shapes.items()}


def published_shape(name: str, shape: torch.Size) -> tuple[int, ...]:
    for end, after in CONVOLUTIONS.items():
        if name.endswith(end):
            return (shape[0], *(shape[1] if size == -1 else size for size in after))
    return tuple(shape)


def unused_shapes(config: dict) -> dict[str, tuple[int, ...]]:
    width = config["inner_dim"]
    shapes = {}
    for block in range(config["num_layers"]):
        for layer in ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"):
            name = f"transformer_blocks.{block}.cross_attn.{layer}"
            shapes |= {f"{name}.weight": (width, width), f"{name}.bias": (width,)}
    for number, last in enumerate(config["ssl_latent_dims"]):
        sizes = (width, 2 * width, 2 * width, last)
        for layer in range(3):
            name = f"projectors.{number}.{2 * layer}"
            shapes |= {f"{name}.weight": (sizes[layer + 1], sizes[layer]), f"{name}.bias": (sizes[layer + 1],)}
    return shapes


def autoencoder_weights(config: dict) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        given = {name: value for name, value in config.items() if not name.startswith("_")}
        module = Autoencoder(AutoencoderConfig(**given))
    return {name: parameter(name, tensor.shape) for name, tensor in parameter_targets(module)}


def vocoder_weights(config: dict) -> dict[str, torch.Tensor]:
    """The head's weights are weight-normalised: pairs of `weight_g` and `weight_v`."""
    with torch.device("meta"):
        module = Vocoder(config_of(VocoderConfig, config))
    weights = {}
    for name, tensor in parameter_targets(module):
        shape = tensor.shape
        if re.fullmatch(r"head\..*\.weight", name):
            length = torch.Size((shape[0], *[1] * (len(shape) - 1)))
            weights[f"{name}_g"] = parameter(f"{name}_g", length)
            weights[f"{name}_v"] = parameter(f"{name}_v", shape)
        else:
            weights[name] = parameter(name, shape)
    return weights


def text_weights(config: dict) -> dict[str, torch.Tensor]:
    from transformers import UMT5Config, UMT5EncoderModel

    with torch.device("meta"):
        module = UMT5EncoderModel(UMT5Config(**config))
    return {name: parameter(name, tensor.shape) for name, tensor in parameter_targets(module)}


def make_tokenizer(folder: Path, size: int) -> None:
    """A unigram tokenizer of single letters that ends each text with </s>, as T5's do."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -10.0), ("▁", -2.0)]
    pieces += [(letter, -3.0) for letter in LETTERS if letter.strip()]
    pieces += [(f"▁{number}", -4.0) for number in range(size - len(pieces))]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    config = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "model_max_length": 512, **names}
    for file, content in (("tokenizer_config.json", config), ("special_tokens_map.json", names)):
        (folder / file).write_text(json.dumps(content), encoding="utf-8")


def make_vocabulary(file: Path) -> None:
    """Single letters, with the special ids of the published one: [SPACE] is 2, [START] 261."""
    first = ["[STOP]", "[UNK]", "[SPACE]", *(letter for letter in LETTERS if letter.strip())]
    first += [f"<{number}>" for number in range(261 - len(first))]
    marks = [f"[{code}]" for code in LANGUAGES]
    vocabulary = {token: number for number, token in enumerate([*first, "[START]", *marks])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(
        [AddedToken(token, normalized=False) for token in ("[STOP]", "[UNK]", "[SPACE]", "[START]", *marks)]
    )
    tokenizer.save(str(file))
