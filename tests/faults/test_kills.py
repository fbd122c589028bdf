"""A few of the kills that `python bench/kills.py` makes by the hundred."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.checks import make_old, problems, temporary

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are found in /proc"),
]


def run(*arguments: str) -> list[dict]:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.stdout, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    """(what is wrong after kills at 12 disk calls, the totals, the folders of a run that was not killed)."""
    folder = tmp_path_factory.mktemp("points")
    *wrong, totals = run("tests.faults.points", str(folder), "--sample", "12", "--seed", "16")
    return wrong, totals, folder / "whole"


def test_nothing_is_lost_when_a_process_is_killed_at_any_of_its_disk_calls(points):
    wrong, totals, _ = points
    assert wrong == []
    # In another order of its threads a run may end before the moment comes.
    assert 10 <= totals["kills"] <= totals["moments"] == 12
    assert totals["disk calls"] > 150


def test_nothing_is_lost_when_servers_are_killed_while_songs_are_made(tmp_path):
    *_, totals = run("tests.faults.kills", str(tmp_path), "2", "2")
    assert (totals["problems"], totals["hung"]) == (0, 0), totals
    assert totals["kills"] == 2


def test_the_checks_see_what_is_wrong(points):
    music, data = points[2] / "music", points[2] / "data"
    assert problems(music, data) == []
    [song] = music.glob("*.wav")
    content = song.read_bytes()
    song.write_bytes(content[:-2])
    assert any("is not the file" in what for what in problems(music, data))
    song.unlink()
    assert any("is gone" in what for what in problems(music, data))
    song.write_bytes(content)
    (music / "a second.wav").write_bytes(content)
    (music / "a second.json").write_bytes(song.with_suffix(".json").read_bytes())
    assert any("2 times" in what for what in problems(music, data))
    assert problems(music, data, ["a job"])[0] == "job a job is not recorded"
    (music / ".x.part").touch()
    make_old([music / ".x.part"], 10)
    assert temporary(music) == [music / ".x.part"]
