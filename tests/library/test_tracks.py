import json
import os
import subprocess
import sys

import pytest

from acestep_mcp.api.errors import InvalidRequest, NotFound, StorageError
from acestep_mcp.files import write_json
from acestep_mcp.library import tracks as tracks_module
from acestep_mcp.library.database import Database
from acestep_mcp.library.tracks import TRASH, Tracks


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "data" / "acestep.sqlite3")
    yield database
    database.close()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    return folder


@pytest.fixture
def tracks(database, folder):
    return Tracks(database, folder)


def sidecar(track_id, name, **changes):
    return {
        "id": track_id,
        "file_name": name,
        "title": f"song {track_id}",
        "tags": "lofi, chill",
        "lyrics": "[inst]",
        "request": {},
        "created_at": f"2026-11-22T12:00:{int(track_id[-2:]):02d}.000+00:00",
        "audio": {"duration": 1.0, "size": 4, "content_type": "audio/wav"},
    } | changes


def add(tracks, track_id, **changes):
    part = tracks.folder / f".{track_id}.part"
    part.write_bytes(b"RIFF")
    name = f"song {track_id}.wav"
    return tracks.add(track_id, part, name, sidecar(track_id, name, **changes))


def ids(found):
    return [track.id for track in found[0]]


def test_of_two_processes_that_write_a_sidecar_at_once_the_later_one_is_believed(tracks, monkeypatch):
    def then_theirs(path, value):
        written = write_json(path, value)
        write_json(path, value | {"title": "theirs"})
        return written

    monkeypatch.setattr(tracks_module, "write_json", then_theirs)
    add(tracks, "t01")
    assert tracks.get("t01").sidecar["title"] == "theirs"
    tracks.change("t01", {"title": "ours", "note": "x"})
    assert tracks.get("t01").sidecar["title"] == "theirs"


def test_a_stored_track_is_a_file_and_a_sidecar(tracks, folder):
    track = add(tracks, "t01")
    assert sorted(path.name for path in folder.iterdir()) == ["song t01.json", "song t01.wav"]
    assert json.loads((folder / "song t01.json").read_text(encoding="utf-8")) == track.sidecar
    assert track.uri == "acestep://tracks/t01"


@pytest.mark.parametrize("name", ["t01", "acestep://tracks/t01", "acestep://tracks/t01/audio", "song t01.wav"])
def test_a_track_is_found_by_each_of_its_names(tracks, name):
    add(tracks, "t01")
    assert tracks.get(name).id == "t01"


def test_an_unknown_track_is_an_error_with_near_matches(tracks):
    add(tracks, "t01")
    with pytest.raises(NotFound, match="song t01.wav"):
        tracks.get("song t10.wav")


def test_pages_go_from_newest_to_oldest_without_gap_or_repeat(tracks):
    for number in range(1, 8):
        add(tracks, f"t{number:02d}")
    first = tracks.find("", 3, None)
    second = tracks.find("", 3, first[1])
    third = tracks.find("", 3, second[1])
    assert ids(first) + ids(second) + ids(third) == [f"t{n:02d}" for n in range(7, 0, -1)]
    assert third[1] is None
    assert first[2] == 7


def test_a_search_finds_words_in_any_order_and_case_in_tags_lyrics_title_and_prompt(tracks):
    add(tracks, "t01", lyrics="La Mer est calme", request={"prompt": "a song of the SEA"})
    add(tracks, "t02")
    assert ids(tracks.find("mer LA", 9, None)) == ["t01"]
    assert ids(tracks.find("sea", 9, None)) == ["t01"]
    assert ids(tracks.find("lofi", 9, None)) == ["t02", "t01"]
    assert ids(tracks.find("100% nothing_", 9, None)) == []


def test_a_bad_cursor_is_an_error_that_says_so(tracks):
    with pytest.raises(InvalidRequest, match="cursor"):
        tracks.find("", 5, "rubbish")


