"""Transactions on the one database, and what a failing one leaves."""

import sqlite3
import sys
from contextlib import closing

import pytest

from acestep_mcp.api.errors import StorageError
from acestep_mcp.library.database import Database


@pytest.fixture
def database(tmp_path):
    with closing(Database(tmp_path / "acestep.sqlite3")) as database:
        yield database


def uploads(database):
    with database.reading() as db:
        return [row["url"] for row in db.execute("SELECT url FROM uploads ORDER BY url")]


def insert(db, url):
    db.execute("INSERT INTO uploads VALUES ('host', ?, ?, 0)", (url, url))


@pytest.mark.parametrize("statement", ["INSERT INTO uploads VALUES ('host', 'a', 'a', 0)", "not SQL"])
def test_a_failing_statement_rolls_the_whole_transaction_back(database, statement):
    with database.writing() as db:
        insert(db, "a")
    with pytest.raises((sqlite3.IntegrityError, StorageError)), database.writing() as db:
        insert(db, "b")
        db.execute(statement)
    assert uploads(database) == ["a"]
    with database.writing() as db:
        insert(db, "c")
    assert uploads(database) == ["a", "c"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_any_other_error_rolls_it_back_too(database, error):
    with pytest.raises(error), database.writing() as db:
        insert(db, "a")
        raise error
    assert uploads(database) == []


def test_a_commit_that_fails_rolls_back(database):
    """A deferred foreign key fails only at the commit."""
    with database.writing() as db:
        db.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        db.execute("CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)")
    database.execute("PRAGMA foreign_keys = ON", ())
    with pytest.raises(sqlite3.IntegrityError), database.writing() as db:
        insert(db, "a")
        db.execute("INSERT INTO child VALUES (1)")
    assert uploads(database) == []
    with database.writing() as db:
        insert(db, "b")
    assert uploads(database) == ["b"]


@pytest.mark.skipif(sys.platform == "win32", reason="the limit on file sizes that simulates a full disk is POSIX")
def test_a_disk_that_is_full_at_the_commit_rolls_back_and_is_usable_again_with_space(database):
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(StorageError, match="cannot be used"), database.writing() as db:
        insert(db, "a")
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, limits[1]))
        try:
            db.commit()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert uploads(database) == []
    with database.writing() as db:
        insert(db, "b")
    assert uploads(database) == ["b"]
