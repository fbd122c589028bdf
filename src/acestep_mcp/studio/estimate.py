"""The time left, estimated from earlier jobs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from acestep_mcp.library.models import Progress

_MIN_HISTORY = 2


def seconds_left(
    progress: Progress, running: float, seconds: float, rates: Sequence[tuple[float, float]]
) -> float | None:
    """The median pace of earlier jobs, corrected by this job's progress; None with fewer than two of them.

    All in seconds: `running` since the job started, `seconds` of audio, `rates` (run time, length) of earlier jobs.
    """
    if len(rates) < _MIN_HISTORY or progress.queue_position is not None:
        return None
    expected = statistics.median(run / length for run, length in rates) * seconds
    if progress.fraction > 0.1:
        expected = (expected + running / progress.fraction) / 2
    return max(0.0, expected - running)