def test_a_deleted_track_is_in_the_trash_and_can_be_restored(tracks, folder):
    kept = add(tracks, "t01")
    tracks.delete("t01")
    assert ids(tracks.find("", 5, None)) == []
    assert (folder / TRASH / "song t01.wav").read_bytes() == b"RIFF"
    assert tracks.get("t01").deleted
    restored = tracks.restore("t01")
    assert (restored.path, restored.sidecar, restored.deleted) == (kept.path, kept.sidecar, False)
    assert ids(tracks.find("", 5, None)) == ["t01"]


def test_a_song_that_cannot_be_moved_leaves_no_sidecar_in_the_trash(tracks, folder):
    track = add(tracks, "t01")
    track.path.unlink()
    with pytest.raises(StorageError):
        tracks._move(track, folder / TRASH, deleted=True)
    assert list((folder / TRASH).iterdir()) == []
    assert track.path.with_suffix(".json").exists()


def test_deleting_or_restoring_twice_is_the_same_as_once(tracks):
    add(tracks, "t01")
    assert tracks.delete("t01") == tracks.delete("t01")
    assert tracks.restore("t01") == tracks.restore("t01")


def test_a_restored_track_never_overwrites_one_that_took_its_name(tracks, folder):
    add(tracks, "t01")
    tracks.delete("t01")
    (folder / "song t01.wav").write_bytes(b"other")
    assert tracks.restore("t01").path.name == "song t01 2.wav"
    assert (folder / "song t01.wav").read_bytes() == b"other"
    assert tracks.get("t01").path.read_bytes() == b"RIFF"


def test_the_index_follows_manual_changes_to_files(tracks, folder):
    add(tracks, "t01")
    add(tracks, "t02")
    os.remove(folder / "song t01.wav")
    os.remove(folder / "song t01.json")
    (folder / "song t02.wav").rename(folder / "mine.wav")
    (folder / "song t02.json").rename(folder / "mine.json")
    assert ids(tracks.find("", 5, None)) == ["t02"]
    assert tracks.get("t02").path == folder / "mine.wav"


def test_a_lost_database_is_rebuilt_from_the_sidecars(tracks, folder, tmp_path):
    add(tracks, "t01")
    add(tracks, "t02")
    tracks.delete("t02")
    fresh = Database(tmp_path / "other" / "acestep.sqlite3")
    try:
        again = Tracks(fresh, folder)
        assert ids(again.find("", 5, None)) == ["t01"]
        assert again.get("t02").deleted
        assert again.rebuild() == 2
    finally:
        fresh.close()


@pytest.mark.parametrize(
    "change",
    [
        {"id": 3},
        {"id": ""},
        {"created_at": None},
        {"audio": {}},
        {"audio": {"duration": None, "size": 4, "content_type": "audio/wav"}},
        {"audio": {"duration": 1, "size": "4", "content_type": "audio/wav"}},
        {"request": "x"},
    ],
)
def test_an_invalid_sidecar_is_skipped(tracks, folder, change):
    add(tracks, "t01")
    (folder / "spoilt.wav").write_bytes(b"RIFF")
    (folder / "spoilt.json").write_text(json.dumps(sidecar("t02", "spoilt.wav") | change), encoding="utf-8")
    assert ids(tracks.find("", 5, None)) == ["t01"]


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000, "\xff"])
def test_other_json_is_skipped(tracks, folder, text):
    (folder / "other.wav").write_bytes(b"RIFF")
    (folder / "other.json").write_text(text, encoding="utf-8")
    assert ids(tracks.find("", 5, None)) == []


@pytest.mark.parametrize("name", [None, "", "../x.wav", "nosuch.wav"])
def test_the_name_inside_a_sidecar_does_not_matter(tracks, folder, name):
    (folder / "mine.flac").write_bytes(b"fLaC")
    (folder / "mine.json").write_text(json.dumps(sidecar("t01", name)), encoding="utf-8")
    assert tracks.get("t01").path == folder / "mine.flac"


