"""A job's progress, read from its engine's log lines."""

from __future__ import annotations

from dataclasses import replace

from acestep_mcp.api.updates import Log, step_in
from acestep_mcp.library.models import Progress


def progress_after(logs: tuple[Log, ...], before: Progress) -> Progress:
    """The progress after these log lines.

    Each stage counts from zero, but the fraction never falls; a stage with one step does not change it.
    """
    for log in reversed(logs):
        found = step_in(log.message)
        if found:
            step, total = found
            stage = log.message.split(str(step))[0].strip(" :-[(") or before.stage or "generating"
            share = min(0.97, step / total) if total > 1 else 0.0
            return Progress(max(before.fraction, share), stage[:60], step, total)
    return replace(before, queue_position=None, stage=before.stage or "starting")
