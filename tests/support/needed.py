"""What tests need beside the package: a person may lack it, CI has it."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip where a person runs the tests, fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
