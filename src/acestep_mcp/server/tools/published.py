"""The answer to `tools/list`, as stored in `published.json`.

It follows from the table, but deriving it takes about 0.1 s, and hosts start a server just to list its tools. A test compares
the two and, with UPDATE_SNAPSHOTS=1, writes the file.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources

from mcp.types import Tool as ToolEntry

FILE_NAME = "published.json"


@cache
def entries() -> tuple[ToolEntry, ...]:
    """The tools in the order of the table."""
    text = (resources.files(__package__) / FILE_NAME).read_text(encoding="utf-8")
    return tuple(ToolEntry.model_validate(entry) for entry in json.loads(text))
