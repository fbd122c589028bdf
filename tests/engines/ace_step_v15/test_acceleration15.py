"""int8, attention backends and compiling of ACE-Step 1.5."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from torch._dynamo.testing import CompileCounter  # noqa: E402

from acestep_mcp.api.errors import ConfigurationError  # noqa: E402
from acestep_mcp.api.requests import TextToAudio  # noqa: E402
from acestep_mcp.engines.ace_step_v15 import acceleration, tasks, weights  # noqa: E402
from acestep_mcp.engines.model.options import EngineOptions  # noqa: E402
from acestep_mcp.engines.model.quantization import quantize  # noqa: E402

pytestmark = pytest.mark.xdist_group("torch-v1.5")


@pytest.fixture
def loaded(checkpoint15, tmp_path):
    return weights.load(EngineOptions(data_dir=tmp_path, weights=checkpoint15(), device="cpu"))


@pytest.fixture
def counter():
    """A backend that compiles nothing and counts."""
    torch.compiler.reset()
    yield CompileCounter()
    torch.compiler.reset()


def latents(loaded, seconds):
    """What the transformer's last step makes of a song."""
    request = TextToAudio(tags="lofi", lyrics="hello rain", number_of_steps=3, duration=seconds, seed=3)
    made = []
    hook = loaded.pipe.transformer.register_forward_hook(lambda _, __, answer: made.append(answer[0].clone()))
    with torch.inference_mode():
        for step in tasks.run(loaded, request, None):
            if step.stage == "decoding":
                break
    hook.remove()
    return made[-1]


def test_compiled_blocks_are_compiled_at_the_first_song_and_not_again_for_other_lengths(loaded, counter, monkeypatch):
    plain = [latents(loaded, seconds) for seconds in (5, 8)]
    compile_block = torch.nn.Module.compile
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda block, **options: compile_block(block, backend=counter, **options)
    )
    acceleration.compile_blocks(loaded.pipe, torch.device("cpu"))
    first = latents(loaded, 5)
    after_one = counter.frame_count
    again = [first, latents(loaded, 8)]
    assert (after_one, counter.frame_count) == (2, 2)  # layers with a window, and those without
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(again, plain, strict=True))


@pytest.mark.parametrize(("device", "needs"), [("cpu", r"C\+\+ compiler"), ("cuda", "triton")])
def test_compiling_where_nothing_can_is_refused_by_its_name(monkeypatch, device, needs):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(acceleration, "find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=f"--compile needs .*{needs}.* leave it out"):
        acceleration.compile_blocks(None, torch.device(device))


def test_attention_that_cannot_be_used_is_refused_by_its_name(checkpoint15, tmp_path, loaded):
    with pytest.raises(ConfigurationError, match="--attention flash runs on CUDA only, and the device is cpu"):
        weights.load(EngineOptions(data_dir=tmp_path, weights=checkpoint15(), device="cpu", attention="flash"))
    cuda = torch.device("cuda")
    with pytest.raises(ConfigurationError, match="--attention flash computes in bfloat16 or float16, not in float32"):
        acceleration.set_attention(loaded.pipe, "flash", cuda)
    with pytest.raises(ConfigurationError, match="--attention xformers cannot be used here: .*install"):
        acceleration.set_attention(loaded.pipe, "xformers", cuda)


def test_a_chosen_backend_is_the_transformer_s_alone(loaded):
    acceleration.set_attention(loaded.pipe, "native", torch.device("cpu"))
    chosen = {
        name: {
            module.processor._attention_backend.value
            for module in getattr(loaded.pipe, name).modules()
            if hasattr(module, "processor")
        }
        for name in ("transformer", "condition_encoder")
    }
    assert chosen == {"transformer": {"native"}, "condition_encoder": {"native"}}


@pytest.mark.filterwarnings("ignore")  # torchao's own
def test_int8_stores_the_blocks_matrices_in_less_memory_and_makes_nearly_the_same(loaded, tmp_path):
    pytest.importorskip("torchao", reason="torchao is not installed")
    plain = latents(loaded, 5)
    quantize(loaded.pipe.transformer, "int8", r"layers\.")
    weight = loaded.pipe.transformer.layers[0].mlp.gate_proj.weight
    assert type(weight).__name__ not in ("Parameter", "Tensor")
    changed = latents(loaded, 5)
    assert not torch.equal(changed, plain)
    assert (changed - plain).norm() < 0.05 * plain.norm()
    loaded.free()
