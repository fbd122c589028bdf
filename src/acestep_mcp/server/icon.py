"""The icon that hosts show beside the server's name, drawn by `tools/icon.py`."""

from __future__ import annotations

import base64
from importlib import resources

from mcp.types import Icon


def icons() -> list[Icon]:
    """The icon as a `data:` URI, so that showing it asks no other machine."""
    png = (resources.files(__package__) / "icon.png").read_bytes()
    side = int.from_bytes(png[16:20], "big")
    address = f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
    return [Icon(src=address, mime_type="image/png", sizes=[f"{side}x{side}"])]
