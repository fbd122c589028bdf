"""Real servers for the official clients, and Node for those that are not Python."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.needed import missing

HERE = Path(__file__).parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HTTP = (sys.executable, "-m", "acestep_mcp", "serve", "--http", "--port", "0")
Engine = Callable[..., contextlib.AbstractContextManager[str]]
# Read now: tests run without the settings of the person who runs them.
_SDK = os.environ.get("ACESTEP_TESTS_FAL_PYTHON")
_ADDRESS = re.compile(rb"https?://127\.0\.0\.1:\d+")


@pytest.fixture
def served(environment: dict[str, str], shared: str) -> Iterator[Callable[..., str]]:
    """The MCP address of a server over HTTP: the shared one, or one of its own for other settings or commands."""
    with contextlib.ExitStack() as servers:

        def start(*command: str, **more: str) -> str:
            if not command and not more:
                return shared
            return servers.enter_context(_serving(command or HTTP, environment | more))

        yield start


@pytest.fixture(scope="session")
def shared(environment_in: Callable[[Path], dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One server that many clients come to, one after the other."""
    with _serving(HTTP, environment_in(tmp_path_factory.mktemp("shared"))) as url:
        yield url


@pytest.fixture(scope="session")
def engine(environment_in: Callable[[Path], dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The address of an engine server of one's own, in a folder, with a key, over TLS or not, while a block lasts."""
    environment = environment_in(tmp_path_factory.mktemp("home"))

    @contextlib.contextmanager
    def running(folder: Path, key: str, *tls_folder: str, python: str = sys.executable, **more: str) -> Iterator[str]:
        folder.mkdir()
        command = (python, str(HERE / "fal_engine.py"), str(folder), key, *tls_folder)
        with _serving(command, environment | more) as url:
            yield url.removesuffix("/mcp")

    return running


@dataclass(frozen=True)
class Secure:
    """An engine server over TLS: how programs are switched to it, and the folder of its log."""

    url: str
    folder: Path
    authority: Path
    key: str = "kid:s3cr3t-of-the-engine"

    @property
    def environment(self) -> dict[str, str]:
        place = self.url.removeprefix("https://")
        hosts = {"FAL_QUEUE_RUN_HOST": place, "FAL_RUN_HOST": f"{place}/run", "NO_PROXY": "127.0.0.1"}
        return hosts | {"SSL_CERT_FILE": str(self.authority)}


@pytest.fixture(scope="session")
def secure(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """One engine server over TLS for the clients that find it by their environment."""
    folder = tmp_path_factory.mktemp("secure")
    with engine(folder / "engine", Secure.key, str(folder / "tls")) as url:
        yield Secure(url, folder / "engine", folder / "tls" / "acestep-ca.pem")


@pytest.fixture(scope="session")
def sdk() -> str:
    """A Python that has the `fal` package. It is large and wants other versions than ours, so it lives apart."""
    if _SDK is None:
        missing(
            "ACESTEP_TESTS_FAL_PYTHON is not set. Run: python3 -m venv fal && fal/bin/pip install fal==1.83.0, and set "
            "it to the full path of fal/bin/python. .ci/run does that itself"
        )
    return _SDK


@contextlib.contextmanager
def _serving(command: Sequence[str], environment: dict[str, str]) -> Iterator[str]:
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        yield f"{_address(process)}/mcp"
    finally:
        process.terminate()
        try:
            process.wait(15)
        finally:
            process.kill()
            process.wait()
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


@pytest.fixture(scope="session")
def node() -> str:
    """Node 22 or later, with the packages of package.json beside this file."""
    found = shutil.which("node")
    if found is None:
        missing("Node is not installed; .ci/run brings its own")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    if int(version.strip().lstrip("v").split(".")[0]) < 22:
        missing(f"Node {version.strip()} is older than 22")
    if not all(
        (HERE / "node_modules" / name).is_dir()
        for name in ("@anthropic-ai", "@modelcontextprotocol", "@fal-ai", "mcpgrade")
    ):
        missing("the clients are not installed: npm ci --prefix tests/clients")
    return found


@pytest.fixture(scope="session")
def browser(node: str) -> Iterator[str]:
    """The address at which the driver in node_modules connects to one Chromium. Each connection sees only its own pages."""
    with subprocess.Popen(
        [node, HERE / "browser_server.mjs", _chromium()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        address = server.stdout.readline().strip()
        assert address, "Chromium did not start"
        yield address
        server.stdin.close()
        server.wait(20)


def _chromium() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = (HERE / "node_modules" / "playwright-core").is_dir()
    if found and driver:
        return found
    reason = os.environ.get("WITHOUT_BROWSER")
    if os.environ.get("CI") and not reason:
        pytest.fail("Chromium or playwright-core is missing; .ci/run installs both")
    pytest.skip(reason or "Chromium is not installed, or its driver is not: npm ci --prefix tests/clients")
