"""Which server answers at an address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.remote import Ask, Wire
from acestep_mcp.engines.remote.rest import RestWire

_ASKING: dict[str, Any] = {"most": 1 << 16, "seconds": 5, "total": 10}
_OTHERS = {
    "ACE-Step Gradio API": "the API of ACE-Step's web interface, which makes songs only while the caller waits and takes "
    "no source: start acestep-api instead (python -m acestep.api_server)",
    "ACE-Step OpenRouter API": "ACE-Step's chat API, which keeps no jobs: start acestep-api instead "
    "(python -m acestep.api_server)",
}

WIRES: dict[str, type[RestWire]] = {RestWire.name: RestWire}
"""The servers that are recognised, by the name that stands before the address of a job."""


async def recognised(ask: Ask) -> Wire | None:
    """How the server takes jobs; None for one of ours, and for any other.

    Raises NoResponse when it does not answer, ConfigurationError for an ACE-Step server that cannot be used.
    """
    body = (await ask("GET", "/health", **_ASKING)).json()
    if not isinstance(body, Mapping):
        return None
    data = body.get("data")
    service = data.get("service") if isinstance(data, Mapping) else body.get("service")
    if service == "ACE-Step API":
        return RestWire()
    if isinstance(service, str) and service in _OTHERS:
        raise ConfigurationError(f"At ACESTEP_ENGINE_URL answers {_OTHERS[service]}.")
    return None
