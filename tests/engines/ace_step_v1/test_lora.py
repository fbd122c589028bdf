"""LoRA adapters merged into the weights."""

import json
import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from safetensors.torch import save_file  # noqa: E402
from tools.random_parameters import parameter  # noqa: E402

from acestep_mcp.api.errors import ConfigurationError  # noqa: E402
from acestep_mcp.engines.ace_step_v1 import weights  # noqa: E402
from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser  # noqa: E402
from acestep_mcp.engines.ace_step_v1.transformer import TransformerConfig  # noqa: E402
from acestep_mcp.engines.model import lora  # noqa: E402

pytestmark = pytest.mark.xdist_group("torch")

CONFIG = TransformerConfig(
    num_layers=2, inner_dim=32, attention_head_dim=8, num_attention_heads=4, speaker_embedding_dim=6,
    text_embedding_dim=10, lyric_encoder_vocab_size=270, lyric_hidden_size=16, lyric_encoder_num_layers=2,
    lyric_encoder_num_heads=2, lyric_encoder_ff_size=24,
)  # fmt: skip
RANK = 3
TARGETS = {
    "transformer_blocks.0.attn.to_q": (32, 32),
    "transformer_blocks.0.attn.to_v": (32, 32),
    "transformer_blocks.1.cross_attn.to_k": (32, 32),
    "transformer_blocks.1.attn.to_out.0": (32, 32),
    "transformer_blocks.0.ff.inverted_conv.conv": (160, 32, 1),
    "lyric_encoder.encoders.1.self_attn.linear_q": (16, 16),
    "speaker_embedder": (32, 6),
    "proj_in.early_conv_layers.0": (2048, 8, 16, 1),
}


@pytest.fixture
def denoiser() -> Denoiser:
    return made(parameter)


def made(read) -> Denoiser:
    module = Denoiser(CONFIG)
    weights.load_parameters(module, read)
    return module


def adapter(prefix: str = "", targets: dict = TARGETS, end: str = ".weight") -> dict:
    """Two small matrices per target, or convolutions as in PEFT: the first with the target's kernel, the second 1 x 1."""
    draw = torch.Generator().manual_seed(1)
    tensors = {}
    for target, (rows, *columns) in targets.items():
        tensors[f"{prefix}{target}.lora_A{end}"] = torch.randn(RANK, *columns, generator=draw)
        tensors[f"{prefix}{target}.lora_B{end}"] = torch.randn(rows, RANK, *[1] * (len(columns) - 1), generator=draw)
    return tensors


def changed(tensors: dict, factor: float, prefix: str = "") -> dict:
    """The weights of a model loaded from published weights that include the change."""

    def read(name: str, shape):
        value = parameter(name, shape)
        down = tensors.get(f"{prefix}{name.removesuffix('.weight')}.lora_A.weight")
        if down is None or not name.endswith(".weight"):
            return value
        up = tensors[f"{prefix}{name.removesuffix('.weight')}.lora_B.weight"]
        change = torch.einsum("or,ri->oi", up.flatten(1), down.flatten(1))
        return value + factor * change.reshape(shape)

    return made(read).state_dict()


def merged(denoiser: Denoiser, file: Path, tensors: dict, weight: float = 1.0, metadata: dict | None = None) -> dict:
    save_file(tensors, file, metadata=metadata)
    lora.merge(weights.lora_targets(denoiser), file, weight)
    return denoiser.state_dict()


def assert_equal(ours: dict, theirs: dict) -> None:
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-5, atol=1e-5, msg=name)


@pytest.mark.parametrize("prefix", ["", "transformer.", "base_model.model.", "base_model.model.transformer."])
def test_merging_equals_changing_the_published_weights(denoiser, tmp_path: Path, prefix: str) -> None:
    tensors = adapter(prefix)
    ours = merged(denoiser, tmp_path / "lora.safetensors", tensors, 0.7)
    assert_equal(ours, changed(tensors, 0.7, prefix))
    assert not torch.equal(
        ours["transformer.transformer_blocks.0.attn.to_qkv.weight"],
        made(parameter).transformer.transformer_blocks[0].attn.to_qkv.weight,
    )


@pytest.mark.parametrize("source", ["key", "metadata", "pattern"])
def test_a_given_alpha_is_used_instead_of_the_rank(denoiser, tmp_path: Path, source: str) -> None:
    tensors = adapter(targets={"transformer_blocks.0.attn.to_q": (32, 32)})
    metadata: dict = {}
    if source == "key":
        tensors["transformer_blocks.0.attn.to_q.alpha"] = torch.tensor(6.0)
    elif source == "metadata":
        metadata = {"transformer.lora_alpha": 6, "transformer.r": RANK}
    else:
        metadata = {"lora_alpha": 1, "alpha_pattern": {"attn.to_q": 6}}
    ours = merged(denoiser, tmp_path / "a", tensors, 1.0, {"lora_adapter_metadata": json.dumps(metadata)})
    assert_equal(ours, changed(tensors, 2.0))


def test_a_rank_stabilised_adapter_is_scaled_by_the_root_of_its_rank(denoiser, tmp_path: Path) -> None:
    tensors = adapter()
    metadata = {"lora_adapter_metadata": json.dumps({"lora_alpha": 6, "use_rslora": True})}
    ours = merged(denoiser, tmp_path / "a", tensors, 1.0, metadata)
    assert_equal(ours, changed(tensors, 6 / math.sqrt(RANK)))


def test_a_weight_of_zero_changes_nothing(denoiser, tmp_path: Path) -> None:
    assert_equal(merged(denoiser, tmp_path / "a", adapter(), 0.0), made(parameter).state_dict())


def test_targets_that_inference_does_not_use_are_skipped(denoiser, tmp_path: Path) -> None:
    unused = {"projectors.0.2": (7, 5), "transformer_blocks.1.cross_attn.to_add_out": (32, 32)}
    tensors = adapter(targets={**TARGETS, **unused})
    assert_equal(merged(denoiser, tmp_path / "a", tensors), changed(adapter(), 1.0))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"double_blocks.0.qkv.lora_A.weight": (3, 4), "double_blocks.0.qkv.lora_B.weight": (4, 3)},
            r"double_blocks\.0\.qkv",
        ),
        ({"transformer_blocks.0.attn.to_q.lora_A.weight": (3, 31)}, r"to_q has shapes \(32, 3\) and \(3, 31\)"),
        ({"transformer_blocks.0.attn.to_q.lora_A.weight": (2, 32)}, r"to_q has shapes"),
        ({"transformer_blocks.1.attn.to_q.lora_B.weight": (32, 3)}, r"does not have both lora_A and lora_B"),
        ({"transformer_blocks.0.attn.to_q.weight": (32, 32)}, r"holds transformer_blocks\.0\.attn\.to_q\.weight"),
    ],
)
def test_an_adapter_that_does_not_fit_changes_nothing_and_says_why(denoiser, tmp_path: Path, change, problem) -> None:
    tensors = adapter() | {name: torch.ones(shape) for name, shape in change.items()}
    with pytest.raises(ConfigurationError, match=problem):
        merged(denoiser, tmp_path / "a", tensors)
    assert_equal(denoiser.state_dict(), made(parameter).state_dict())


def test_a_file_that_is_not_an_adapter_is_rejected(denoiser, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"PK\3\4 a pickle")
    for name in ("a.bin", "missing.safetensors"):
        with pytest.raises(ConfigurationError, match=name.replace(".", r"\.")):
            lora.merge(weights.lora_targets(denoiser), tmp_path / name, 1.0)