def test_a_track_whose_audio_is_removed_by_hand_is_gone(tracks, folder):
    add(tracks, "t01")
    (folder / "song t01.wav").unlink()
    assert ids(tracks.find("", 5, None)) == []
    with pytest.raises(NotFound):
        tracks.get("t01")


def test_a_name_in_the_trash_is_not_free(tracks):
    add(tracks, "t01")
    assert tracks.is_free("song t02.wav")
    tracks.delete("t01")
    assert not tracks.is_free("song t01.flac")


def test_a_copy_of_a_track_made_by_hand_does_not_take_its_place(tracks, folder):
    kept = add(tracks, "t01")
    (folder / "copy.wav").write_bytes(b"RIFF")
    (folder / "copy.json").write_text((folder / "song t01.json").read_text(encoding="utf-8"), encoding="utf-8")
    _, before = tracks.changed_since(-1)
    assert tracks.get("t01").path == kept.path
    assert ids(tracks.find("", 5, None)) == ["t01"]
    assert tracks.changed_since(before) == ([], before)


def spoil(folder, text, name="spoilt"):
    """A sidecar with this text, beside a song."""
    (folder / f"{name}.wav").write_bytes(b"RIFF")
    (folder / f"{name}.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / f"{name}.json"


def written(**changes):
    return json.dumps(sidecar("t02", "spoilt.wav") | changes)


@pytest.mark.parametrize(
    "text",
    [
        written(title="\ud800").replace('"t02"', '"\\ud800"'),
        written(audio={"duration": 10**400, "size": 4}),
        written(audio={"duration": 1, "size": 10**400}),
        written(audio={"duration": -1, "size": 4}),
        written().replace('"duration": 1.0', '"duration": NaN'),
        written().replace('"duration": 1.0', '"duration": 1e400'),
        written().replace('"size": 4', '"size": 1' + "0" * 5000),
        written(id="../../x"),
        written(id="x" * 65),
        written(created_at="yesterday"),
        written(created_at="2026" * 100),
        b"\xff\xfe",
        "[" * 100_000,
        "x" * (4 * 2**20 + 1),
    ],
)
def test_a_hostile_sidecar_hides_no_good_one_and_is_reported(tracks, folder, text):
    add(tracks, "t01")
    path = spoil(folder, text)
    for _ in range(2):
        assert ids(tracks.find("", 5, None)) == ["t01"]
        (problem,) = tracks.problems()
        assert problem.startswith(f"{path} is not used: ")
        assert len(problem) < 500 + len(str(path))
    assert tracks.get("t01").id == "t01"
    with pytest.raises(NotFound):
        tracks.get("t02")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", {"a": 1}),
        ("title", "\ud83c"),
        ("title", "x" * 2000),
        ("tags", 3),
        ("seed", 10**400),
        ("seed", -1),
        ("seed", "7"),
        ("notes", "x"),
        ("cost", float("inf")),
        ("other", json.loads("1e400")),
        ("other", ["\ud800"]),
        ("checks", json.loads("[" * 200 + "]" * 200)),
    ],
)
def test_an_odd_optional_field_is_dropped_and_the_rest_is_used(tracks, folder, field, value):
    spoil(
        folder,
        json.dumps(sidecar("t02", "spoilt.wav") | {"mine": {"kept": [1]}, field: value}).replace("Infinity", "1e400"),
    )
    found = tracks.get("t02")
    assert field not in found.sidecar
    assert found.sidecar["mine"] == {"kept": [1]}
    assert found.title
    assert tracks.problems() == []
    json.dumps(tracks.find("", 5, None)[0][0].sidecar, allow_nan=False).encode()


