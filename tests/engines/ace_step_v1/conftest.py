import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """A small random checkpoint in the published layout."""
    pytest.importorskip("torch", reason="the engine's packages are not installed")
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        from checkpoint import make_checkpoint
    finally:
        sys.path.pop(0)
    folder = tmp_path_factory.mktemp("checkpoint")
    make_checkpoint(folder)
    return folder
