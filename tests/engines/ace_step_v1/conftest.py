from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """A small random checkpoint in the published layout."""
    pytest.importorskip("torch", reason="the engine's packages are not installed")
    from tests.engines.ace_step_v1.checkpoint import make_checkpoint

    folder = tmp_path_factory.mktemp("checkpoint")
    make_checkpoint(folder)
    return folder
