"""The pages of docs/ as a site."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tools import tool_pages

from tests.support.needed import missing

ROOT = Path(__file__).parents[1]


def test_the_page_of_tools_says_what_the_tools_say():
    assert tool_pages.PAGE.read_text("utf-8") == tool_pages.page(), "write it again: python -m tools.tool_pages"


def test_the_site_has_every_page_once():
    named = re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    assert sorted(named) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.process
def test_the_site_is_built_without_a_warning(tmp_path):
    if importlib.util.find_spec("mkdocs") is None:
        missing("mkdocs-material is not installed: pip install --group docs")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "-f",
        ROOT / "mkdocs.yml",
        "-d",
        tmp_path / "site",
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "tools" / "index.html").is_file()
