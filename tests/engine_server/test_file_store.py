"""What tidying up meets on disk: it runs beside everything else and must end for nothing of that."""

import os
import sys
import time

import pytest

from acestep_mcp.engine_server.file_store import FileStore


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right of their own there")
def test_a_file_that_goes_while_leftovers_are_looked_for_ends_nothing(tmp_path):
    storage = FileStore(tmp_path)
    parts = next(path for path in tmp_path.iterdir() if path.name == "parts")
    for number in range(10):  # in whatever order a folder is read, some lie behind one that is gone
        (parts / f"gone {number}").symlink_to(tmp_path / "nowhere")
        (parts / f"left {number}").mkdir()
        os.utime(parts / f"left {number}", (0, 0))
    storage.sweep(time.time() - 60, files=set(), jobs=set())
    assert list(parts.glob("left *")) == []


def test_folders_that_somebody_removed_end_nothing(tmp_path):
    storage = FileStore(tmp_path)
    for path in tmp_path.iterdir():
        path.rmdir()
    storage.sweep(time.time(), files=set(), jobs=set())
