"""Folders whose file system refuses to lock files, as some network folders do: a clear error or a way without, never a wait."""

from __future__ import annotations

import errno
import functools
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from acestep_mcp.api.errors import StorageError
from acestep_mcp.engine_server.device_lock import device_lock
from acestep_mcp.engine_server.job_store import JobStore
from acestep_mcp.engine_server.launch.launcher import EngineLauncher, IdleLimits
from acestep_mcp.library import database, leases
from acestep_mcp.library.database import Database
from acestep_mcp.library.jobs import Jobs
from acestep_mcp.library.models import Job, Status
from acestep_mcp.library.process_folders import claim
from acestep_mcp.sqlite import salvage, use_write_ahead_log
from tests.support.refused_locks import can_refuse, in_thread
from tests.support.requests import request

pytestmark = [
    pytest.mark.skipif(not can_refuse(), reason="locks are refused by a filter of Linux"),
    pytest.mark.timeout(60),
]
ERRORS = ("ENOLCK", "EOPNOTSUPP")
REFUSED = "refuses to lock files"


@pytest.mark.parametrize("error", ERRORS)
def test_a_database_says_at_once_that_files_cannot_be_locked(tmp_path, error, monkeypatch):
    monkeypatch.setattr(database, "_LOCK_SECONDS", 3600)
    with pytest.raises(StorageError, match=f"{REFUSED}.*disk of this machine.*ACESTEP_DATA_DIR") as told:
        in_thread(error, lambda: Database(tmp_path / "acestep.sqlite3"))
    assert os.strerror(getattr(errno, error)) in told.value.message
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["acestep.sqlite3"]


@pytest.mark.parametrize("error", ERRORS)
def test_a_database_that_is_open_while_locks_are_refused_says_so_and_goes_on_afterwards(tmp_path, error, monkeypatch):
    monkeypatch.setattr(database, "_LOCK_SECONDS", 0.05)
    with closing(Database(tmp_path / "acestep.sqlite3")) as opened:
        write = functools.partial(opened.execute, "INSERT INTO notices (text) VALUES (?)", ("one",))
        with pytest.raises(StorageError, match=REFUSED):
            in_thread(error, write)
        write()
        with opened.reading() as db:
            assert [row["text"] for row in db.execute("SELECT text FROM notices")] == ["one"]


@pytest.mark.parametrize("error", ERRORS)
def test_an_engine_does_not_call_its_jobs_another_servers(tmp_path, error):
    with pytest.raises(StorageError, match=f"{REFUSED}.*another data folder"):
        in_thread(error, lambda: JobStore(tmp_path / "jobs.sqlite3"))


@pytest.mark.parametrize("error", ERRORS)
def test_a_device_that_cannot_be_locked_is_used_with_a_warning(tmp_path, error, caplog):
    def use() -> str:
        with device_lock("cuda GPU-1", folder=tmp_path) as set_address:
            set_address("http://127.0.0.1:1")
            return "used"

    assert in_thread(error, use) == "used"
    assert "Start no second engine" in caplog.text


@pytest.mark.parametrize("error", ERRORS)
def test_an_engine_server_is_started_without_the_lock(tmp_path, error):
    launcher = EngineLauncher("draft", tmp_path, IdleLimits(1, 1))

    async def start() -> str:
        async with launcher._start_lock():
            return "started"

    assert in_thread(error, lambda: anyio.run(start)) == "started"


@pytest.mark.parametrize("error", ERRORS)
def test_the_folder_of_a_process_is_kept_while_its_heartbeat_is_fresh(tmp_path, error):
    def claims() -> set[str]:
        for name, alive in (("alive", ()), ("dead", ("alive",)), ("one", ("alive",))):
            claim(tmp_path, name, alive)
            (tmp_path / name / "song.wav").touch()
        return {path.name for path in tmp_path.iterdir() if path.is_dir()}

    assert in_thread(error, claims) == {"alive", "one"}


@pytest.fixture
def locked(tmp_path) -> Iterator[sqlite3.Connection]:
    """Another program's connection, which holds the lock of acestep.sqlite3 until it is closed."""
    Database(tmp_path / "acestep.sqlite3").close()
    with closing(sqlite3.connect(tmp_path / "acestep.sqlite3", isolation_level=None, check_same_thread=False)) as other:
        yield other


