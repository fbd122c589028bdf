"""A Ray cluster of this machine's, for tests and measurements: small, with a token, without a dashboard."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("ACESTEP_TESTS_RAY_PYTHON")
HOW = (
    "ACESTEP_TESTS_RAY_PYTHON is not set. Run: python3 -m venv fleet && fleet/bin/pip install -e '.[fleet,test]', and set "
    "it to fleet/bin/python."
)
START = (
    "start", "--head", "--block", "--include-dashboard=false", "--disable-usage-stats",
    "--object-store-memory=200000000", "--min-worker-port=10002", "--max-worker-port=10999",
)  # fmt: skip
"""Of the command `ray`, without the number of processors, the temporary folder and the ports of a node."""
PORTS = {
    "port": 6379,
    "node-manager-port": 6380,
    "object-manager-port": 6381,
    "runtime-env-agent-port": 6382,
    "dashboard-agent-grpc-port": 6383,
    "dashboard-agent-listen-port": 6384,
    "metrics-export-port": 6385,
    "ray-client-server-port": 10001,
}
_RAY = "import sys; from ray.scripts.scripts import main; sys.argv[0] = 'ray'; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Cluster:
    """`environment` is for processes that use it; `process` leads the process group of the head."""

    address: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes]


@contextmanager
def cluster(python: str, *, cpus: int) -> Iterator[Cluster]:
    """Started as docs/many-machines.md says, and ended with every process of it."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "PYTHON"))}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16), "PYTHONPATH": path}
    environment |= {"RAY_USAGE_STATS_ENABLED": "0"}
    ports = [f"--{name}={number}" for name, number in PORTS.items()]
    # Paths of sockets are short.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        command = [python, "-c", _RAY, *START, *ports, f"--num-cpus={cpus}", "--temp-dir", folder]
        log = Path(folder, "start.log")
        with log.open("wb") as out:
            process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
        try:
            _wait_until_started(process, log)
            yield Cluster(_address(log), environment, process)
        finally:
            _end(process)


@contextmanager
def another_machine(python: str, head: Cluster, *, cpus: int) -> Iterator[subprocess.Popen[bytes]]:
    """One more node of a cluster, as if it were another machine; its process leads a session of its own."""
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        log = Path(folder, "start.log")
        command = [python, "-c", _RAY, "start", "--block", f"--address={head.address}", f"--num-cpus={cpus}"]
        more = ["--object-store-memory=100000000", "--min-worker-port=11000", "--max-worker-port=11999"]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command, *more], env=head.environment, stdout=out, stderr=out, start_new_session=True
            )
        try:
            _wait_until_started(process, log)
            yield process
        finally:
            _end(process)


def _wait_until_started(process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + 120
    while "Ray runtime started" not in log.read_text(encoding="utf-8", errors="replace"):
        if process.poll() is not None or time.monotonic() > give_up:
            raise RuntimeError(f"Ray does not start: {log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
        time.sleep(0.1)


def _address(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")
    return text.split("ray start --address='")[1].split("'")[0]


def _end(process: subprocess.Popen[bytes]) -> None:
    members = processes_of(process.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in members:  # of the session, so started here
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def processes_of(session: int) -> list[int]:
    """Every process of a cluster, replicas too."""
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            if os.getsid(pid) == session:
                found.append(pid)
        except OSError:  # it has ended
            continue
    return found
