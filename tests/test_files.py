"""Files appear complete or not at all, and errors say what to do."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys

import pytest

from acestep_mcp import files
from acestep_mcp.api.errors import StorageError
from acestep_mcp.files import atomic, make_folder, publish, read_regular, storage_errors, sweep, temporary, write_bytes

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX permissions and pipes")


@pytest.fixture
def folder(tmp_path):
    """An empty folder with a name that is not ASCII."""
    path = tmp_path / "音楽 ♪"
    path.mkdir()
    return path


def test_a_file_appears_under_its_name_only_when_the_block_has_ended(folder):
    target = folder / "song.wav"
    with atomic(target) as temp:
        temp.write_bytes(b"whole")
        assert not target.exists()
    assert [path.name for path in folder.iterdir()] == ["song.wav"]
    assert target.read_bytes() == b"whole"


def test_an_error_on_the_way_leaves_the_earlier_file_and_nothing_else(folder):
    target = folder / "song.wav"
    target.write_bytes(b"earlier")
    with pytest.raises(KeyboardInterrupt), atomic(target) as temp:
        temp.write_bytes(b"half")
        raise KeyboardInterrupt
    assert list(folder.iterdir()) == [target]
    assert target.read_bytes() == b"earlier"


@pytest.mark.process
def test_a_killed_process_leaves_the_earlier_file_and_a_temporary_one(folder):
    target = folder / "song.wav"
    target.write_bytes(b"earlier")
    code = (
        "import os, pathlib, sys; from acestep_mcp.files import atomic\n"
        "with atomic(pathlib.Path(sys.argv[1])) as temp:\n    temp.write_bytes(b'half'); os._exit(9)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"}
    assert subprocess.run([sys.executable, "-c", code, str(target)], env=environment, check=False).returncode == 9
    assert target.read_bytes() == b"earlier"
    assert sweep(folder) == 0
    assert sweep(folder, older_than=-10) == 1
    assert list(folder.iterdir()) == [target]


def test_only_old_temporary_files_are_swept(folder):
    with temporary(folder / "song.wav") as temp:
        kept = folder / "kept.part.wav"
        kept.touch()
        assert sweep(folder) == 0
        for path in folder.iterdir():
            os.utime(path, (1, 1))
        assert sweep(folder) == 1
        assert not temp.exists()
    assert list(folder.iterdir()) == [kept]


@posix
def test_a_private_file_and_folder_are_readable_by_their_owner_only(folder):
    inner = make_folder(folder / "a" / "b", private=True)
    write_bytes(inner / "key", b"secret", private=True)
    assert stat.S_IMODE((inner / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(inner.stat().st_mode) == 0o700


def test_json_is_readable_utf8(folder):
    files.write_json(folder / "a.json", {"title": "夜"})
    text = (folder / "a.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"title": "夜"}
    assert "夜" in text


def test_a_missing_folder_and_a_file_in_its_place_are_explained(folder):
    with pytest.raises(StorageError, match=r"the folder does not exist\. Create it, or choose another folder"):
        write_bytes(folder / "gone" / "song.wav", b"")
    (folder / "file").touch()
    with pytest.raises(StorageError, match="not a folder"):
        write_bytes(folder / "file" / "song.wav", b"")
    with pytest.raises(StorageError, match="Cannot create the folder"):
        make_folder(folder / "file")
    with pytest.raises(StorageError, match="does not exist"):
        publish(folder / "no.part", folder / "song.wav")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "Cannot write {}: the disk is full. Free some space, or set X."),
        (errno.EROFS, "Cannot write {}: the disk is read-only. Make it writable, or set X."),
        (errno.EACCES, "Cannot write {}: access is denied. Allow access, or set X."),
        (errno.EDQUOT, "Cannot write {}: the disk quota is used up. Free some space, or set X."),
        (
            errno.EMFILE,
            "Cannot write {}: too many files are open. Close other programs, or raise the limit (ulimit -n).",
        ),
        (
            errno.ENFILE,
            "Cannot write {}: too many files are open. Close other programs, or raise the limit (ulimit -n).",
        ),
        (errno.EIO, f"Cannot write {{}}: {os.strerror(errno.EIO)}. Check the disk, or set X."),
    ],
)
def test_an_error_says_what_failed_why_and_what_to_do(folder, code, message):
    with pytest.raises(StorageError) as caught, storage_errors("write", folder, "set X"):
        raise OSError(code, os.strerror(code))
    assert caught.value.message == message.format(folder)
    assert isinstance(caught.value.__cause__, OSError)


def test_a_missing_file_that_was_to_be_read_is_not_called_a_folder(folder):
    expected = pytest.raises(StorageError, match=r"there is no such file\. Put it back, or give another")
    with expected, storage_errors("read", folder / "a", "give another"):
        (folder / "a").read_bytes()


def test_only_regular_files_of_bounded_size_are_read(folder):
    path = folder / "a.json"
    path.write_bytes(b"12345")
    assert read_regular(path, 5) == b"12345"
    with pytest.raises(ValueError, match="larger than 4 bytes"):
        read_regular(path, 4)
    with pytest.raises(OSError):
        read_regular(folder / "gone", 4)


@posix
def test_a_pipe_a_device_a_folder_and_a_link_loop_are_not_read_and_do_not_block(folder):
    os.mkfifo(folder / "pipe")
    (folder / "zero").symlink_to("/dev/zero")
    (folder / "loop").symlink_to("loop")
    for name in ("pipe", "zero", "loop", "."):
        with pytest.raises((OSError, ValueError)):
            read_regular(folder / name, 100)
