"""A front that is killed while it plays."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

import httpx
import pytest

from tests.engine_server.test_restart import SERVER, runs, submit, until

pytestmark = pytest.mark.process


@contextmanager
def fronts(tmp_path: Path, environment: dict[str, str], jobs: str) -> Iterator[tuple[list[Popen], list[httpx.Client]]]:
    """Two fronts, in the folders `a` and `b`."""
    files = (tmp_path / "songs").as_uri()
    with ExitStack() as stack:
        started, clients = [], []
        for name in ("a", "b"):
            command = [sys.executable, str(SERVER), str(tmp_path / name), jobs, files]
            started.append(stack.enter_context(Popen(command, stdout=PIPE, text=True, env=environment)))
            stack.callback(started[-1].kill)
        for process in started:
            clients.append(stack.enter_context(httpx.Client(base_url=process.stdout.readline().strip(), timeout=30)))
        yield started, clients


def test_a_job_of_a_killed_front_is_finished_by_another_once(tmp_path, environment, jobs) -> None:
    with fronts(tmp_path, environment, jobs) as (started, clients):
        a, b = clients
        first = submit(a, "hold")
        until(b, first, "IN_PROGRESS")
        runner = next(name for name in ("a", "b") if (tmp_path / name / "runs").exists())
        dying, other = (0, 1) if runner == "a" else (1, 0)
        survivor = tmp_path / "ab"[other]
        (survivor / "release").touch()
        started[dying].kill()
        started[dying].wait()
        until(clients[other], first, "COMPLETED")
        body = clients[other].get(f"/fal-ai/ace-step/requests/{first}").json()
        audio = clients[other].get(httpx.URL(body["audio"]["url"]).path)
    assert len(audio.content) == body["audio"]["file_size"]
    assert runs(tmp_path / "ab"[dying]) == runs(survivor) == [f"hold {body['seed']}"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_song_that_was_stored_when_its_front_was_killed_is_not_made_by_another(tmp_path, environment, jobs) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "die").touch()
    with fronts(tmp_path, environment, jobs) as (started, clients):
        job = submit(clients[0], "once")
        while not (died := [process for process in started if process.poll() is not None]):
            time.sleep(0.02)
        survivor = 1 - started.index(died[0])
        (tmp_path / "ab"[survivor] / "die").unlink()
        until(clients[survivor], job, "COMPLETED")
        body = clients[survivor].get(f"/fal-ai/ace-step/requests/{job}").json()
        audio = clients[survivor].get(httpx.URL(body["audio"]["url"]).path)
    assert len(audio.content) == body["audio"]["file_size"]
    assert runs(tmp_path / "ab"[1 - survivor]) == [f"once {body['seed']}"]
    assert not (tmp_path / "ab"[survivor] / "runs").exists()
    assert len(list((tmp_path / "songs" / "files").iterdir())) == 1
