"""The time left, by the measured history of earlier jobs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from acestep_mcp.api.requests import TextToAudio
from acestep_mcp.library.models import Progress

DEFAULT_LENGTH = float(TextToAudio.model_fields["duration"].default)
_MIN_HISTORY = 2


def seconds_left(
    progress: Progress, running: float, seconds: float, rates: Sequence[tuple[float, float]]
) -> float | None:
    """By the median pace of earlier jobs, corrected by how far this one is; None without two of them.

    `running` is how long it has run, `seconds` its length, `rates` (run time, length) of earlier jobs.
    """
    if len(rates) < _MIN_HISTORY or progress.queue_position is not None:
        return None
    expected = statistics.median(run / length for run, length in rates) * seconds
    if progress.fraction > 0.1:
        expected = (expected + running / progress.fraction) / 2
    return max(0.0, expected - running)
