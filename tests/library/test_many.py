"""A folder with many songs: what a call looks at, and that nothing done by hand is missed."""

import json
import os
import time

import pytest

from acestep_mcp.api.errors import NotFound
from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.library import track_index
from acestep_mcp.library.database import Database
from acestep_mcp.library.jobs import Jobs
from acestep_mcp.library.models import Job, Status
from acestep_mcp.library.scan import scan
from acestep_mcp.library.track_index import CHANGED
from acestep_mcp.library.track_rows import TRASH
from acestep_mcp.library.tracks import Tracks


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "data" / "acestep.sqlite3")
    yield database
    database.close()


@pytest.fixture
def tracks(database, tmp_path, monkeypatch):
    """A folder that counts as large, where a listing looks at every file once an hour. It has been looked at."""
    monkeypatch.setattr(track_index, "_LARGE", 0)
    monkeypatch.setattr(track_index, "_REST", 3600.0)
    (tmp_path / "music").mkdir()
    tracks = Tracks(database, tmp_path / "music")
    for number in range(1, 5):
        add(tracks, f"t0{number}")
    tracks.refresh()
    return tracks


@pytest.fixture
def looks(monkeypatch):
    """The folders that were listed."""
    listed = []
    monkeypatch.setattr(track_index, "scan", lambda folder, **how: listed.append(folder) or scan(folder, **how))
    return listed


def add(tracks, track_id, **changes):
    part = tracks.folder / f".{track_id}.part"
    part.write_bytes(b"RIFF" + bytes(60) + track_id.encode())
    facts = {"duration": 1.0, "size": part.stat().st_size, "content_type": "audio/wav"}
    created = f"2026-11-22T12:00:{track_id[1:]}+00:00"
    sidecar = {"id": track_id, "title": track_id, "request": {}, "created_at": created, "audio": facts}
    return tracks.add(track_id, part, f"song {track_id}.wav", sidecar | changes)


def listed(tracks, **how):
    return [track.path.relative_to(tracks.folder).as_posix() for track in tracks.find("", 9, None, **how)[0]]


def edit_title(song):
    path = song.with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"title": "mine"}), encoding="utf-8")


def change_sound(song):
    song.write_bytes(song.read_bytes() + b"more")


def change_sound_in_size_only(song):
    before = song.stat()
    change_sound(song)
    os.utime(song, ns=(before.st_atime_ns, before.st_mtime_ns))


def convert(song):
    song.with_suffix(".mp3").write_bytes(b"ID3 another sound")
    song.unlink()


def rename(song):
    song.rename(song.with_name("mine.wav"))


def move_both(song):
    (song.parent / "Album").mkdir()
    for path in (song, song.with_suffix(".json")):
        path.rename(song.parent / "Album" / path.name)


def move_both_to_the_trash(song):
    (song.parent / TRASH).mkdir()
    for path in (song, song.with_suffix(".json")):
        path.rename(song.parent / TRASH / path.name)


BY_HAND = {
    edit_title: ("song t02.wav", "mine", None),
    change_sound: ("song t02.wav", "t02", [CHANGED]),
    change_sound_in_size_only: ("song t02.wav", "t02", [CHANGED]),
    convert: ("song t02.mp3", "t02", [CHANGED]),
    rename: ("mine.wav", "t02", None),
    move_both: ("Album/song t02.wav", "t02", None),
    move_both_to_the_trash: (f"{TRASH}/song t02.wav", "t02", None),
}


@pytest.mark.parametrize("name", ["t02", "song t02.wav"])
@pytest.mark.parametrize("edit", BY_HAND, ids=lambda edit: edit.__name__)
def test_a_song_that_was_changed_by_hand_is_given_as_it_is_now(tracks, edit, name):
    edit(tracks.folder / "song t02.wav")
    if name in ("t02", BY_HAND[edit][0].rpartition("/")[2]):
        found = tracks.get(name)
        notes = found.sidecar.get("notes")
        assert (found.path.relative_to(tracks.folder).as_posix(), found.title, notes and notes[:1]) == BY_HAND[edit]
    else:
        with pytest.raises(NotFound):
            tracks.get(name)
    assert tracks.kept("t02").path.is_file()


@pytest.mark.parametrize("edit", BY_HAND, ids=lambda edit: edit.__name__)
def test_a_page_shows_a_song_that_was_changed_by_hand_as_it_is_now(tracks, edit):
    edit(tracks.folder / "song t02.wav")
    name, title, notes = BY_HAND[edit]
    found = {track.id: track for track in tracks.find("", 9, None)[0]}
    if name.startswith(TRASH):
        assert list(found) == ["t04", "t03", "t01"]
        assert listed(tracks, deleted=True) == [name]
    else:
        assert list(found) == ["t04", "t03", "t02", "t01"]
        assert found["t02"].path == tracks.folder / name
        assert found["t02"].title == title
        assert (found["t02"].sidecar.get("notes") or [None])[:1] == (notes or [None])


@pytest.mark.parametrize("left", ["json", "wav", "none"])
def test_a_song_of_which_a_file_was_removed_is_not_shown_as_if_it_were_there(tracks, left):
    song = tracks.folder / "song t02.wav"
    for path in (song, song.with_suffix(".json")):
        if path.suffix != f".{left}":
            path.unlink()
    if left == "wav":  # its sidecar is written again
        assert tracks.get("t02").path == song
        assert song.with_suffix(".json").is_file()
        return
    assert listed(tracks) == ["song t04.wav", "song t03.wav", "song t01.wav"]
    with pytest.raises(NotFound):
        tracks.get("t02")
    assert tracks.kept("t02") is None
    assert len(tracks.problems()) == (left == "json")


