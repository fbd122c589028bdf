"""A link that is swapped in between the check of a path and its use leads to no file that may not be read or written."""

import contextlib
import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from acestep_mcp import files
from acestep_mcp.api.errors import InvalidRequest, NotFound, StorageError
from acestep_mcp.inputs import Inputs
from acestep_mcp.library.database import Database
from acestep_mcp.library.tracks import Tracks
from acestep_mcp.studio.export import export

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links need rights that few have there")

INSIDE, OUTSIDE = 1.0, 2.0
"""Seconds: the length tells which file was read."""
SWAPS = 200
"""Tries of the race; `python -m bench.link_swap` makes thousands."""


def written(path, seconds):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(int(8000 * seconds), np.int16), 8000)
    return path


@pytest.fixture
def music(tmp_path):
    written(tmp_path / "music" / "sub" / "song.wav", INSIDE)
    written(tmp_path / "private" / "song.wav", OUTSIDE)
    return tmp_path / "music"


@pytest.fixture
def inputs(tmp_path, music):
    def find(name):
        raise NotFound(f"There is no track {name!r}.")

    return Inputs((music,), tmp_path / "scratch", find)


def replace(path, target):
    """Put a link in the place of a file or folder, as one step."""
    link = path.with_name(f"{path.name}.link")
    link.symlink_to(target)
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(f"{path.name}.old"))
    link.replace(path)


@pytest.fixture
def swap_after(monkeypatch):
    """Swap links in right after the path was resolved, the n-th time it is: later than any check that looks at it first."""

    def arm(count, *swaps):
        resolve, left = Path.resolve, [count]

        def resolved(self, strict=False):
            found = resolve(self, strict)
            left[0] -= 1
            if left[0] == 0:
                for path, target in swaps:
                    replace(path, target)
            return found

        monkeypatch.setattr(Path, "resolve", resolved)

    return arm


@pytest.mark.parametrize("count", range(1, 7))
@pytest.mark.parametrize("swapped", ["sub/song.wav", "sub"])
def test_a_source_is_the_file_that_was_checked(inputs, music, swap_after, swapped, count):
    outside = music.parent / "private" / ("song.wav" if "." in swapped else "")
    swap_after(count, (music / swapped, outside))
    try:
        found = inputs.resolve(str(music / "sub" / "song.wav"))
    except InvalidRequest:
        return
    assert found.seconds == INSIDE


def test_a_source_is_the_file_that_was_checked_whenever_the_link_comes(inputs, music):
    path, over = music / "sub" / "song.wav", threading.Event()

    def swap():
        kept = path.with_name("kept.wav")
        shutil.copyfile(path, kept)
        while not over.is_set():
            replace(path, music.parent / "private" / "song.wav")
            os.link(kept, path.with_name("again.wav"))
            path.with_name("again.wav").replace(path)

    swapper = threading.Thread(target=swap)
    swapper.start()
    lengths = []
    try:
        for _ in range(SWAPS):
            try:
                lengths.append(inputs.resolve(str(path)).seconds)
            except InvalidRequest:
                lengths.append(None)
    finally:
        over.set()
        swapper.join()
    assert OUTSIDE not in lengths
    assert INSIDE in lengths


@pytest.mark.parametrize("swapped", ["sub/song.wav", "sub"])
def test_what_was_accepted_is_not_opened_elsewhere_when_the_job_runs(inputs, music, swapped):
    source = inputs.resolve(str(music / "sub" / "song.wav"))
    replace(music / swapped, music.parent / "private" / ("song.wav" if "." in swapped else ""))
    with pytest.raises(OSError):
        files.open_resolved(source.path)


def test_an_upload_that_became_a_link_is_unknown(inputs, tmp_path, music):
    name = "a" * 32 + ".wav"
    written(tmp_path / "scratch" / name, INSIDE)
    assert inputs.resolve(f"upload://{name}").seconds == INSIDE
    replace(tmp_path / "scratch" / name, tmp_path / "private" / "song.wav")
    with pytest.raises(InvalidRequest, match="unknown"):
        inputs.resolve(f"upload://{name}")


