"""Check that an edit changed only its span: compare the samples outside it with the source."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.files import open_resolved
from acestep_mcp.library.models import Job

if TYPE_CHECKING:
    from acestep_mcp.api.edits import Edit
    from acestep_mcp.audio import Sound

_BLOCK_SECONDS = 10
_ROUNDING = 1e-6
_SEAM_SECONDS = 0.3
_ODD, _BREAK = 15.0, 20.0
"""Decibels."""


def comparison(job: Job, result: Sound, gain: float = 1.0) -> dict[str, Any]:
    """The checks of an edit; empty where nothing can be compared.

    `outside_difference` and `unchanged_outside` prove that it stayed local, `inside_difference` says how much the window
    changed, and `seams` how much the level jumps where old and new music meet.

    Nothing can where the source is missing, rate or channels differ, nothing lies outside the edit, or it is a remix,
    which changes everything. The difference is relative to the source's level there: `-31.4 dB`, or `-inf dB (identical)`
    where every sample is the source's. Compared are the files' own samples, each before it was turned down: a source
    that goes above full scale is turned down by our own engines, and only then as much as the result. `gain` is the factor
    by which the host's file was turned down when it was saved. In a lossy format no sample stays the same, so only the
    difference is reported.
    """
    source = _read(Path(job.options.source)) if job.options.source else None
    if source is None or (source.sample_rate, source.channels) != (result.sample_rate, result.channels):
        return {}
    edit = BY_ID[job.endpoint].edit(job.request, source.seconds)
    # Our own engines turn a source down before they edit it; another host gets the file as it is.
    source_gain = source.gain if job.backend == "fal" else 1.0
    found = _relative_level(_outside(edit, source, result), source_gain, result.gain * gain)
    if found is None:
        return {}
    told: dict[str, Any] = {"outside_difference": _decibels(found)}
    inside = _relative_level(_inside(edit, source, result), source_gain, result.gain * gain)
    told |= {"inside_difference": _decibels(inside)} if inside is not None else {}
    if jumps := _jumps(edit, source, result):
        told["seams"] = [jump.told() for jump in jumps]
        told |= {"odd_seams": odd} if (odd := [round(jump.at, 1) for jump in jumps if jump.is_odd()]) else {}
    if job.options.format not in ("mp3", "ogg"):
        has_its_length = not edit.same_length or len(result.pcm) == len(source.pcm)
        told["unchanged_outside"] = found == -math.inf and has_its_length
    return told


def _decibels(level: float) -> str:
    return f"{level:.1f} dB" if math.isfinite(level) else "-inf dB (identical)"


def _relative_level(pairs: Iterator[tuple[Any, Any]], source_gain: float, result_gain: float) -> float | None:
    """The level of what differs in dB of the source's, or of full scale where that is silent; -inf: nothing differs."""
    import numpy as np

    energy = differs = count = 0.0
    for old, new in pairs:
        count += old.size
        energy += float(np.square(old / source_gain).sum())
        if source_gain != result_gain or not np.array_equal(old, new):
            differs += float(np.square(new / result_gain - old / source_gain).sum())
    if not count:
        return None
    return 10 * math.log10(differs / (energy or count)) if differs else -math.inf


def _outside(edit: Edit, source: Sound, result: Sound) -> Iterator[tuple[Any, Any]]:
    """The source's samples that must stay, and those in their place in the result, in blocks. Full scale is 1.

    Where the result has ended already, it is silent.
    """
    import numpy as np

    rate, scale = source.sample_rate, 2.0**-31
    for span in edit.unchanged:
        first, last = (math.ceil(seconds * rate - _ROUNDING) for seconds in (span.start, span.end))
        shift = round(span.shift * rate)
        for start in range(first, last, _BLOCK_SECONDS * rate):
            end = min(last, start + _BLOCK_SECONDS * rate)
            old, new = source.pcm[start:end], result.pcm[start + shift : end + shift]
            yield old * scale, np.pad(new, ((0, len(old) - len(new)), (0, 0))) * scale


def _inside(edit: Edit, source: Sound, result: Sound) -> Iterator[tuple[Any, Any]]:
    """The samples between the parts that must stay, in the source and in the result; none if the length changes."""
    if not edit.same_length or len(edit.unchanged) != 2 or len(source.pcm) != len(result.pcm):
        return
    first, last = (round(seconds * source.sample_rate) for seconds in (edit.unchanged[0].end, edit.unchanged[1].start))
    if last > first:
        yield source.pcm[first:last] * 2.0**-31, result.pcm[first:last] * 2.0**-31


@dataclass(frozen=True, slots=True)
class _Jump:
    """Where old and new music meet: the second, how many dB louder the music is after it than before, and than it was there.

    inf: from silence, -inf: to silence. `was` is None where the source ends.
    """

    at: float
    louder: float
    was: float | None

    def told(self) -> str:
        if math.isfinite(self.louder):
            return f"{self.at:.1f} s: {self.louder:+.1f} dB"
        return f"{self.at:.1f} s: {'from' if self.louder > 0 else 'to'} silence"

    def is_odd(self) -> bool:
        """Far more of a jump than the source has there; where the source ends, more than songs have inside."""
        if self.was is None:
            return abs(self.louder) > _BREAK
        return self.louder != self.was and abs(self.louder - self.was) > _ODD


def _jumps(edit: Edit, source: Sound, result: Sound) -> list[_Jump]:
    rate, found = result.sample_rate, []
    places = {place + span.shift: place for span in edit.unchanged for place in (span.start, span.end)}
    for at, before in sorted(places.items()):
        louder = _louder_after(result, round(at * rate))
        if louder is not None:
            found.append(_Jump(at, louder, _louder_after(source, round(before * rate))))
    return found


def _louder_after(sound: Sound, sample: int) -> float | None:
    """How many dB louder the moments after the sample are than those before; None where one of them is missing or both are silent."""
    import numpy as np

    around = int(_SEAM_SECONDS * sound.sample_rate)
    parts = sound.pcm[max(0, sample - around) : sample], sound.pcm[sample : sample + around]
    if min(len(part) for part in parts) < around:
        return None
    before, after = (float(np.mean(np.square(part * 2.0**-31))) for part in parts)
    if not before or not after:
        return None if before == after else math.inf if after else -math.inf
    return 10 * math.log10(after / before)


def _read(path: Path) -> Sound | None:
    from acestep_mcp.audio.read import read

    try:
        with open_resolved(path) as file:
            return read(file)
    except (InvalidRequest, OSError):
        return None
