"""A song that is deleted or restored: wherever that is interrupted, it is in exactly one list, and nothing stays behind."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from acestep_mcp.library import moves
from acestep_mcp.library.database import Database
from acestep_mcp.library.tracks import TRASH, Tracks
from tests.library.test_tracks import add


class Killed(BaseException):
    """Ends the call where the process would end; nothing in the package catches it."""


@pytest.fixture
def tracks(tmp_path):
    database = Database(tmp_path / "data" / "acestep.sqlite3")
    folder = tmp_path / "music"
    folder.mkdir()
    yield Tracks(database, folder)
    database.close()


def names(tracks: Tracks) -> list[str]:
    return sorted(path.relative_to(tracks.folder).as_posix() for path in tracks.folder.rglob("*") if path.is_file())


def listed(tracks: Tracks) -> list[tuple[str, bool]]:
    return [
        (track.id, track.deleted) for deleted in (False, True) for track in tracks.find("", 9, None, deleted=deleted)[0]
    ]


def aged(folder: Path) -> None:
    then = time.time() - 100
    for path in folder.rglob("*.json"):
        os.utime(path, (then, then))


def interrupted(monkeypatch: pytest.MonkeyPatch, tracks: Tracks, step: str, *, deleted: bool) -> None:
    """Begin to delete or restore the track, and end before this step."""
    call = tracks.restore if deleted else tracks.delete

    def ends(*_, **__):
        raise Killed

    with monkeypatch.context() as patched:
        owner, name = {"write": (moves, "write_bytes"), "move": (Path, "replace"), "unlink": (Path, "unlink")}[step]
        if step != "write":  # which renames and unlinks too
            patched.setattr(moves, "write_bytes", lambda target, content: target.write_bytes(content))
        patched.setattr(owner, name, ends)
        with pytest.raises(Killed):
            call("t01")


@pytest.fixture(params=["write", "move", "unlink"])
def step(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["delete", "restore"])
def deleted(request):
    return request.param


@pytest.mark.parametrize("keeps_index", [True, False], ids=["index", "no index"])
def test_an_interrupted_song_is_in_exactly_one_list(tracks, monkeypatch, step, deleted, keeps_index):
    add(tracks, "t01")
    if deleted:
        tracks.delete("t01")
    interrupted(monkeypatch, tracks, step, deleted=deleted)
    if not keeps_index:
        tracks.rebuild()
    assert listed(tracks) == [("t01", (step == "unlink") != deleted)]
    assert tracks.get("t01").path.read_bytes() == b"RIFF"


def test_what_was_interrupted_is_done_under_the_same_name_when_it_is_asked_for_again(
    tracks, monkeypatch, step, deleted
):
    add(tracks, "t01")
    if deleted:
        tracks.delete("t01")
    interrupted(monkeypatch, tracks, step, deleted=deleted)
    (tracks.restore if deleted else tracks.delete)("t01")
    tracks.tidy()
    where = "" if deleted else f"{TRASH}/"
    expected = [f"{where}song t01.json", f"{where}song t01.wav"]
    if step == "unlink":  # the song had arrived
        aged(tracks.folder)
        tracks.tidy()
    assert names(tracks) == expected


def test_what_was_interrupted_can_be_undone(tracks, monkeypatch, step, deleted):
    add(tracks, "t01")
    if deleted:
        tracks.delete("t01")
    interrupted(monkeypatch, tracks, step, deleted=deleted)
    (tracks.delete if deleted else tracks.restore)("t01")
    aged(tracks.folder)
    tracks.tidy()
    where = f"{TRASH}/" if deleted else ""
    assert names(tracks) == [f"{where}song t01.json", f"{where}song t01.wav"]
    assert listed(tracks) == [("t01", deleted)]


def test_tidying_leaves_the_second_sidecar_of_a_move_that_goes_on(tracks, monkeypatch):
    add(tracks, "t01")
    interrupted(monkeypatch, tracks, "move", deleted=False)
    tracks.tidy()
    assert f"{TRASH}/song t01.json" in names(tracks)


def test_a_move_whose_new_sidecar_was_taken_for_a_leftover_writes_it_again(tracks, monkeypatch):
    add(tracks, "t01")
    replace = Path.replace

    def replace_late(path, target):
        if path.suffix == ".wav":  # the process slept, and another one tidied
            target.with_suffix(".json").unlink()
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", replace_late)
    tracks.delete("t01")
    assert names(tracks) == [f"{TRASH}/song t01.json", f"{TRASH}/song t01.wav"]


def test_tidying_removes_nothing_that_a_person_put_there(tracks):
    track = add(tracks, "t01")
    own = track.path.with_name("my notes.json")
    own.write_text('{"id": "t01", "note": "mine"}', encoding="utf-8")
    other = tracks.folder / "album" / "song t01.json"
    other.parent.mkdir()
    shutil.copyfile(track.path.with_suffix(".json"), other)
    aged(tracks.folder)
    tracks.tidy()
    assert names(tracks) == ["album/song t01.json", "my notes.json", "song t01.json", "song t01.wav"]


def test_a_name_that_another_song_has_is_taken_whatever_its_format(tracks):
    add(tracks, "t01")
    trash = tracks.folder / TRASH
    trash.mkdir()
    (trash / "song t01.mp3").write_bytes(b"ID3")
    assert tracks.delete("t01").path.name == "song t01 2.wav"


def test_tidying_removes_old_temporary_files_from_the_trash_too(tracks):
    add(tracks, "t01")
    tracks.delete("t01")
    old, new = tracks.folder / TRASH / ".a.1234.part", tracks.folder / TRASH / ".b.1234.part"
    for path in (old, new):
        path.write_bytes(b"x")
    os.utime(old, (1, 1))
    tracks.tidy()
    assert (old.exists(), new.exists()) == (False, True)
