import os
from pathlib import Path

import pytest

from acestep_mcp.settings import Settings, load
from tests.support.parameters import few


@pytest.fixture
def config_file(monkeypatch, tmp_path):
    import platformdirs

    monkeypatch.setattr(platformdirs, "user_config_dir", lambda *args, **kwargs: str(tmp_path / "configuration"))
    (tmp_path / "configuration").mkdir()
    return tmp_path / "configuration" / "config.toml"


def test_an_unset_setting_has_its_default_and_no_problem():
    settings = load()
    assert settings.problems == ()
    assert settings.wait_seconds == 25
    assert settings.key is None


@pytest.mark.parametrize("unset", ["", "  ", "${user_config.api_key}"])
def test_an_empty_or_unfilled_value_means_unset(monkeypatch, unset):
    for name in ("FAL_KEY", "ACESTEP_ENGINE_URL", "ACESTEP_WAIT_SECONDS", "ACESTEP_MUSIC_DIR", "ACESTEP_ALLOWED_DIRS"):
        monkeypatch.setenv(name, unset)
    settings = load()
    assert settings.problems == ()
    assert (settings.key, settings.engine_url, settings.wait_seconds) == (None, None, 25)
    assert settings.allowed_dirs == ()


def test_an_unfilled_value_means_unset_in_the_file_within_a_list_and_on_the_command_line(
    monkeypatch, config_file, tmp_path
):
    config_file.write_text('engine_url = "${user_config.engine_url}"\nformat = "flac"\n', encoding="utf-8")
    folders = [str(tmp_path / "one"), "${user_config.folder}", " ", str(tmp_path / "two")]
    monkeypatch.setenv("ACESTEP_ALLOWED_DIRS", os.pathsep.join(folders))
    monkeypatch.setenv("ACESTEP_FORMAT", "${user_config.format}")
    monkeypatch.setenv("ACESTEP_TOKEN", "from the environment")
    settings = load(token="${user_config.token}", key_file=Path("${user_config.key_file}"))
    assert settings.problems == ()
    assert (settings.engine_url, settings.format, settings.key_file) == (None, "flac", None)
    assert settings.bearer == "from the environment"
    assert settings.allowed_dirs == (tmp_path / "one", tmp_path / "two")


def test_a_value_that_only_contains_such_a_name_is_not_dropped_in_silence(monkeypatch):
    monkeypatch.setenv("ACESTEP_MUSIC_DIR", "${HOME}/Music")
    assert "must be an absolute path" in load().problems[0]


def test_an_invalid_value_is_a_problem_and_the_default_is_used(monkeypatch):
    monkeypatch.setenv("ACESTEP_WAIT_SECONDS", "soon")
    monkeypatch.setenv("ACESTEP_CANCEL", "perhaps")
    monkeypatch.setenv("ACESTEP_FORMAT", "flac")
    settings = load()
    assert (settings.wait_seconds, settings.cancel, settings.format) == (25, "auto", "flac")
    assert len(settings.problems) == 2
    assert any("ACESTEP_WAIT_SECONDS" in problem for problem in settings.problems)
    assert any("'auto', 'always' or 'never'" in problem for problem in settings.problems)


def test_a_relative_music_folder_is_a_problem_and_is_not_used(monkeypatch):
    monkeypatch.setenv("ACESTEP_MUSIC_DIR", "music")
    settings = load()
    assert settings.music_dir.is_absolute()
    assert "must be an absolute path" in settings.problems[0]


def test_the_environment_overrides_the_file_and_the_command_line_overrides_both(monkeypatch, config_file):
    config_file.write_text('format = "mp3"\nwait_seconds = 3\nlog_level = "DEBUG"\n', encoding="utf-8")
    monkeypatch.setenv("ACESTEP_WAIT_SECONDS", "4")
    monkeypatch.setenv("ACESTEP_FORMAT", "ogg")
    settings = load(format="flac")
    assert (settings.format, settings.wait_seconds, settings.log_level) == ("flac", 4, "DEBUG")


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16"])
def test_a_file_saved_with_a_byte_order_mark_is_read(config_file, tmp_path, codec):
    (tmp_path / "key").write_text("from:file\n", encoding=codec)
    text = f'format = "mp3"\r\nllm_model = "Lösung"\r\nkey_file = "{(tmp_path / "key").as_posix()}"'
    config_file.write_bytes(text.encode(codec))
    settings = load()
    assert (settings.problems, settings.format, settings.key) == ((), "mp3", "from:file")
    assert settings.llm_model == "Lösung"


def test_a_broken_file_is_a_problem_and_is_ignored(config_file):
    config_file.write_text("format = [", encoding="utf-8")
    settings = load()
    assert settings.format == "wav"
    assert str(config_file) in settings.problems[0]


def test_an_invalid_value_in_the_file_does_not_hide_the_valid_ones(config_file):
    config_file.write_text('format = "mp4"\nwait_seconds = 3\n', encoding="utf-8")
    settings = load()
    assert (settings.format, settings.wait_seconds) == ("wav", 3)
    assert len(settings.problems) == 1


def test_a_key_is_stripped_and_its_two_parts_are_joined(monkeypatch):
    monkeypatch.setenv("FAL_KEY", " id:secret\n")
    assert load().key == "id:secret"
    monkeypatch.delenv("FAL_KEY")
    monkeypatch.setenv("FAL_KEY_ID", "a")
    monkeypatch.setenv("FAL_KEY_SECRET", "b")
    assert load().key == "a:b"


