"""Writes docs/tools.md from the table of tools: `python -m tools.tool_pages`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from acestep_mcp.server.tools.table import TOOLS, Tool

PAGE = Path(__file__).parents[1] / "docs" / "tools.md"
_HEAD = """\
# The tools

What a language model can call. Every tool that makes a song answers with the song, or with a `job_id` when it takes longer
than `ACESTEP_WAIT_SECONDS`. The five that make music take fal's fields; what they mean for a song is in
[writing-songs.md](writing-songs.md).

<!-- Written by `python -m tools.tool_pages`. -->
"""


def page() -> str:
    return _HEAD + "".join(_section(tool) for tool in TOOLS if tool.name != "player_audio")


def _section(tool: Tool) -> str:
    entry = tool.entry()
    lines = [f"\n## `{entry.name}`\n", f"{entry.title}. {entry.description}\n"]
    rows = list(_rows(entry.input_schema))
    if rows:
        lines += ["| field | value | default | meaning |", "|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _rows(schema: dict[str, Any]) -> Iterator[str]:
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        default = f"`{json.dumps(field['default'])}`" if "default" in field else "none"
        known = "required" if name in required else default
        yield f"| `{name}` | {_value(field)} | {known} | {field['description']} |"


def _value(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(f"`{choice}`" for choice in field["enum"])
    low, high = field.get("minimum"), field.get("maximum")
    kind = {"string": "text", "boolean": "`true` or `false`", "array": "a list", "object": "an object"}.get(
        field["type"]
    )
    if kind is None:
        kind = "a whole number" if field["type"] == "integer" else "a number"
    return kind if low is None else f"{kind} from {low} to {high}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
