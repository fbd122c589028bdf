"""Real servers for the official clients, and Node for those that are not Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SERVE = [sys.executable, "-m", "acestep_mcp"]
_ADDRESS = re.compile(rb"http://127\.0\.0\.1:\d+")


@pytest.fixture
def served(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start `serve --http` on a free port and give its MCP address; more settings by name."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(*command: str, **more: str) -> str:
        process = subprocess.Popen(
            command or [*SERVE, "serve", "--http", "--port", "0"],
            env=environment | more, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        processes.append(process)
        return f"{_address(process)}/mcp"

    yield start
    for process in processes:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            process.stderr.close()


def _address(process: subprocess.Popen[bytes]) -> str:
    """The address that the server names on stderr; what follows there is read and forgotten."""
    said = []
    for line in process.stderr:
        said.append(line.decode(errors="replace"))
        if found := _ADDRESS.search(line):
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return found[0].decode()
    pytest.fail(f"the server ended without naming its address: {''.join(said)}")


def _missing(what: str) -> None:
    """Skip where a person runs the tests; CI has everything."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def node() -> str:
    """Node 22 or later, with the packages of package.json beside this file."""
    found = shutil.which("node")
    if found is None:
        _missing("Node is not installed; .ci/run brings its own")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    if int(version.strip().lstrip("v").split(".")[0]) < 22:
        _missing(f"Node {version.strip()} is older than 22")
    if not (HERE / "node_modules" / "@modelcontextprotocol").is_dir():
        _missing("the clients are not installed: npm ci --prefix tests/clients")
    return found
