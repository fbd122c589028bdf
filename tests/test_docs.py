"""The documentation says what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from acestep_mcp.api.endpoints import ENDPOINTS
from acestep_mcp.api.model_options import ModelOptions
from acestep_mcp.cli.install.hosts import HOSTS
from acestep_mcp.cli.make import make
from acestep_mcp.settings import Settings

REPOSITORY = Path(__file__).parents[1]
NOW = [REPOSITORY / "README.md", REPOSITORY / "bench" / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
PAGES = [
    *NOW,
    REPOSITORY / "CHANGELOG.md",
    REPOSITORY / "SECURITY.md",
    *sorted((REPOSITORY / "docs" / "decisions").glob("*.md")),
]
SOURCE = REPOSITORY / "src" / "acestep_mcp"


def rows(page: str) -> dict[str, str]:
    """The first two columns of a page's tables, without the first one's backticks."""
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text, re.MULTILINE))


def environment_name(name: str) -> str:
    return name.upper() if name.startswith("fal_key") else f"ACESTEP_{name.upper()}"


def test_the_settings_page_lists_exactly_the_settings() -> None:
    """Those of a model stand together, each group in the order of its class."""
    listed = list(rows("docs/settings.md"))
    for_models = [environment_name(name) for name in ModelOptions.model_fields]
    others = [environment_name(name) for name in Settings.model_fields if name not in ModelOptions.model_fields]
    first = listed.index(for_models[0])
    assert listed == others[:first] + for_models + others[first:]


@pytest.mark.parametrize("name", [n for n, f in Settings.model_fields.items() if not f.default_factory])
def test_the_settings_page_gives_the_default(name: str) -> None:
    default = Settings.model_fields[name].default
    shown = rows("docs/settings.md")[environment_name(name)]
    if default in (None, ()):
        assert not shown.startswith("`")
    else:
        assert shown == f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_pages_name_only_settings_that_exist() -> None:
    known = {environment_name(name) for name in Settings.model_fields}
    for test in (REPOSITORY / "tests").rglob("test_*.py"):
        known.update(re.findall(r"\bACESTEP_TESTS_[A-Z_]+", test.read_text(encoding="utf-8")))
    for page in PAGES:
        named = set(re.findall(r"\b(?:ACESTEP_[A-Z_]+|FAL_KEY\w*)\b", page.read_text(encoding="utf-8")))
        assert named <= known | {"ACESTEP_"}, page


def test_the_readme_lists_the_five_tools_in_order() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+_to_audio|audio_\w+)` \|", text, re.MULTILINE) == [
        endpoint.tool for endpoint in ENDPOINTS
    ]


def test_the_readmes_song_is_a_command_that_exists() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    for command in re.findall(r"acestep-mcp make ([\w-]+)", text):
        assert command in make.commands


def test_the_first_page_says_for_each_host_what_its_installation_says() -> None:
    text = (REPOSITORY / "docs" / "index.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (.*?) \| `.venv/bin/acestep-mcp install ([\w-]+)` \| (.*?) \|$", text, re.MULTILINE)
    assert found == [(host.title, name, host.then) for name, host in HOSTS.items()]


def test_files_that_a_page_names_exist() -> None:
    """Decisions are not rewritten: they may name what has moved."""
    for page in NOW:
        for path in re.findall(r"\b[\w-]+(?:/[\w.-]+)+\.(?:py|js|md)\b", page.read_text(encoding="utf-8")):
            folders = (REPOSITORY, SOURCE, page.parent)
            assert any((folder / path).is_file() for folder in folders), f"{page.name}: {path}"


def test_each_promise_has_tests_that_are_there() -> None:
    text = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
    promises = text.partition("| --- |")[2].partition("\n\n")[0].splitlines()[1:]
    assert len(promises) > 10
    for promise in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", promise)
        assert named, promise
        for file, test in named:
            assert f"def {test}(" in (REPOSITORY / file).read_text(encoding="utf-8"), f"{file}::{test}"


def anchors(page: Path) -> set[str]:
    """Those of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_between_pages_have_a_target() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)", page.read_text(encoding="utf-8")):
            path, _, anchor = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), f"{page.name}: {link}"
            assert not anchor or anchor in anchors(target), f"{page.name}: {link}"
