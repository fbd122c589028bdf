"""A canary in the place of the key that signs webhooks: it stays in its file, and is said, sent or written nowhere else."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from acestep_mcp.engine_server.app import KEY_NAME
from acestep_mcp.engine_server.auth import KEYS_PATH
from tests.clients.test_canaries import forms, processes_below

pytestmark = pytest.mark.process

SECRET = "canary-signing-4a81f7c06e92d35b0"
HOOK = "https://receiver.invalid/done?run=1"
OURS = (sys.executable, "-m", "acestep_mcp")
CRASHING = (
    sys.executable,
    str(Path(__file__).with_name("crashing.py")),
    "acestep_mcp.engine_server.signing",
    "Signer.headers",
)

Run = Callable[..., contextlib.AbstractContextManager[tuple[int, str]]]


def has_secret(content: bytes) -> bool:
    lowered = content.lower()
    url_safe = base64.urlsafe_b64encode(SECRET.encode()).rstrip(b"=")
    return any(form.lower() in lowered for form in (*forms(SECRET), url_safe, repr(list(SECRET.encode())).encode()))


@pytest.fixture
def engine(environment: dict[str, str], tmp_path: Path) -> Run:
    """An engine server whose signing key is the canary: its process id and address. All that it says is in engine.log."""
    assert len(SECRET) == 32
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / KEY_NAME).write_text(SECRET, encoding="ascii")

    @contextlib.contextmanager
    def running(*program: str, **more: str) -> Iterator[tuple[int, str]]:
        command = [*program, "engine", "--port", "0", "--allow-webhooks", "--data-dir", str(tmp_path / "engine")]
        said = tmp_path / "engine.log"
        with said.open("wb") as log:
            process = subprocess.Popen(
                command, env=environment | {"ACESTEP_LOG_LEVEL": "DEBUG"} | more, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )  # fmt: skip
        try:
            address = until(lambda: re.search(r"served at (http://[\d.]+:\d+)", said.read_text("utf-8")), process)[1]
            yield process.pid, address
        finally:
            process.terminate()
            process.wait(15)

    return running


def until(
    happened: Callable[[], re.Match[str] | None], process: subprocess.Popen[bytes] | None = None
) -> re.Match[str]:
    deadline = time.monotonic() + 60
    while not (found := happened()):
        assert process is None or process.poll() is None, "it ended"
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found


def answers(address: str, *, log: Path, delivered: str) -> bytes:
    """What a caller sees of the routes, with a song whose result is signed; `delivered` is in the log after that."""
    seen = []
    with httpx2.Client(base_url=address, timeout=30) as caller:

        def ask(method: str, path: str, **more: object) -> httpx2.Response:
            answer = caller.request(method, path, **more)
            seen.append(repr(answer.headers).encode() + answer.content)
            return answer

        ticket = ask(
            "POST", "/fal-ai/ace-step", params={"fal_webhook": HOOK}, json={"tags": "lofi", "duration": 5}
        ).json()
        job = f"/fal-ai/ace-step/requests/{ticket['request_id']}"
        until(lambda: re.search(delivered, log.read_text("utf-8")))
        made = ask("GET", job)
        assert made.status_code == 200, made.text
        assert ask("GET", KEYS_PATH).json()["keys"][0]["kty"] == "OKP"
        for path in (
            "/", "/health", "/openapi.json", f"{job}/status?logs=1", f"{job}/status/stream?logs=1", "/nowhere",
            f"/files/{KEY_NAME}", f"/files/..%2F{KEY_NAME}", f"/{KEY_NAME}", f"/.well-known/{KEY_NAME}",
        ):  # fmt: skip
            ask("GET", path)
        ask("GET", json.loads(made.content)["audio"]["url"])
    return b"\n".join(seen)


def check(tmp_path: Path, said: dict[str, bytes]) -> None:
    key = tmp_path / "engine" / KEY_NAME
    written = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != key}
    assert {".sqlite3", ".log"} <= {Path(name).suffix for name in written}
    assert [what for what, content in (said | written).items() if has_secret(content)] == []
    assert key.read_text("ascii") == SECRET


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes through /proc")
def test_the_key_that_signs_webhooks_is_in_its_file_only(engine: Run, tmp_path: Path) -> None:
    with engine(*OURS) as (process, address):
        said = {"answers": answers(address, log=tmp_path / "engine.log", delivered="did not arrive|is not sent")}
        said |= processes_below(process)
    assert any(name.endswith("environ") for name in said), "the draft engine's worker was seen"
    check(tmp_path, said)


def test_a_crash_while_a_result_is_signed_does_not_say_the_key(engine: Run, tmp_path: Path) -> None:
    with engine(*CRASHING, HOOK="x", ACESTEP_LOG_FORMAT="json") as (_, address):
        said = answers(address, log=tmp_path / "engine.log", delivered="RuntimeError")
    check(tmp_path, {"answers": said})


def test_a_key_of_the_wrong_length_is_not_quoted(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / KEY_NAME).write_text(f"{SECRET}\n", encoding="ascii")
    done = subprocess.run(
        [*OURS, "engine", "--port", "0", "--allow-webhooks", "--data-dir", str(tmp_path / "engine")],
        env=environment | {"ACESTEP_LOG_LEVEL": "DEBUG"}, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert b"is not a webhook key" in done.stderr
    assert not has_secret(done.stdout + done.stderr)