def test_no_text_made_from_settings_contains_a_secret(monkeypatch):
    monkeypatch.setenv("FAL_KEY", "hunter2:hunter2")
    monkeypatch.setenv("ACESTEP_TOKEN", "hunter2")
    monkeypatch.setenv("ACESTEP_MAX_SPEND_USD", "hunter2")
    settings = load()
    assert "hunter2" not in repr(settings) + str(settings) + str(settings.problems) + settings.model_dump_json()


def test_allowed_folders_are_separated_like_path(monkeypatch, tmp_path):
    monkeypatch.setenv("ACESTEP_ALLOWED_DIRS", os.pathsep.join([str(tmp_path / "a"), "", str(tmp_path / "b")]))
    assert load().allowed_dirs == (tmp_path / "a", tmp_path / "b")


def test_a_relative_allowed_folder_is_a_problem_and_none_is_read(monkeypatch, tmp_path):
    monkeypatch.setenv("ACESTEP_ALLOWED_DIRS", os.pathsep.join(["samples", str(tmp_path)]))
    settings = load()
    assert settings.allowed_dirs == ()
    assert "ACESTEP_ALLOWED_DIRS" in settings.problems[0]


def test_a_tilde_is_expanded(monkeypatch):
    monkeypatch.setenv("ACESTEP_ALLOWED_DIRS", "~/samples")
    monkeypatch.setenv("ACESTEP_MUSIC_DIR", "~/songs")
    settings = load()
    assert settings.problems == ()
    assert settings.allowed_dirs[0].is_absolute()
    assert "~" not in f"{settings.allowed_dirs[0]} {settings.music_dir}"


@pytest.mark.parametrize(
    ("given", "fal", "engine"),
    [
        ({}, "from:file", "e"),
        ({"ACESTEP_ENGINE_URL": "http://127.0.0.1:1"}, "f:f", "from:file"),
        ({"ACESTEP_BACKEND": "engine"}, "f:f", "from:file"),
        ({"ACESTEP_ENGINE_URL": "http://127.0.0.1:1", "ACESTEP_BACKEND": "fal"}, "from:file", "e"),
    ],
)
def test_a_key_file_holds_the_key_of_the_host_in_use_only(monkeypatch, tmp_path, given, fal, engine):
    (tmp_path / "key").write_text("\ufeff from:file\n", encoding="utf-8")
    keys = {"FAL_KEY": "f:f", "ACESTEP_ENGINE_KEY": "e", "ACESTEP_KEY_FILE": str(tmp_path / "key")}
    for name, value in (keys | given).items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert settings.problems == ()
    assert (settings.key, settings.engine_key.get_secret_value()) == (fal, engine)
    assert "from:file" not in repr(settings)


@pytest.mark.parametrize("content", [None, b"", b"two words", b"hunter2\nhunter2", b"hunter2\xff", b"h" * 3000])
def test_a_key_file_without_a_key_is_a_problem_that_does_not_show_its_content(tmp_path, content):
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    settings = load(key_file=file)
    [problem] = settings.problems
    assert str(file) in problem
    assert settings.key is None
    assert "hunter2" not in problem + repr(settings)


def test_lora_adapters_are_files_with_or_without_a_weight(monkeypatch, tmp_path):
    plain, weighted = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    monkeypatch.setenv("ACESTEP_LORA", f"{plain};{weighted}:0.7")
    assert load().lora == ((plain, 1.0), (weighted, 0.7))
    assert load(lora=(f"{weighted}:-1",)).lora == ((weighted, -1.0),)
    monkeypatch.setenv("ACESTEP_LORA", "a.safetensors")
    assert load().lora == ()
    assert "must be an absolute path" in load().problems[0]


def test_an_unknown_device_is_a_problem(monkeypatch):
    monkeypatch.setenv("ACESTEP_DEVICE", "gpu")
    settings = load()
    assert settings.device == "auto"
    assert "ACESTEP_DEVICE" in settings.problems[0]


ODD = [
    "true",
    "-7",
    "1e999",
    "nan",
    "[[1]]",
    '{ a = "b" }',
    "1979-05-27",
    '"\\u0000"',
    '"odd value"',
    '["a", 1]',
    "9" * 400,
]


@pytest.mark.parametrize(
    "name", few((name for name in Settings.model_fields if name not in ("music_dir", "data_dir")), 8)
)
def test_a_value_of_a_wrong_type_in_the_file_is_named_with_the_file_and_its_key_and_hides_no_other(config_file, name):
    good, kept = ("format", "mp3") if name != "format" else ("cancel", "never")
    for value in ODD:
        config_file.write_text(f'{name} = {value}\n{good} = "{kept}"\n', encoding="utf-8")
        settings = load()
        assert getattr(settings, good) == kept
        for problem in settings.problems:
            assert f"{name} in {config_file} " in problem
            is_secret = "SecretStr" in str(Settings.model_fields[name].annotation) or name.endswith("_url")
            assert ("(got " in problem) is not is_secret
            assert len(problem) < 1000


def test_a_file_that_is_nested_too_deep_is_a_problem(config_file):
    config_file.write_text(f"format = {'[' * 5000}", encoding="utf-8")
    assert str(config_file) in load().problems[0]
