"""One engine per device, across users, in a folder that everyone can write to."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from acestep_mcp.api.errors import ConfigurationError, Occupied
from acestep_mcp.engine_server.device_lock import device_lock
from acestep_mcp.engine_server.options import QueueOptions
from acestep_mcp.engine_server.serve import RunningServer, ServerAddress, serve
from tests.engine_server.sine import Sine

HOLDER = """
import sys
from pathlib import Path
from acestep_mcp.engine_server.device_lock import device_lock
with device_lock("cuda GPU-1", folder=Path(sys.argv[1])) as engage:
    if sys.argv[2]:
        engage(sys.argv[2])
    print("held", flush=True)
    sys.stdin.read()
"""
NAME = "acestep-mcp-cuda-GPU-1.lock"


@pytest.fixture
def holder(environment, tmp_path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    started = []

    def start(address: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path), address],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline().strip() == b"held"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10)


def test_a_second_engine_learns_who_holds_the_device_and_gets_it_when_that_one_is_killed(holder, tmp_path) -> None:
    process = holder("http://127.0.0.1:8765")
    with pytest.raises(Occupied) as refused, device_lock("cuda GPU-1", folder=tmp_path):
        pass
    for words in (str(process.pid), "http://127.0.0.1:8765", "ACESTEP_ENGINE_URL", "stop it"):
        assert words in refused.value.message
    with device_lock("cuda GPU-2", folder=tmp_path):
        pass
    process.kill()
    process.wait(10)
    with device_lock("cuda GPU-1", folder=tmp_path) as set_address:
        set_address("http://127.0.0.1:1")
        with pytest.raises(Occupied, match=str(os.getpid())), device_lock("cuda GPU-1", folder=tmp_path):
            pass
    with device_lock("cuda GPU-1", folder=tmp_path):
        pass


def test_one_that_only_starts_has_the_device_already(holder, tmp_path) -> None:
    process = holder("")
    with (
        pytest.raises(Occupied, match=f"{process.pid}, which is still starting"),
        device_lock("cuda GPU-1", folder=tmp_path),
    ):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="rights and links are others there")
def test_every_user_can_lock_and_nobody_can_lay_a_trap(tmp_path) -> None:
    before = os.umask(0o077)
    try:
        with device_lock("cuda GPU-1", folder=tmp_path):
            pass
    finally:
        os.umask(before)
    lock = tmp_path / NAME
    assert stat.S_IMODE(lock.stat().st_mode) == 0o666
    precious = tmp_path / "precious"
    for trap in (os.symlink, os.link):
        lock.unlink()
        precious.write_text("precious", encoding="utf-8")
        trap(precious, lock)
        with pytest.raises(ConfigurationError, match="remove that file"), device_lock("cuda GPU-1", folder=tmp_path):
            pass
        assert precious.read_text(encoding="utf-8") == "precious"
    lock.unlink()
    os.mkfifo(lock)
    with pytest.raises(ConfigurationError, match="remove that file"), device_lock("cuda GPU-1", folder=tmp_path):
        pass


@pytest.mark.parametrize("told", [b"", b" x", b' {"pid": 1}', b' {"pid": "rm", "address": ""}', b" [1]"])
def test_nonsense_in_the_lock_is_not_repeated(holder, tmp_path: Path, told: bytes) -> None:
    holder("http://127.0.0.1:8765")
    (tmp_path / NAME).write_bytes(told)
    with (
        pytest.raises(Occupied, match="another engine, which is still starting"),
        device_lock("cuda GPU-1", folder=tmp_path),
    ):
        pass


def test_an_engine_without_a_device_needs_no_lock(tmp_path) -> None:
    with device_lock(None, folder=tmp_path), device_lock(None, folder=tmp_path):
        assert list(tmp_path.glob("*.lock")) == []


def test_a_server_has_its_engines_device_from_before_it_listens_to_its_end(tmp_path) -> None:
    seen = []

    class OnDevice(Sine):
        device = "cuda GPU-1"

    def told(opened: RunningServer) -> nullcontext:
        with pytest.raises(Occupied, match=opened.address), device_lock("cuda GPU-1", folder=tmp_path):
            pass
        seen.append(opened.address)
        return nullcontext()

    place = ServerAddress("127.0.0.1", 0, tmp_path / "engine", lock_folder=tmp_path)
    assert serve(OnDevice(), place, QueueOptions(), told, idle_exit=0.01) == 0
    assert len(seen) == 1
    with device_lock("cuda GPU-1", folder=tmp_path), pytest.raises(Occupied):
        serve(OnDevice(), place, QueueOptions(), told)
    assert len(seen) == 1
