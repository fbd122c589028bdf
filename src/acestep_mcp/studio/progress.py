"""A job's progress, read from its engine's log lines."""

from __future__ import annotations

from dataclasses import replace

from acestep_mcp.api.updates import Log, step_in
from acestep_mcp.library.models import Progress

RUNNING = 0.1
"""The fraction when the engine starts."""
MADE = 0.9
"""The fraction when the song is made and only has to be saved."""
SAVING = Progress(MADE + 0.02, "saving the song")

_STAGE_SHARE = 0.3


def progress_after(logs: tuple[Log, ...], before: Progress) -> Progress:
    """The progress after these log lines.

    Each stage counts from zero, but the fraction never falls. A new stage with one step goes part of the remaining way.
    """
    fraction, stage = max(before.fraction, RUNNING), before.stage
    counted: tuple[int, int] | None = None
    for log in logs:
        if found := step_in(log.message):
            counted = step, total = found
            new = log.message.split(str(step))[0].strip(" :-[(")[:60] or stage or "generating"
            if total > 1:
                fraction = max(fraction, RUNNING + (MADE - RUNNING) * step / total)
            elif new != stage:
                fraction += _STAGE_SHARE * max(0.0, MADE - fraction)
            stage = new
    if counted:
        return Progress(fraction, stage, *counted)
    return replace(before, fraction=fraction, queue_position=None, stage=stage or "starting")
