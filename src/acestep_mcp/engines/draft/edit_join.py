"""Where new music meets a song: at its level, and without the fade-out of a song that goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from acestep_mcp.audio.measure import loudness, loudness_curve
from acestep_mcp.audio.splice import conform, from_float, to_float, within_full_scale
from acestep_mcp.engines.draft.mix import TARGET_LUFS, fade_out, levelled
from acestep_mcp.engines.draft.score import RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acestep_mcp.audio import Sound
    from acestep_mcp.engines.draft.source_plan import SourcePlan

_NEAR = 5.0  # seconds on each side of a join that are brought to one level
_SOFTEST, _MOST = (
    14.0,
    10.0,
)  # how much softer than the whole song a join may be, and how much is turned up or down, in LU
_HOP = 0.1
_LEAST_FADE, _LONGEST_FADE = 3.2, 15.0
_BEFORE_FADE = 10.0
_FADED, _STARTED, _DESCENDING = 16.0, 2.0, 0.75
_MOST_UNDONE = 15.0  # dB that a fade is turned up again: more would bring up its noise
_ROUNDING = 0.001


@dataclass(frozen=True, slots=True)
class KeptSong:
    """The song as it stays in a longer one: without its final fade, up to the downbeat where the new music joins."""

    sound: Sound
    plan: SourcePlan
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Fade:
    """A final fade-out from second `start`: what is lost in decibels after each tenth of a second."""

    start: float
    lost: NDArray[np.float64]

    @property
    def end(self) -> float:
        """The second up to which the fade can be undone."""
        return self.start + _HOP * float(np.argmax(np.append(self.lost, np.inf) > _MOST_UNDONE))


def song_to_extend(sound: Sound, plan: SourcePlan, *, ends: bool) -> KeptSong:
    """The song to put music before and, with `ends`, after."""
    fade = _final_fade(sound, plan) if ends else None
    if fade is None:
        return KeptSong(sound, plan)
    grid = plan.grid_at(fade.end)
    at = grid.phase + grid.bar_seconds * math.floor((fade.end - grid.phase) / grid.bar_seconds + _ROUNDING)
    if at < fade.start - grid.bar_seconds / 2 or at < 1:
        at = fade.end
    frames = round(at * sound.sample_rate)
    music = to_float(replace(sound, pcm=sound.pcm[:frames]))
    places = fade.start + _HOP * np.arange(len(fade.lost))
    lost = np.interp(np.arange(frames) / sound.sample_rate, places, np.minimum(fade.lost, _MOST_UNDONE), left=0.0)
    unfaded = from_float(
        within_full_scale(music * (10 ** (lost / 20)).astype(np.float32)[:, None]),
        sound.sample_rate,
        sound.bits,
    )
    first = round(fade.start * sound.sample_rate)
    unfaded.pcm[:first] = sound.pcm[:first][: len(unfaded.pcm)]
    note = f"The song's final fade-out is gone: it stays at its level, and the new music joins at {at:.1f} s."
    return KeptSong(unfaded, _cut(plan, frames / sound.sample_rate), (note,))


def _cut(plan: SourcePlan, seconds: float) -> SourcePlan:
    """The plan of the song up to there."""
    bars = max(1, min(plan.grid.bars, round((seconds - plan.grid_at(seconds).phase) / plan.grid.bar_seconds)))
    grid = replace(plan.grid, seconds=seconds, bars=bars, slowing=0.0, ending="none")
    begins = np.cumsum([0, *(one.bars for one in plan.form)])
    sizes = [(one, min(one.bars, bars - int(begin))) for one, begin in zip(plan.form, begins[:-1], strict=True)]
    form = tuple(replace(one, bars=size) for one, size in sizes if size > 0)
    times = tuple(replace(one, end=min(one.end, seconds)) for one in plan.times if one.start < seconds)
    return replace(plan, grid=grid, form=form, times=times)


def _final_fade(sound: Sound, plan: SourcePlan) -> _Fade | None:
    """The fade-out at the end of a song: the one that the draft made, or one that is heard."""
    if plan.grid.ending not in {"fade", "none"}:
        return None
    curve = 20 * np.log10(np.maximum(loudness_curve(to_float(sound), sound.sample_rate, _HOP), 1e-6))
    smooth = np.convolve(np.pad(curve, 5, mode="edge"), np.ones(11) / 11, mode="valid")
    last = round(_LONGEST_FADE / _HOP)
    usual = (
        float(np.median(smooth[: -last // 2][-round((_BEFORE_FADE + _LONGEST_FADE / 2) / _HOP) :]))
        if len(smooth) > last
        else 0.0
    )
    loud = np.nonzero(smooth[-last:] > usual - _STARTED)[0]
    if len(smooth) <= last or not len(loud) or float(curve[-3:].mean()) > usual - _FADED:
        return None
    start = len(smooth) - last + int(loud[-1])
    tail = smooth[start:]
    if (
        len(tail) * _HOP < (1.0 if plan.grid.ending == "fade" else _LEAST_FADE)
        or float(np.mean(np.diff(tail[::5]) < 0)) < _DESCENDING
    ):
        return None
    lost = np.maximum.accumulate(np.maximum(0.0, usual - tail))
    return _Fade(start * _HOP, lost)


def joined_sound(music: NDArray[np.float32], song: Sound, genre: str | None, *, ending: str) -> Sound:
    """The music as it joins the song: before it if `ending` is empty, else after it and with that ending."""
    joined = _joined_level(music, song, genre, at_end=not ending)
    if ending:
        fade_out(joined, ending)
    return conform(from_float(joined, RATE, 24), song)


def _joined_level(music: NDArray[np.float32], song: Sound, genre: str | None, *, at_end: bool) -> NDArray[np.float32]:
    """The music at the song's loudness, and near the join at that of the song there; `at_end`: it comes before the song."""
    samples, rate = to_float(song), song.sample_rate
    lufs = loudness(samples, rate)
    lufs = TARGET_LUFS if lufs == -math.inf else lufs
    level = levelled(music, lufs, genre)
    reach = _NEAR * rate
    beside = samples[: round(reach)] if at_end else samples[-round(reach) :]
    own = level[-round(_NEAR * RATE) :] if at_end else level[: round(_NEAR * RATE)]
    wanted, found = max(loudness(beside, rate), lufs - _SOFTEST), loudness(own, RATE)
    if found == -math.inf:
        return level
    change = min(_MOST, max(-_MOST, wanted - found))
    ramp = np.clip(1 - (np.arange(len(level)) / RATE - _NEAR) / _NEAR, 0, 1)
    gains = 10 ** (change * (ramp[::-1] if at_end else ramp) / 20)
    return np.asarray(within_full_scale(level * gains.astype(np.float32)[:, None]))
