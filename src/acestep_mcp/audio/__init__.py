"""Audio as arrays and files: read, write, splice, measure. Independent of jobs, MCP and HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Sound:
    """Decoded audio.

    `pcm` is int32 [frames, channels], left-aligned: full scale is 2**31 whatever `bits` is, and the low 32 - bits
    bits are zero, so that reading and writing a 16- or 24-bit file changes no sample. `gain` is the factor by which
    `audio.read.read` turned down a file with samples above full scale; 1 for all others. `notes` say what of that file was not read.
    """

    pcm: NDArray[np.int32]
    sample_rate: int
    bits: Literal[16, 24] = 16
    gain: float = 1.0
    notes: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        return int(self.pcm.shape[1])

    @property
    def seconds(self) -> float:
        return len(self.pcm) / self.sample_rate
