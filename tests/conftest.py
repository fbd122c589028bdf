"""Fixtures for all tests: the event loop, and an environment isolated from the user's settings."""

from __future__ import annotations

import functools
import gc
import itertools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from acestep_mcp.engine_server import upstream
from tests.support.ray_cluster import HOW, PYTHON, Cluster, cluster

upstream.USUAL = ()  # no test finds the servers that this person runs
OURS = ("ACESTEP_", "FAL_KEY")
PLACES = ("ACESTEP_MUSIC_DIR", "ACESTEP_DATA_DIR", "XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA")
WRITES = frozenset({"process", "torch", "slow"})
ROOT = Path(__file__).parents[1]
# Each of several workers would otherwise start a thread for every processor at each small matrix product, and wait for it:
# 10 ms instead of 0.8 for the tempo of a short song. It counts only before NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# The same for torch: beside other workers its tests take a quarter less time with one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Processes that tests start find the helpers by the same names as the tests do.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


TORCH = ROOT / "tests" / "engines"
MARKED = re.compile(r"^pytestmark = .*\bpytest\.mark\.(process|slow|torch)\b", re.MULTILINE)
LONGEST_ID = 60
_numbers = itertools.count()
_running: dict[str, str] = {}
_frozen: set[str] = set()


_start = subprocess.Popen.__init__


@functools.wraps(_start)
def _noted_start(process: subprocess.Popen[Any], *args: Any, **options: Any) -> None:
    """Processes are slow to start, so the plain suite leaves out the tests that start one.

    An audit hook would tell it as well, but takes its time at every event of the interpreter.
    """
    if "unmarked" in _running:
        _running["started"] = _running["unmarked"]
    _start(process, *args, **options)


subprocess.Popen.__init__ = _noted_start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that starts a process, or imports torch, without carrying the mark that says so."""
    _running.clear()
    if item.get_closest_marker("process") is None and item.get_closest_marker("slow") is None:
        _running["unmarked"] = item.nodeid
    had_torch = "torch" in sys.modules
    if had_torch and "torch" not in _frozen:
        _freeze("torch")
    result = yield
    if "started" in _running:
        pytest.fail("it starts a process: give it the mark `process`", pytrace=False)
    if not had_torch and "torch" in sys.modules and item.get_closest_marker("torch") is None:
        pytest.fail("it imports torch: give it the mark `torch`", pytrace=False)
    return result


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what the default run would import only to deselect all of it, which takes seconds."""
    left_out = config.option.markexpr
    if "not torch" in left_out and collection_path.parent == TORCH and collection_path.name.startswith("ace_step_"):
        return True
    # A file that is named on the command line is collected, so that pytest says what it deselects.
    if config.args_source is not config.ArgsSource.TESTPATHS or not collection_path.match("test_*.py"):
        return None
    mark = MARKED.search(collection_path.read_text("utf-8"))
    return True if mark and f"not {mark[1]}" in left_out else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of a model needs torch. Long tests come first, so that no worker is left alone with one at the end."""
    for item in items:
        if item.path.is_relative_to(TORCH) and item.path.parent.name.startswith("ace_step_"):
            item.add_marker("torch")
    items.sort(key=lambda item: not (item.get_closest_marker("xdist_group") or item.get_closest_marker("timeout")))


def pytest_collection_finish() -> None:
    _freeze("collected")
    # It counts what is not frozen, which is little: by default it would now look at everything far more often.
    gc.set_threshold(20_000, 20, 20)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Collect once what is left. pytest does it ten times at the end, through everything that the tests imported."""
    _freeze("end")


def _freeze(what: str) -> None:
    """What was collected and imported stays to the end: the garbage collector need not walk through it again and again."""
    _frozen.add(what)
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(val: object) -> str | None:
    """A short id where pytest's would be the whole of a long text: it is part of every report, and of the environment."""
    if isinstance(val, str | bytes) and len(val) > LONGEST_ID:
        return f"{val[:LONGEST_ID]!r} and {len(val) - LONGEST_ID} more".encode("ascii", "backslashreplace").decode()
    return None


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder of its own. pytest's fixture searches all earlier folders for a free number, which adds up to seconds."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    folder = tmp_path_factory.getbasetemp() / f"{next(_numbers)}-{name}"
    folder.mkdir()
    return folder


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


@pytest.fixture(scope="session")
def unused_environment(
    environment_in: Callable[[Path], dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """For the tests that write nothing: making folders for each of thousands takes seconds."""
    return environment_in(tmp_path_factory.mktemp("unused"))


@pytest.fixture(scope="session", autouse=True)
def nobodys_settings(unused_environment: dict[str, str]) -> Iterator[None]:
    """No test reads or writes what belongs to the person who runs it, in this process either."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(OURS)]:
            patch.delenv(name)
        for name in PLACES:
            patch.setenv(name, unused_environment[name])
        yield


@pytest.fixture(autouse=True)
def isolated(request: pytest.FixtureRequest, unused_environment: dict[str, str]) -> Iterator[None]:
    """A test that may write has folders of its own; the others share some in which nothing may be written."""
    writes = "tmp_path" in request.fixturenames or any(mark.name in WRITES for mark in request.node.iter_markers())
    if writes:
        environment, monkeypatch = (request.getfixturevalue(name) for name in ("environment", "monkeypatch"))
        for name in PLACES:
            monkeypatch.setenv(name, environment[name])
    yield
    if not writes:
        written = [
            name for name in ("ACESTEP_MUSIC_DIR", "ACESTEP_DATA_DIR") if os.path.exists(unused_environment[name])
        ]
        for name in written:
            shutil.rmtree(unused_environment[name])
        assert not written, "it writes files: give it the fixture `tmp_path`, and it gets folders of its own"


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Cluster]:
    """A Ray cluster of four processors for all tests."""
    if PYTHON is None:
        pytest.skip(HOW)
    with cluster(PYTHON, cpus=4) as running:
        yield running
