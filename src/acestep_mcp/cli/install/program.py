"""The command with which a host starts this copy of the program."""

from __future__ import annotations

import json
import shutil
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

_PACKAGE = "acestep-mcp"


def command() -> list[str]:
    """The program of a lasting environment, by its path: a host that was not started in a terminal has another PATH.

    An environment that uv made for one run is gone tomorrow: then uv makes another one, from the clone or from the index.
    """
    folder = Path(sys.executable).parent
    if not _is_temporary(folder):
        program = folder / (f"{_PACKAGE}.exe" if sys.platform == "win32" else _PACKAGE)
        return [str(program)] if program.is_file() else [sys.executable, "-m", "acestep_mcp"]
    clone = _clone()
    return [shutil.which("uvx") or "uvx", *(["--from", str(clone)] if clone else []), _PACKAGE]


def _is_temporary(folder: Path) -> bool:
    """It lies in a cache, which has a tag at its root (https://bford.info/cachedir/)."""
    return any((parent / "CACHEDIR.TAG").is_file() for parent in folder.parents)


def _clone() -> Path | None:
    """The folder that this copy was installed from, if it was not an index."""
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        text = distribution(_PACKAGE).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    address = urlsplit(json.loads(text)["url"]) if text else None
    return Path(url2pathname(address.path)) if address and address.scheme == "file" else None
