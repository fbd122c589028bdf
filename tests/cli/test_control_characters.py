"""What a sidecar or a host says is shown on a terminal, not carried out by it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import soundfile

from acestep_mcp import cli
from acestep_mcp.cli import main

ESCAPES = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202egnihton\x7f\r"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")


def texts_in(value) -> list[str]:
    if isinstance(value, dict):
        value = list(value.values())
    return [text for part in value for text in texts_in(part)] if isinstance(value, list) else [value]


@pytest.fixture
def song(tmp_path) -> str:
    """The id of a song whose sidecar is full of control characters."""
    folder = tmp_path / "music"
    folder.mkdir(parents=True)
    soundfile.write(folder / "a.wav", [0.0] * 8000, 8000)
    audio = {"duration": 1.0, "size": (folder / "a.wav").stat().st_size, "content_type": "audio/wav"}
    texts = dict.fromkeys(("title", "tags", "lyrics", "endpoint", "engine", "version", "model"), ESCAPES)
    more = {"notes": [ESCAPES], "heard": {"summary": ESCAPES}, "sections": [{"name": ESCAPES, "start": 0, "end": 1}]}
    head = {"id": "0123456789abcdef", "created_at": "2026-01-01T00:00:00+00:00", "file_name": "a.wav", "request": {}}
    (folder / "a.wav.json").write_text(json.dumps(head | texts | more | {"audio": audio}))
    (folder / "a.json").write_text(json.dumps(head | texts | more | {"audio": audio}))
    return head["id"]


@pytest.mark.parametrize(
    "command", [["tracks", "show"], ["tracks", "show", "--json"], ["tracks", "list"], ["tracks", "list", "--json"]]
)
def test_control_characters_of_a_sidecar_are_shown_as_escapes(song, command, capsys):
    arguments = [*command, song] if "show" in command else command
    assert main(arguments) == 0
    printed = capsys.readouterr()
    assert song in printed.out
    assert not RAW.search(printed.out + printed.err)
    if "--json" in command:
        assert any(text == ESCAPES for text in texts_in(json.loads(printed.out)))
    elif "show" in command:
        assert r"\x1b]0;owned\x07" in printed.out


@pytest.mark.usefixtures("tmp_path")
def test_an_error_with_control_characters_is_shown(capsys):
    assert main(["tracks", "show", f"no such {ESCAPES}"]) == 1
    assert not RAW.search(capsys.readouterr().err)


def test_only_the_modules_that_escape_them_print():
    folder = Path(cli.__file__).parent
    prints = {
        path.stem for path in folder.glob("*.py") if re.search(r"click\.s?echo\(|\bprint\(", path.read_text("utf-8"))
    }
    assert prints == {"output", "progress_bar"}
