import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """A small random checkpoint in the published layout."""
    torch = pytest.importorskip("torch", reason="the engine's packages are not installed")
    # The tests' model is so small that threads wait for each other longer than they work.
    torch.set_num_threads(1)
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        from checkpoint import make_checkpoint
    finally:
        sys.path.pop(0)
    folder = tmp_path_factory.mktemp("checkpoint")
    make_checkpoint(folder)
    return folder
