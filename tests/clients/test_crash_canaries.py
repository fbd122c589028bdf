"""Programs that crash with every key in the exception: no key is in what they say, log or leave."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.test_canaries import CANARIES, found_in

pytestmark = pytest.mark.process

HOOK = "canary-hook-3c9d18"
SCRIPT = Path(__file__).with_name("crashing.py")


@pytest.fixture
def crash(environment):
    """Run the program with a function that fails; gives its exit code, its answers and its log."""

    def run(where: str, *arguments: str, said: str = "", **more: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, SCRIPT, *where.split(":"), *arguments], input=said, text=True, timeout=60, check=False,
            capture_output=True, env=environment | CANARIES | {"HOOK": HOOK} | more,
        )  # fmt: skip
        for text in (done.stdout, done.stderr):
            assert found_in(text.encode()) == [], text
            assert HOOK not in text
        for file in Path(environment["ACESTEP_DATA_DIR"]).rglob("*"):
            assert not file.is_file() or found_in(file.read_bytes()) == [], file
        return done.returncode, done.stdout, done.stderr

    return run


def lines_of(log: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in log.splitlines()]


def test_a_tool_that_crashes(crash):
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    requests = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "get_job", "arguments": {}}},
    ]
    said = "".join(json.dumps(one) + "\n" for one in requests)
    code, answers, log = crash(
        "acestep_mcp.studio.studio:Studio.jobs", "serve", "--log-format", "json", said=said, ACESTEP_LOG_LEVEL="DEBUG"
    )
    assert code == 0
    assert "internal: get_job failed because of a bug" in answers
    [line] = [line for line in lines_of(log) if "get_job" in line["message"]]
    assert "ValueError: [hidden] [hidden]" in line["exception"]
    assert "https://h.example/hook?[hidden]" in line["exception"]


def test_a_song_that_crashes_in_the_engine_and_the_command_that_waits_for_it(crash):
    code, answers, log = crash(
        "acestep_mcp.engine_server.worker:Worker._generate", "make", "text-to-audio", "--tags", "lofi", "--json",
        ACESTEP_BACKEND="draft",
    )  # fmt: skip
    assert code == 1
    assert "error" in json.loads(answers)
    assert "RuntimeError" in log


def test_a_command_that_crashes(crash):
    code, answers, log = crash("acestep_mcp.studio.studio:Studio.jobs", "jobs", "list")
    assert (code, answers) == (1, "")
    assert "uncaught" in log
    assert "ValueError: [hidden] [hidden]" in log
    assert "py.warnings" in log


def test_an_engine_server_that_crashes_at_its_start(crash):
    code, _, log = crash(
        "acestep_mcp.engine_server.job_queue:JobQueue.restore", "engine", "--port", "0", "--log-format", "json"
    )
    assert code == 1
    assert any("ValueError: [hidden] [hidden]" in line.get("exception", "") for line in lines_of(log))
