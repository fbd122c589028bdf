"""The hosts whose configuration `install` writes: where it is, and what an entry looks like.

The folders and forms are those of each host's documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "acestep"
"""Of the entry."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What paths depend on: `platform` as `sys.platform`, the home folder, the environment."""

    platform: str
    home: Path
    environment: Mapping[str, str]

    def application_data(self) -> Path:
        """Where desktop programs keep their settings, each in a folder of its own."""
        if self.platform == "win32":
            return Path(self.environment.get("APPDATA") or self.home / "AppData" / "Roaming")
        if self.platform == "darwin":
            return self.home / "Library" / "Application Support"
        return Path(self.environment.get("XDG_CONFIG_HOME") or self.home / ".config")


@dataclass(frozen=True, slots=True)
class McpHost:
    """`table` is the path within the file to the table of servers, `more` what each entry has besides its command."""

    title: str
    file: Callable[[Machine], Path]
    table: str
    then: str
    more: Mapping[str, Any]

    def entry(self, command: list[str], settings: Mapping[str, str]) -> dict[str, Any]:
        return {**self.more, "command": command[0], "args": command[1:], "env": dict(settings)}


def _claude_desktop(machine: Machine) -> Path:
    """Installed from the store of Windows, it has a folder of its own, whose name ends in the publisher's id."""
    name = "claude_desktop_config.json"
    if machine.platform == "win32":
        local = Path(machine.environment.get("LOCALAPPDATA") or machine.home / "AppData" / "Local")
        for package in sorted((local / "Packages").glob("Claude_*")):
            return package / "LocalCache" / "Roaming" / "Claude" / name
    return machine.application_data() / "Claude" / name


def _zed(machine: Machine) -> Path:
    if machine.platform == "win32":
        return machine.application_data() / "Zed" / "settings.json"
    root = Path(machine.environment.get("XDG_CONFIG_HOME") or "") if machine.platform == "linux" else Path()
    return (root if root.is_absolute() else machine.home / ".config") / "zed" / "settings.json"


def _codex(machine: Machine) -> Path:
    return Path(machine.environment.get("CODEX_HOME") or machine.home / ".codex") / "config.toml"


HOSTS = {
    "claude-desktop": McpHost(
        "Claude Desktop",
        _claude_desktop,
        "mcpServers",
        "Quit Claude Desktop and start it again; it reads the file only at the start.",
        {},
    ),
    "claude-code": McpHost(
        "Claude Code",
        lambda machine: machine.home / ".claude.json",
        "mcpServers",
        "It is used in every project from the next start of Claude Code; /mcp shows whether it runs.",
        {"type": "stdio"},
    ),
    "cursor": McpHost(
        "Cursor",
        lambda machine: machine.home / ".cursor" / "mcp.json",
        "mcpServers",
        "Switch it on in Cursor: Settings, MCP.",
        {},
    ),
    "vscode": McpHost(
        "VS Code",
        lambda machine: machine.application_data() / "Code" / "User" / "mcp.json",
        "servers",
        'Run "MCP: List Servers" in VS Code to start it.',
        {"type": "stdio"},
    ),
    "codex": McpHost("Codex", _codex, "mcp_servers", "It is used from the next start of Codex.", {}),
    "windsurf": McpHost(
        "Windsurf",
        lambda machine: machine.home / ".codeium" / "windsurf" / "mcp_config.json",
        "mcpServers",
        "Refresh the list of servers in Windsurf's Cascade panel, or start Windsurf again.",
        {},
    ),
    "zed": McpHost("Zed", _zed, "context_servers", "Zed starts it at once.", {"source": "custom"}),
}
