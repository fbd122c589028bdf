"""A few of the faults that `python bench/disk_faults.py` makes by the hundred."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="files are found in /proc, and disks are mounted"),
]


def reports(*arguments: str) -> list[dict]:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.timeout(240)
def test_a_song_is_made_after_any_call_that_writes_has_failed():
    [report] = reports("-m", "tests.faults.disk", "--step", "7", "--most", "60")
    assert report["broken"] == []
    assert report["points"] > 40
    assert report["told"] > 2


@pytest.mark.long
@pytest.mark.timeout(240)
def test_two_servers_and_the_command_line_lose_nothing_make_nothing_twice_and_answer_while_a_database_is_locked():
    [report] = reports("-m", "tests.faults.together", "locked", "--seconds", "2")
    assert report["broken"] == []
    assert report["songs"] >= 3


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_lost_on_disks_that_fail_and_databases_that_are_damaged():
    for report in reports("bench/disk_faults.py", "--parts", "2,3", "--trials", "1", "--damages", "6"):
        if report["tried"] == 0:
            pytest.skip(report["why"])
        assert report["broken"] == [], report
