"""Which server answers at an address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from acestep_mcp.api.errors import ConfigurationError
from acestep_mcp.engines.remote import Ask, Wire
from acestep_mcp.engines.remote.ace_server import AceServerWire
from acestep_mcp.engines.remote.rest import RestWire

_ASKING: dict[str, Any] = {"most": 1 << 16, "seconds": 5, "total": 10}
_OTHERS = {
    "ACE-Step Gradio API": "the API of ACE-Step's web interface, which makes songs only while the caller waits and takes "
    "no source: start acestep-api instead (python -m acestep.api_server)",
    "ACE-Step OpenRouter API": "ACE-Step's chat API, which keeps no jobs: start acestep-api instead "
    "(python -m acestep.api_server)",
}

WIRES: dict[str, type[RestWire | AceServerWire]] = {wire.name: wire for wire in (RestWire, AceServerWire)}
"""The servers that are recognised, by the name that stands before the address of a job."""
_FIRST_WITH_JOBS = "2026-04-12"
_DATE = re.compile(r"\((\d{4}-\d\d-\d\d)\)")


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
    # llama.cpp's server says the same, and has /props too.
    return await _ace_server(ask) if body == {"status": "ok"} else None


async def _ace_server(ask: Ask) -> Wire | None:
    answer = await ask("GET", "/props", **_ASKING)
    props = answer.json()
    models = props.get("models") if answer.status == 200 and isinstance(props, Mapping) else None
    if not isinstance(models, Mapping) or not all(isinstance(models.get(kind), list) for kind in ("dit", "vae")):
        return None
    version, known = props.get("version"), props.get("default")
    date = _DATE.search(version[:200]) if isinstance(version, str) else None
    is_old = not isinstance(known, Mapping) or "task_type" not in known or (date and date[1] < _FIRST_WITH_JOBS)
    if is_old or (await ask("GET", "/job", **_ASKING)).status == 404:
        raise ConfigurationError(
            "At ACESTEP_ENGINE_URL answers an acestep.cpp from before 2026-04-12, which makes songs only while the caller "
            "waits. Update it: git pull in its folder, and build it again."
        )
    return AceServerWire()
