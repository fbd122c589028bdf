"""A front that is killed while it plays."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import httpx
import pytest

from tests.engine_server.test_restart import SERVER, runs, submit, until

pytestmark = pytest.mark.process


def test_a_job_of_a_killed_front_is_finished_by_another_once(tmp_path, environment, jobs) -> None:
    import subprocess

    files = (tmp_path / "songs").as_uri()
    with ExitStack() as stack:
        started, clients = [], []
        for name in ("a", "b"):
            command = [sys.executable, str(SERVER), str(tmp_path / name), jobs, files]
            started.append(stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)))  # fmt: skip
            stack.callback(started[-1].kill)
        for process in started:
            clients.append(stack.enter_context(httpx.Client(base_url=process.stdout.readline().strip(), timeout=30)))
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
