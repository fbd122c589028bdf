"""The time left, estimated from earlier jobs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from acestep_mcp.library.models import Progress
from acestep_mcp.studio.progress import MADE, RUNNING

_MIN_HISTORY = 2
_LONGEST_SHARE = 0.95
"""Of the time that a song takes to make: it may take longer than earlier ones."""


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


def with_estimate(progress: Progress, running: float, seconds: float, rates: Sequence[tuple[float, float]]) -> Progress:
    """The same progress with the seconds left; where the engine counts no steps, the time also gives the fraction.

    Arguments as for `seconds_left`.
    """
    left = seconds_left(progress, running, seconds, rates)
    if left is None or progress.fraction >= MADE:
        return replace(progress, eta=left)
    share = running / (running + left) if running + left > 0 else 0.0
    by_time = RUNNING + (MADE - RUNNING) * min(share, _LONGEST_SHARE)
    fraction = progress.fraction if progress.total and progress.total > 1 else max(progress.fraction, by_time)
    return replace(progress, fraction=fraction, eta=left)
