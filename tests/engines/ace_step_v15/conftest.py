from collections.abc import Callable
from pathlib import Path

import pytest


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
