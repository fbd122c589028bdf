"""From a folder in the published layout to the modules in memory."""

import json
import shutil
import subprocess
import sys
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from tools.random_parameters import parameter  # noqa: E402

from acestep_mcp.api.errors import ConfigurationError  # noqa: E402
from acestep_mcp.engines.ace_step_v1 import published, weights  # noqa: E402
from acestep_mcp.engines.ace_step_v1.loaded import LoadedV1  # noqa: E402
from acestep_mcp.engines.model import placement, quantization  # noqa: E402
from acestep_mcp.engines.model.options import EngineOptions  # noqa: E402

pytestmark = pytest.mark.xdist_group("torch")


@pytest.fixture(scope="module")
def folder(checkpoint: Path) -> Path:
    return checkpoint


@pytest.fixture
def other(folder: Path, tmp_path: Path) -> Path:
    """A folder with the same files, one of which a test may replace."""
    return Path(shutil.copytree(folder, tmp_path / "weights", copy_function=_linked))


def _linked(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def options(folder: Path, **given) -> EngineOptions:
    """Not validated: some tests give values that the settings reject."""
    return EngineOptions.model_construct(data_dir=folder, weights=folder, **{"device": "cpu", **given})


@pytest.fixture(scope="module")
def loaded(folder: Path) -> LoadedV1:
    return weights.load(options(folder))


def modules(loaded: LoadedV1):
    return loaded.denoiser, loaded.codec.autoencoder, loaded.codec.vocoder, loaded.text.encoder


def resaved(file: Path, change) -> None:
    tensors = load_file(file)
    change(tensors)
    file.unlink()
    save_file(tensors, file)


def test_every_parameter_has_its_value_from_the_file(loaded: LoadedV1) -> None:
    for module in modules(loaded):
        read = dict(module.state_dict())
        before = {name: value.clone() for name, value in read.items()}
        assert before
        weights.load_parameters(module, parameter)  # the checkpoint was made with the same function
        for name, value in module.state_dict().items():
            assert torch.equal(before[name], value), name


def test_no_tensor_is_left_uninitialised(loaded: LoadedV1) -> None:
    for module in modules(loaded):
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            assert tensor.device.type == "cpu" and tensor.isfinite().all(), name


def test_parameters_that_inference_does_not_use_are_not_read(folder: Path, loaded: LoadedV1) -> None:
    unused = ("projectors.", ".add_q_proj.", ".add_k_proj.", ".add_v_proj.", ".to_add_out.")
    used = 0
    for name in published.WEIGHTS:
        with safe_open(folder / name, framework="pt") as opened:
            for key in opened.keys():  # noqa: SIM118 - it is not a mapping
                if not any(part in key for part in unused):
                    used += opened.get_tensor(key).nbytes
    assert loaded.bytes_read == used


def test_the_loaded_text_encoder_reads_tags(loaded: LoadedV1) -> None:
    ids, mask = loaded.text.ids("soft piano")
    assert ids.shape == mask.shape and ids[0, -1] == 1
    states = loaded.text.hidden_states(ids, mask)
    assert states.shape == (1, ids.shape[1], 32) and states.isfinite().all()
    assert loaded.lyrics.ids("[verse]\nhello")[0] == 261


def test_tags_are_tokenised_by_the_file_alone_up_to_256_tokens_with_the_end_mark(loaded: LoadedV1) -> None:
    ids, mask = loaded.text.ids("a, b " * 200)
    assert ids.shape == (1, 256) and ids[0, -1] == 1 and mask.all()
    assert loaded.text.truncates("a, b " * 200) and not loaded.text.truncates("soft piano")
    assert type(loaded.text.tokenizer).__module__ == "tokenizers"


@pytest.fixture(scope="module")
def rounded(folder: Path) -> LoadedV1:
    return weights.load(options(folder, dtype="bfloat16"))


def test_another_dtype_is_the_same_values_rounded_but_for_the_vocoder(rounded: LoadedV1, loaded: LoadedV1) -> None:
    for ours, theirs in zip(modules(rounded), modules(loaded), strict=True):
        dtype = torch.float32 if ours is rounded.codec.vocoder else torch.bfloat16
        for (name, value), whole in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            assert value.dtype == dtype
            assert torch.equal(value, whole.to(dtype)), name


def test_the_text_encoder_s_embedding_may_have_either_name(other: Path, loaded: LoadedV1) -> None:
    resaved(other / published.TEXT, lambda t: t.update({"encoder.embed_tokens.weight": t.pop("shared.weight")}))
    encoder = weights.load(options(other)).text.encoder
    assert encoder.shared is encoder.encoder.embed_tokens
    assert torch.equal(encoder.shared.weight, loaded.text.encoder.shared.weight)


def test_a_missing_tensor_is_named_with_its_file(other: Path) -> None:
    resaved(other / published.VOCODER, lambda t: t.pop("head.conv_pre.weight_g"))
    with pytest.raises(ConfigurationError, match=r"music_vocoder.diffusion_pytorch_model.*head\.conv_pre\.weight_g"):
        weights.load(options(other))


def test_a_tensor_of_another_shape_is_named_with_both_shapes(other: Path) -> None:
    resaved(other / published.TRANSFORMER, lambda t: t.update({"lyric_proj.weight": torch.zeros(64, 63)}))
    with pytest.raises(ConfigurationError, match=r"lyric_proj\.weight has the shape \(64, 63\).*\(64, 64\)"):
        weights.load(options(other))


@pytest.mark.parametrize("name", [published.AUTOENCODER, published.TEXT])
def test_a_config_that_a_library_rejects_is_named(other: Path, name: str) -> None:
    config = (other / name).with_name("config.json")
    entries = json.loads(config.read_text(encoding="utf-8"))
    config.unlink()
    config.write_text(json.dumps({**entries, "num_heads": "many", "no_such_thing": 1}), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"config\.json"):
        weights.load(options(other))


def test_a_broken_tokenizer_is_named(other: Path) -> None:
    file = other / "umt5-base" / "tokenizer.json"
    file.unlink()
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"tokenizer\.json"):
        weights.load(options(other))


