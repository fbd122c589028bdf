"""What people do to songs in the music folder: change, convert, rename, move, remove."""

import hashlib
import json
import os
import threading

import numpy as np
import pytest
import soundfile

from acestep_mcp.api.errors import Ambiguous, NotFound
from acestep_mcp.assembly import tracks_of
from acestep_mcp.library.database import Database
from acestep_mcp.library.track_index import CHANGED
from acestep_mcp.settings import load


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "data" / "acestep.sqlite3")
    yield database
    database.close()


@pytest.fixture
def tracks(database, tmp_path):
    (tmp_path / "music").mkdir()
    return tracks_of(load(), database)


def sound(seconds=1.0, level=0.3):
    return level * np.sin(np.arange(int(8000 * seconds)) * 0.3)


def add(tracks, track_id="t01", name=None, digest=True):
    part = tracks.folder / f".{track_id}.part"
    soundfile.write(part, sound(), 8000, format="WAV")
    facts = {"duration": 1.0, "size": part.stat().st_size, "content_type": "audio/wav"}
    if digest:
        facts["sha256"] = hashlib.sha256(part.read_bytes()).hexdigest()
    created = f"2026-11-22T12:00:{track_id[1:]}+00:00"
    checks = {"lufs": -14.0}
    sidecar = {"id": track_id, "title": "Rain", "request": {}, "created_at": created, "audio": facts, "checks": checks}
    return tracks.add(track_id, part, name or f"song {track_id}.wav", sidecar)


def listed(tracks):
    return [track.path.relative_to(tracks.folder).as_posix() for track in tracks.find("", 9, None)[0]]


@pytest.mark.parametrize("ending", [".mp3", ".flac", ".ogg", ".aiff", ".MP3"])
def test_a_song_converted_by_hand_is_listed_as_it_is_now(tracks, ending):
    kept = add(tracks)
    soundfile.write(kept.path.with_suffix(ending), sound(1.5), 8000)
    kept.path.unlink()
    found = tracks.get("t01")
    assert listed(tracks) == [f"song t01{ending}"]
    assert found.size == found.path.stat().st_size
    assert found.duration == pytest.approx(1.5, abs=0.1)
    assert found.content_type != "audio/wav"
    assert found.sidecar["notes"] == [CHANGED]
    assert "checks" not in found.sidecar
    assert tracks.problems() == []


def test_a_song_in_a_format_that_cannot_be_read_stays_in_the_list_and_says_so(tracks):
    kept = add(tracks)
    kept.path.rename(kept.path.with_suffix(".m4a")).write_bytes(b"\0\0\0\x20ftypM4A " + bytes(50))
    found = tracks.get("t01")
    assert (found.path.suffix, found.content_type, found.duration) == (".m4a", "audio/mp4", 1.0)
    assert "cannot be read" in found.sidecar["notes"][1]


def test_of_two_files_of_one_name_the_one_that_was_made_is_the_song(tracks):
    kept = add(tracks)
    soundfile.write(kept.path.with_suffix(".flac"), sound(1.5), 8000)
    assert tracks.get("t01") == kept


def test_a_song_changed_in_place_has_its_new_facts_and_one_only_touched_has_not(tracks):
    kept = add(tracks)
    _, seen = tracks.changed_since(-1)
    kept.path.write_bytes(kept.path.read_bytes())
    assert tracks.get("t01").sidecar == kept.sidecar
    soundfile.write(kept.path, sound(level=0.2), 8000)  # the same size
    assert tracks.get("t01").sidecar["notes"] == [CHANGED]
    soundfile.write(kept.path, sound(3), 8000)
    found = tracks.get("t01")
    assert found.duration == 3
    assert found.sidecar["audio"]["sha256"] == hashlib.sha256(kept.path.read_bytes()).hexdigest()
    changed, _ = tracks.changed_since(seen)
    assert [track.duration for track in changed] == [3]


def test_a_touched_song_is_unchanged_also_for_a_call_that_comes_while_it_is_read_again(tracks, monkeypatch):
    kept = add(tracks)
    os.utime(kept.path, (1, 1))
    begun, may_end, digest = threading.Event(), threading.Event(), hashlib.file_digest

    def slow(file, name):
        if not begun.is_set():
            begun.set()
            assert may_end.wait(10)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", slow)
    first = threading.Thread(target=tracks.refresh)
    first.start()
    assert begun.wait(10)
    assert tracks.get("t01").sidecar == kept.sidecar
    may_end.set()
    first.join()
    assert tracks.get("t01").sidecar == kept.sidecar


@pytest.mark.parametrize("digest", [True, False])
@pytest.mark.parametrize("name", ["mine.wav", "Album/mine.wav", "Album/song t01.wav"])
def test_a_song_renamed_or_moved_without_its_sidecar_is_found_by_its_content(tracks, name, digest):
    kept = add(tracks, digest=digest)
    (tracks.folder / "Album").mkdir()
    soundfile.write(tracks.folder / "other.wav", sound(2), 8000)
    if digest:
        soundfile.write(tracks.folder / "of the same size.wav", sound(level=0.2), 8000)
    kept.path.rename(tracks.folder / name)
    for _ in range(2):
        assert listed(tracks) == [name]
        assert tracks.problems() == []
    assert tracks.get("t01").sidecar == kept.sidecar
    deleted = tracks.delete("t01")
    assert not kept.path.with_suffix(".json").exists()
    assert deleted.path.with_suffix(".json").is_file()
    assert tracks.restore("t01").path == tracks.folder / deleted.path.name


