r"""Join new music to a song on the song's integer samples: outside the new part nothing changes.

A seam is a crossfade of equal power (cosine out, sine in), and always lies in the new part:

    inpaint    source |\ /---- new music -----\ /| source
                      | X                       X |
                    start, 10 ms        the last 30 ms before end

    outpaint   the first or last 30 ms of the new music are mixed with a mirror image of the song's end or beginning.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.audio import Sound
from acestep_mcp.audio.resample import blocks_of, collected, resampled
from acestep_mcp.audio.samples import HEADROOM, quantised, rounded

FADE = 0.030
FADE_IN = 0.010
"""At the beginning of a window, where a beat often lies whose attack must stay sharp."""
_ROUNDING = 1e-6
FULL_SCALE = 2.0**31


def to_float(sound: Sound) -> NDArray[np.float32]:
    """Samples [frames, channels] with full scale 1.0; exact for 16 and 24 bits."""
    return np.multiply(sound.pcm, np.float32(1 / FULL_SCALE), dtype=np.float32)


def from_float(samples: NDArray[Any], sample_rate: int, bits: int) -> Sound:
    """Samples [frames] or [frames, channels] as a Sound: rounded half to even, clipped, no dither.

    `from_float(to_float(sound), ...)` gives the same samples.
    """
    return Sound(quantised(columns(samples), bits), sample_rate, 24 if bits == 24 else 16)


def within_full_scale(samples: NDArray[Any]) -> NDArray[Any]:
    """New music as it is, or turned down by one gain where it goes above full scale."""
    peak = float(np.max(np.abs(samples), initial=0))
    return samples if peak <= 1 else samples * samples.dtype.type(HEADROOM / peak)


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


def inpaint(source: Sound, new: Sound, start: float, end: float) -> Sound:
    """Replace the stretch from `start` to `end` seconds of `source` by `new`, which is conformed first.

    Music of `new` past `end` is not used; where it ends before, the song comes back that much earlier. The seams take
    `FADE_IN` and `FADE` seconds, or half the window if that is shorter; at the song's very beginning and end there is
    none. Every sample before `start` and from `end` on is the source's own. The result is exactly as long as the source.
    """
    music = conform(new, source).pcm
    first, last = _window(source, start, end)
    last = min(last, first + len(music))
    if last <= first:
        return source
    pcm = source.pcm.copy()
    pcm[first:last] = _blended(source.pcm[first:last], music[: last - first], source, first, last)
    return replace(source, pcm=pcm)


def outpaint(
    source: Sound, before: Sound | None, after: Sound | None, lengths: tuple[float, float] | None = None
) -> Sound:
    """Put new music before and after `source`; both parts are conformed to it first.

    Every sample of `source` stays as it is. With `lengths` the parts are exactly that many seconds long: one that is
    shorter or longer, as after resampling, is filled with silence or cut at its outer end. The seams take up to `FADE`
    seconds of the new music.
    """
    rate = source.sample_rate
    seam = round(FADE * rate)
    lengths = lengths or (before.seconds if before else 0, after.seconds if after else 0)
    sizes = [round(seconds * rate) for seconds in lengths]
    result = source.pcm
    if after is not None:
        tail = _with_length(conform(after, source).pcm, sizes[1])
        result = _appended(result, tail, seam, source.bits)
    if before is not None:
        head = _with_length(conform(before, source).pcm[::-1], sizes[0])
        result = _appended(result[::-1], head, seam, source.bits)[::-1]
    return replace(source, pcm=np.ascontiguousarray(result))


def _window(source: Sound, start: float, end: float) -> tuple[int, int]:
    """The samples that lie wholly between two times."""
    length, rate = len(source.pcm), source.sample_rate
    first = min(max(math.ceil(start * rate - _ROUNDING), 0), length)
    last = min(max(math.floor(end * rate + _ROUNDING), 0), length)
    return first, max(first, last)


def _blended(old: NDArray[np.int32], new: NDArray[np.int32], source: Sound, first: int, last: int) -> NDArray[np.int32]:
    """The window's new samples, with the old ones fading out at its beginning and in at its end."""
    fade_in, fade_out = (min(round(fade * source.sample_rate), len(new) // 2) for fade in (FADE_IN, FADE))
    result = new.copy()
    if first > 0 and fade_in:
        result[:fade_in] = _crossfade(old[:fade_in], new[:fade_in], source.bits)
    if last < len(source.pcm) and fade_out:
        result[-fade_out:] = _crossfade(new[-fade_out:], old[-fade_out:], source.bits)
    return result


def _with_length(pcm: NDArray[np.int32], frames: int) -> NDArray[np.int32]:
    return np.pad(pcm[:frames], ((0, max(0, frames - len(pcm))), (0, 0)))


def _appended(song: NDArray[np.int32], tail: NDArray[np.int32], seam: int, bits: int) -> NDArray[np.int32]:
    """The song with `tail` after it, whose first `seam` frames are mixed with the song's last ones in reverse."""
    seam = min(seam, len(song), len(tail))
    mirror = song[len(song) - seam :][::-1]
    return np.concatenate([song, _crossfade(mirror, tail[:seam], bits), tail[seam:]])


def _crossfade(old: NDArray[np.int32], new: NDArray[np.int32], bits: int) -> NDArray[np.int32]:
    """Equal power from `old` to `new` over their length; the ends are nearly one or the other, never silence.

    Where two loud sounds would add up to more than full scale, equal gain, which never does.
    """
    angle = ((np.arange(len(old)) + 0.5) / max(1, len(old)) * (np.pi / 2))[:, None]
    mixed = old * np.cos(angle) + new * np.sin(angle)
    if np.max(np.abs(mixed), initial=0) > FULL_SCALE:
        mixed = old * np.cos(angle) ** 2 + new * np.sin(angle) ** 2
    return quantised(mixed / FULL_SCALE, bits)


def _with_channels(sound: Sound, channels: int) -> Sound:
    if sound.channels == channels:
        return sound
    if channels == 1:
        mean = sound.pcm.astype(np.float64).mean(axis=1, keepdims=True)
        return replace(sound, pcm=quantised(mean / FULL_SCALE, sound.bits))
    return replace(sound, pcm=np.repeat(sound.pcm, channels, axis=1))
