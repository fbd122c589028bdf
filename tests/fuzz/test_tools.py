"""Every tool with generated arguments: never a bug of ours, never silence, and each wrong field is named."""

from __future__ import annotations

import pytest

from acestep_mcp.server.tools.table import TOOLS
from tests.fuzz.tool_calls import caller, fuzz

pytestmark = pytest.mark.slow
EXAMPLES = 8
"""Of each tool; `python bench/fuzz.py tools 10000` is the long form."""


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    with caller(tmp_path_factory.mktemp("tools")) as opened:
        yield opened


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_answer_is_a_result_or_an_error_that_names_what_is_wrong(tool, call):
    found, _ = fuzz(tool, EXAMPLES, None, call)
    assert not found, found
