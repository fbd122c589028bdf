"""Check that an edit changed only its span: compare the samples outside it with the source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from acestep_mcp.api.edits import inpaint_window
from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint
from acestep_mcp.library.models import Job

if TYPE_CHECKING:
    from acestep_mcp.audio import Sound

SEAM = 0.06
"""Seconds next to an edge that may differ: two crossfades of 30 ms."""


def unchanged_outside(job: Job, result: Sound) -> bool | None:
    """Whether every sample outside the span and its seams equals the source's; None if that cannot be compared.

    It cannot when the source is missing, when rate or channels differ, or for a remix, which changes everything.
    """
    request = BY_ID[job.endpoint].request.parse(job.request)
    if not isinstance(request, AudioInpaint | AudioOutpaint) or "source" not in job.options:
        return None
    source = _read(Path(job.options["source"]))
    if source is None or (source.sample_rate, source.channels) != (result.sample_rate, result.channels):
        return None
    rate = result.sample_rate
    if isinstance(request, AudioOutpaint):
        begin = round(request.extend_before_duration * rate)
        seam = round(SEAM * rate)
        return _same(source, result, seam, len(source.pcm) - seam, begin)
    window = inpaint_window(request, source.seconds)
    first, last = round((window.start - SEAM) * rate), round((window.end + SEAM) * rate)
    return (
        len(result.pcm) == len(source.pcm)
        and _same(source, result, 0, max(0, first), 0)
        and _same(source, result, min(last, len(source.pcm)), len(source.pcm), 0)
    )


def _same(source: Sound, result: Sound, start: int, end: int, shift: int) -> bool:
    import numpy as np

    return bool(np.array_equal(source.pcm[start:end], result.pcm[start + shift : end + shift]))


def _read(path: Path) -> Sound | None:
    from acestep_mcp.audio.read import read

    try:
        return read(path)
    except InvalidRequest:
        return None
