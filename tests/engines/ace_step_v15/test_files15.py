"""Where the files of ACE-Step 1.5 are looked for, and errors about them. Does not need torch."""

import json
import shutil
import struct
from importlib.util import find_spec
from pathlib import Path

import pytest

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.ace_step_v15 import published
from acestep_mcp.engines.model.options import EngineOptions

SHARDS = [name for name in published.PUBLISHED.names if "-of-" in name]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The published files, valid as far as their headers show."""
    made = tmp_path / "weights"
    for name in published.PUBLISHED.names:
        file = made / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(safetensors(16) if file.suffix == ".safetensors" else b"{}")
    index = {"weight_map": {f"part.{number}": Path(name).name for number, name in enumerate(SHARDS)}}
    (made / "transformer" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    return made


def safetensors(size: int) -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def test_a_named_folder_is_used(folder):
    assert published.find_weights(folder) == folder


def test_the_hugging_face_cache_is_used_by_default(folder, tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants", reason="the engine's packages are not installed")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(ConfigurationError, match=r"not on this machine.*--engine ace-step-v1\.5 --download"):
        published.find_weights()
    there = published.PUBLISHED.snapshot()
    assert there.parent.parent.name == "models--ACE-Step--acestep-v15-xl-turbo-diffusers"
    shutil.copytree(folder, there)
    assert published.find_weights() == there


@pytest.mark.parametrize("name", ["model_index.json", "tokenizer/tokenizer_config.json", "vae/config.json", *SHARDS])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ConfigurationError) as caught:
        published.find_weights(folder)
    assert f"{folder / name} is missing" in caught.value.message


def test_a_shard_that_is_cut_short_is_named(folder):
    file = folder / SHARDS[1]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ConfigurationError, match=r"00002-of-00002.* is not whole"):
        published.find_weights(folder)


@pytest.mark.parametrize("name", ["model_index.json", "transformer/diffusion_pytorch_model.safetensors.index.json"])
@pytest.mark.parametrize("content", ["<html>", "[]", '{"weight_map'])
def test_an_invalid_index_is_named(folder, name, content):
    (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        published.find_weights(folder)
    assert f"{folder / name} is not what its name says" in caught.value.message


@pytest.mark.parametrize("content", [{"weight_map": None}, {"weight_map": ["a"]}, {}])
def test_an_index_without_names_means_the_default_file(folder, content):
    (folder / "transformer" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match=r"diffusion_pytorch_model\.safetensors is missing"):
        published.find_weights(folder)


def test_an_invalid_entry_of_the_index_is_ignored(folder):
    (folder / "model_index.json").write_text(json.dumps({"audio_tokenizer": 5, "audio_token_detokenizer": []}))
    assert published.find_weights(folder) == folder


def test_an_unsupported_option_makes_the_engine_unavailable(folder, tmp_path):
    pytest.importorskip("torch", reason="the engine's packages are not installed")
    assert published.unavailable_reason(EngineOptions(data_dir=tmp_path, weights=folder)) is None
    wrong = EngineOptions(data_dir=tmp_path, weights=folder, compile=True, lora_dir=tmp_path)
    assert "--compile cannot be used with --lora-dir" in published.unavailable_reason(wrong)


def test_an_adapter_that_is_not_there_makes_the_engine_unavailable(folder, tmp_path):
    for name in ("torch", "peft"):
        pytest.importorskip(name, reason="the engine's packages are not installed")
    gone = ((tmp_path / "gone.safetensors", 1.0),)
    reason = published.unavailable_reason(EngineOptions(data_dir=tmp_path, weights=folder, lora=gone))
    assert "gone.safetensors is missing: correct --lora" in reason


def test_a_shard_is_looked_for_in_its_own_folder_only(folder):
    index = folder / "transformer" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../../elsewhere.safetensors"}}))
    with pytest.raises(ConfigurationError) as caught:
        published.find_weights(folder)
    assert f"{folder / 'transformer' / 'elsewhere.safetensors'} is missing" in caught.value.message


def test_parts_that_the_model_s_index_names_are_required(folder):
    index = {"audio_tokenizer": ["ace_step", "AceStepAudioTokenizer"], "audio_token_detokenizer": [None, None]}
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(ConfigurationError, match=r"audio_tokenizer.config\.json is missing"):
        published.find_weights(folder)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"quantize": "int8"}, "--quantize cannot"),
        ({"compile": True, "quantize": "int8"}, "--quantize and --compile cannot"),
    ],
)
def test_what_fixes_the_weights_is_refused_beside_adapters_that_change_them(tmp_path, options, named):
    with pytest.raises(ConfigurationError, match=f"{named} be used with --lora-dir.*leave one out"):
        published.reject_unsupported(EngineOptions(data_dir=tmp_path, lora_dir=tmp_path, **options))


@pytest.mark.skipif(find_spec("torchao") is not None, reason="torchao is installed")
def test_int8_without_its_package_is_refused_by_its_name(tmp_path):
    with pytest.raises(ConfigurationError, match="--quantize int8 needs the package torchao: pip install torchao"):
        published.reject_unsupported(EngineOptions(data_dir=tmp_path, quantize="int8"))


def test_fp8_is_refused_by_its_name(tmp_path):
    with pytest.raises(ConfigurationError, match=r"has no --quantize fp8 .*: take int8"):
        published.reject_unsupported(EngineOptions(data_dir=tmp_path, quantize="fp8"))
