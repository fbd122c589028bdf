"""The engine server that programs on one machine share: found, started, left, killed, and found again."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from mcp import Client, StdioServerParameters

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.assembly import open_studio
from acestep_mcp.engine_server.launch import launcher as finding
from acestep_mcp.engine_server.launch.launcher import EngineLauncher, IdleLimits
from acestep_mcp.engine_server.launch.state import RunningEngine, folder_of, proof, state_file
from acestep_mcp.engines.registry import ENGINES
from acestep_mcp.library.models import Status
from acestep_mcp.settings import Settings, load
from acestep_mcp.studio.backends import LocalEngine, choose, may_use_local_engine
from tests.support.requests import request

pytestmark = [pytest.mark.anyio, pytest.mark.process]
MAKER = Path(__file__).parents[2] / "studio" / "maker.py"
SONG = {"tags": "lofi, chill", "duration": 5}


def engines(folder: Path) -> list[int]:
    """The detached engines below a folder that run, by their number; where /proc tells, also those that only start."""
    if Path("/proc/self").exists():
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes()
            except OSError:
                continue
            if b"--detached" in words and os.fsencode(folder) in words:
                found.append(int(process.name))
        return found
    states = [json.loads(path.read_text(encoding="utf-8")) for path in folder.rglob("engine.json")]
    return [state["pid"] for state in states if state["detached"]]


def kill(pid: int) -> None:
    try:
        os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    except OSError:
        return


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path, isolated) -> Iterator[None]:
    yield
    for pid in engines(tmp_path):
        kill(pid)


@pytest.fixture(autouse=True)
def settings_of_a_draft(monkeypatch, environment) -> None:
    for name, value in {"ACESTEP_BACKEND": "engine", "ACESTEP_LOCAL_ENGINE": "draft"}.items():
        monkeypatch.setenv(name, value)
        environment[name] = value


@pytest.fixture
def local(tmp_path) -> EngineLauncher:
    return EngineLauncher("draft", tmp_path / "data", IdleLimits(60, 60))


async def gone(pid: int) -> None:
    """Wait until a process has ended; ours may be a zombie for a moment."""
    with anyio.fail_after(20):
        while Path(f"/proc/{pid}").exists() if Path("/proc/self").exists() else _exists(pid):
            await anyio.sleep(0.02)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


@contextmanager
def stranger(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Listens on a port, answers every request so, and keeps what it was sent."""
    heard: list[bytes] = []

    def listen() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listen)
        thread.start()
        yield listener.getsockname()[1], heard
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


async def test_many_who_ask_at_once_share_one_engine_whose_key_is_in_one_private_file(local, tmp_path) -> None:
    assert await local.find() is None
    found: list[RunningEngine] = []

    async def ask() -> None:
        found.append(await replace(local).running())

    with anyio.fail_after(50):
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask)
    assert len(set(found)) == len(engines(tmp_path)) == 1
    [running] = set(found)
    assert await local.find() == running
    assert len(running.key) > 30
    assert running.key not in repr(running)
    state = local.folder / "engine.json"
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != state:
            assert running.key.encode() not in path.read_bytes(), path
            assert running.secret.encode() not in path.read_bytes(), path
    if sys.platform != "win32":
        assert stat.S_IMODE(state.stat().st_mode) == 0o600
        assert stat.S_IMODE(local.folder.stat().st_mode) == 0o700
        os.kill(running.pid, signal.SIGTERM)
        await gone(running.pid)
        assert not state.exists()


async def test_a_stranger_on_an_old_port_is_seen_through_and_sent_no_key(local) -> None:
    told = json.dumps({"status": "ok", "engine": "draft", "proof": "0" * 64})
    answer = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(told)}\r\n\r\n{told}".encode()
    local.folder.mkdir(parents=True)
    with stranger(answer) as (port, heard):
        running = RunningEngine("draft", f"http://127.0.0.1:{port}", os.getpid(), "0.1.0", "a-secret", "a-key")
        with state_file(local.folder, running):
            assert await local.find() is None
    assert len(heard) == 1
    assert b"a-key" not in heard[0]
    assert b"a-secret" not in heard[0]
    assert proof("a-secret", "x", 1) != proof("a-secret", "x", 2), "a proof is valid for one port"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"engine": "draft"}',
        json.dumps(asdict(RunningEngine("draft", "http://192.0.2.1:80", 1, "0.1.0", "s"))),
        json.dumps(asdict(RunningEngine("draft", "https://127.0.0.1:80", 1, "0.1.0", "s"))),
        json.dumps(asdict(RunningEngine("draft", "http://127.0.0.1:1", 1, "0.1.0", "s"))),
    ],
)
async def test_a_state_file_that_makes_no_sense_or_is_of_a_dead_engine_is_no_engine(local, text) -> None:
    local.folder.mkdir(parents=True)
    (local.folder / "engine.json").write_text(text, encoding="utf-8")
    assert await local.find() is None


