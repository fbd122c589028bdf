"""Which LoRA adapters a folder offers, and the scale that PEFT stores beside one. Does not need torch."""

import json
import struct
from pathlib import Path

import pytest

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.ace_step_v15 import lora_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "peft").mkdir()
    (tmp_path / "diffusers").mkdir()
    (tmp_path / "empty").mkdir()
    names = ("a b.safetensors", "peft/adapter_model.safetensors", "diffusers/pytorch_lora_weights.safetensors")
    for name in (*names, "x:y.safetensors", "a,b.safetensors"):
        header = json.dumps({}).encode()
        (tmp_path / name).write_bytes(struct.pack("<Q", len(header)) + header)
    (tmp_path / "notes.txt").touch()
    return tmp_path


def test_files_and_folders_with_an_adapter_are_offered_by_names_that_a_tag_can_hold(folder):
    assert set(lora_files.offered(folder)) == {"a b", "peft", "diffusers"}
    assert lora_files.offered(folder)["peft"] == folder / "peft" / "adapter_model.safetensors"
    assert lora_files.offered(folder / "gone") == lora_files.offered(None) == {}


@pytest.mark.parametrize(
    ("config", "scale"),
    [({"r": 64, "lora_alpha": 128}, 2), ({"r": 16, "lora_alpha": 8, "use_rslora": True}, 2), ({"r": 8}, 1), (None, 1)],
)
def test_the_scale_is_alpha_by_rank(folder, config, scale):
    if config is not None:
        (folder / "peft" / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert lora_files.peft_scale(folder / "peft" / "adapter_model.safetensors") == scale


@pytest.mark.parametrize(
    "config",
    ["[]", '{"use_dora": true}', '{"alpha_pattern": {"x": 1}}', '{"r": 0}', '{"r": "a"}', '{"lora_alpha": NaN}', "{"],
)
def test_an_adapter_whose_scale_cannot_be_used_is_refused_by_the_file(folder, config):
    (folder / "peft" / "adapter_config.json").write_text(config, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"adapter_config\.json cannot be used"):
        lora_files.peft_scale(folder / "peft" / "adapter_model.safetensors")


@pytest.mark.parametrize(
    ("name", "why"), [("notes.txt", "neither a safetensors file"), ("gone.safetensors", "is missing")]
)
def test_what_is_no_adapter_is_refused_by_its_path(folder, name, why):
    with pytest.raises(ConfigurationError, match=why):
        lora_files.check_file(lora_files.adapter_file(folder / name))