def test_with_offload_a_part_is_on_the_device_only_while_it_is_used(folder: Path) -> None:
    whole = weights.load(options(folder, offload=True))
    # The meta device exists in every build of PyTorch and stores no values.
    held = {"text": (whole.text.encoder,), "denoiser": (whole.denoiser,)}
    before = {name: value.clone() for name, value in whole.denoiser.state_dict().items()}
    parts = placement.ModelParts(held, torch.device("meta"), offload=True)
    with parts.using("denoiser"):
        assert {value.device.type for value in whole.denoiser.state_dict().values()} == {"meta"}
        assert {value.device.type for value in whole.text.encoder.state_dict().values()} == {"cpu"}
    after = whole.denoiser.state_dict()
    assert all(torch.equal(before[name], value) for name, value in after.items())


def test_without_offload_everything_is_on_the_device(folder: Path) -> None:
    whole = weights.load(options(folder))
    parts = placement.ModelParts({"denoiser": (whole.denoiser,)}, torch.device("meta"), offload=False)
    with parts.using("denoiser"):
        assert {value.device.type for value in whole.denoiser.state_dict().values()} == {"meta"}
    assert {value.device.type for value in whole.denoiser.state_dict().values()} == {"meta"}


def test_freeing_releases_memory_although_the_modules_are_referenced(folder: Path) -> None:
    whole = weights.load(options(folder))
    held = modules(whole)
    whole.free()
    assert sum(value.numel() for module in held for value in module.state_dict().values()) == 0


@pytest.mark.skipif(find_spec("torchao") is not None, reason="torchao is installed")
def test_int8_without_its_package_says_what_to_install(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="pip install torchao"):
        weights.load(options(folder, quantize="int8"))


@pytest.mark.filterwarnings("ignore")  # torchao's own
def test_int8_changes_only_the_large_matrices_and_only_slightly(folder: Path, loaded: LoadedV1) -> None:
    pytest.importorskip("torchao", reason="torchao is not installed")
    small = weights.load(options(folder, quantize="int8")).denoiser
    x = torch.randn(1, 5, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        ours, theirs = (model.transformer.transformer_blocks[0].attn.to_qkv(x) for model in (small, loaded.denoiser))
        assert 0 < (ours - theirs).norm() / theirs.norm() < 0.02
    assert torch.equal(small.condition_encoder.lyric_proj.weight, loaded.denoiser.condition_encoder.lyric_proj.weight)


def test_fp8_is_refused_where_the_device_has_none(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"fp8 needs a CUDA GPU.*the device is no CUDA GPU.*use int8"):
        weights.load(options(folder, quantize="fp8"))


@pytest.mark.parametrize(
    ("capability", "dtype", "problem"),
    [((8, 6), "bfloat16", "has 8.6"), ((9, 0), "float16", "float16"), ((8, 9), "bfloat16", None), ((9, 0), "bfloat16", None)],
)  # fmt: skip
def test_fp8_needs_a_new_gpu_and_bfloat16(capability: tuple[int, int], dtype: str, problem: str | None) -> None:
    with pytest.raises(ConfigurationError, match=problem) if problem else nullcontext():
        quantization.check_fp8(capability, getattr(torch, dtype))


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"device": "nowhere"}, "'nowhere'"),
        ({"dtype": "int4"}, "'int4'"),
        ({"quantize": "4"}, "'4': only int8 and fp8"),
    ],
)
def test_an_unusable_option_is_named(folder: Path, given: dict, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        weights.load(options(folder, **given))


@pytest.mark.process
@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="files are not sparse by default")
def test_unused_parameters_larger_than_memory_do_not_matter(other: Path) -> None:
    """The unused part of the file is a 12 GB hole: reading it would raise the peak."""
    file = other / published.TRANSFORMER
    raw = file.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    begin, end = len(raw) - 8 - length, len(raw) - 8 - length + (12 << 30)
    header["projectors.9.0.weight"] = {"dtype": "F32", "shape": [(end - begin) // 4], "data_offsets": [begin, end]}
    raw_header = json.dumps(header).encode()
    file.unlink()
    with file.open("wb") as new:
        new.write(len(raw_header).to_bytes(8, "little") + raw_header + raw[8 + length :])
        new.truncate(8 + len(raw_header) + end)
    code = (
        "import resource, sys, pathlib\n"
        "from acestep_mcp.engines.ace_step_v1 import weights\n"
        "from acestep_mcp.engines.model.options import EngineOptions\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "weights.load(EngineOptions(data_dir=folder, weights=folder, device='cpu'))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(other)], capture_output=True, text=True, timeout=60, check=True
    )
    peak = int(done.stdout.split()[-1]) * (1 if sys.platform == "darwin" else 1024)
    assert peak < 3 << 30