def test_a_song_back_from_the_trash_by_hand_is_the_one_that_its_name_means(tracks):
    tracks.delete("t02")
    for ending in (".wav", ".json"):
        (tracks.trash / f"song t02{ending}").rename(tracks.folder / f"song t02{ending}")
    assert tracks.get("song t02.wav").deleted is False


def test_a_name_in_the_trash_means_a_new_song_of_that_name_in_the_folder(tracks):
    deleted = tracks.delete("t02")
    song = tracks.folder / "song t02.wav"
    song.write_bytes(deleted.path.read_bytes())
    text = deleted.path.with_suffix(".json").read_text("utf-8").replace('"t02"', '"t09"')
    song.with_suffix(".json").write_text(text, encoding="utf-8")
    assert tracks.get("song t02.wav").id == "t09"
    assert tracks.get("t02").deleted is True


def test_of_a_song_converted_and_converted_back_the_one_that_was_made_is_given(tracks):
    song = tracks.folder / "song t02.wav"
    content = song.read_bytes()
    convert(song)
    assert tracks.get("t02").path.suffix == ".mp3"
    song.write_bytes(content)
    assert tracks.get("t02").path == song


def test_a_song_put_into_the_folder_is_found_by_its_name_at_once_and_listed_at_the_next_look(tracks, monkeypatch):
    song = tracks.folder / "song t02.wav"
    text = song.with_suffix(".json").read_text("utf-8").replace('"t02"', '"t05"')
    (tracks.folder / "new.json").write_text(text, encoding="utf-8")
    (tracks.folder / "new.wav").write_bytes(song.read_bytes())
    assert "new.wav" not in listed(tracks)
    monkeypatch.setattr(time, "monotonic", lambda: 10.0**9)
    assert "new.wav" in listed(tracks)
    (tracks.folder / "new.wav").rename(tracks.folder / "newer.wav")
    (tracks.folder / "new.json").rename(tracks.folder / "newer.json")
    assert tracks.get("newer.wav").id == "t05"


def test_a_song_that_another_process_has_made_or_deleted_is_in_the_next_list(tracks, database):
    other = Tracks(database, tracks.folder)
    add(other, "t05")
    other.delete("t01")
    assert [track.id for track in tracks.find("", 9, None)[0]] == ["t05", "t04", "t03", "t02"]
    assert tracks.find("", 9, None)[2] == 4


def test_a_folder_of_few_songs_is_looked_at_whenever_it_is_listed(tracks, looks, monkeypatch):
    monkeypatch.setattr(track_index, "_LARGE", 1000)
    tracks.refresh()
    looks.clear()
    for _ in range(2):
        tracks.find("", 9, None)
    assert looks == [tracks.folder, tracks.trash] * 2


def test_an_unchanged_song_is_given_without_a_look_at_the_others(tracks, looks):
    made = add(tracks, "t05")
    (tracks.folder / "another.wav").write_bytes(b"RIFF")  # the folder is another one now, not the song
    assert tracks.get("t05") == tracks.get("song t05.wav") == tracks.kept("t05") == made
    tracks.change("t05", {"title": "new"})
    tracks.delete("t05")
    tracks.restore("t05")
    assert len(tracks.find("", 9, None)[0]) == 5
    assert looks == []


def test_many_songs_are_indexed_in_few_transactions(tracks, database):
    committed = []
    database._connection.set_trace_callback(lambda text: committed.append(text) if text == "COMMIT" else None)
    assert tracks.rebuild() == 4
    assert len(committed) == 1


def test_no_statement_of_a_job_reads_all_rows(tracks, database):
    """Those that are issued between a call and its answer, and by the rounds of an idle server."""
    statements = []
    for connection in (database._connection, database._reader):
        connection.set_trace_callback(statements.append)
    jobs = Jobs(database)
    request = TextToAudio(tags="lofi")
    jobs.add(Job("j01", "fal-ai/ace-step", request, Status.NEW, "draft", 1000.0, estimated_cost=1), spend_limit=5)
    jobs.rates("draft", "fal-ai/ace-step")
    jobs.update("j01", status=Status.IN_PROGRESS)
    jobs.reserve_name("j01", ["a.wav"])
    jobs.record_answer("j01", "delivered")
    jobs.adopt()
    jobs.cancel_requests()
    jobs.newest(20)
    jobs.sources()
    jobs.spent_today()
    jobs.is_made(jobs.get("j01"))
    tracks.get("t01")
    tracks.get("song t01.wav")
    tracks.kept("t02")
    tracks.change("t03", {"title": "new"})
    tracks.delete("t03")
    tracks.made_from("t01")
    tracks.changed_since(tracks.changed_since(-1)[1] - 1)
    for connection in (database._connection, database._reader):
        connection.set_trace_callback(None)
    plans = {
        text: [row["detail"] for row in database._reader.execute(f"EXPLAIN QUERY PLAN {text}")]
        for text in statements
        if text.startswith(("SELECT", "UPDATE", "DELETE"))
    }
    assert len(plans) > 15
    whole = [
        (text, step)
        for text, plan in plans.items()
        for step in plan
        if (step.startswith(("SCAN jobs", "SCAN tracks")) and "DESC LIMIT" not in text) or step.endswith("(folder=?)")
    ]
    assert whole == []
