"""A model option is declared once: the settings, the command line and the engines derive from that."""

from __future__ import annotations

from pathlib import Path

import pytest

from acestep_mcp.api.model_options import ModelOptions
from acestep_mcp.assembly import engine_options
from acestep_mcp.cli import main
from acestep_mcp.cli.engine import engine
from acestep_mcp.cli.model_options import model_settings, takes_model_options
from acestep_mcp.engines.model.options import EngineOptions
from acestep_mcp.settings import Settings, load

ROOT = Path(Path.cwd().anchor)
FILE, OTHER = ROOT / "a.safetensors", ROOT / "b.safetensors"
VALUES = {
    "weights": (str(ROOT / "v1"), ROOT / "v1"),
    "lyric_vocab": (str(ROOT / "vocab.json"), ROOT / "vocab.json"),
    "device": ("cuda:1", "cuda:1"),
    "dtype": ("float16", "float16"),
    "offload": ("1", True),
    "quantize": ("int8", "int8"),
    "compile": ("true", True),
    "batch": ("4", 4),
    "attention": ("flash", "flash"),
    "checkpoint": ("ACE-Step/acestep-v15-xl-sft-diffusers", "ACE-Step/acestep-v15-xl-sft-diffusers"),
    "shift": ("2.5", 2.5),
    "lora_dir": (str(ROOT / "loras"), ROOT / "loras"),
    "lora": (f"{FILE}:0.5;{OTHER}", ((FILE, 0.5), (OTHER, 1.0))),
}
"""The text of an environment variable for each option, and its value."""
FLAGS = {
    "weights": "--weights", "lyric_vocab": "--vocab", "device": "--device", "dtype": "--dtype", "offload": "--offload",
    "quantize": "--quantize", "compile": "--compile", "lora": "--lora",
    "batch": "--batch",
    "lora_dir": "--lora-dir",
    "attention": "--attention", "checkpoint": "--checkpoint", "shift": "--shift",
}  # fmt: skip


def test_every_option_is_a_setting_and_an_option_of_the_command_line() -> None:
    options = {param.name: param for param in engine.params}
    for name, field in ModelOptions.model_fields.items():
        assert Settings.model_fields[name].annotation == field.annotation
        assert Settings.model_fields[name].default == field.default
        assert options[name].opts == [FLAGS[name]]
        assert options[name].help == field.description


def test_every_option_reaches_the_engine_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(VALUES) == set(ModelOptions.model_fields)
    for name, (text, _) in VALUES.items():
        monkeypatch.setenv(f"ACESTEP_{name.upper()}", text)
    settings = load()
    assert settings.problems == ()
    options = engine_options(settings)
    assert {name: getattr(options, name) for name in VALUES} == {name: value for name, (_, value) in VALUES.items()}
    assert options.data_dir == settings.data_dir
    assert set(EngineOptions.model_fields) == {*ModelOptions.model_fields, "data_dir", "voice", "soundfont"}


def test_a_new_field_needs_no_other_declaration(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that is added to the class becomes an option of the command line, with its type and help."""
    import click
    from pydantic import Field

    class Extended(ModelOptions):
        attention: bool = Field(False, description="Another attention.")
        table: Path | None = Field(None, description="A folder.")

    monkeypatch.setattr("acestep_mcp.cli.model_options.ModelOptions", Extended)
    command = click.command(takes_model_options(lambda **_: None))
    added = {param.name: param for param in command.params if param.name in {"attention", "table"}}
    assert (added["attention"].opts, added["attention"].is_flag, added["attention"].default) == (
        ["--attention"],
        True,
        None,
    )
    assert isinstance(added["table"].type, click.Path)


@pytest.mark.parametrize(("words", "expected"), [((), None), (("--compile",), True), (("--no-compile",), False)])
def test_compiling_is_left_to_the_device_or_asked_for_or_refused(words: tuple[str, ...], expected: bool | None) -> None:
    settings = load(**model_settings(engine.make_context("engine", list(words)).params))
    assert settings.compile is expected


def test_the_command_line_overrides_a_configured_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACESTEP_COMPILE", "true")
    assert load().compile is True
    assert load(**model_settings(engine.make_context("engine", ["--no-compile"]).params)).compile is False


def test_options_that_are_not_given_leave_the_settings_alone() -> None:
    context = engine.make_context("engine", [])
    assert set(model_settings(context.params).values()) == {None}


def test_options_of_the_command_line_become_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACESTEP_DEVICE", "cpu")
    Path("weights").mkdir()
    words = [
        "--weights",
        "weights",
        "--device",
        "mps",
        "--offload",
        "--lora",
        "a:0.5",
        "--lora",
        "b",
        "--quantize",
        "int8",
    ]
    settings = load(**model_settings(engine.make_context("engine", words).params))
    assert settings.weights == (tmp_path / "weights").resolve()
    assert (settings.device, settings.offload, settings.quantize, settings.compile) == ("mps", True, "int8", None)
    assert settings.lora == ((tmp_path / "a", 0.5), (tmp_path / "b", 1.0))


def test_an_unknown_device_is_an_error_that_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engine", "--device", "gpu"]) != 0
    assert "'gpu' is none of auto, cuda, cuda:1, mps, cpu." in capsys.readouterr().err
