"""Check that an edit changed only its span: compare the samples outside it with the source."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.library.models import Job

if TYPE_CHECKING:
    from acestep_mcp.api.edits import Edit
    from acestep_mcp.audio import Sound

_BLOCK_SECONDS = 10
_ROUNDING = 1e-6


def comparison(job: Job, result: Sound, gain: float = 1.0) -> dict[str, Any]:
    """The checks `unchanged_outside` and `outside_difference`; empty where nothing can be compared.

    The difference is relative to the source's level there: `-31.4 dB`, or `-inf dB (identical)` where every sample is the
    source's; it is absent where the source is not in its place. Compared are the files' own samples, each before it was turned down: a source that
    goes above full scale is turned down by our own engines, and only then as much as the result. `gain` is the factor by
    which the host's file was turned down when it was saved. In a lossy format no sample stays the same, so only the
    difference is told.
    """
    found = _difference(job, result, gain)
    if found is None:
        return {}
    told: dict[str, Any] = {} if job.options.format in ("mp3", "ogg") else {"unchanged_outside": found == -math.inf}
    if found < math.inf:
        told["outside_difference"] = "-inf dB (identical)" if found == -math.inf else f"{found:.1f} dB"
    return told


def _difference(job: Job, result: Sound, gain: float) -> float | None:
    """In dB: -inf for identical samples, inf where the source is not in its place.

    None where nothing can be compared: the source is missing, rate or channels differ, nothing lies outside the edit,
    or it is a remix, which changes everything.
    """
    source = _read(Path(job.options.source)) if job.options.source else None
    if source is None or (source.sample_rate, source.channels) != (result.sample_rate, result.channels):
        return None
    edit = BY_ID[job.endpoint].edit(job.request, source.seconds)
    if edit.same_length and len(result.pcm) != len(source.pcm):
        return math.inf
    # Our own engines turn a source down before they edit it; another host gets the file as it is.
    source_gain = source.gain if job.backend == "fal" else 1.0
    return _relative_level(edit, source, result, source_gain, result.gain * gain)


def _relative_level(edit: Edit, source: Sound, result: Sound, source_gain: float, result_gain: float) -> float | None:
    import numpy as np

    energy = differs = count = 0.0
    for old, new in _outside(edit, source, result):
        if len(new) < len(old):
            return math.inf
        count += old.size
        energy += float(np.square(old / source_gain).sum())
        if source_gain != result_gain or not np.array_equal(old, new):
            differs += float(np.square(new / result_gain - old / source_gain).sum())
    if not count:
        return None
    if not differs:
        return -math.inf
    return 10 * math.log10(differs / (energy or count))


def _outside(edit: Edit, source: Sound, result: Sound) -> Iterator[tuple[Any, Any]]:
    """The source's samples that must stay, and those in their place in the result, in blocks. Full scale is 1."""
    rate, scale = source.sample_rate, 2.0**-31
    for span in edit.unchanged:
        first, last = (math.ceil(seconds * rate - _ROUNDING) for seconds in (span.start, span.end))
        shift = round(span.shift * rate)
        for start in range(first, last, _BLOCK_SECONDS * rate):
            end = min(last, start + _BLOCK_SECONDS * rate)
            yield source.pcm[start:end] * scale, result.pcm[start + shift : end + shift] * scale


def _read(path: Path) -> Sound | None:
    from acestep_mcp.audio.read import read

    try:
        return read(path)
    except InvalidRequest:
        return None
