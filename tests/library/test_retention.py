"""What is not a song has a stated life: what is older goes, what is younger or in use stays."""

import os
import time

import pytest

from acestep_mcp.library.database import Database
from acestep_mcp.library.jobs import Jobs
from acestep_mcp.library.models import Status
from acestep_mcp.library.retention import COPY_DAYS, DAY, JOB_DAYS, PREVIEW_DAYS, Retention
from acestep_mcp.library.tracks import Tracks
from acestep_mcp.studio.catalogue import Catalogue
from tests.library.test_jobs import a_job
from tests.library.test_tracks import add


@pytest.fixture
def kept(tmp_path):
    database = Database(tmp_path / "data" / "acestep.sqlite3")
    jobs, tracks = Jobs(database), Tracks(database, tmp_path / "music")
    for folder in (
        tracks.folder,
        tmp_path / "data" / "previews",
        tmp_path / "data" / "engine" / "draft",
        tmp_path / "more",
    ):
        folder.mkdir(parents=True)
    jobs.leases.beat()
    clock(tmp_path, since=2, last=1)
    yield Retention(tracks, tmp_path / "data", 30), jobs
    database.close()


def clock(tmp_path, *, since, last):
    """As a program left it that cleaned up `last` days ago, and saw no jump for `since` days."""
    (tmp_path / "data" / "clock").write_text(f"{time.time() - since * DAY} {time.time() - last * DAY}\n")


def nothing():
    pass


def aged(path, days):
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_bytes(b"x")
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("data/previews/0123.mp3", PREVIEW_DAYS),
        ("data/acestep.sqlite3.v1.backup", COPY_DAYS),
        ("data/acestep.sqlite3.damaged-1", COPY_DAYS),
        ("data/engine/draft/jobs.sqlite3.v1.backup", COPY_DAYS),
        ("data/engine/draft/engine.log.1", COPY_DAYS),
    ],
)
def test_what_is_too_old_is_removed_and_what_is_younger_stays(kept, tmp_path, name, days):
    path = aged(tmp_path / name, days - 0.1)
    kept[0].clean(set, nothing)
    assert path.exists()
    aged(path, days + 0.1)
    kept[0].clean(set, nothing)
    assert not path.exists()


@pytest.mark.parametrize(
    "name", ["music/song.wav", "music/notes.txt", "more/.theirs.part", "data/config", "data/engine/draft/engine.log"]
)
def test_what_is_not_ours_or_has_no_end_stays_however_old_it_is(kept, tmp_path, name):
    path = aged(tmp_path / name, 1000)
    kept[0].clean(set, nothing)
    assert path.exists()


def test_unfinished_exports_are_removed_from_an_allowed_folder_and_nothing_else_is(kept, tmp_path):
    tracks, folder = kept[0].tracks, tmp_path / "more"
    ours, young = aged(folder / ".a.wav.0123abcd.part", 1.1), aged(folder / ".b.wav.0123abcd.part", 0.9)
    theirs = [aged(folder / name, 99) for name in (".theirs.part", "song.wav", ".a.wav.XYZ.part")]
    Catalogue(tracks, tmp_path / "data" / "previews", (tracks.folder, folder)).tidy()
    assert not ours.exists()
    assert all(path.exists() for path in (young, *theirs))


@pytest.mark.parametrize(("trash_days", "left"), [(30, False), (32, True), (0, True)])
def test_a_deleted_song_is_removed_for_good_when_its_days_in_the_trash_are_over(kept, tmp_path, trash_days, left):
    retention, tracks = kept[0], kept[0].tracks
    for track_id in ("track-01", "track-02", "track-03"):
        add(tracks, track_id)
    old, new = tracks.delete("track-01"), tracks.delete("track-02")
    for track in (old, new):
        os.utime(track.path, (0, 0))  # the song's own age does not count
    aged(old.path.with_suffix(".json"), 31)
    Retention(tracks, retention.data_dir, trash_days).clean(set, nothing)
    assert [path.exists() for path in (old.path, old.path.with_suffix(".json"))] == [left, left]
    assert new.path.exists()
    assert {track.id for track in tracks.find("", 9, None, deleted=True)[0]} == {"track-02"} | (
        {"track-01"} if left else set()
    )
    assert [track.id for track in tracks.find("", 9, None)[0]] == ["track-03"]


