"""The state file, by which other programs find the engine server, is there as long as the server answers."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from acestep_mcp.engine_server.launch import state
from acestep_mcp.engine_server.launch.state import RunningEngine, read, state_file

OURS = RunningEngine("draft", "http://127.0.0.1:1", 1, "0.1.0", "a-secret", "a-key")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "_CHECK_SECONDS", 0.01)
    (tmp_path / "draft").mkdir()
    return tmp_path / "draft"


def until(folder: Path, wanted: RunningEngine | None) -> None:
    deadline = time.monotonic() + 10
    while read(folder) != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_it_is_written_again_where_its_folder_is_deleted_or_moved_away(folder):
    with state_file(folder, OURS):
        elsewhere = folder.rename(folder.with_name("elsewhere"))
        shutil.rmtree(elsewhere)
        until(folder, OURS)
        assert (folder / state.FILE).stat().st_mode & 0o077 == 0
    assert not (folder / state.FILE).exists()


def test_the_file_of_another_server_is_neither_replaced_nor_removed(folder):
    other = replace(OURS, pid=2, secret="another-secret")
    with state_file(folder, OURS):
        with state_file(folder, other):
            time.sleep(0.05)  # there is no event to wait for: nothing must happen
            assert read(folder) == other
            other_content = (folder / state.FILE).read_bytes()
        until(folder, OURS)
        (folder / state.FILE).write_bytes(other_content)
    assert read(folder) == other
