"""How long and how much: the length a request asks for, its price, and the time left by measured history."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from acestep_mcp.api.requests import LONGEST, AudioOutpaint, PromptToAudio, Request, TextToAudio
from acestep_mcp.library.models import Progress

UNKNOWN_LENGTH = float(LONGEST)
"""Seconds reserved for a song whose length only its host will know: the longest it can be."""
DEFAULT_LENGTH = float(TextToAudio.model_fields["duration"].default)
_MIN_HISTORY = 2


def length(request: Request, source_seconds: float | None) -> float:
    """Seconds of audio in the result. Edits are counted at the whole result's length, as they are billed."""
    match request:
        case TextToAudio() | PromptToAudio():
            return request.duration
        case AudioOutpaint():
            return request.extend_before_duration + (source_seconds or UNKNOWN_LENGTH) + request.extend_after_duration
    return source_seconds or UNKNOWN_LENGTH


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
