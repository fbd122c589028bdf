"""Check that an edit changed only its span: compare the samples outside it with the source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from acestep_mcp.api.edits import UnchangedSpan
from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.library.models import Job

if TYPE_CHECKING:
    from acestep_mcp.audio import Sound


def unchanged_outside(job: Job, result: Sound) -> bool | None:
    """Whether every sample outside the edited span and its seams is the source's; None where that cannot be compared.

    It cannot when the source is missing, when rate or channels differ, or for a remix, which changes everything.
    """
    if job.options.source is None:
        return None
    source = _read(Path(job.options.source))
    if source is None or (source.sample_rate, source.channels) != (result.sample_rate, result.channels):
        return None
    edit = BY_ID[job.endpoint].edit(job.request, source.seconds)
    if not edit.unchanged:
        return None
    if edit.same_length and len(result.pcm) != len(source.pcm):
        return False
    return all(_is_same(span, source, result) for span in edit.unchanged)


def _is_same(span: UnchangedSpan, source: Sound, result: Sound) -> bool:
    import numpy as np

    start, end, shift = (round(seconds * source.sample_rate) for seconds in (span.start, span.end, span.shift))
    return bool(np.array_equal(source.pcm[start:end], result.pcm[start + shift : end + shift]))


def _read(path: Path) -> Sound | None:
    from acestep_mcp.audio.read import read

    try:
        return read(path)
    except InvalidRequest:
        return None