@pytest.mark.parametrize("given", ["text/html", "audio/wav\r\nx: y", 7, None])
def test_a_content_type_other_than_audio_is_replaced_by_the_file_names(tracks, folder, given):
    spoil(folder, written(audio={"duration": 1, "size": 4, "content_type": given, "sha256": "../../../x"}))
    track = tracks.get("t02")
    assert track.content_type == "audio/wav"
    assert "sha256" not in track.sidecar["audio"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes and links")
@pytest.mark.parametrize("kind", ["pipe", "device", "loop", "folder", "audio loop", "audio pipe", "name"])
def test_anything_but_a_regular_file_is_skipped_without_waiting(tracks, folder, kind):
    add(tracks, "t01")
    path = spoil(folder, written())
    audio = path.with_suffix(".wav")
    match kind:
        case "pipe" | "audio pipe":
            target = path if kind == "pipe" else audio
            target.unlink()
            os.mkfifo(target)
        case "device":
            path.unlink()
            path.symlink_to("/dev/zero")
        case "loop" | "audio loop":
            target = path if kind == "loop" else audio
            target.unlink()
            target.symlink_to(target.name)
        case "folder":
            path.unlink()
            path.mkdir()
        case "name":
            for old in (path, audio):
                os.rename(old, os.fsencode(folder) + b"/\xff" + os.fsencode(old.suffix))
    assert ids(tracks.find("", 5, None)) == ["t01"]
    (problem,) = tracks.problems()
    assert problem.encode()


def test_a_corrected_sidecar_is_used_and_is_no_longer_a_problem(tracks, folder):
    path = spoil(folder, "{")
    assert ids(tracks.find("", 5, None)) == []
    path.write_text(written(), encoding="utf-8")
    assert ids(tracks.find("", 5, None)) == ["t02"]
    assert tracks.problems() == []
    path.write_text("{", encoding="utf-8")
    assert ids(tracks.find("", 5, None)) == []
    path.unlink()
    assert ids(tracks.find("", 5, None)) == []
    assert tracks.problems() == []


def test_a_sidecar_with_another_id_is_one_track(tracks, folder):
    path = spoil(folder, written())
    assert ids(tracks.find("", 5, None)) == ["t02"]
    path.write_text(written(id="t033"), encoding="utf-8")
    assert ids(tracks.find("", 5, None)) == ["t033"]


KILLED = """
import os, sys
from pathlib import Path
from acestep_mcp.library import tracks
from acestep_mcp.library.database import Database
music, data, step, action = sys.argv[1:]
step = int(step)
def dying(function):
    def run(*arguments, **options):
        global step
        step -= 1
        if step < 0:
            os._exit(9)
        return function(*arguments, **options)
    return run
found = tracks.Tracks(Database(Path(data)), Path(music))
found.refresh()
Path.replace, Path.unlink, tracks.Tracks._index = map(dying, (Path.replace, Path.unlink, tracks.Tracks._index))
getattr(found, action)("t01")
"""


@pytest.mark.process
@pytest.mark.parametrize("action", ["delete", "restore"])
@pytest.mark.parametrize("taken", [False, True], ids=["", "name taken"])
def test_a_process_killed_between_any_two_steps_of_a_move_loses_no_song(tmp_path, folder, action, taken):
    path = tmp_path / "data.sqlite3"
    codes = []
    for step in range(8):
        database = Database(path)
        tracks = Tracks(database, folder)
        if step == 0:
            add(tracks, "t01")
        tracks.restore("t01") if action == "delete" else tracks.delete("t01")
        if taken and step == 0:
            (folder / (TRASH if action == "delete" else "") / tracks.get("t01").path.name).parent.mkdir(exist_ok=True)
            (folder / (TRASH if action == "delete" else "") / tracks.get("t01").path.name).write_bytes(b"other")
        database.close()
        command = [sys.executable, "-c", KILLED, str(folder), str(path), str(step), action]
        codes.append(subprocess.run(command, check=False).returncode)
        for index in (path, tmp_path / f"fresh{step}.sqlite3"):
            database = Database(index)
            assert Tracks(database, folder).get("t01").path.read_bytes() == b"RIFF"
            database.close()
    assert codes[0] == 9
    assert codes[-1] == 0


def test_every_change_is_seen_once_by_a_watcher(tracks):
    _, seen = tracks.changed_since(-1)
    add(tracks, "t01")
    changed, seen = tracks.changed_since(seen)
    assert [(t.id, t.deleted) for t in changed] == [("t01", False)]
    tracks.delete("t01")
    changed, seen = tracks.changed_since(seen)
    assert [(t.id, t.deleted) for t in changed] == [("t01", True)]
    assert tracks.changed_since(seen) == ([], seen)


def test_a_missing_folder_is_an_error_and_the_download_stays(tracks, tmp_path):
    part = tmp_path / "x.part"
    part.write_bytes(b"RIFF")
    os.rmdir(tracks.folder)
    with pytest.raises(StorageError, match="Create it"):
        tracks.add("t01", part, "a.wav", sidecar("t01", "a.wav"))
    assert part.read_bytes() == b"RIFF"


def test_a_name_or_a_search_that_is_too_long_is_refused(tracks):
    with pytest.raises(NotFound, match=r"\(1000000 characters\)") as error:
        tracks.get("la " * 333_333 + "!")
    assert len(error.value.message) < 300
    with pytest.raises(InvalidRequest, match="query: has 2000 words, and at most 100"):
        tracks.find("la " * 2_000, 10, None)


@pytest.fixture
def full(database):
    """A function that makes the database as large as it may ever be, so that SQLite says what it says on a full disk."""

    def fill():
        [pages] = database._connection.execute("PRAGMA page_count").fetchone()
        database._connection.execute(f"PRAGMA max_page_count = {pages}")

    yield fill
    database._connection.execute("PRAGMA max_page_count = 1000000")


def by_hand(folder, track_id, **changes):
    """A song that a person puts into the folder; its row takes more than a page."""
    name = f"song {track_id}.wav"
    (folder / name).write_bytes(b"RIFF")
    value = sidecar(track_id, name, lyrics="la " * 100_000, **changes)
    (folder / name).with_suffix(".json").write_text(json.dumps(value), encoding="utf-8")


def test_songs_are_listed_and_looked_up_while_the_disk_is_full(tracks, folder, full):
    add(tracks, "t01")
    add(tracks, "t02")
    full()
    by_hand(folder, "t03")
    assert ids(tracks.find("", 9, None)) == ["t02", "t01"]
    [note] = tracks.problems()
    assert "not listed yet" in note
    assert "the disk is full" in note
    assert tracks.get("t01").title == "song t01"
    with pytest.raises(NotFound):
        tracks.get("t03")


def test_a_song_that_was_changed_while_the_disk_is_full_is_given_as_it_was_with_a_note(tracks, folder, full):
    add(tracks, "t01")
    full()
    by_hand(folder, "t01", title="mine")
    notes = []
    assert tracks.get("t01", notes).title == "song t01"
    assert ["the disk is full" in note for note in notes] == [True]
    assert tracks.get("t01").sidecar.get("notes") is None
    assert ids(tracks.find("", 9, None)) == ["t01"]


def test_a_song_that_was_removed_while_the_disk_is_full_is_not_shown(tracks, folder, database, full):
    add(tracks, "t01")
    add(tracks, "t02")
    full()
    by_hand(folder, "t03")
    for path in folder.glob("song t02.*"):
        path.unlink()
    assert ids(tracks.find("", 9, None)) == ["t01"]
    with pytest.raises(NotFound):
        tracks.get("t02")
    database._connection.execute("PRAGMA max_page_count = 1000000")
    assert ids(tracks.find("", 9, None)) == ["t03", "t01"]
    assert tracks.problems() == []


def test_nothing_is_cleaned_up_by_a_list_that_cannot_be_written(tracks, folder, full):
    add(tracks, "t01")
    full()
    by_hand(folder, "t03")
    for work in (tracks.tidy, tracks.rebuild, lambda: tracks.empty_trash(0), lambda: tracks.kept("t03")):
        with pytest.raises(StorageError, match="the disk is full"):
            work()
