"""Fixtures for all tests: the event loop, and an environment isolated from the user's settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

OURS = ("ACESTEP_", "FAL_KEY")
ROOT = Path(__file__).parents[1]
# Processes that tests start find the helpers by the same names as the tests do.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


TORCH = ROOT / "tests" / "engines"
_running: dict[str, str] = {}


def _watch(event: str, _: object) -> None:
    """An audit hook: processes are slow to start, so the plain suite leaves out the tests that start one."""
    if event == "subprocess.Popen" and "unmarked" in _running:
        _running["started"] = _running["unmarked"]


sys.addaudithook(_watch)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that starts a process, or imports torch, without carrying the mark that says so."""
    _running.clear()
    if item.get_closest_marker("process") is None and item.get_closest_marker("slow") is None:
        _running["unmarked"] = item.nodeid
    had_torch = "torch" in sys.modules
    result = yield
    if "started" in _running:
        pytest.fail("it starts a process: give it the mark `process`", pytrace=False)
    if not had_torch and "torch" in sys.modules and item.get_closest_marker("torch") is None:
        pytest.fail("it imports torch: give it the mark `torch`", pytrace=False)
    return result


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without the tests that need torch their modules are not imported either, which takes seconds."""
    is_model = collection_path.parent == TORCH and collection_path.name.startswith("ace_step_")
    return True if is_model and "not torch" in config.option.markexpr else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of a model needs torch."""
    for item in items:
        if item.path.is_relative_to(TORCH) and item.path.parent.name.startswith("ace_step_"):
            item.add_marker("torch")


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