async def test_an_engine_that_cannot_start_says_why(tmp_path) -> None:
    missing = EngineLauncher("ace-step-v0", tmp_path / "data", IdleLimits(60, 60))
    with pytest.raises(ConfigurationError, match=r"ended with code 2 .*engine\.log.* ends with: .*ace-step-v0"):
        await missing.running()
    assert engines(tmp_path) == []


@pytest.mark.parametrize(
    ("health", "version", "detached", "outdated"),
    [
        ({"queued": 0, "running": 0}, "0.0.9", True, True),
        ({"queued": 0, "running": 1}, "0.0.9", True, False),
        ({"queued": 2, "running": 0}, "0.0.9", True, False),
        ({"queued": 0, "running": 0}, "0.0.9", False, False),
        ({"queued": 0, "running": 0}, "99.0", True, False),
    ],
)
def test_only_an_older_engine_that_does_nothing_and_is_nobodys_is_replaced(health, version, detached, outdated) -> None:
    running = RunningEngine("draft", "http://127.0.0.1:1", 1, version, "s", detached=detached)
    assert finding._is_outdated(running, health) is outdated


def test_the_settings_know_the_engines_that_there_are() -> None:
    assert set(Settings.model_fields["local_engine"].annotation.__args__) == set(ENGINES)


@pytest.mark.parametrize(
    ("variables", "local_engine", "backend", "words"),
    [
        ({}, LocalEngine("ace-step-v1", None, "its weights are not here"), "draft", "ace-step-v1 cannot run here: its"),
        ({}, LocalEngine("ace-step-v1"), "engine", "starts with the first song"),
        ({}, LocalEngine("ace-step-v1", "http://127.0.0.1:9", "gone"), "engine", "runs at http://127.0.0.1:9"),
        ({"ACESTEP_BACKEND": "engine"}, LocalEngine("draft"), "engine", "ACESTEP_BACKEND is engine"),
        ({"FAL_KEY": "a:b"}, LocalEngine("draft"), "fal", "a fal key"),
        ({"ACESTEP_ENGINE_URL": "http://x:1"}, LocalEngine("draft"), "engine", "ACESTEP_ENGINE_URL is set"),
    ],
)
def test_a_local_engine_comes_after_what_is_named_and_before_the_draft(
    monkeypatch, variables, local_engine, backend, words
) -> None:
    for name, value in ({"ACESTEP_BACKEND": "auto"} | variables).items():
        monkeypatch.setenv(name, value)
    choice = choose(load(), local_engine)
    assert choice.name == backend
    assert words in choice.why
    assert (choice.queue_url == f"local:{local_engine.name}") is (may_use_local_engine(load()) and backend == "engine")


def test_an_engine_that_is_wanted_and_cannot_be_had_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="its weights are not here"):
        choose(load(), LocalEngine("ace-step-v1", None, "its weights are not here"))


async def test_the_status_of_an_engine_that_does_not_run_does_not_start_it(tmp_path) -> None:
    async with open_studio(load()) as studio:
        told = (await studio.status()).facts()
    assert (told["backend"], told["queue_url"]) == ("engine", "local:draft")
    assert "it starts with the first song" in told["why"]
    assert "trouble" not in told
    assert engines(tmp_path) == []


@pytest.mark.slow
def test_two_programs_share_one_engine(environment, tmp_path) -> None:
    makers = [
        subprocess.Popen(
            [sys.executable, str(MAKER), json.dumps(SONG | {"seed": seed})],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        for seed in (1, 2)
    ]
    ends = [maker.communicate(timeout=55) for maker in makers]
    said = [json.loads(out.splitlines()[-1]) for out, _ in ends]
    assert [words["status"] for words in said] == ["COMPLETED", "COMPLETED"], ends
    assert len(engines(tmp_path)) == 1
    state = json.loads((folder_of(tmp_path / "data", "draft") / "engine.json").read_text(encoding="utf-8"))
    sidecars = [json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "music").glob("*.json")]
    assert [(sidecar["queue"], sidecar["engine"]) for sidecar in sidecars] == [("local:draft", "draft")] * 2
    assert state["key"] not in str(ends)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and state["key"].encode() in path.read_bytes()] == [
        folder_of(tmp_path / "data", "draft") / "engine.json"
    ]


@pytest.mark.slow
async def test_two_mcp_servers_of_two_hosts_start_one_engine_that_outlives_them(environment, local, tmp_path) -> None:
    command = StdioServerParameters(command=sys.executable, args=["-m", "acestep_mcp"], env=environment)
    answers: list = []

    async def host(seed: int) -> None:
        async with Client(command) as client:
            told = (await client.call_tool("status", {})).structured_content
            assert (told["backend"], told["queue_url"]) == ("engine", "local:draft")
            answers.append(await client.call_tool("text_to_audio", SONG | {"seed": seed}))
            answers.append(await client.call_tool("status", {}))

    with anyio.fail_after(55):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(host, 1)
            tasks.start_soon(host, 2)
    facts = [answer.structured_content for answer in answers if not answer.is_error]
    songs = [fact for fact in facts if "job_id" in fact]
    assert [(song["status"], song["backend"]) for song in songs] == [("COMPLETED", "engine")] * 2, answers
    assert all(fact["reachable"] for fact in facts if "job_id" not in fact)
    running = await local.find()
    assert engines(tmp_path) == [running.pid], "one for both, and it goes on when both have gone"
    assert running.key not in str(answers)