@pytest.mark.parametrize("deep", ["Album", "Album/Side A"])
def test_a_song_moved_to_a_subfolder_is_found_there_by_all_its_names(tracks, database, deep):
    kept = add(tracks)
    folder = tracks.folder / deep
    folder.mkdir(parents=True)
    for path in (kept.path, kept.path.with_suffix(".json")):
        path.rename(folder / path.name)
    for name in ("t01", "song t01.wav", f"{deep}/song t01.wav", str(folder / "song t01.wav"), "Song\u00a0T01.wav"):
        assert tracks.get(name).path == folder / "song t01.wav"
    assert tracks.rebuild() == 1
    tracks.delete("t01")
    assert list(folder.iterdir()) == []
    assert tracks.restore("t01").path == kept.path


def test_two_songs_of_one_name_are_named_and_none_is_taken(tracks):
    for track_id, folder in (("t01", "A"), ("t02", "B")):
        kept = add(tracks, track_id, "song.wav")
        (tracks.folder / folder).mkdir()
        for path in (kept.path, kept.path.with_suffix(".json")):
            path.rename(tracks.folder / folder / path.name)
    with pytest.raises(
        Ambiguous, match=r"A/song.wav \(t01\).*B/song.wav \(t02\)|B/song.wav \(t02\).*A/song.wav \(t01\)"
    ):
        tracks.get("song.wav")
    assert tracks.get("B/song.wav").id == "t02"


def test_a_song_whose_file_is_gone_is_said_to_be_and_comes_back_with_it(tracks):
    kept = add(tracks)
    content = kept.path.read_bytes()
    kept.path.unlink()
    assert listed(tracks) == []
    (problem,) = tracks.problems()
    assert "t01 (Rain)" in problem
    assert str(kept.path.with_suffix(".json")) in problem
    with pytest.raises(NotFound, match="Put the file back"):
        tracks.get("t01")
    (tracks.folder / "found again.wav").write_bytes(content)
    assert listed(tracks) == ["found again.wav"]
    assert tracks.problems() == []


def test_a_sidecar_that_was_removed_by_hand_is_written_again(tracks):
    kept = add(tracks)
    sidecar = kept.path.with_suffix(".json")
    sidecar.unlink()
    assert listed(tracks) == ["song t01.wav"]
    assert json.loads(sidecar.read_text(encoding="utf-8")) == kept.sidecar
    sidecar.unlink()
    assert tracks.rebuild() == 1
    sidecar.unlink()
    kept.path.write_bytes(b"RIFF")  # another file now
    assert listed(tracks) == []
    assert not sidecar.exists()


def test_a_song_removed_with_its_sidecar_is_said_to_be_gone_once(tracks, caplog):
    kept = add(tracks)
    kept.path.unlink()
    kept.path.with_suffix(".json").unlink()
    for _ in range(2):
        assert listed(tracks) == []
    assert [record.getMessage() for record in caplog.records] == [
        f"song t01.wav and its .json are gone from {tracks.folder}, and from the list"
    ]


def test_other_json_and_other_audio_in_the_folder_are_left_alone(tracks):
    add(tracks)
    (tracks.folder / "package.json").write_text("{}", encoding="utf-8")
    soundfile.write(tracks.folder / "loop.wav", sound(), 8000)
    assert listed(tracks) == ["song t01.wav"]
    assert tracks.problems() == []


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_a_sidecar_saved_with_a_byte_order_mark_is_used(tracks, codec):
    path = add(tracks).path.with_suffix(".json")
    text = path.read_text(encoding="utf-8").replace("Rain", "Für Oma").replace("\n", "\r\n")
    path.write_bytes((b"\xff\xfe" if codec == "utf-16-le" else b"") + text.encode(codec))
    assert tracks.get("t01").title == "Für Oma"
    assert tracks.rebuild() == 1


def test_no_track_is_proposed_only_because_it_is_new(tracks):
    add(tracks)
    with pytest.raises(NotFound) as caught:
        tracks.get("bagpipes.wav")
    assert "t01" not in caught.value.message
    assert "list_tracks" in caught.value.message


def test_a_song_whose_sidecar_cannot_be_used_is_not_said_to_be_gone(tracks, database):
    kept = add(tracks)
    with database.writing() as db:
        db.execute(
            "INSERT INTO jobs (id, track_id, file_name, endpoint, request, status, backend, created_at, fingerprint) "
            "VALUES ('t01', 't01', ?, '', '{}', 'COMPLETED', 'draft', 0, '')",
            (kept.path.name,),
        )
    sidecar = kept.path.with_suffix(".json")
    sidecar.write_text("{ // edited\n}")
    with pytest.raises(NotFound, match=r"song t01\.json cannot be used: .*Mend that file"):
        tracks.get("t01")


def test_a_song_that_was_made_twice_is_two_files(tracks):
    one, two, three = add(tracks, "t01"), add(tracks, "t02"), add(tracks, "t03")
    one.path.rename(one.path.with_name("my song.wav"))
    (tracks.folder / "album").mkdir()
    two.path.rename(tracks.folder / "album" / two.path.name)
    assert listed(tracks) == [three.path.name, f"album/{two.path.name}", "my song.wav"]
    assert tracks.get("t01").path.name == "my song.wav"
    three.path.unlink()
    with pytest.raises(NotFound, match="there is no audio for"):
        tracks.get("t03")
