"""Previews are cached by what the song is, and only in their own folder."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from acestep_mcp.library.models import Track
from acestep_mcp.studio.previews import preview


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "song.wav"
    soundfile.write(path, np.sin(np.arange(8000) * 0.2) * 0.3, 8000)
    return path


def track(path, sha256):
    return Track("t01", path, {"audio": {"sha256": sha256}})


def test_a_preview_is_made_once(tmp_path, song):
    folder = tmp_path / "previews"
    first = preview(track(song, "a" * 64), folder, 100_000)
    (kept,) = folder.iterdir()
    kept.write_bytes(b"kept")
    assert preview(track(song, "a" * 64), folder, 100_000) == b"kept"
    assert preview(track(song, "b" * 64), folder, 100_000) == first


@pytest.mark.parametrize("sha256", ["../../outside", "/tmp/outside", "a\0b", "x" * 5000, None, 7])
def test_no_field_of_a_sidecar_is_part_of_a_path(tmp_path, song, sha256):
    folder = tmp_path / "data" / "previews"
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    preview(track(song, sha256), folder, 100_000)
    (new,) = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert new.parent == folder


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path, song):
    (tmp_path / "file").touch()
    assert preview(track(song, "a" * 64), tmp_path / "file" / "previews", 100_000)