@pytest.mark.slow
async def test_a_song_outlives_its_engine(local, tmp_path) -> None:
    with anyio.fail_after(55):
        async with open_studio(load()) as studio:
            job = await studio.start(request("text_to_audio", SONG | {"duration": 60, "seed": 3}))
            async for _ in studio.watch(job.id, 50):
                if (await studio.outcome(job.id)).job.status is Status.IN_PROGRESS:
                    break
            first = await local.find()
            kill(first.pid)
            await gone(first.pid)
            async for _ in studio.watch(job.id, 50):
                pass
            outcome = await studio.outcome(job.id)
            second = await local.find()
    assert outcome.job.status is Status.COMPLETED, outcome.job.error
    assert second.pid != first.pid
    assert engines(tmp_path) == [second.pid]


@pytest.mark.slow
async def test_a_song_that_could_not_be_kept_is_fetched_from_the_engines_next_life(local, tmp_path) -> None:
    music = tmp_path / "music"
    with anyio.fail_after(55):
        async with open_studio(load()) as studio:
            job = await studio.start(request("text_to_audio", SONG | {"seed": 4}))
            music.rename(tmp_path / "away")
            music.write_text("no folder", encoding="utf-8")
            async for _ in studio.watch(job.id, 50):
                pass
            failed = (await studio.outcome(job.id)).job
            assert failed.error.collectable, failed
            first = await local.find()
            kill(first.pid)
            await gone(first.pid)
            music.unlink()
            (tmp_path / "away").rename(music)
            async for _ in studio.watch(job.id, 50):
                pass
            outcome = await studio.outcome(job.id)
            second = await local.find()
    assert outcome.job.status is Status.COMPLETED, outcome.job.error
    assert outcome.job.request_id == failed.request_id, "it is not made again"
    assert first.address != second.address


@pytest.mark.slow
async def test_an_engine_that_nobody_asks_ends_and_a_monitor_does_not_keep_it(tmp_path) -> None:
    local = EngineLauncher("draft", tmp_path / "data", IdleLimits(1, 1.5))
    running = await local.running()
    port = int(running.address.rpartition(":")[2])
    for _ in range(5):  # longer than the limit in all
        await anyio.sleep(0.5)
        assert await local.find() == running
    since = anyio.current_time()
    with anyio.fail_after(20):
        while await anyio.to_thread.run_sync(_healthy, port):
            await anyio.sleep(0.1)
    assert anyio.current_time() - since > 1
    await gone(running.pid)
    assert not (local.folder / "engine.json").exists()
    assert "the server ends" in (local.folder / "engine.log").read_text(encoding="utf-8")
    assert (await local.running()).pid != running.pid


def _healthy(port: int) -> bool:
    try:
        with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.recv(12) == b"HTTP/1.1 200"
    except OSError:
        return False


@pytest.mark.slow
async def test_an_idle_engine_of_an_older_version_is_replaced(local, monkeypatch, tmp_path) -> None:
    first = await local.running()
    monkeypatch.setattr(finding, "__version__", "99.0")
    with anyio.fail_after(50):
        second = await local.running()
    assert second.pid != first.pid
    await gone(first.pid)
    assert engines(tmp_path) == [second.pid]


@pytest.mark.slow
async def test_an_engine_started_by_hand_is_found_and_its_owners_key_is_written_nowhere(
    environment, local, monkeypatch, tmp_path
) -> None:
    monkeypatch.setenv("ACESTEP_ENGINE_KEY", "the-owners-own-key")
    with subprocess.Popen(
        [sys.executable, "-m", "acestep_mcp", "engine", "--port", "0"],
        env=environment | {"ACESTEP_ENGINE_KEY": "the-owners-own-key"}, stderr=subprocess.PIPE, text=True,
    ) as engine:  # fmt: skip
        try:
            while "proxyUrl" not in engine.stderr.readline():
                pass
            with anyio.fail_after(50):
                async with open_studio(load(backend="auto")) as studio:
                    told = (await studio.status()).facts()
                    assert "the local engine draft runs at" in told["why"]
                    assert told["reachable"]
                    job = await studio.start(request("text_to_audio", SONG))
                    async for _ in studio.watch(job.id, 40):
                        pass
                    assert (await studio.outcome(job.id)).job.status is Status.COMPLETED
            assert engines(tmp_path) == []
            written = [path for path in tmp_path.rglob("*") if path.is_file()]
            assert [path for path in written if b"the-owners-own-key" in path.read_bytes()] == []
        finally:
            engine.kill()
