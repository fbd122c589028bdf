"""Where the published files are looked for, and errors about missing and broken ones. Does not need torch."""

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.ace_step_v1 import published
from acestep_mcp.engines.ace_step_v1.lyrics import vocabulary_file
from acestep_mcp.engines.model.device import device_name
from acestep_mcp.engines.model.options import EngineOptions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Valid files, as far as their headers show."""
    made = tmp_path / "weights"
    for name in published.FILES:
        file = made / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(safetensors(16) if file.suffix == ".safetensors" else b"{}")
    return made


def safetensors(size: int) -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Hugging Face cache of the test's own, and a home without the public code's."""
    constants = pytest.importorskip("huggingface_hub.constants", reason="the engine's packages are not installed")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    return tmp_path / "hub"


def test_a_named_folder_is_used(folder: Path) -> None:
    assert published.find_weights(folder) == folder


def test_the_hugging_face_cache_is_used_by_default(folder: Path, cache: Path) -> None:
    there = cache / "models--ACE-Step--ACE-Step-v1-3.5B" / "snapshots" / published.REVISION
    shutil.copytree(folder, there)
    assert published.find_weights() == there


def test_another_revision_in_the_cache_is_not_used(folder: Path, cache: Path) -> None:
    shutil.copytree(folder, cache / "models--ACE-Step--ACE-Step-v1-3.5B" / "snapshots" / ("0" * 40))
    with pytest.raises(ConfigurationError, match="--download"):
        published.find_weights()


@pytest.mark.parametrize("flat", [True, False])
def test_the_cache_of_the_public_code_is_used_as_well(folder: Path, cache: Path, tmp_path: Path, flat: bool) -> None:
    cached = tmp_path / "home" / ".cache" / "ace-step" / "checkpoints"
    there = cached if flat else published.PUBLISHED.snapshot(cached)
    shutil.copytree(folder, there)
    assert published.find_weights() == there


@pytest.mark.parametrize("name", published.FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ConfigurationError) as caught:
        published.find_weights(folder)
    assert f"{folder / name} is missing" in caught.value.message


@pytest.mark.parametrize("kept", [0, 7, 8, 40, -1])
def test_a_file_that_is_cut_short_is_named(folder: Path, kept: int) -> None:
    file = folder / published.VOCODER
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ConfigurationError, match=r"music_vocoder.*(cut short|not whole)"):
        published.find_weights(folder)


@pytest.mark.parametrize(
    "content",
    [b"PK\3\4 a pickle in a zip", b"\xff" * 64, struct.pack("<Q", 4) + b"[1] ", struct.pack("<Q", 4) + b"nope"],
)
def test_a_file_that_is_not_safetensors_is_named(folder: Path, content: bytes) -> None:
    (folder / published.TEXT).write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"umt5-base.model\.safetensors (is|cannot)"):
        published.find_weights(folder)


def test_a_config_that_is_not_an_object_is_named(folder: Path) -> None:
    (folder / "music_vocoder" / "config.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"music_vocoder.config\.json is not what its name says"):
        published.find_weights(folder)


def test_a_named_vocabulary_takes_precedence(folder: Path, tmp_path: Path) -> None:
    named, kept = tmp_path / "mine.json", vocabulary_file.download_path(tmp_path)
    kept.parent.mkdir()
    for file in (named, folder / "vocab.json", kept):
        file.write_text("{}", encoding="utf-8")
    unnamed, with_name = EngineOptions(data_dir=tmp_path), EngineOptions(data_dir=tmp_path, lyric_vocab=named)
    assert vocabulary_file.find(with_name, folder) == named
    assert vocabulary_file.find(unnamed, folder) == folder / "vocab.json"
    (folder / "vocab.json").unlink()
    assert vocabulary_file.find(unnamed, folder) == kept
    kept.unlink()
    with pytest.raises(ConfigurationError, match="--download"):
        vocabulary_file.find(unnamed, folder)
    named.unlink()
    with pytest.raises(ConfigurationError, match=r"mine\.json is not there"):
        vocabulary_file.find(with_name, folder)


def test_an_engine_that_lacks_its_weights_says_how_to_get_them(folder: Path, cache: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the engine's packages are not installed")
    assert "--download" in (published.unavailable_reason(EngineOptions(data_dir=tmp_path)) or "")
    assert "vocabulary" in (published.unavailable_reason(EngineOptions(data_dir=tmp_path, weights=folder)) or "")
    (folder / "vocab.json").write_text("{}", encoding="utf-8")
    assert published.unavailable_reason(EngineOptions(data_dir=tmp_path, weights=folder)) is None


def test_a_missing_adapter_is_reported_before_the_first_song(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the engine's packages are not installed")
    (folder / "vocab.json").write_text("{}", encoding="utf-8")
    reason = published.unavailable_reason(
        EngineOptions(data_dir=tmp_path, weights=folder, lora=((tmp_path / "rap.safetensors", 1.0),))
    )
    assert "rap.safetensors is not there" in (reason or "")


@pytest.mark.process
def test_looking_for_files_loads_nothing_heavy(folder: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from acestep_mcp.engines.ace_step_v1 import published\n"
        "from acestep_mcp.engines.model.device import device_name\n"
        "from acestep_mcp.engines.model.options import EngineOptions\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "published.unavailable_reason(EngineOptions(data_dir=folder, weights=folder)); device_name('auto')\n"
        "print(*(name for name in ('torch', 'transformers', 'diffusers', 'httpx', 'numpy') if name in sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == ""


def test_a_cpu_needs_no_lock_and_a_gpu_has_one_name() -> None:
    assert device_name("cpu") is None
    named = device_name("cuda:0")
    assert named == "cuda:0" or named.startswith("GPU-")
    assert device_name("cuda") in {named, "cuda"}
