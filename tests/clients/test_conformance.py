"""The MCP conformance suite, both revisions: exactly the named scenarios fail, and each has its reason."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

HERE = Path(__file__).parent
SUITE = HERE / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
REVISIONS = ("2025-11-25", "2026-07-28")


@pytest.fixture(params=["real", "fixtures"])
def server(request: pytest.FixtureRequest, served: Callable[..., str]) -> tuple[str, str]:
    """Our server as it is, and, with more scenarios that can pass, with the suite's own tools, resources and prompts."""
    command = [] if request.param == "real" else [sys.executable, str(HERE / "conformance_server.py")]
    return request.param, served(*command)


@pytest.mark.slow
@pytest.mark.parametrize("revision", REVISIONS)
def test_only_the_expected_scenarios_fail(
    server: tuple[str, str], revision: str, node: str, environment: dict[str, str], tmp_path: Path
) -> None:
    kind, url = server
    expected = HERE / "conformance" / f"{kind}-{revision}.yml"
    done = subprocess.run(
        [node, SUITE, "server", "--url", url, "--requirements", revision, "--expected-failures", expected, "-o", tmp_path / "out"],
        env=environment | {"NO_COLOR": "1"}, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=55, check=False,
    )  # fmt: skip
    summary = done.stdout.split("=== SUMMARY ===")[-1]
    assert done.returncode == 0, summary + done.stderr
    assert "tools-list" in summary


@pytest.mark.parametrize("scenario", ["sep-2640-skills-enumeration", "sep-2640-skills-manifest"])
def test_the_prompts_are_served_as_skills(scenario: str, served: Callable[..., str], node: str, tmp_path: Path) -> None:
    # By the suite's newest revision; it runs scenarios of extensions only when forced.
    command = [
        node,
        SUITE,
        "server",
        "--url",
        served(),
        "--scenario",
        scenario,
        "--spec-version",
        REVISIONS[-1],
        "--force",
    ]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", timeout=55, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "0 failed" in done.stdout
    assert "did not declare" not in done.stdout
