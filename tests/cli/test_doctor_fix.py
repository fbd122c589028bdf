"""`doctor --fix`: what is wrong on the disk is named with its fix, put right once, and then gone."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import stat
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.cli import main
from acestep_mcp.engine_server.job_store import JobStore
from acestep_mcp.library.database import Database
from acestep_mcp.library.jobs import Jobs
from acestep_mcp.library.models import Job, Status

pytestmark = pytest.mark.process  # the name of the platform is asked of a program

posix = pytest.mark.skipif(os.name != "posix", reason="modes and owners are POSIX")


@pytest.fixture
def music(tmp_path: Path) -> Path:
    return tmp_path / "music"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with closing(Database(tmp_path / "data" / "acestep.sqlite3")) as database:
        jobs = Jobs(database)
        for number in range(30):
            request = TextToAudio(tags=f"lofi {number}", lyrics="la " * 300)
            jobs.add(Job(f"job-{number}", "fal-ai/ace-step", request, Status.NEW, "draft", 1.0))
        jobs.request_cancel("job-0")
    return tmp_path / "data"


@pytest.fixture
def doctor(capsys):
    def run(*arguments: str) -> tuple[int, dict]:
        code = main(["doctor", "--json", *arguments])
        return code, json.loads(capsys.readouterr().out)

    return run


def everything_in(*folders: Path) -> dict[Path, tuple]:
    paths = [path for folder in folders for path in folder.rglob("*")]
    return {
        path: (path.stat().st_mode, path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in paths
    }


def garble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(10, len(content) // 4096, 5):
        content[page * 4096 : (page + 1) * 4096] = random.Random(page).randbytes(4096)
    path.write_bytes(content)


def damaged(music: Path, data: Path) -> str:
    garble(data / "acestep.sqlite3")
    return "acestep.sqlite3 is damaged"


def damaged_engine(music: Path, data: Path) -> str:
    path = data / "engine" / "draft" / "engine.sqlite3"
    path.parent.mkdir(parents=True, mode=0o700)
    JobStore(path).close()
    path.write_bytes(b"\xff" * 9000)
    return "engine.sqlite3 is damaged"


def leftovers(music: Path, data: Path) -> str:
    music.mkdir(exist_ok=True)
    for name in (".song.wav.0123.part", ".song.wav.4567.part", ".new.part"):
        (music / name).write_bytes(b"x")
    for name in (".song.wav.0123.part", ".song.wav.4567.part"):
        os.utime(music / name, (time.time() - 90_000,) * 2)
    return "2 temporary files"


def open_to_others(music: Path, data: Path) -> str:
    (data / "draft").mkdir(mode=0o755)
    (data / "acestep.sqlite3").chmod(0o644)
    return "(mode 644). `acestep-mcp doctor --fix` makes it 600"


def of_another_user(music: Path, data: Path) -> str:
    (data / "previews").mkdir()
    (data / "previews" / "x.mp3").touch()
    os.chown(data / "previews" / "x.mp3", 12345, 12345)
    return "1 files or folders in"


root = pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can change owners")


@pytest.mark.parametrize(
    "wrong",
    [
        damaged,
        damaged_engine,
        leftovers,
        pytest.param(open_to_others, marks=posix),
        pytest.param(of_another_user, marks=root),
    ],
)
def test_what_is_wrong_is_named_with_its_fix_and_put_right_once(doctor, music, data, wrong) -> None:
    assert doctor()[0] == 0
    words = wrong(music, data)
    before = everything_in(data, music)
    code, report = doctor()
    assert (code, report["fixed"]) == (1, [])
    [problem] = [text for text in report["problems"] if words in text]
    assert "doctor --fix`" in problem
    assert everything_in(data, music) == before, "without --fix nothing is changed"
    code, report = doctor("--fix")
    assert (code, report["problems"]) == (0, [])
    assert report["fixed"]
    assert doctor()[0] == 0
    assert len(doctor("--fix")[1]["fixed"]) == 1, "the list of songs, which is always read again"


def test_a_repair_keeps_the_jobs_that_can_be_read_and_the_damaged_file(doctor, music, data) -> None:
    damaged(music, data)
    content = (data / "acestep.sqlite3").read_bytes()
    report = doctor("--fix")[1]
    assert "damaged-1" in report["fixed"][0]
    assert (data / "acestep.sqlite3.damaged-1").read_bytes() == content
    with closing(Database(data / "acestep.sqlite3")) as database:
        assert 0 < len(Jobs(database).newest(100)) < 30


def test_the_index_is_read_again_from_the_sidecars(doctor, music, data) -> None:
    with closing(sqlite3.connect(data / "acestep.sqlite3")) as db:
        row = (str(music), "ghost", "{}")
        columns = "id, folder, file_name, sidecar_name, stamp, created_at, search, sidecar"
        db.execute(f"INSERT INTO tracks ({columns}) VALUES ('ghost', ?, ?, 'ghost.json', '', '', '', ?)", row)
        db.commit()
    assert any("0 songs" in text for text in doctor("--fix")[1]["fixed"])
    with closing(sqlite3.connect(data / "acestep.sqlite3")) as db:
        assert db.execute("SELECT count(*) FROM tracks").fetchone() == (0,)


def test_an_engine_that_runs_keeps_its_database(doctor, music, data) -> None:
    path = data / "engine" / "draft" / "engine.sqlite3"
    path.parent.mkdir(parents=True, mode=0o700)
    with closing(JobStore(path)):
        code, report = doctor("--fix")
        assert (code, report["problems"], len(report["fixed"])) == (0, [], 1)
    assert [file.name for file in path.parent.iterdir()] == ["engine.sqlite3"]


def test_a_new_data_folder_is_private(data) -> None:
    for path in data.iterdir():
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_the_lines_for_people_say_what_was_done(capsys, music, data) -> None:
    leftovers(music, data)
    assert main(["doctor", "--fix"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("Fixed: 2 temporary files were removed from ")
    assert "No problems found." in lines
