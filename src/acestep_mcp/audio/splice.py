r"""Join new music to a song on the song's integer samples: outside the new part and its seams nothing changes.

A seam is an equal-power crossfade (cosine out, sine in). Musical events begin at the edges of a window, so a seam
lies before an edge wherever there is new music to put there:

    inpaint    source ----\ /---- new music ------\ /---- source
                           X                      X
             from start - lead, fade long    [end - fade, end)

    outpaint   without overlap the seams lie wholly in the new parts, which are mixed there with a mirror image of
               the song's first or last moments; with overlap they lie in the song, under the new music.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio import Sound
from acestep_mcp.audio.decoder import quantised, rounded
from acestep_mcp.audio.resample import blocks_of, collected, resampled

FADE = 0.030
FULL_SCALE = 2.0**31


def to_float(sound: Sound) -> NDArray[np.float32]:
    """Samples [frames, channels] with full scale 1.0; exact for 16 and 24 bits."""
    return np.multiply(sound.pcm, np.float32(1 / FULL_SCALE), dtype=np.float32)


def from_float(samples: NDArray[Any], sample_rate: int, bits: int) -> Sound:
    """Samples [frames] or [frames, channels] as a Sound: rounded half to even, clipped, no dither.

    `from_float(to_float(sound), ...)` gives the same samples.
    """
    return Sound(quantised(columns(samples), bits), sample_rate, 24 if bits == 24 else 16)


def columns(samples: NDArray[Any]) -> NDArray[Any]:
    """Samples [frames] or [frames, channels] as [frames, channels]."""
    return samples[:, None] if samples.ndim == 1 else samples


def conform(sound: Sound, like: Sound) -> Sound:
    """The same music at the rate, channel count and depth of `like`; mono from stereo is the mean of both."""
    result = _with_channels(sound, like.channels)
    if result.sample_rate != like.sample_rate:
        return Sound(_resampled(result, like), like.sample_rate, like.bits)
    if result.bits > like.bits:
        result = replace(result, pcm=rounded(result.pcm, like.bits))
    return replace(result, bits=like.bits)


def _resampled(sound: Sound, like: Sound) -> NDArray[np.int32]:
    """Its samples at the rate and depth of `like`, where only a block at a time is a float."""
    floats = (to_float(replace(sound, pcm=block)) for block in blocks_of(sound.pcm))
    new = resampled(floats, sound.sample_rate, like.sample_rate, sound.channels)
    most = len(sound.pcm) * like.sample_rate // sound.sample_rate + 1
    return collected((quantised(block, like.bits) for block in new), most, like=sound.pcm)


def inpaint(source: Sound, new: Sound, start: float, end: float, *, fade: float = FADE, lead: float = 0.0) -> Sound:
    """Replace the stretch from `start` to `end` seconds of `source` by `new`, which is conformed first.

    `new` begins `lead` seconds before `start` (a pre-roll of up to `fade` keeps a first beat's attack whole, since
    the seam then lies before the window). Music of `new` past `end` is not used; where it ends before, the song
    comes back that much earlier. The seams take `fade` seconds each, or half the window if that is shorter; at the
    song's very beginning and end there is none. Every sample outside `[start - min(lead, fade), end)` is the
    source's own. The result is exactly as long as the source.
    """
    rate = source.sample_rate
    music = conform(new, source).pcm
    first, last = _window(source, start, end)
    seam = min(round(fade * rate), (last - first) // 2)
    before = min(round(lead * rate), first)
    music = music[round(lead * rate) - before :]
    last = min(last, first - before + len(music))
    pre_roll = min(before, seam)
    first, music = first - pre_roll, music[before - pre_roll :]
    if last <= first:
        return source
    pcm = source.pcm.copy()
    pcm[first:last] = _blended(source.pcm[first:last], music[: last - first], seam, source, first, last)
    return replace(source, pcm=pcm)


def outpaint(
    source: Sound, before: Sound | None, after: Sound | None, *, fade: float = FADE, overlap: float = 0.0
) -> Sound:
    """Put new music before and after `source`; both are conformed to it first.

    The inner `overlap` seconds of `before` and `after` lie over the song's first and last moments, so the result is
    as long as all parts less `overlap` for each new one. The seams take up to `fade` seconds. Without overlap every
    sample of `source` stays as it is; with it all but those under the seams.
    """
    rate = source.sample_rate
    over, wanted = round(overlap * rate), round(fade * rate)
    head = None if before is None else conform(before, source).pcm
    tail = None if after is None else conform(after, source).pcm
    result = source.pcm
    if tail is not None and len(tail):
        result = _appended(result, tail, over, wanted, source.bits)
    if head is not None and len(head):
        result = _appended(result[::-1], head[::-1], over, wanted, source.bits)[::-1]
    return replace(source, pcm=np.ascontiguousarray(result))


def _window(source: Sound, start: float, end: float) -> tuple[int, int]:
    first, last = (min(max(round(t * source.sample_rate), 0), len(source.pcm)) for t in (start, end))
    return first, max(first, last)


def _blended(
    old: NDArray[np.int32], new: NDArray[np.int32], seam: int, source: Sound, first: int, last: int
) -> NDArray[np.int32]:
    """The window's new samples, with the old ones fading out at its beginning and in at its end."""
    seam = min(seam, len(new) // 2)
    result = new.copy()
    if first > 0 and seam:
        result[:seam] = _crossfade(old[:seam], new[:seam], source.bits)
    if last < len(source.pcm) and seam:
        result[-seam:] = _crossfade(new[-seam:], old[-seam:], source.bits)
    return result


def _appended(
    song: NDArray[np.int32], tail: NDArray[np.int32], overlap: int, fade: int, bits: int
) -> NDArray[np.int32]:
    """The song with `tail` after it; the first `overlap` frames of `tail` lie over the song's end."""
    overlap = min(overlap, len(song), len(tail))
    if overlap:
        seam = min(fade, overlap)
        end = len(song)
        mixed = _crossfade(song[end - seam :], tail[overlap - seam : overlap], bits)
        return np.concatenate([song[: end - seam], mixed, tail[overlap:]])
    seam = min(fade, len(song), len(tail))
    mirror = song[len(song) - seam :][::-1]
    return np.concatenate([song, _crossfade(mirror, tail[:seam], bits), tail[seam:]])


def _crossfade(old: NDArray[np.int32], new: NDArray[np.int32], bits: int) -> NDArray[np.int32]:
    """Equal power from `old` to `new` over their length; the ends are nearly one or the other, never silence."""
    angle = (np.arange(len(old)) + 0.5) / max(1, len(old)) * (np.pi / 2)
    mixed = old * np.cos(angle)[:, None] + new * np.sin(angle)[:, None]
    return quantised(mixed / FULL_SCALE, bits)


def _with_channels(sound: Sound, channels: int) -> Sound:
    if sound.channels == channels:
        return sound
    if channels == 1:
        mean = sound.pcm.astype(np.float64).mean(axis=1, keepdims=True)
        return replace(sound, pcm=quantised(mean / FULL_SCALE, sound.bits))
    return replace(sound, pcm=np.repeat(sound.pcm, channels, axis=1))
