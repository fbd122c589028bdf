"""The official TypeScript clients, both release lines, against real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from acestep_mcp.server.tools.table import TOOLS

pytestmark = pytest.mark.process

SCRIPT = Path(__file__).with_name("typescript.mjs")
OPEN = {"NEW", "IN_QUEUE", "IN_PROGRESS"}
VERSIONS = {("v1", "legacy"): None, ("v2", "auto"): "2026-07-28"}

CROSSED = [
    pytest.param("stdio", ("v1", "legacy"), id="stdio-v1"),
    pytest.param("http", ("v2", "auto"), id="http-v2", marks=pytest.mark.slow),
]
STRAIGHT = [
    pytest.param("stdio", ("v2", "auto"), id="stdio-v2", marks=pytest.mark.long),
    pytest.param("http", ("v1", "legacy"), id="http-v1", marks=pytest.mark.long),
]
EVERY = pytest.mark.parametrize(("transport", "client"), CROSSED + STRAIGHT)


@pytest.fixture
def report(
    transport: str, client: tuple[str, str], node: str, environment: dict[str, str], served: Callable[..., str]
):  # fmt: skip
    """Run one scene and give what the client saw; settings by name."""

    def run(what: str, **more: str) -> dict:
        plan = {"sdk": client[0], "era": client[1], "what": what}
        if transport == "http":
            plan |= {"url": served(**more)}
        else:
            plan |= {"command": sys.executable, "args": ["-m", "acestep_mcp"], "env": environment | more}
        done = subprocess.run(
            [node, SCRIPT, json.dumps(plan)], env=environment, capture_output=True, text=True, encoding="utf-8",
            timeout=55, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@EVERY
def test_a_song_is_made_with_progress_read_back_and_completed(report, client: tuple[str, str]) -> None:
    saw = report("song")
    facts = saw["song"]["structuredContent"]
    assert saw["version"] == VERSIONS[client]
    assert saw["server"]["name"] == "acestep-mcp"
    assert len(saw["tools"]) == len(TOOLS)
    assert (facts["status"], facts["seed"]) == ("COMPLETED", 7)
    values = [step["progress"] for step in saw["progress"]]
    assert values == sorted(set(values))
    assert len(values) > 1
    assert f"{facts['track']['uri']}/audio" in [one["uri"] for one in saw["read"]]
    assert all(one["bytes"] for one in saw["read"])
    assert facts["track"]["file_path"] in saw["played"]["content"][0]["text"]
    assert len(saw["texts"]) == 7
    assert all(text["length"] > 200 for text in saw["texts"])
    assert facts["track"]["id"] in saw["completion"]["values"]


@pytest.mark.slow  # what the tools answer is the same for every client: the fast suite asks with the Python one
@pytest.mark.parametrize(
    ("transport", "client"), [CROSSED[0], pytest.param(*CROSSED[1].values, id="http-v2", marks=pytest.mark.long)]
)
def test_every_tool_that_makes_a_song_hands_its_job_over_at_once(report) -> None:
    saw = report("handles", ACESTEP_WAIT_SECONDS="0")
    assert len(saw["handles"]) == 5
    for tool, handle in saw["handles"].items():
        facts = handle["structuredContent"]
        assert facts["status"] in OPEN | {"COMPLETED"}, tool
        assert facts["job_id"] in handle["content"][0]["text"]
        assert ("audio" in facts) == (facts["status"] == "COMPLETED")
        assert saw["cancelled"][tool]["status"] in {"CANCELLED", "COMPLETED"}


@pytest.mark.slow  # the fast suite cancels with the Python one
@EVERY
def test_a_cancelled_call_cancels_its_job(report, transport: str, client: tuple[str, str]) -> None:
    """Except over HTTP in the modern era: there a cancel is a closed stream, and that cancels nothing."""
    saw = report("cancel")
    assert saw["refused"]
    assert saw["status"] == ("COMPLETED" if (transport, client[0]) == ("http", "v2") else "CANCELLED")
