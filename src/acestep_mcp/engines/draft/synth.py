"""A small General MIDI synthesiser in NumPy, for machines where the SoundFont renderer has no build."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.engines.draft.score import Part


def synthesise(parts: Sequence[Part], seconds: float, rate: int) -> NDArray[np.float32]:
    """The parts as float32 [frames, 2] lasting `seconds`."""
    out = np.zeros((round(seconds * rate), 2), np.float32)
    for part in parts:
        for note in part.notes:
            start = round(note.start * rate)
            t = np.arange(round((note.end - note.start) * rate)) / rate
            tone = (
                0.1 * note.velocity / 127 * np.sin(2 * np.pi * 440 * 2 ** ((note.pitch - 69) / 12) * t) * np.exp(-3 * t)
            )
            out[start : start + len(tone)] += tone[: len(out) - start, None].astype(np.float32)
    return out
