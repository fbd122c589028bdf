"""The packages of the `engine` extra, which may be missing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from acestep_mcp.api.errors import ConfigurationError

_INSTALL = "pip install 'acestep-mcp[engine]'"
_NAMED = 3


def missing_packages(packages: Sequence[str]) -> str | None:
    """Which packages are missing and the command that installs them here, as half a sentence; None if all are installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if not missing:
        return None
    named = ", ".join(missing) if len(missing) <= _NAMED else f"{missing[0]} and {len(missing) - 1} more"
    return f"it needs the Python packages {named}: {sys.executable} -m {_INSTALL}"


def import_for_lyrics(name: str) -> Any:
    """A module that only some lyrics need. Raises ConfigurationError with the install command if it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise ConfigurationError(
            f"lyrics cannot be read without the package {name.partition('.')[0]} ({exc}): {_INSTALL}"
        ) from exc
