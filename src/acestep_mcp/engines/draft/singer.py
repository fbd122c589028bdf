"""A voice that sings the vowels of words: a phrase of notes becomes pulses at its pitch, and noises for consonants."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acestep_mcp.engines.draft.glottal_pulses import BEFORE, PHASES, Pulse, pulse_table
from acestep_mcp.engines.draft.noises import white_noise
from acestep_mcp.engines.draft.score import SUNG_RATE, Note, Singer
from acestep_mcp.engines.draft.sung_consonants import CONSONANTS, noise_of

Floats = NDArray[np.float32]

_BREATH = 0.12  # seconds between notes from which the second begins a phrase
_LEAD, _TAIL = 0.3, 0.35
_MOST_CONSONANTS, _CONSONANT_SHARE, _CONSONANTS_ALONE = 3, 0.4, 0.2
_STEP = 0.0025
_ATTACK, _AFTER_CONSONANT, _RELEASE = 0.06, 0.03, 0.12
_GLIDE, _SCOOP = 0.09, 0.5
_VIBRATO_DELAY, _VIBRATO_RISE, _VIBRATO_DEPTH, _VIBRATO_RATE = 0.26, 0.3, 0.36, 5.6
_SOFT, _STRONG = 66, 98  # mean velocities of a phrase
_JITTER = 6e-6  # seconds
_MIXES, _NEARLY = 2, 0.04


class _Change(NamedTuple):
    """At `time` the sound begins to become `second` instead of `first`, within `seconds`."""

    time: float
    seconds: float
    first: str
    second: str
    note: int


@dataclass(slots=True)
class _Track:
    """What a phrase is sung on: the level of the voice by time in seconds, the changes of its sound, and the noises."""

    levels: list[tuple[float, float]] = field(default_factory=list)
    changes: list[_Change] = field(default_factory=list)
    noises: list[tuple[float, Floats]] = field(default_factory=list)

    def level(self, time: float, level: float) -> None:
        last = self.levels[-1][0] if self.levels else 0.0
        self.levels.append((max(time, last + 0.002), level))

    def become(self, sound: str, time: float, seconds: float, note: int) -> None:
        last = self.changes[-1] if self.changes else None
        start = max(time, last.time + 0.002) if last else time
        self.changes.append(_Change(start, max(seconds, 0.002), last.second if last else sound, sound, note))


def phrases(notes: Sequence[Note]) -> Iterator[tuple[Note, ...]]:
    """The notes between two breaths. Within a phrase each note lasts until the next one."""
    found: list[Note] = []
    for note in notes:
        if found and note.start - found[-1].end >= _BREATH:
            yield tuple(found)
            found = []
        if found:
            found[-1] = found[-1]._replace(end=note.start)
        found.append(note)
    if found:
        yield tuple(found)


def sing(phrase: Sequence[Note], singer: Singer, name: str) -> tuple[float, Floats]:
    """When the sound of a phrase begins, in seconds, and its samples at 24 kHz: of power 1 at velocity 90.

    The same phrase and name give the same samples, wherever the phrase is.
    """
    first = phrase[0].start - _LEAD
    notes = [note._replace(start=note.start - first, end=note.end - first) for note in phrase]
    told = [(round(note.start, 3), note.pitch, note.sung.text) for note in notes]
    rng = random.Random(zlib.crc32(f"{name} {told}".encode()))
    track = _tracked(notes)
    out = np.zeros(round((notes[-1].end + _TAIL) * SUNG_RATE), np.float32)
    _add_pulses(out, notes, track, singer, rng)
    for start, noise in track.noises:
        at = max(0, round(start * SUNG_RATE))
        part = out[at : at + len(noise)]
        part += noise[: len(part)]
    return first, out


def _tracked(notes: Sequence[Note]) -> _Track:
    track = _Track()
    clusters = _clusters(notes)
    track.level(notes[0].start - max(clusters[0][1], 0.012), 0.0)
    for number, note in enumerate(notes):
        consonants, seconds = clusters[number]
        _add_consonants(track, consonants, note.start - seconds, (seconds, number), _loud(note))
        legato = number > 0 or bool(consonants)
        _add_vowel(
            track, note, number, note.end - (clusters[number + 1][1] if number + 1 < len(notes) else 0.0), legato
        )
    consonants, seconds = clusters[-1]
    last = notes[-1]
    track.level(last.end + (0.03 if consonants else _RELEASE), 0.0)
    _add_consonants(track, consonants, last.end + 0.03, (seconds, len(notes) - 1), _loud(last), voiced=0.5)
    track.level(track.levels[-1][0] + 0.03, 0.0)
    return track


def _clusters(notes: Sequence[Note]) -> list[tuple[str, float]]:
    """The consonants before each note and after the last, with the seconds that they take."""
    found = []
    for before, note in pairwise((None, *notes, None)):
        sounds = (before.sung.coda if before else "") + (note.sung.onset if note else "")
        sounds = "".join(sound for sound in sounds if sound in CONSONANTS)[-_MOST_CONSONANTS:]
        room = _CONSONANT_SHARE * (note.start - before.start) if note and before else _CONSONANTS_ALONE
        found.append((sounds, min(room, sum(CONSONANTS[sound].seconds for sound in sounds))))
    return found


def _add_consonants(
    track: _Track, sounds: str, start: float, place: tuple[float, int], loud: float, voiced: float = 1.0
) -> None:
    """Add consonants that together take `place[0]` seconds before or after the note of the number `place[1]`."""
    seconds, note = place
    whole = sum(CONSONANTS[sound].seconds for sound in sounds)
    for sound in sounds:
        consonant = CONSONANTS[sound]
        length = consonant.seconds * seconds / whole
        edge = min(0.02, 0.35 * length)
        track.level(start + edge, consonant.voiced * voiced * loud)
        track.level(start + length - 0.5 * edge, consonant.voiced * voiced * loud)
        if consonant.shape:
            track.become(consonant.shape, start - 0.01, min(0.035, 0.6 * length), note)
        if consonant.noise:
            later, noise = noise_of(consonant, length, len(track.noises) + note)
            track.noises.append((start + later, noise * np.float32(loud)))
        start += length


def _add_vowel(track: _Track, note: Note, number: int, end: float, legato: bool) -> None:
    vowels, length, loud = note.sung.vowels or "a", max(0.03, end - note.start), _loud(note)
    rise = min(_AFTER_CONSONANT if legato else _ATTACK, 0.4 * length)
    track.become(vowels[0], note.start - 0.015, min(0.055, 0.4 * length), number)
    track.level(note.start + rise, 0.93 * loud)
    track.level(note.start + max(1.2 * rise, min(0.35 * length, 0.5)), loud)
    if len(vowels) > 1:
        glide = min(0.13, 0.45 * length)
        track.become(vowels[1], max(note.start + 0.3 * length, end - glide - 0.03), glide, number)
    track.level(end - min(0.015, 0.1 * length), 0.86 * loud)


def _loud(note: Note) -> float:
    return float((note.velocity / 90) ** 1.5)


def _add_pulses(out: Floats, notes: Sequence[Note], track: _Track, singer: Singer, rng: random.Random) -> None:
    times = np.arange(0, notes[-1].end + _TAIL, _STEP, dtype=np.float64)
    frequencies = 440 * 2 ** ((_pitches(notes, times, rng) - 69) / 12)
    phases = np.concatenate([[0.0], np.cumsum(frequencies[:-1]) * _STEP])
    moments = np.interp(np.arange(1, int(phases[-1])), phases, times)
    moments += _JITTER * white_noise(len(moments), rng)
    levels = _along(track.levels, moments).astype(np.float32)
    heard = np.flatnonzero(levels > 1e-4)
    moments, levels = moments[heard], levels[heard]
    places = np.round(moments * SUNG_RATE * PHASES).astype(np.int64) - BEFORE[singer] * PHASES
    tables, chosen, shares = _tables(notes, track, singer, moments)
    chosen = chosen * PHASES + places % PHASES
    pulses = tables[chosen]
    pulses *= (levels * (1 - shares))[:, None]
    mixed = np.flatnonzero(shares)
    pulses[mixed] += tables[chosen[mixed] + PHASES] * (levels * shares)[mixed, None]
    length = pulses.shape[1]
    padded = np.zeros(len(out) + 2 * length, np.float32)
    for at, pulse in zip((places // PHASES + length).tolist(), pulses, strict=True):
        target = padded[at : at + length]
        target += pulse
    out += padded[length : length + len(out)]


def _tables(
    notes: Sequence[Note], track: _Track, singer: Singer, moments: NDArray[np.float64]
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """The tables of the phrase, one after the other, which of them sounds at each moment, and the share of the next one."""
    starts = np.array([change.time for change in track.changes])
    lengths = np.array([change.seconds for change in track.changes])
    at = np.maximum(np.searchsorted(starts, moments, side="right") - 1, 0)
    along = np.clip((moments - starts[at]) / lengths[at], 0, 1)
    whole, shares = np.divmod(_MIXES * (0.5 - 0.5 * np.cos(np.pi * along)), 1)
    shares[shares < _NEARLY] = 0
    keys = at * (_MIXES + 1) + whole.astype(np.int64)
    # Not with np.unique, which imports all of numpy.ma: that takes longer than a verse.
    known = sorted({*keys.tolist(), *(keys[shares > 0] + 1).tolist()})
    effort = _effort(notes)
    tables = []
    for key in known:
        change, mix = track.changes[key // (_MIXES + 1)], key % (_MIXES + 1)
        tables.append(pulse_table(_pulse(notes[change.note].pitch, change, mix, (singer, effort))))
    return np.concatenate(tables), np.searchsorted(known, keys), shares.astype(np.float32)


def _pulse(pitch: int, change: _Change, mix: int, sung: tuple[Singer, int]) -> Pulse:
    """The glottal pulse between the two sounds of a change; `sung` gives the singer and the effort."""
    first, second = change.first, change.second
    if mix in {0, _MIXES} or first == second:
        first = second = second if mix else first
        mix = 0
    singer, effort = sung
    return Pulse(singer, first, second, mix / _MIXES, 3 * round(pitch / 3), effort)


def _effort(notes: Sequence[Note]) -> int:
    loud = sum(note.velocity for note in notes) / len(notes)
    return 0 if loud < _SOFT else 1 if loud < _STRONG else 2


def _pitches(notes: Sequence[Note], times: NDArray[np.float64], rng: random.Random) -> NDArray[np.float64]:
    """The pitch at each time in MIDI's semitones: glides between notes, vibrato on long ones, and a slow drift."""
    points = [
        (notes[0].start - 0.02, notes[0].pitch - rng.uniform(0.5, 1.5) * _SCOOP),
        (notes[0].start + 0.08, notes[0].pitch),
    ]
    depths = [(0.0, 0.0)]
    for before, note in pairwise((None, *notes)):
        assert note is not None
        if before:
            glide = min(_GLIDE, 0.35 * (note.end - note.start), 0.5 * (note.start - before.start))
            points += [(note.start - 0.6 * glide, before.pitch), (note.start + 0.4 * glide, note.pitch)]
        swells = note.start + _VIBRATO_DELAY
        if note.end - swells > 0.2:
            rise = min(_VIBRATO_RISE, note.end - swells - 0.1)
            depths += [(swells, 0.0), (swells + rise, _VIBRATO_DEPTH * rise / _VIBRATO_RISE)]
            depths += [(note.end - 0.06, depths[-1][1]), (note.end, 0.0)]
    pitches = _along(points, times)
    smooth = np.hanning(15)
    pitches = np.convolve(np.pad(pitches, 7, mode="edge"), smooth / smooth.sum(), mode="valid")
    rate = _VIBRATO_RATE + 0.25 * rng.uniform(-1, 1)
    vibrato = _along(depths, times) * np.sin(2 * np.pi * rate * times + rng.uniform(0, 6))
    turns = 0.3 * np.arange(int(times[-1] / 0.3) + 2)
    drift = np.interp(times, turns, 0.02 * white_noise(len(turns), rng))
    return np.asarray(pitches + vibrato + drift)


def _along(points: Sequence[tuple[float, float]], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """The value at each time on straight lines between points of (time, value)."""
    at, values = np.array(points, np.float64).T
    return np.asarray(np.interp(times, at, values), np.float64)
