"""What the server is installed by: the bundle for Claude Desktop, the plugin for Claude Code, the entry of the registry."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import jsonschema
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from tools import bundle, release
from tools import icon as drawn

from acestep_mcp import __version__, __website__
from acestep_mcp.server import icon
from acestep_mcp.server.prompts import load as load_prompts
from acestep_mcp.server.tools.table import TOOLS
from acestep_mcp.settings import load

REPOSITORY = Path(__file__).parents[2]
MCPB = REPOSITORY / "tests" / "clients" / "node_modules" / "@anthropic-ai" / "mcpb" / "dist" / "cli" / "cli.js"

# What the published schemas say of the fields that are used here, and no other fields, so that a misspelt one is noticed.
TEXT = {"type": "string", "minLength": 1}
ADDRESS = {"type": "string", "format": "uri", "pattern": "^https://"}
REGISTRY = {
    "type": "object",
    "required": ["$schema", "name", "description", "version", "packages"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json"},
        "name": {"type": "string", "maxLength": 200, "pattern": r"^[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+$"},
        "title": TEXT | {"maxLength": 100},
        "description": TEXT | {"maxLength": 100},
        "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        "websiteUrl": ADDRESS,
        "packages": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["registryType", "identifier", "version", "transport"],
                "additionalProperties": False,
                "properties": {
                    "registryType": {"enum": ["pypi"]},
                    "identifier": TEXT,
                    "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
                    "runtimeHint": {"const": "uvx"},
                    "transport": {"const": {"type": "stdio"}},
                    "environmentVariables": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["name"],
                            "additionalProperties": False,
                            "properties": {
                                "name": TEXT,
                                "description": TEXT,
                                "isSecret": {"type": "boolean"},
                                "isRequired": {"type": "boolean"},
                                "format": {"enum": ["string", "number", "boolean", "filepath"]},
                            },
                        },
                    },
                },
            },
        },
    },
}
PLUGIN = {
    "type": "object",
    "required": ["name", "version", "description", "author"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
        "version": {"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        "description": TEXT,
        "author": {"type": "object", "required": ["name"], "properties": {"name": TEXT}, "additionalProperties": False},
        "license": TEXT,
        "keywords": {"type": "array", "items": TEXT},
    },
}


def read(path: str) -> dict:
    return json.loads((REPOSITORY / path).read_text(encoding="utf-8"))


def pixels_of(png: bytes) -> tuple[int, bytes]:
    """The side and the RGBA rows of a PNG whose rows have no filter."""
    side, height, *kind = struct.unpack(">IIBBBBB", png[16:29])
    assert (side, kind) == (height, [8, 6, 0, 0, 0])
    start = png.index(b"IDAT")
    [length] = struct.unpack(">I", png[start - 4 : start])
    data, line = zlib.decompress(png[start + 4 : start + 4 + length]), 1 + 4 * side
    rows = [data[place : place + line] for place in range(0, len(data), line)]
    assert {row[0] for row in rows} == {0}
    return side, b"".join(row[1:] for row in rows)


def test_the_icons_are_what_the_tool_draws() -> None:
    small = (REPOSITORY / "src" / "acestep_mcp" / "server" / "icon.png").read_bytes()
    side, pixels = pixels_of(small)
    assert pixels == drawn.pixels(side)
    assert drawn.SVG_FILE.read_text(encoding="utf-8") == drawn.svg()
    assert pixels_of((REPOSITORY / "docs" / "icon.png").read_bytes())[0] == 512


def test_the_servers_icon_is_within_its_address_and_small() -> None:
    [shown] = icon.icons()
    assert shown.src.startswith("data:image/png;base64,")
    assert len(shown.src) < 1024
    assert shown.sizes == ["48x48"]


def test_the_registrys_entry_is_current_and_fits_its_schema() -> None:
    entry = read("server.json")
    assert entry == bundle.registry_entry(), "run python -m tools.release server-json"
    jsonschema.Draft202012Validator(REGISTRY, format_checker=jsonschema.FormatChecker()).validate(entry)
    assert {entry["version"], *(package["version"] for package in entry["packages"])} == {__version__}


def test_the_readme_names_the_registrys_entry_as_the_registry_wants_it_of_the_package() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"<!-- mcp-name: (\S+) -->", text) == [read("server.json")["name"]]


def test_the_projects_address_is_written_in_one_place() -> None:
    """`server.json` is made from it, and the README's mark from `server.json`."""
    code = [path for folder in ("src", "tools") for path in (REPOSITORY / folder).rglob("*.py")]
    others = [REPOSITORY / ".claude-plugin" / "plugin.json", REPOSITORY / ".mcp.json", REPOSITORY / "pyproject.toml"]
    naming = [path for path in [*code, *others] if __website__ in path.read_text(encoding="utf-8")]
    assert naming == [REPOSITORY / "src" / "acestep_mcp" / "__init__.py"]


