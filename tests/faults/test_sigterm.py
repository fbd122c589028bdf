"""SIGTERM ends every server in time, in order, and at the cost of no song. `python -m tests.faults.sigterm` is the long form."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from tests.faults.sigterm import SERVERS

pytestmark = [pytest.mark.process, pytest.mark.skipif(sys.platform != "linux", reason="children are found in /proc")]

SECONDS = 10


@pytest.mark.parametrize(
    ("server", "group"),
    [
        ("stdio", False),
        pytest.param("http", True, marks=pytest.mark.slow),
        pytest.param("engine", False, marks=pytest.mark.slow),
        *(pytest.param(*both, marks=pytest.mark.long) for both in (("stdio", True), ("http", False), ("engine", True))),
    ],
)
def test_sigterm_ends_a_busy_server_in_time_leaves_no_child_and_costs_no_song(environment, server, group):
    """With `group` a service manager sends it to the workers too."""
    ended = SERVERS[server](environment | {"ACESTEP_BACKEND": "draft"}, group=group)
    assert (ended.code, ended.children, ended.song in ("COMPLETED", "200")) == (143, (), True), ended
    assert ended.seconds < SECONDS


STUCK = """
import sys, threading, time
from pathlib import Path
from acestep_mcp.engine_server import serve as module
from acestep_mcp.engine_server.options import QueueOptions
from acestep_mcp.net import listen
from tests.engine_server.sine import Sine
import contextlib, functools

class Stuck(Sine):
    def generate(self, request, source):
        print("stuck", flush=True)
        time.sleep(60)  # like a model that is being loaded: no step is reached
        yield

@contextlib.contextmanager
def told(running):
    print(running.address, flush=True)
    yield

module.Deadline = functools.partial(listen.Deadline, 0.5)
folder = Path(sys.argv[1])
address = module.ServerAddress("127.0.0.1", 0, folder)
sys.exit(module.serve(Stuck(), address, QueueOptions(database=folder / "jobs.sqlite3"), told))
"""


@pytest.mark.anyio
async def test_a_thread_that_does_not_return_keeps_no_server_and_costs_no_run(environment, tmp_path):
    import httpx

    from acestep_mcp.engine_server.job_store import JobStore

    command = [sys.executable, "-c", STUCK, str(tmp_path / "engine")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().strip()
        httpx.post(f"{address}/fal-ai/ace-step", json={"tags": "lofi", "duration": 5}).raise_for_status()
        assert process.stdout.readline() == "stuck\n"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 143
        assert time.monotonic() - began < SECONDS
    store = JobStore(tmp_path / "engine" / "jobs.sqlite3")
    [job] = store.all()
    store.close()
    assert (job.state, job.attempts) == ("IN_QUEUE", 0)
