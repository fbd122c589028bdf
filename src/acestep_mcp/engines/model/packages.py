"""The packages of the `engine` extra, which may be missing."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from acestep_mcp.api.errors import ConfigurationError

_INSTALL = "pip install 'acestep-mcp[engine]'"


def missing_packages(packages: Sequence[str]) -> str | None:
    """Which packages are missing and how to install them, as half a sentence; None if all are installed."""
    missing = [name for name in packages if find_spec(name) is None]
    return f"it needs the Python packages {', '.join(missing)}: {_INSTALL}" if missing else None


def import_for_lyrics(name: str) -> Any:
    """A module that only some lyrics need. Raises ConfigurationError with the install command if it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise ConfigurationError(
            f"lyrics cannot be read without the package {name.partition('.')[0]} ({exc}): {_INSTALL}"
        ) from exc
