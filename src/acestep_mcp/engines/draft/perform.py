"""Playing the parts of a score, with a step for each call of the renderer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from acestep_mcp.engines import Step
from acestep_mcp.engines.draft.render import RATE, Renderer, chunks, perform
from acestep_mcp.engines.draft.score import Part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def played(parts: Sequence[Part], renderer: Renderer, out: NDArray[np.float32], start: float = 0.0) -> Iterator[Step]:
    """Play the notes that begin within `out`, which begins at `start` seconds, into it."""
    work = chunks(parts, start, start + len(out) / RATE)
    for done in perform(work, renderer, out, start):
        yield Step("rendering", done, max(1, len(work)))
