import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkpoint15(tmp_path_factory) -> Callable[..., Path]:
    """Gives the folder of a small random model: `kind` is turbo or base, `covers` with the audio tokenizer."""
    pytest.importorskip("torch", reason="the engine's packages are not installed")
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        from checkpoint15 import make_checkpoint
    finally:
        sys.path.pop(0)
    made: dict[tuple[str, bool], Path] = {}

    def checkpoint(kind: str = "turbo", *, covers: bool = False) -> Path:
        if (kind, covers) not in made:
            made[kind, covers] = tmp_path_factory.mktemp("checkpoint15")
            make_checkpoint(made[kind, covers], kind=kind, covers=covers)
        return made[kind, covers]

    return checkpoint
