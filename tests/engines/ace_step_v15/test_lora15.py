"""LoRA adapters of ACE-Step 1.5: merged into the engine, and named in the tags of a request."""

from __future__ import annotations

import os
import shutil
from contextlib import closing, contextmanager

import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")
pytest.importorskip("peft", reason="the engine's packages are not installed")

from safetensors.torch import load_file, save_file  # noqa: E402

from acestep_mcp.api.errors import ConfigurationError, InvalidRequest  # noqa: E402
from acestep_mcp.api.requests import TextToAudio  # noqa: E402
from acestep_mcp.engines.ace_step_v15 import adapters  # noqa: E402
from acestep_mcp.engines.ace_step_v15.engine import AceStepV15  # noqa: E402
from acestep_mcp.engines.model.options import EngineOptions  # noqa: E402
from tests.engines.ace_step_v15.lora15 import PUBLISHED, adapter, changes, peft_adapter, tensors  # noqa: E402

pytestmark = pytest.mark.xdist_group("torch-v1.5")

SONG = {"lyrics": "[verse]\nhello rain", "number_of_steps": 3, "duration": 5, "seed": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The adapters `jazz` (as PEFT writes it, its scale 2) and `Night drive` (as diffusers writes it)."""
    found = tmp_path_factory.mktemp("loras")
    peft_adapter(found / "jazz", alpha=4)
    adapter(found / "Night drive.safetensors", seed=2)
    return found


@pytest.fixture(scope="module")
def engine(checkpoint15, folder, tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    built = AceStepV15(EngineOptions(data_dir=data, weights=checkpoint15(), device="cpu", lora_dir=folder))
    yield built
    built.close()


def sung(engine, tags):
    *_, audio = engine.generate(TextToAudio(**SONG, tags=tags), None)
    return audio


def velocity(engine, tags):
    """What the transformer answers at the first step of a song."""
    answers = []

    def record(_, __, answer):
        answers.append(answer[0].clone())

    running, hook = engine.generate(TextToAudio(**SONG, tags=tags), None), None
    for step in running:
        if step.stage == "denoising":
            break
        if hook is None and engine._loaded is not None:
            hook = engine._loaded.pipe.transformer.register_forward_hook(record)
    running.close()
    hook.remove()
    return answers[0]


@contextmanager
def changed(engine, *changed_by):
    """The weights of the engine's model with these changes, each with its factor."""
    weights = dict(engine._loaded.pipe.transformer.named_modules())
    with torch.no_grad():
        before = {}
        for seed, factor in changed_by:
            for name, change in changes(seed).items():
                weight = weights[name]
                weight = getattr(weight, "base_layer", weight).weight
                before.setdefault(name, (weight, weight.clone()))
                weight += factor * change
        yield
        for weight, old in before.values():
            weight.copy_(old)


def same(one, other):
    return torch.allclose(one, other, rtol=1e-3, atol=1e-4)


def test_an_adapter_named_in_the_tags_changes_this_song_by_its_scale_and_weight_and_the_next_not_at_all(engine):
    plain = velocity(engine, "lofi, piano")
    both = velocity(engine, "lofi, lora:jazz:0.5, piano, <LoRA:night drive>")
    after = velocity(engine, "lofi, piano")
    with changed(engine, (1, 2 * 0.5), (2, 1)):
        expected = velocity(engine, "lofi, piano")
    assert same(both, expected) and not same(both, plain)
    assert torch.equal(after, plain)


def test_the_model_does_not_read_the_tag_and_the_song_keeps_it_with_a_note(engine, monkeypatch):
    song = sung(engine, "lofi")
    seen, write = [], engine._loaded.pipe._format_prompt
    monkeypatch.setattr(
        engine._loaded.pipe, "_format_prompt", lambda **named: seen.append(named["prompt"]) or write(**named)
    )
    other = sung(engine, "lofi, lora:jazz:0.5, piano")
    assert "lofi, piano" in seen and "lora" not in "".join(seen)
    assert (other.tags, other.notes) == ("lofi, lora:jazz:0.5, piano", ("LoRA: jazz (0.5).",))
    assert song.notes == ()


def test_a_name_that_is_not_there_is_refused_with_those_that_are(engine):
    with pytest.raises(
        InvalidRequest, match=r"'lora:jaz' names no LoRA adapter that is here; there are: Night drive, jazz"
    ):
        sung(engine, "lofi, lora:jaz")
    assert engine.loras == ("Night drive", "jazz")


def test_an_adapter_that_was_replaced_is_read_again_and_few_stay_in_memory(engine, folder, monkeypatch):
    monkeypatch.setattr(adapters, "MOST_LOADED", 1)
    file = adapter(folder / "new.safetensors", seed=1)
    first = velocity(engine, "lofi, lora:new")
    adapter(file, seed=3)
    os.utime(file, (1, 1))
    second = velocity(engine, "lofi, lora:new")
    loaded = engine._loaded.pipe.get_list_adapters()["transformer"]
    file.unlink()
    with changed(engine, (3, 1)):
        expected = velocity(engine, "lofi")
    assert same(second, expected) and not same(first, second)
    assert len(loaded) == 1


def test_adapters_of_the_engine_are_in_every_song(checkpoint15, engine, folder, tmp_path):
    files = ((folder / "jazz", 0.5), (folder / "Night drive.safetensors", -1.0))
    options = EngineOptions(data_dir=tmp_path, weights=checkpoint15(), device="cpu", lora=files)
    with closing(AceStepV15(options)) as merged:
        found = velocity(merged, "lofi")
        assert not hasattr(merged._loaded.pipe.transformer, "peft_config")
    plain = velocity(engine, "lofi")
    with changed(engine, (1, 2 * 0.5), (2, -1)):
        assert same(found, velocity(engine, "lofi"))
    assert not same(found, plain)


def broken(file, change):
    state = load_file(file)
    change(state)
    save_file(state, file)


WRONG = {
    "another layer": (lambda state: state.update({"transformer.layers.9.self_attn.to_q.lora_A.weight": torch.ones(2, 32),
                                                  "transformer.layers.9.self_attn.to_q.lora_B.weight": torch.ones(32, 2)}),
                      r"it changes transformer\.layers\.9\.self_attn\.to_q, which"),
    "another width": (lambda state: state.update({"transformer.layers.0.self_attn.to_q.lora_A.weight": torch.ones(2, 48)}), "has another shape"),
    "no adapter": (lambda state: state.update({"transformer.layers.0.self_attn.to_q.weight": torch.ones(2, 2)}), "not part of a LoRA"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_an_adapter_that_does_not_fit_is_refused_by_its_file_and_the_next_song_is_as_before(engine, folder, case):
    change, why = WRONG[case]
    plain = velocity(engine, "lofi")
    file = adapter(folder / "wrong.safetensors")
    broken(file, change)
    try:
        with pytest.raises(ConfigurationError, match=rf"LoRA adapter .*wrong\.safetensors does not fit .*{why}"):
            sung(engine, "lofi, lora:wrong")
    finally:
        file.unlink()
    assert torch.equal(velocity(engine, "lofi"), plain)


def test_the_makers_names_of_a_part_that_has_no_attention_are_read_too(engine, folder):
    file = folder / "gates.safetensors"
    save_file({name: tensor for name, tensor in tensors(PUBLISHED).items() if "gate_proj" in name}, file)
    with engine._loaded.adapters.active([(file, 1.0)]):
        assert sum(
            hasattr(module, "lora_A") and len(module.lora_A) > 0 for module in engine._loaded.pipe.transformer.modules()
        )
    file.unlink()


def test_a_file_that_was_cut_short_is_refused_at_the_start(folder, tmp_path):
    from acestep_mcp.engines.ace_step_v15 import published

    short = tmp_path / "short.safetensors"
    shutil.copy(folder / "Night drive.safetensors", short)
    short.write_bytes(short.read_bytes()[:-1])
    with pytest.raises(ConfigurationError, match=r"short\.safetensors is not whole"):
        published.reject_unsupported(EngineOptions(data_dir=tmp_path, lora=((short, 1.0),)))
