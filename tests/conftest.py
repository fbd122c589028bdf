"""Fixtures for all tests: the event loop, and an environment isolated from the user's settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

OURS = ("ACESTEP_", "FAL_KEY")
ROOT = Path(__file__).parents[1]
# Processes that tests start find the helpers by the same names as the tests do.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def environment_in() -> Callable[[Path], dict[str, str]]:
    """The environment for a real process: folders of its own below one folder, no key, a home with nothing in it."""

    def environment(folder: Path) -> dict[str, str]:
        home = folder / "home"
        home.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        return kept | {
            "ACESTEP_MUSIC_DIR": str(folder / "music"),
            "ACESTEP_DATA_DIR": str(folder / "data"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "APPDATA": str(home / "config"),
            "LOCALAPPDATA": str(home / "config"),
            "HOME": str(home),
            "USERPROFILE": str(home),
            "PYTHONUTF8": "1",
            "PYTHONPATH": os.pathsep.join(part for part in sys.path if part),
        }

    return environment


@pytest.fixture
def environment(environment_in: Callable[[Path], dict[str, str]], tmp_path: Path) -> dict[str, str]:
    return environment_in(tmp_path)


@pytest.fixture(autouse=True)
def isolated(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes what belongs to the person who runs it, in this process either."""
    for name in list(os.environ):
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    for name in ("ACESTEP_MUSIC_DIR", "ACESTEP_DATA_DIR", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.setenv(name, environment[name])
