import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

NEEDED = bool(os.environ.get("ACESTEP_TESTS_NEED_ENGINE"))  # read here, since tests run without it
# The test models are too small to benefit from threads, and an engine runs in a thread that does not have the limit that
# PyTorch was given in another. Processes that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
MAY_BE_ABSENT = ("torchao", "ACESTEP_LYRIC_VOCAB does not name")


def _fail_if_skipped(report):
    """Where the engine must be tested, its skipped tests count as failed."""
    if NEEDED and "ace_step" in report.nodeid and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not any(words in reason for words in MAY_BE_ABSENT):
            report.outcome = "failed"
            report.longrepr = f"ACESTEP_TESTS_NEED_ENGINE is set, but: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return _fail_if_skipped((yield))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return _fail_if_skipped((yield))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """The limit above, where PyTorch was imported before this file."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """A small random checkpoint in the published layout."""
    pytest.importorskip("torch", reason="the engine's packages are not installed")
    from tests.engines.ace_step_v1.checkpoint import make_checkpoint

    folder = tmp_path_factory.mktemp("checkpoint")
    make_checkpoint(folder)
    return folder


@pytest.fixture(scope="session")
def checkpoint15(tmp_path_factory) -> Callable[..., Path]:
    """A function that returns the folder of a small random model. `covers`: with the audio tokenizer."""
    pytest.importorskip("torch", reason="the engine's packages are not installed")
    from tests.engines.ace_step_v15.checkpoint15 import make_checkpoint

    made: dict[tuple[str, bool], Path] = {}

    def checkpoint(kind: str = "turbo", *, covers: bool = False) -> Path:
        if (kind, covers) not in made:
            made[kind, covers] = tmp_path_factory.mktemp("checkpoint15")
            make_checkpoint(made[kind, covers], kind=kind, covers=covers)
        return made[kind, covers]

    return checkpoint
