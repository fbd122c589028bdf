"""Public graders of tool lists: how well a model can read the tools."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from acestep_mcp.server.tools.table import TOOLS

pytestmark = pytest.mark.process

HERE = Path(__file__).parent
LEAST_POINTS = 90
"""Of 100. What costs points is that the five endpoints have more parameters than a grader likes."""


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The answer to `tools/list` as a file."""
    path = tmp_path_factory.mktemp("listed") / "tools.json"
    tools = [tool.entry().model_dump(mode="json", by_alias=True, exclude_none=True) for tool in TOOLS]
    path.write_text(json.dumps({"tools": tools}), encoding="utf-8")
    return path


def report(*command: str | Path) -> dict:
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=55, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_mcpgrade_gives_at_least_90_points_and_finds_no_error(node: str, listed: Path) -> None:
    graded = report(node, HERE / "node_modules" / "mcpgrade" / "dist" / "cli.js", "--snapshot", listed, "--json")
    assert graded["totalScore"] >= LEAST_POINTS, graded
    assert [found for part in graded["categories"] for found in part["findings"] if found["severity"] == "error"] == []


def test_tdqs_finds_nothing_but_answers_without_a_schema(listed: Path) -> None:
    """Schemas of answers are left out where they would take more room in the list than they are worth."""
    lint = report(sys.executable, "-m", "tdqs", "lint", "--file", listed, "--format", "json")
    assert {found["rule"] for found in lint["findings"]} <= {"no-output-schema"}, lint["findings"]