@pytest.fixture
def tracks(tmp_path, music):
    database = Database(tmp_path / "db.sqlite3")
    audio = {"duration": INSIDE, "size": (music / "sub" / "song.wav").stat().st_size, "content_type": "audio/wav"}
    sidecar = {"id": "kept", "created_at": "2026-01-01T00:00:00+00:00", "audio": audio, "request": {}}
    (music / "sub" / "song.json").write_text(json.dumps(sidecar), encoding="utf-8")
    yield Tracks(database, music)
    database.close()


@pytest.mark.parametrize("swapped", ["sub/song.wav", "sub"])
def test_the_file_of_a_track_is_one_of_the_music_folder(tracks, music, swapped):
    track = tracks.get("kept")
    with tracks.file(track) as song:
        assert soundfile.info(song).frames == 8000
    replace(music / swapped, music.parent / "private" / ("song.wav" if "." in swapped else ""))
    with pytest.raises(NotFound, match="outside the folders"):
        tracks.file(track)


@pytest.mark.parametrize("ending", ["wav", "json"])
def test_a_link_is_no_song_and_no_sidecar(tracks, music, ending):
    path = music / "sub" / f"song.{ending}"
    path.rename(music.parent / "private" / path.name)
    path.symlink_to(music.parent / "private" / path.name)
    with pytest.raises(NotFound):
        tracks.get("kept")
    assert [problem for problem in tracks.problems() if str(music / "sub" / "song.json") in problem]


@pytest.mark.parametrize("count", range(1, 5))
def test_an_export_is_written_into_the_folder_that_was_checked(tracks, music, swap_after, count):
    track, private = tracks.get("kept"), music.parent / "private"
    (music / "exports").mkdir()
    swap_after(count, (music / "exports", private))
    with contextlib.suppress(InvalidRequest, StorageError, NotFound):
        export(track, "wav", "copy.wav", [music], tracks)
    assert [path.name for path in private.iterdir()] == ["song.wav"]


def test_an_export_makes_folders_and_takes_no_name_twice(tracks, music):
    track = tracks.get("kept")
    path = export(track, "wav", str(music / "a" / "b" / "copy.wav"), [music], tracks)
    assert path.read_bytes() == track.path.read_bytes()
    with pytest.raises(InvalidRequest, match="exists already"):
        export(track, "wav", str(path), [music], tracks)
    assert [path.name for path in path.parent.iterdir()] == ["copy.wav"]


NETWORK = ("\\\\host\\share\\a.wav", "//host/share/a.wav", "/\\host\\a.wav", "\\\\?\\UNC\\host\\a.wav")
FORMS = ("{}", '"{}"', "file:{}", "file://{}", "file:///{}")


def test_a_path_on_another_machine_is_refused_before_any_file_is_asked_for(inputs, monkeypatch):
    def asked(*_, **__):
        raise AssertionError("a file was asked for")

    for name in ("stat", "lstat", "open", "readlink", "scandir", "listdir"):
        monkeypatch.setattr(os, name, asked)
    for form in FORMS:
        for path in NETWORK:
            with pytest.raises(InvalidRequest, match="another machine"):
                inputs.resolve(form.format(path))


def test_a_share_that_its_owner_allowed_is_no_other_machine():
    assert files.names_machine("\\\\nas\\music\\a.wav")
    assert not files.names_machine("\\\\nas\\music\\a.wav", [Path("\\\\nas\\music")])
    assert files.names_machine("\\\\nas\\private\\a.wav", [Path("\\\\nas\\music"), Path("/home/music")])


@pytest.mark.parametrize("name", ["\\\\host\\share\\a.wav", "//host/share/a.wav"])
def test_an_export_to_another_machine_is_refused_by_its_text(tracks, music, name):
    with pytest.raises(InvalidRequest, match="another machine"):
        export(tracks.get("kept"), "wav", name, [music], tracks)


@pytest.mark.parametrize("name", [".hidden", "a\nb", "a\x00b", "a\x1b[2J", "x" * 300, "..", "."])
def test_a_name_that_is_none_is_refused(tracks, music, name):
    with pytest.raises(InvalidRequest):
        export(tracks.get("kept"), "wav", name, [music], tracks)
    assert not (music / "exports").exists()
