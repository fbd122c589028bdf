"""Names are given out once, and files appear whole."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from acestep_mcp.api.errors import StorageError
from acestep_mcp.files import free_name, publish, release, safe_stem, sweep, temporary


@pytest.fixture
def folder(tmp_path):
    """An empty folder with a name that is not ASCII."""
    path = tmp_path / "音楽 ♪"
    path.mkdir()
    return path


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_free_name_is_the_wanted_one_and_the_next_is_numbered(folder):
    assert free_name(folder, "夜の歌 (42)", ".wav").name == "夜の歌 (42).wav"
    assert free_name(folder, "夜の歌 (42)", ".wav").name == "夜の歌 (42) (2).wav"
    assert visible(folder) == []


def test_a_stem_in_use_is_not_given_out_for_another_suffix(folder):
    """A song and its sidecar share a stem: two songs never share a sidecar."""
    (folder / "song.json").touch()
    assert free_name(folder, "song", ".wav").name == "song (2).wav"
    assert free_name(folder, "song", ".mp3").name == "song (3).mp3"


def test_publishing_ends_the_reservation_and_the_file_holds_the_name(folder):
    target = free_name(folder, "song", ".wav")
    with temporary(target) as temp:
        temp.write_bytes(b"whole")
        assert visible(folder) == []
        publish(temp, target)
    assert [path.name for path in folder.iterdir()] == ["song.wav"]
    assert target.read_bytes() == b"whole"
    assert free_name(folder, "song", ".wav").name == "song (2).wav"


def test_a_name_given_back_is_free_again(folder):
    target = free_name(folder, "song", ".wav")
    release(target)
    release(target)
    assert free_name(folder, "song", ".wav") == target


def test_an_error_on_the_way_leaves_nothing(folder):
    target = folder / "song.wav"
    with pytest.raises(KeyboardInterrupt), temporary(target) as temp:
        temp.write_bytes(b"half")
        raise KeyboardInterrupt
    assert list(folder.iterdir()) == []


def test_processes_that_ask_at_once_all_get_names_of_their_own(folder):
    code = (
        "import pathlib, sys; from acestep_mcp.files import *; folder = pathlib.Path(sys.argv[1])\n"
        "sys.stdin.readline()\n"
        "for i in range(40):\n"
        "    target = free_name(folder, 'song', '.wav')\n"
        "    with temporary(target) as temp: temp.write_text(sys.argv[2]); publish(temp, target)\n"
        "    print(target.name, flush=True)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(folder), str(number)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, encoding="utf-8",
        )
        for number in range(3)
    ]  # fmt: skip
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    names = {number: process.communicate(timeout=60)[0].splitlines() for number, process in enumerate(running)}
    every = [name for given in names.values() for name in given]
    assert len(every) == len(set(every)) == 120
    for number, given in names.items():
        assert {(folder / name).read_text(encoding="utf-8") for name in given} == {str(number)}
    assert len(list(folder.iterdir())) == 120


def test_threads_that_publish_at_once_never_write_over_each_other(folder):
    """Switched as often as Python can, so that one publishes between another's look and mark."""

    def work(who: int) -> list[str]:
        names = []
        for _ in range(25):
            target = free_name(folder, "song", ".wav")
            with temporary(target) as temp:
                temp.write_text(str(who), encoding="utf-8")
                publish(temp, target)
            names.append(target.name)
        return names

    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(6) as pool:
            given = list(pool.map(work, range(6)))
    finally:
        sys.setswitchinterval(usual)
    every = [name for names in given for name in names]
    assert len(every) == len(set(every)) == len(list(folder.iterdir())) == 150


def test_what_killed_processes_left_is_swept_when_it_is_old(folder):
    target = free_name(folder, "song", ".wav")
    with temporary(target) as temp:
        kept = folder / "kept.part.wav"
        kept.touch()
        assert sweep(folder) == 0
        for path in folder.iterdir():
            os.utime(path, (1, 1))
        assert sweep(folder) == 2
        assert not temp.exists()
    assert list(folder.iterdir()) == [kept]


def test_a_missing_folder_and_a_file_in_its_place_are_explained(folder):
    with pytest.raises(StorageError, match="does not exist: create it"):
        free_name(folder / "gone", "song", ".wav")
    (folder / "file").touch()
    with pytest.raises(StorageError, match="not a folder"):
        free_name(folder / "file", "song", ".wav")


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("lofi hiphop (42)", "lofi hiphop (42)"),
        ("夜の歌 🎵", "夜の歌 🎵"),
        ("../../etc/passwd", "etc passwd"),
        ('a/b\\c:d*e?f"g<h>i|j', "a b c d e f g h i j"),
        ("tab\tand\nline\0end", "tab and line end"),
        ("trailing dots... ", "trailing dots"),
        ("con", "song con"),
        ("LPT1.old", "song LPT1.old"),
        ("", "song"),
        (" ... ", "song"),
        ("half \ud83c pair", "half pair"),
        ("歌" * 200, "歌" * 50),
    ],
)
def test_a_stem_is_safe_on_every_system(text, stem):
    assert safe_stem(text) == stem
