"""Requests as the tools get them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acestep_mcp.api.endpoints import named
from acestep_mcp.api.requests import ApiRequest


def request(tool: str, arguments: Mapping[str, Any]) -> ApiRequest:
    return named(tool).request.parse(arguments)
