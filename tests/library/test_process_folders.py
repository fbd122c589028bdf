"""A folder for each process: kept while its owner lives, however long that one sleeps, and removed by a later one."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from acestep_mcp.library.process_folders import claim


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_folder_is_kept_while_its_owner_lives_although_that_has_no_heartbeat(tmp_path):
    folder, release = claim(tmp_path, "one", set())
    (folder / "song.wav").write_bytes(b"RIFF")
    claim(tmp_path, "two", {"two"})
    assert (folder / "song.wav").is_file()
    release()
    claim(tmp_path, "three", {"three"})
    assert names(tmp_path) == {"two", "two.lock", "three", "three.lock"}


@pytest.mark.skipif(sys.platform == "win32", reason="fork")
@pytest.mark.process
def test_the_folder_of_a_killed_process_is_removed(tmp_path):
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        claim(tmp_path, "killed", set())[0].joinpath("song.wav").write_bytes(b"RIFF")
        os.write(told, b"1")
        signal.pause()
    os.read(ready, 1)
    claim(tmp_path, "one", set())
    assert "killed" in names(tmp_path)
    os.kill(child, 9)
    os.waitpid(child, 0)
    claim(tmp_path, "two", set())
    assert names(tmp_path) == {"one", "one.lock", "two", "two.lock"}


def test_a_folder_without_a_lock_file_is_kept_while_the_heartbeat_of_its_owner_is_fresh(tmp_path):
    for name in ("alive", "dead"):
        (tmp_path / name / "files").mkdir(parents=True)
    claim(tmp_path, "one", {"alive"})
    assert names(tmp_path) == {"alive", "one", "one.lock"}


def test_where_files_cannot_be_locked_the_heartbeat_decides(tmp_path, monkeypatch):
    import filelock

    def refused(*_, **__):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(filelock, "lock_descriptor", refused)
    claim(tmp_path, "alive", set())
    claim(tmp_path, "dead", {"alive"})
    claim(tmp_path, "one", {"alive"})
    assert names(tmp_path) == {"alive", "alive.lock", "one", "one.lock"}
