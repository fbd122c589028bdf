"""Public graders of tool lists: how well a model can read the tools."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mcp_toolgauge.lint import lint
from mcp_toolgauge.model import InspectResult, ServerInfo, ToolSpec

from acestep_mcp.server.tools.table import TOOLS

HERE = Path(__file__).parent
LEAST_POINTS = 90
"""Of 100. What costs points is that the five endpoints have more parameters than a grader likes."""
TOOLGAUGE_WARNS = {
    # It wants every word of the name in the description, "to" as well, and does not count "to" as a word there.
    ("MCP003", "text_to_audio", None),
    ("MCP003", "prompt_to_audio", None),
    ("MCP003", "audio_to_audio", None),
    # It wants a URL's format, but the published field also takes a track's id, a path or a name here.
    ("MCP023", "audio_to_audio", "audio_url"),
    ("MCP023", "audio_inpaint", "audio_url"),
    ("MCP023", "audio_outpaint", "audio_url"),
    # "Job" is too general for it, but answers, docs and callers know the thing and the tool by this name.
    ("MCP002", "get_job", None),
    # The fields depend on the endpoint that made the track; listed, they would be as long as the five tools are.
    ("MCP024", "remake_track", "changes"),
}


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


@pytest.mark.process
def test_mcpgrade_gives_at_least_90_points_and_finds_no_error(node: str, listed: Path) -> None:
    graded = report(node, HERE / "node_modules" / "mcpgrade" / "dist" / "cli.js", "--snapshot", listed, "--json")
    assert graded["totalScore"] >= LEAST_POINTS, graded
    assert [found for part in graded["categories"] for found in part["findings"] if found["severity"] == "error"] == []


@pytest.mark.process
def test_tdqs_finds_nothing_but_answers_without_a_schema(listed: Path) -> None:
    """Schemas of answers are left out where they would take more room in the list than they are worth."""
    lint = report(sys.executable, "-m", "tdqs", "lint", "--file", listed, "--format", "json")
    assert {found["rule"] for found in lint["findings"]} <= {"no-output-schema"}, lint["findings"]


def test_toolgauge_warns_of_nothing_but_what_is_meant() -> None:
    tools = [
        ToolSpec(
            name=entry.name,
            title=entry.title,
            description=entry.description,
            input_schema=entry.input_schema,
            output_schema=entry.output_schema,
            annotations=entry.annotations.model_dump(),
        )
        for entry in (tool.entry() for tool in TOOLS)
    ]
    findings = lint(InspectResult(target="here", server=ServerInfo(), tools=tools)).findings
    assert {
        (found.rule, found.tool, found.parameter) for found in findings if found.severity != "info"
    } == TOOLGAUGE_WARNS
