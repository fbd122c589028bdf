"""The wheel holds what the program needs and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=REPOSITORY, capture_output=True, timeout=50, check=True,
    )  # fmt: skip
    [wheel] = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_prompts_are_in_the_wheel(names: set[str]) -> None:
    prompts = {f"acestep_mcp/prompts/{path.name}" for path in (REPOSITORY / "prompts").glob("*.md")}
    assert prompts
    assert prompts <= names


def test_the_engines_page_is_in_the_wheel(names: set[str]) -> None:
    source = REPOSITORY / "src"
    files = {path.relative_to(source).as_posix() for path in (source / "acestep_mcp/web/assets").iterdir()}
    assert "acestep_mcp/web/assets/engine.html" in files
    assert files <= names


def test_every_module_and_the_type_mark_are_in_the_wheel(names: set[str]) -> None:
    source = REPOSITORY / "src"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}
    assert files | {"acestep_mcp/py.typed"} <= names


def test_the_icon_that_the_server_shows_is_in_the_wheel(names: set[str]) -> None:
    assert (REPOSITORY / "src/acestep_mcp/server/icon.png").is_file()
    assert "acestep_mcp/server/icon.png" in names


def test_nothing_but_the_package_is_in_the_wheel(names: set[str]) -> None:
    """Neither the tests nor the developers' tools."""
    assert {name.split("/")[0].split("-")[0] for name in names} == {"acestep_mcp"}
    assert (REPOSITORY / "tools" / "parity.py").is_file()
    assert not [name for name in names if "parity" in name]
    assert not [name for name in names if "tests" in name or name.endswith((".pyc", ".sf2"))]
