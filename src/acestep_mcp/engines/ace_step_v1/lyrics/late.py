"""The packages that only some lines need, imported when the first such line comes."""

from __future__ import annotations

import importlib
from typing import Any

from acestep_mcp.api.errors import ConfigurationError


def package(name: str) -> Any:
    """The module of this name; a ConfigurationError that says how to install it where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise ConfigurationError(
            f"lyrics cannot be read without the package {name.partition('.')[0]} ({exc}): "
            "pip install 'acestep-mcp[engine]'"
        ) from exc
