"""A score as a Standard MIDI File.

Not written with a library: a song is a few thousand events, and importing one takes longer than writing them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from acestep_mcp.engines.draft.score import Part

# 960 ticks per quarter note at 120 bpm: half a millisecond each, finer than the humanised timing.
TICKS_PER_QUARTER, _TICKS_PER_SECOND = 960, 1920
_TRACK_NAME, _SET_TEMPO = 0x03, 0x51
_END_OF_TRACK = b"\x00\xff\x2f\x00"
_NOTE_OFF, _NOTE_ON, _CONTROLLER, _PROGRAM = 0x80, 0x90, 0xB0, 0xC0
_DRUM_CHANNEL = 9
_MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != _DRUM_CHANNEL)
_VOLUME, _PAN, _EXPRESSION, _REVERB, _CHORUS = 7, 10, 11, 91, 93
BASS_DRUMS = frozenset({35, 36})
_RECOVERY = (
    (0.0, 1.0),
    (0.05, 0.8),
    (0.09, 0.55),
    (0.13, 0.33),
    (0.17, 0.15),
    (0.21, 0.0),
)  # seconds, share of the pump
_RESET_CONTROLLERS = 121  # inaudible, but the renderer plays until the last event


class TimedMessage(NamedTuple):
    """A message and its tick. `order` sorts those of one tick: settings come first, and notes end before others start."""

    tick: int
    order: int
    message: bytes


def file_bytes(parts: Sequence[Part], seconds: float) -> bytes:
    """The parts as a MIDI file of `seconds` seconds for the renderer, which plays the tail of the last notes in it."""
    return file_of([tempo_change(0, 0.5)], parts, seconds, lambda time: round(time * _TICKS_PER_SECOND))


def file_of(
    conductor: Iterable[TimedMessage],
    parts: Sequence[Part],
    seconds: float,
    tick_at: Callable[[float], int],
    more: Mapping[int, Sequence[TimedMessage]] | None = None,
) -> bytes:
    """A MIDI file with a track for what concerns all parts, and one for each part, to which `more` adds by its number.

    `tick_at` gives the tick of a time in seconds.
    """
    channels = iter(_MELODIC_CHANNELS)
    tracks = [_track(conductor)]
    kicks = kick_times(parts)
    for number, part in enumerate(parts):
        channel = _DRUM_CHANNEL if part.drums else next(channels)
        messages = (
            *_messages(part, channel, seconds, tick_at),
            *_pumping(part, channel, kicks if part.pump else (), tick_at),
            *(more or {}).get(number, ()),
        )
        tracks.append(_track(messages, part.name))
    header = struct.pack(">4sIHHH", b"MThd", 6, 1, len(tracks), TICKS_PER_QUARTER)
    return header + b"".join(struct.pack(">4sI", b"MTrk", len(track)) + track for track in tracks)


def meta(kind: int, data: bytes) -> bytes:
    """A meta event."""
    return bytes((0xFF, kind)) + _length(len(data)) + data


def tempo_change(tick: int, seconds: float) -> TimedMessage:
    """The tempo from a tick on, as the seconds of a quarter note."""
    return TimedMessage(tick, 0, meta(_SET_TEMPO, round(1e6 * seconds).to_bytes(3, "big")))


def _track(messages: Iterable[TimedMessage], name: str = "") -> bytes:
    track = bytearray(b"\x00" + meta(_TRACK_NAME, name.encode("ascii", "replace")) if name else b"")
    now = 0
    for tick, _, message in sorted(messages):
        track += _length(tick - now) + message
        now = tick
    return bytes(track + _END_OF_TRACK)


def _messages(part: Part, channel: int, seconds: float, tick_at: Callable[[float], int]) -> Iterator[TimedMessage]:
    yield TimedMessage(0, 0, bytes((_PROGRAM | channel, part.program)))
    for number, value in ((_VOLUME, part.volume), (_PAN, part.pan), (_REVERB, part.reverb), (_CHORUS, 0)):
        yield TimedMessage(0, 0, bytes((_CONTROLLER | channel, number, value)))
    for note in part.notes:
        start = tick_at(note.start)
        yield TimedMessage(start, 2, bytes((_NOTE_ON | channel, note.pitch, note.velocity)))
        yield TimedMessage(max(start + 1, tick_at(note.end)), 1, bytes((_NOTE_OFF | channel, note.pitch, 0)))
    yield TimedMessage(tick_at(seconds), 3, bytes((_CONTROLLER | channel, _RESET_CONTROLLERS, 0)))


def kick_times(parts: Sequence[Part]) -> list[float]:
    """When a bass drum is struck, in seconds."""
    return sorted({note.start for part in parts if part.drums for note in part.notes if note.pitch in BASS_DRUMS})


def expression_changes(pump: int, kicks: Sequence[float]) -> Iterator[tuple[float, int]]:
    """Seconds and values of the expression controller: a part is turned down at each bass drum, and up again after it."""
    for kick, following in pairwise((*kicks, math.inf)):
        for later, share in _RECOVERY:
            if kick + later < following:
                yield kick + later, 127 - round(pump * share)


def _pumping(
    part: Part, channel: int, kicks: Sequence[float], tick_at: Callable[[float], int]
) -> Iterator[TimedMessage]:
    for time, value in expression_changes(part.pump, kicks):
        yield TimedMessage(tick_at(time), 0, bytes((_CONTROLLER | channel, _EXPRESSION, value)))


def _length(value: int) -> bytes:
    """A MIDI variable-length quantity: seven bits per byte, the top bit set on all but the last."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(0x80 | (value & 0x7F))
    return bytes(reversed(found))