def test_jobs_that_ended_long_ago_are_forgotten_and_open_ones_never(kept):
    retention, jobs = kept
    long_ago = time.time() - (JOB_DAYS + 1) * DAY
    done = jobs.add(a_job(id="d" * 16, created_at=long_ago))
    jobs.update(done.id, status=Status.COMPLETED, ended_at=long_ago)
    late = jobs.add(a_job(id="e" * 16, created_at=long_ago))
    jobs.update(late.id, status=Status.FAILED, ended_at=time.time())
    jobs.add(a_job(id="f" * 16, created_at=long_ago))
    retention.clean(jobs.leases.alive, nothing)
    assert {job.id for job in jobs.newest(9)} == {"e" * 16, "f" * 16}


def test_the_space_of_forgotten_jobs_goes_back_to_the_disk(kept, tmp_path):
    retention, jobs = kept
    for number in range(20):
        job = jobs.add(a_job(id=f"{number:016}"))
        jobs.update(job.id, logs=("x" * 150_000,))
        jobs.update(job.id, status=Status.COMPLETED, ended_at=1.0)
    retention.clean(jobs.leases.alive, nothing)
    pages = retention.tracks.database
    with pages.reading() as db:
        assert db.execute("PRAGMA page_count").fetchone()[0] * 4096 < 600_000


def test_the_folder_of_an_embedded_engine_goes_with_its_process(kept, tmp_path):
    retention, jobs = kept
    ours, theirs = (tmp_path / "data" / "draft" / name for name in (jobs.leases.process, "ended"))
    for folder in (ours, theirs):
        (folder / "files").mkdir(parents=True)
    retention.clean(jobs.leases.alive, nothing)
    assert (ours.exists(), theirs.exists()) == (True, False)


def test_one_kind_that_cannot_be_removed_keeps_no_other(kept, tmp_path, caplog):
    retention = kept[0]

    def broken():
        raise OSError("the disk is gone")

    preview = aged(tmp_path / "data" / "previews" / "a.mp3", PREVIEW_DAYS + 1)
    Retention(retention.tracks, retention.data_dir, 30).clean(set, broken)
    assert not preview.exists()
    assert "cleaning up failed" in caplog.text


@pytest.mark.parametrize("days", [3650, -3650], ids=["forward", "backward"])
def test_nothing_is_removed_by_a_clock_that_has_jumped_until_it_runs_for_a_day(kept, tmp_path, monkeypatch, days):
    old, real = aged(tmp_path / "data" / "previews" / "0123.mp3", PREVIEW_DAYS + abs(days)), time.time
    shift = days * DAY
    monkeypatch.setattr(time, "time", lambda: real() + shift)
    if days < 0:
        os.utime(old, (real() + shift - 2 * PREVIEW_DAYS * DAY,) * 2)
    for _ in range(2):  # the next program to start sees no jump, and the clock has still not run for a day
        kept[0].clean(set, nothing)
        assert old.exists()
    shift += 1.1 * DAY
    kept[0].clean(set, nothing)
    assert not old.exists()


@pytest.mark.parametrize("content", [None, "", "yesterday today", "nan nan", "1e999 0", "1 2 3"])
def test_without_a_record_of_the_clock_nothing_is_removed_at_first(kept, tmp_path, content):
    old, record = aged(tmp_path / "data" / "previews" / "0123.mp3", PREVIEW_DAYS + 1), tmp_path / "data" / "clock"
    record.unlink() if content is None else record.write_text(content)
    kept[0].clean(set, nothing)
    assert old.exists()
    since, last = (float(text) for text in record.read_text().split())
    assert since == last == pytest.approx(time.time(), abs=60)
