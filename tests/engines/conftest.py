import os
import sys

import pytest

NEEDED = bool(os.environ.get("ACESTEP_TESTS_NEED_ENGINE"))  # read here: it is gone while a test runs
MAY_BE_ABSENT = ("torchao", "ACESTEP_LYRIC_VOCAB does not name")


def _meant(report):
    """Where the engine must be tested, a test of it that skips is one that failed."""
    if NEEDED and "ace_step" in report.nodeid and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not any(words in reason for words in MAY_BE_ABSENT):
            report.outcome = "failed"
            report.longrepr = f"ACESTEP_TESTS_NEED_ENGINE is set, but: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return _meant((yield))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return _meant((yield))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """The tests' models are so small that threads wait for each other longer than they work."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
