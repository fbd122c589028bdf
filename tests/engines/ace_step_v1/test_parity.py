"""The model's outputs against those recorded from the published code."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from safetensors.torch import load_file, save_file  # noqa: E402
from tools import parity  # noqa: E402
from tools.random_parameters import parameter  # noqa: E402

pytestmark = pytest.mark.xdist_group("torch")

REPOSITORY = Path(__file__).parents[3]
NUMBERS = Path(__file__).parent / "numbers"
QUICK = ("text2music_two_steps", "repaint_heun", "extend_both", "edit_no_guidance")
VOCABULARY = os.environ.get("ACESTEP_LYRIC_VOCAB")


def subset(folder, wanted):
    """A copy of the recorded numbers with the wanted cases only."""
    shutil.copytree(NUMBERS, folder, ignore=shutil.ignore_patterns("lyrics.json"))
    cases = json.loads((NUMBERS / "cases.json").read_text(encoding="utf-8"))
    kept = {name: given for name, given in cases.items() if wanted(name)}
    (folder / "cases.json").write_text(json.dumps(kept), encoding="utf-8")
    return kept


def run(folder, *arguments, vocabulary=None):
    """The command in this process: a new one would import the models' packages again."""
    named = {"ACESTEP_LYRIC_VOCAB": vocabulary} if vocabulary else {}
    done = CliRunner().invoke(parity.main, [str(folder), *arguments], env=named)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def test_every_part_of_the_model_and_some_runs_give_the_recorded_numbers(tmp_path):
    torch.set_num_threads(1)
    runs = ("text2music", "repaint", "retake", "extend", "edit", "audio2audio")
    cases = subset(tmp_path / "quick", lambda name: name in QUICK or not name.startswith(runs))
    results = list(parity.results(tmp_path / "quick"))
    assert [result.name for result in results] == list(cases)
    assert [result for result in results if not result.ok] == []
    assert len(results) == 20 + len(QUICK)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_all_recorded_cases_hold_and_a_missing_vocabulary_is_reported(tmp_path):
    done = run(NUMBERS)
    lines = done.stdout.splitlines()
    assert done.exit_code == 2, done.stdout + done.stderr
    assert sum(line.endswith("  ok") for line in lines) == 52
    assert lines[-2:] == ["lyrics: not checked, no vocabulary", "52 of 52 cases hold"]


@pytest.mark.slow
@pytest.mark.skipif(VOCABULARY is None, reason="ACESTEP_LYRIC_VOCAB does not name the model's vocab.json")
@pytest.mark.parametrize("how", ["environment", "option", "folder"])
def test_the_recorded_lyrics_hold_with_the_vocabulary_wherever_it_is_named(tmp_path, how):
    folder = tmp_path / "numbers"
    subset(folder, lambda name: name == "schedule_euler_27")
    shutil.copy(NUMBERS / "lyrics.json", folder)
    if how == "folder":
        shutil.copy(VOCABULARY, folder / "vocab.json")
    done = run(
        folder, *(("--vocab", VOCABULARY) if how == "option" else ()),
        vocabulary=VOCABULARY if how == "environment" else None,
    )  # fmt: skip
    assert done.exit_code == 0, done.stdout + done.stderr
    assert sum(line.startswith("lyrics/") and line.endswith("  ok") for line in done.stdout.splitlines()) == 134


@pytest.mark.slow
def test_one_wrong_value_is_reported_as_short_with_exit_code_1(tmp_path):
    folder = tmp_path / "numbers"
    subset(folder, lambda name: name.startswith(("schedule_euler_27", "transformer")))
    tensors = load_file(folder / "cases.safetensors")
    tensors["transformer/velocity"][0, 0, 0, 0] += 0.1
    save_file(tensors, folder / "cases.safetensors")
    done = run(folder)
    assert done.exit_code == 1
    lines = [line for line in done.stdout.splitlines() if line.startswith("transformer ")]
    assert len(lines) == 1
    assert lines[0].endswith("  short")


@pytest.mark.process
@pytest.mark.slow
def test_a_folder_without_numbers_is_a_clear_error(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tools.parity", str(tmp_path)], cwd=REPOSITORY, capture_output=True, text=True,
        encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "configs.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_other_sizes_of_the_model_can_be_built():
    """Parameters by the same names with other widths."""
    from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser
    from acestep_mcp.engines.ace_step_v1.transformer import TransformerConfig
    from acestep_mcp.engines.ace_step_v1.weights import load_parameters

    config = TransformerConfig(
        num_layers=2, inner_dim=96, attention_head_dim=32, num_attention_heads=3, speaker_embedding_dim=8,
        text_embedding_dim=24, lyric_hidden_size=32, lyric_encoder_num_layers=1, lyric_encoder_num_heads=2,
        lyric_encoder_ff_size=48, mlp_ratio=2,
    )  # fmt: skip
    model = Denoiser(config)
    load_parameters(model, parameter)
    with torch.inference_mode():
        context = model.transformer.context(torch.randn(1, 7, 96), torch.ones(1, 7), 11)
        velocity = model.transformer(torch.randn(1, 8, 16, 11), torch.tensor([500.0]), context)
    assert velocity.shape == (1, 8, 16, 11)
    assert velocity.isfinite().all()
