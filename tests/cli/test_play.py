"""Playing songs with the programs of the machine."""

import os
import sys
from pathlib import Path

import pytest

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.cli import main
from acestep_mcp.cli.play import commands, play
from tests.cli.test_commands import SONG


@pytest.mark.parametrize(
    ("platform", "installed", "song", "first"),
    [
        ("darwin", {"afplay", "ffplay", "open"}, "a.wav", "afplay"),
        ("darwin", {"afplay", "open"}, "a.ogg", "open"),
        ("linux", {"paplay", "aplay", "xdg-open"}, "a.mp3", "paplay"),
        ("linux", {"aplay", "ffplay"}, "a.WAV", "aplay"),
        ("linux", {"aplay", "ffplay"}, "a.mp3", "ffplay"),
        ("linux", {"xdg-open"}, "a.m4a", "xdg-open"),
    ],
)
def test_the_first_installed_program_that_plays_such_files_is_used(platform, installed, song, first):
    found = list(commands(Path("/music") / song, platform, lambda name: f"/bin/{name}" if name in installed else None))
    assert found[0][0] == f"/bin/{first}"
    assert found[0][-1] == f"/music/{song}"


def test_without_a_program_the_message_names_some_and_the_file(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(ConfigurationError, match=r"ffplay.*/music/a\.mp3"):
        play(Path("/music/a.mp3"))


@pytest.fixture
def players(monkeypatch, tmp_path):
    """Programs that write what they are given to a file; those of `broken` fail first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def install(*names, broken=()):
        for name in (*names, *broken):
            end = "echo no sound card >&2; exit 3" if name in broken else "exit 0"
            script = folder / name
            script.write_text(
                f'#!/bin/sh\nfor a; do :; done\nprintf "%s %s\\n" {name} "$a" >> "{tmp_path}/played"\n{end}\n'
            )
            script.chmod(0o755)
        return tmp_path / "played"

    return install


posix = pytest.mark.skipif(os.name == "nt", reason="needs shell scripts")


@posix
@pytest.mark.process
def test_make_and_tracks_play_the_song(players, capsys, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    played = players("aplay", broken=["paplay"])
    assert main([*SONG, "--play"]) == 0
    song = capsys.readouterr().out.strip()
    assert played.read_text().splitlines() == [f"paplay {song}", f"aplay {song}"]
    assert main(["tracks", "play", Path(song).name]) == 0
    assert played.read_text().splitlines()[3:] == [f"aplay {song}"]
    assert capsys.readouterr().out == ""


@posix
@pytest.mark.process
def test_a_song_that_cannot_be_played_is_made_all_the_same(players, capsys, monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    players(broken=["paplay", "xdg-open"])
    assert main([*SONG, "--play"]) == 0
    told = capsys.readouterr()
    assert Path(told.out.strip()).is_file()
    assert "paplay says: no sound card; xdg-open says: no sound card" in told.err
    assert main(["tracks", "play", Path(told.out.strip()).name]) == 1
    assert "no sound card" in capsys.readouterr().err