def test_the_heading_that_the_bundle_gives_as_privacy_policy_is_in_the_readme() -> None:
    headings = re.findall(r"^## (.*)$", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    assert bundle.PRIVACY.removeprefix(f"{__website__}#") in anchors


def test_the_bundle_lists_every_tool_and_asks_only_for_settings_that_exist() -> None:
    manifest = bundle.manifest()
    assert [tool["name"] for tool in manifest["tools"]] == [tool.name for tool in TOOLS]
    assert manifest["version"] == __version__
    environment = manifest["server"]["mcp_config"]["env"]
    assert environment == {
        "FAL_KEY": "${user_config.fal_key}",
        "ACESTEP_ENGINE_URL": "${user_config.engine_url}",
        "ACESTEP_MUSIC_DIR": "${user_config.music_dir}",
    }
    asked = manifest["user_config"]
    assert [name for name, setting in asked.items() if setting.get("sensitive")] == ["fal_key"]
    assert asked["music_dir"]["type"] == "directory"


@pytest.mark.parametrize("value", [None, ""])
def test_a_user_who_fills_in_nothing_gets_the_defaults(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """A host passes the name of an empty setting on, or nothing."""
    monkeypatch.delenv("ACESTEP_MUSIC_DIR", raising=False)
    defaults = load()
    for name, name_of_the_setting in bundle.manifest()["server"]["mcp_config"]["env"].items():
        monkeypatch.setenv(name, name_of_the_setting if value is None else value)
    settings = load()
    assert settings.problems == ()
    assert settings == defaults


def test_the_plugin_has_the_packages_version_and_fits_what_claude_code_reads() -> None:
    plugin = read(".claude-plugin/plugin.json")
    jsonschema.validate(plugin, PLUGIN)
    assert plugin["version"] == __version__
    assert plugin["license"] == bundle.PROJECT["license"]


def test_the_plugin_starts_the_server_of_its_own_folder_over_stdio_and_brings_the_skills() -> None:
    [(name, server)] = read(".mcp.json")["mcpServers"].items()
    assert name == read(".claude-plugin/plugin.json")["name"]
    assert server == {"command": "uvx", "args": ["--from", "${CLAUDE_PLUGIN_ROOT}", bundle.PROJECT["name"]]}
    assert bundle.PROJECT["name"] in bundle.PROJECT["scripts"]
    skills = {path.parent.name for path in (REPOSITORY / "skills").glob("*/SKILL.md")}
    assert skills == {prompt.name for prompt in load_prompts()}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release, "DIST", folder)
        patch.setattr(sys, "argv", ["release", "mcpb"])
        release.main()
    return folder / bundle.BUNDLE


@pytest.mark.process
def test_equal_sources_give_equal_bundles(packed: Path, tmp_path: Path) -> None:
    assert bundle.pack(tmp_path).read_bytes() == packed.read_bytes()


@pytest.mark.process
def test_the_official_tool_unpacks_the_bundle_and_finds_its_manifest_valid(
    node: str, packed: Path, tmp_path: Path
) -> None:
    for command in (["unpack", packed, tmp_path / "out"], ["validate", tmp_path / "out" / "manifest.json"]):
        done = subprocess.run([node, MCPB, *command], capture_output=True, text=True, timeout=50, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "Manifest schema validation passes!" in done.stdout
    assert "ERROR" not in done.stdout


@pytest.mark.process
@pytest.mark.anyio
async def test_the_unpacked_bundle_starts_and_answers_when_its_user_filled_in_nothing(
    packed: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    with zipfile.ZipFile(packed) as files:
        names = files.namelist()
        files.extractall(tmp_path / "out")
    assert not [name for name in names if name.endswith(".pyc") or name.startswith(("tests/", "/")) or ".." in name]
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    for named in (manifest["icon"], *manifest["screenshots"], manifest["server"]["entry_point"]):
        assert named in names
    # As `uv` would run it, with the packages of the tests: the program is the bundle's.
    given = manifest["server"]["mcp_config"]["env"] | {"PYTHONPATH": str(tmp_path / "out" / "src")}
    program = "import sys; from acestep_mcp import cli; sys.stderr.write(cli.__file__); sys.exit(cli.main([]))"
    log = tmp_path / "log"
    with log.open("w") as stderr:
        started = StdioServerParameters(command=sys.executable, args=["-c", program], env=environment | given)
        async with Client(stdio_client(started, errlog=stderr)) as client:
            assert (client.server_info.version, client.server_info.website_url) == (__version__, __website__)
            assert [shown.mime_type for shown in client.server_info.icons] == ["image/png"]
            assert {prompt.name for prompt in (await client.list_prompts()).prompts} == {p.name for p in load_prompts()}
            facts = (await client.call_tool("status", {})).structured_content
    assert str(tmp_path / "out" / "src") in log.read_text()
    assert (facts["backend"], facts["problems"]) == ("draft", [])
