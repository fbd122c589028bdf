"""A database that is damaged, deleted, moved away, locked or of another version."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import threading
from contextlib import closing, contextmanager

import pytest

from acestep_mcp.api.errors import StorageError
from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.library import database as module
from acestep_mcp.library.database import Database
from acestep_mcp.library.jobs import Jobs
from acestep_mcp.library.models import Job, Status
from acestep_mcp.library.notices import Notices

COUNT = 90


def a_job(number, **more):
    request = TextToAudio(tags=f"lofi {number}", lyrics="[verse]\n" + f"line {number}\n" * 60)
    fields = {"status": Status.NEW, "backend": "draft", "created_at": 1000.0 + number} | more
    return Job(f"job-{number}", "fal-ai/ace-step", request, **fields)


def filled(path, count=COUNT):
    """A closed database with so many jobs; the tables hold more than one page for each four."""
    with closing(Database(path)) as database:
        jobs = Jobs(database)
        for number in range(count):
            jobs.add(a_job(number))
        jobs.uploads.remember("host", "digest", "https://files.example/a")
    return path


def ids(database):
    return {job.id for job in Jobs(database).newest(1000)}


@pytest.fixture
def path(tmp_path):
    return filled(tmp_path / "data" / "acestep.sqlite3")


def cut(content):
    return content[: len(content) * 2 // 3]


def garbled_pages(content):
    """Every ninth page after the first overwritten."""
    pages = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    noise = random.Random(5)
    return b"".join(noise.randbytes(4096) if number % 9 == 8 else page for number, page in enumerate(pages))


def garbled_first_page(content):
    return random.Random(6).randbytes(4096) + content[4096:]


def garbled_header(content):
    return bytes(100) + content[100:]


def after_repair(call):
    """What a call gives, or its second try: damage deep inside is found by the first call that reads it."""
    try:
        return call()
    except StorageError as exc:
        assert "has been repaired. Try again" in exc.message
        return call()


DAMAGES = [
    (cut, COUNT // 3),
    (garbled_pages, COUNT // 3),
    (garbled_first_page, COUNT),
    (garbled_header, COUNT),
    (lambda _: b"not a database" * 500, 0),
    (lambda content: content[:50], 0),
]


@pytest.mark.parametrize(("damage", "least"), DAMAGES, ids=lambda value: getattr(value, "__name__", None))
def test_a_damaged_database_is_kept_beside_a_new_one_that_holds_what_can_be_read(path, damage, least):
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with closing(Database(path)) as database:
        found = after_repair(lambda: ids(database))
        after_repair(lambda: Jobs(database).add(a_job(1000)))
        [notice] = Notices(database).tell()
        assert Notices(database).tell() == []
        assert "damaged-1" in notice
        assert len(found) >= least
        assert ids(database) == {*found, "job-1000"}
    kept = path.with_name("acestep.sqlite3.damaged-1").read_bytes()
    assert kept[100:] == damaged[100:]  # a database that can be opened has been updated before the damage was found
    assert not list(path.parent.glob(".*.part*"))


def test_a_second_damage_keeps_the_first_copy(path):
    for number in (1, 2):
        path.write_bytes(b"rubbish" * 1000)
        with closing(Database(path)):
            pass
        assert path.with_name(f"acestep.sqlite3.damaged-{number}").is_file()


def test_damage_while_the_database_is_open_costs_one_call(path):
    with closing(Database(path)) as database, closing(Database(path)) as other:
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = path.stat().st_size
        with path.open("r+b") as file:
            for page in range(12, size // 4096, 4):
                file.seek(page * 4096)
                file.write(b"\xff" * 4096)
        found = after_repair(lambda: ids(database))
        assert 20 < len(found) < COUNT
        assert after_repair(lambda: ids(other)) == found
        Jobs(database).add(a_job(2000))
        assert "job-2000" in ids(other)
        assert len(Notices(other).untold()) == 1


def test_a_request_that_may_have_been_paid_is_not_sent_again_after_a_repair(path):
    with closing(Database(path)) as database:
        Jobs(database).add(a_job(170, backend="fal"))
    path.write_bytes(garbled_header(path.read_bytes()))
    with closing(Database(path)) as database:
        jobs = Jobs(database)
        assert jobs.get("job-170").attempts == 1  # the run then ends as UNKNOWN instead of sending it
        assert jobs.get("job-3").attempts == 0


def test_an_empty_file_is_a_new_database(tmp_path):
    path = tmp_path / "acestep.sqlite3"
    path.touch()
    with closing(Database(path)) as database:
        assert (ids(database), Notices(database).untold()) == (set(), [])
    assert [file.name for file in tmp_path.glob("acestep*")] == [path.name]


def test_a_database_that_lacks_a_column_is_damaged(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE jobs DROP COLUMN logs")
    with closing(Database(path)) as database:
        assert len(ids(database)) == COUNT
        assert "damaged" in Notices(database).untold()[0]


def test_a_copy_of_a_damaged_database_changes_nothing_and_names_the_command_that_repairs_it(path):
    path.write_bytes(garbled_pages(path.read_bytes()))
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    with pytest.raises(StorageError, match=r"is damaged .*`acestep-mcp doctor --fix`"):
        Database(path, copied=True)
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_database_of_a_newer_version_is_neither_changed_nor_set_aside(path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StorageError, match="written by a newer acestep-mcp"):
        Database(path)
    assert (path.read_bytes(), [file.name for file in path.parent.iterdir()]) == (before, [path.name])


def test_a_database_is_private(path):
    if os.name == "posix":
        with closing(Database(path)) as database:
            Jobs(database).add(a_job(99))
            assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


@contextmanager
def open_twice(path):
    with closing(Database(path)) as one, closing(Database(path)) as two:
        yield one, two


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be deleted there")
def test_a_database_that_is_deleted_while_it_is_open_is_written_again(path):
    with open_twice(path) as (one, two):
        shutil.rmtree(path.parent)
        assert len(ids(one)) == COUNT
        Jobs(two).add(a_job(180))
        assert "job-180" in ids(one)
    with closing(Database(path)) as later:
        assert len(ids(later)) == COUNT + 1


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be moved there")
def test_a_folder_that_is_away_and_comes_back_loses_nothing(path):
    away = path.parent.with_name("away")
    with open_twice(path) as (one, two):
        path.parent.rename(away)
        for one_of_them in (one, two):
            with pytest.raises(StorageError, match="is not there now .*Bring its folder back"):
                ids(one_of_them)
            with pytest.raises(StorageError, match="Nothing was submitted"):
                Jobs(one_of_them).add(a_job(180))
        assert not path.parent.exists(), "else it could not be moved back"
        away.rename(path.parent)
        Jobs(one).add(a_job(180))
        assert len(ids(two)) == COUNT + 1


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be replaced there")
def test_a_file_that_is_put_in_its_place_is_used(path, tmp_path):
    with closing(Database(path)) as database:
        filled(tmp_path / "other.sqlite3", 3).replace(path)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        assert len(ids(database)) == 3


@pytest.mark.slow
def test_reading_does_not_wait_for_a_lock_that_writing_waits_for(path, monkeypatch):
    monkeypatch.setattr(module, "_LOCK_SECONDS", 0.6)
    with closing(Database(path)) as database, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = []

        def write():
            with pytest.raises(StorageError, match="another program has locked it") as caught:
                Jobs(database).add(a_job(90))
            refused.append(caught.value.message)

        writer = threading.Thread(target=write)
        writer.start()
        while writer.is_alive():
            assert len(ids(database)) == COUNT
            if refused:
                break
        writer.join()
        [message] = refused
        assert "try again in a minute" in message
        assert "space" not in message
        other.execute("ROLLBACK")
        Jobs(database).add(a_job(90))