def test_a_new_database_is_switched_to_its_log_while_another_is_about_to_write(tmp_path):
    path = tmp_path / "new.sqlite3"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as mine,
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other,
    ):
        other.execute("CREATE TABLE jobs (id)")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            use_write_ahead_log(mine, 0)
        freed = threading.Timer(0.1, other.execute, ["COMMIT"])
        freed.start()
        use_write_ahead_log(mine, 20)
        freed.join()
        assert mine.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_process_that_waited_for_a_locked_database_takes_no_neighbour_for_dead(tmp_path, locked, monkeypatch):
    monkeypatch.setattr(leases, "_SHORTEST_SLEEP", 0.1)
    with (
        closing(Database(tmp_path / "acestep.sqlite3")) as first,
        closing(Database(tmp_path / "acestep.sqlite3")) as second,
    ):
        mine, its = Jobs(first, lease=0.1), Jobs(second, lease=0.1)
        mine.leases.beat()
        its.leases.beat()
        asked = request("text_to_audio", {"tags": "lofi", "duration": 5})
        its.add(Job("job", "fal-ai/ace-step", asked, Status.NEW, "draft", time.time()))
        time.sleep(0.05)
        locked.execute("BEGIN IMMEDIATE")
        freed = threading.Timer(0.2, locked.close)
        freed.start()
        mine.leases.beat()
        assert mine.adopt() == []
        freed.join()


def test_a_writer_waits_for_no_other_writers_wait_and_looking_at_a_job_for_none(tmp_path, locked, monkeypatch):
    with closing(Database(tmp_path / "acestep.sqlite3")) as opened, ThreadPoolExecutor(2) as threads:
        jobs = Jobs(opened)
        asked = request("text_to_audio", {"tags": "lofi", "duration": 5})
        jobs.add(Job("job", "fal-ai/ace-step", asked, Status.COMPLETED, "draft", time.time()))
        monkeypatch.setattr(database, "_LOCK_SECONDS", 0.05)
        locked.execute("BEGIN IMMEDIATE")
        writers = [threads.submit(jobs.record_answer, "job", "delivered") for _ in range(2)]
        assert not jobs.reopen("job")
        [refused], [waiting] = wait(writers, return_when=FIRST_COMPLETED)
        assert "another program has locked it" in str(refused.exception())
        assert not waiting.done()
        locked.close()
        assert waiting.exception() is None


def test_a_repair_waits_no_longer_than_its_patience_for_another(tmp_path, monkeypatch):
    import filelock

    monkeypatch.setattr(salvage, "_PATIENCE_SECONDS", 0.1)
    path = tmp_path / "acestep.sqlite3"
    path.write_bytes(b"no database" * 1000)
    with (tmp_path / ".acestep.sqlite3.repair.lock").open("w") as file:
        filelock.lock_descriptor(file.fileno())
        with pytest.raises(StorageError, match="another process has been repairing it"):
            Database(path)
    with closing(Database(path)):
        pass


def talk(environment: dict[str, str], *messages: dict) -> list[dict]:
    """The answers of a stdio server whose locks are refused."""
    lines = "".join(json.dumps({"jsonrpc": "2.0", **message}) + "\n" for message in messages)
    command = [sys.executable, "-m", "tests.support.refused_locks", "ENOLCK", "serve"]
    done = subprocess.run(command, env=environment, input=lines, capture_output=True, text=True, timeout=50, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.process
def test_the_command_line_and_the_engine_end_with_the_reason(environment):
    data = Path(environment["ACESTEP_DATA_DIR"])
    for command in (["tracks", "list"], ["engine", "--port", "0", "--data-dir", str(data)]):
        done = subprocess.run(
            [sys.executable, "-m", "tests.support.refused_locks", "EOPNOTSUPP", *command],
            env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
        assert done.returncode not in (0, 75), done.stderr
        assert REFUSED in done.stderr
        assert "bug" not in done.stderr


@pytest.mark.process
def test_a_server_tells_the_model_why_and_answers_what_needs_no_database(environment):
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    song = {"name": "text_to_audio", "arguments": {"tags": "lofi", "duration": 5}}
    [_, tools, made] = talk(
        environment,
        {"id": 1, "method": "initialize", "params": hello},
        {"id": 2, "method": "tools/list"},
        {"id": 3, "method": "tools/call", "params": song},
    )
    assert len(tools["result"]["tools"]) > 5
    assert made["result"]["isError"]
    assert REFUSED in made["result"]["content"][0]["text"]
