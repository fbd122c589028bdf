"""What others install the server by: the MCP bundle of Claude Desktop, and the entry for the MCP registry.

`python -m tools.release mcpb` writes dist/acestep-mcp.mcpb, `python -m tools.release server-json` writes server.json.
"""

from __future__ import annotations

import json
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from acestep_mcp import __version__, __website__
from acestep_mcp.server.tools.table import TOOLS
from acestep_mcp.settings import Settings

ROOT = Path(__file__).parents[1]
BUNDLE = "acestep-mcp.mcpb"
REGISTRY_FILE = ROOT / "server.json"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PRIVACY = f"{__website__}#what-leaves-your-machine"
"""A heading of the README."""

_DESCRIPTION = "Songs for language models with ACE-Step: make, remix, repair, extend. No key needed to try it."
"""The registry allows 100 characters."""
_ICON = "docs/icon.png"
_SCREENSHOTS = ("docs/player-light.png", "docs/gallery.png")
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "src", "prompts")
"""What `uv` builds the package from."""
_OLDEST_TIME = (1980, 1, 1, 0, 0, 0)
"""Of every file, so that equal sources give equal bundles: the first time that a ZIP file can hold."""

USER_SETTINGS = {
    "fal_key": {
        "type": "string",
        "title": "fal key",
        "description": "From fal.ai/dashboard/keys. fal bills each second of a song. Without a key or an engine, songs are drafts.",
        "sensitive": True,
        "required": False,
    },
    "engine_url": {
        "type": "string",
        "title": "Address of your own engine",
        "description": "An acestep-mcp engine, or ACE-Step 1.5's own API, for example http://192.168.1.5:8765. Used instead of fal.",
        "required": False,
    },
    "music_dir": {
        "type": "directory",
        "title": "Folder for songs",
        "description": "If empty: the folder acestep in your music folder.",
        "required": False,
    },
}
"""What Claude Desktop asks the user for, by the names of our settings."""


def environment_name(setting: str) -> str:
    """The variable that sets a field of `Settings`."""
    alias = Settings.model_fields[setting].validation_alias
    return setting.upper() if alias else f"ACESTEP_{setting.upper()}"


def manifest() -> dict[str, Any]:
    """The bundle's `manifest.json`, version 0.4."""
    start = ["run", "--directory", "${__dirname}", "--no-dev", PROJECT["name"]]
    environment = {environment_name(name): f"${{user_config.{name}}}" for name in USER_SETTINGS}
    return {
        "manifest_version": "0.4",
        "name": PROJECT["name"],
        "display_name": "ACE-Step music",
        "version": __version__,
        "description": _DESCRIPTION,
        "long_description": PROJECT["description"],
        "author": PROJECT["authors"][0],
        "homepage": __website__,
        "documentation": __website__,
        "icon": _ICON,
        "screenshots": list(_SCREENSHOTS),
        "server": {
            "type": "uv",
            "entry_point": "src/acestep_mcp/__main__.py",
            "mcp_config": {"command": "uv", "args": start, "env": environment},
        },
        "tools": [{"name": tool.name, "description": tool.description} for tool in TOOLS],
        "prompts_generated": True,
        "keywords": PROJECT["keywords"],
        "license": PROJECT["license"],
        "privacy_policies": [PRIVACY],
        "compatibility": {
            "platforms": ["darwin", "win32", "linux"],
            "runtimes": {"python": PROJECT["requires-python"]},
        },
        "user_config": USER_SETTINGS,
    }


def pack(target: Path) -> Path:
    """The bundle in the folder `target`."""
    target.mkdir(parents=True, exist_ok=True)
    path = target / BUNDLE
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bundle:
        _put(bundle, "manifest.json", _as_json(manifest()))
        for file in _files():
            _put(bundle, file.relative_to(ROOT).as_posix(), file.read_bytes())
    return path


def registry_entry() -> dict[str, Any]:
    """`server.json` by the registry's schema of 2025-12-11.

    The registry lets an owner of a domain publish under the domain's reversed name.
    """
    owner = ".".join(reversed((urlsplit(__website__).hostname or "").split(".")))
    variables = [
        {
            "name": environment_name(name),
            "description": setting["description"],
            "isSecret": bool(setting.get("sensitive")),
            "isRequired": bool(setting["required"]),
            "format": "filepath" if setting["type"] == "directory" else "string",
        }
        for name, setting in USER_SETTINGS.items()
    ]
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": f"{owner}/{PROJECT['name']}",
        "title": "ACE-Step music",
        "description": _DESCRIPTION,
        "version": __version__,
        "websiteUrl": __website__,
        "packages": [
            {
                "registryType": "pypi",
                "identifier": PROJECT["name"],
                "version": __version__,
                "runtimeHint": "uvx",
                "transport": {"type": "stdio"},
                "environmentVariables": variables,
            }
        ],
    }


def write_registry_entry() -> Path:
    REGISTRY_FILE.write_bytes(_as_json(registry_entry()))
    return REGISTRY_FILE


def _files() -> Iterator[Path]:
    for name in (*SOURCES, _ICON, *_SCREENSHOTS):
        path = ROOT / name
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (file for file in inside if file.is_file() and "__pycache__" not in file.parts)


def _put(bundle: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _OLDEST_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    bundle.writestr(entry, content)


def _as_json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
