"""New music from a server's edited song: cut out, brought to the source's level, and joined to our own copy of the source.

The servers change the level of a whole song, also where nothing was to change.
"""

from __future__ import annotations

import numpy as np

from acestep_mcp.api.errors import GenerationFailed
from acestep_mcp.audio import Sound
from acestep_mcp.audio.splice import from_float, to_float, within_full_scale

_MOST_MISSING = 1.0
_LEAST_COMPARED = 1.0
_QUIETEST = 1e-4
_MOST_GAIN = 8.0

Span = tuple[float, float]


def new_part(source: Sound, made: Sound, part: Span, kept: list[tuple[Span, float]], seconds: float) -> Sound:
    """The `part` of the song `made`, in its seconds, as loud beside the source as it is beside the rest of `made`.

    `kept` are stretches of the source with the seconds by which they lie later in `made`, which should be `seconds` long.
    Raises GenerationFailed when it is not.
    """
    if made.seconds < seconds - _MOST_MISSING or made.seconds > seconds + max(_MOST_MISSING, seconds / 20):
        raise GenerationFailed(
            f"The server's song is {made.seconds:.1f} s long and should be {seconds:.1f} s: it has not made this edit. "
            "Try again, or update the server."
        )
    samples = _cut(made, part) * np.float32(_gain(source, made, kept))
    return from_float(within_full_scale(samples), made.sample_rate, 24)


def _cut(sound: Sound, span: Span) -> np.ndarray:
    first, last = (max(0, round(second * sound.sample_rate)) for second in span)
    return to_float(Sound(sound.pcm[first:last], sound.sample_rate, sound.bits))


def _gain(source: Sound, made: Sound, kept: list[tuple[Span, float]]) -> float:
    """How much louder the source is than the same music in `made`; 1 where that cannot be heard."""
    if sum(end - start for (start, end), _ in kept) < _LEAST_COMPARED:
        return 1.0
    ours = _level([_cut(source, span) for span, _ in kept])
    theirs = _level([_cut(made, (start + later, end + later)) for (start, end), later in kept])
    if min(ours, theirs) < _QUIETEST:
        return 1.0
    return min(max(ours / theirs, 1 / _MOST_GAIN), _MOST_GAIN)


def _level(parts: list[np.ndarray]) -> float:
    """The root mean square."""
    count = sum(part.size for part in parts)
    return float(np.sqrt(sum(float(np.square(part, dtype=np.float64).sum()) for part in parts) / max(1, count)))
