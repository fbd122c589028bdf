"""A score as a Standard MIDI File.

Not written with a library: a song is a few thousand events, and importing one takes longer than writing them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise

from acestep_mcp.engines.draft.score import Part

# 960 ticks per quarter note at 120 bpm: half a millisecond each, finer than the humanised timing.
_TICKS_PER_QUARTER, _TICKS_PER_SECOND = 960, 1920
_TEMPO = b"\x00\xff\x51\x03" + (500_000).to_bytes(3, "big")
_END_OF_TRACK = b"\x00\xff\x2f\x00"
_NOTE_OFF, _NOTE_ON, _CONTROLLER, _PROGRAM = 0x80, 0x90, 0xB0, 0xC0
_DRUM_CHANNEL = 9
_MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != _DRUM_CHANNEL)
_VOLUME, _PAN, _EXPRESSION, _REVERB, _CHORUS = 7, 10, 11, 91, 93
_BASS_DRUMS = frozenset({35, 36})
_RECOVERY = (
    (0.0, 1.0),
    (0.05, 0.8),
    (0.09, 0.55),
    (0.13, 0.33),
    (0.17, 0.15),
    (0.21, 0.0),
)  # seconds, share of the pump
_RESET_CONTROLLERS = 121  # inaudible, but the renderer plays until the last event


def file_bytes(parts: Sequence[Part], seconds: float) -> bytes:
    """The parts as a MIDI file of `seconds` seconds, so that the renderer plays the tail of the last notes."""
    channels = iter(_MELODIC_CHANNELS)
    tracks = [_TEMPO + _END_OF_TRACK]
    kicks = sorted({note.start for part in parts if part.drums for note in part.notes if note.pitch in _BASS_DRUMS})
    for part in parts:
        channel = _DRUM_CHANNEL if part.drums else next(channels)
        tracks.append(_track(part, channel, round(seconds * _TICKS_PER_SECOND), kicks if part.pump else ()))
    header = struct.pack(">4sIHHH", b"MThd", 6, 1, len(tracks), _TICKS_PER_QUARTER)
    return header + b"".join(struct.pack(">4sI", b"MTrk", len(track)) + track for track in tracks)


def _track(part: Part, channel: int, end: int, kicks: Sequence[float]) -> bytes:
    name = part.name.encode("ascii", "replace")
    track = bytearray(b"\x00\xff\x03" + _length(len(name)) + name)
    now = 0
    for tick, _, message in sorted((*_messages(part, channel, end), *_pumping(part, channel, kicks))):
        track += _length(tick - now) + message
        now = tick
    return bytes(track + _END_OF_TRACK)


def _messages(part: Part, channel: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """(tick, order, message): at the same tick, settings come first and notes end before others start."""
    yield 0, 0, bytes((_PROGRAM | channel, part.program))
    for number, value in ((_VOLUME, part.volume), (_PAN, part.pan), (_REVERB, part.reverb), (_CHORUS, 0)):
        yield 0, 0, bytes((_CONTROLLER | channel, number, value))
    for note in part.notes:
        start = round(note.start * _TICKS_PER_SECOND)
        yield start, 2, bytes((_NOTE_ON | channel, note.pitch, note.velocity))
        yield max(start + 1, round(note.end * _TICKS_PER_SECOND)), 1, bytes((_NOTE_OFF | channel, note.pitch, 0))
    yield end, 3, bytes((_CONTROLLER | channel, _RESET_CONTROLLERS, 0))


def _pumping(part: Part, channel: int, kicks: Sequence[float]) -> Iterator[tuple[int, int, bytes]]:
    """The part turned down at each bass drum (a side-chain), and up again until the next one."""
    for kick, following in pairwise((*kicks, math.inf)):
        for later, share in _RECOVERY:
            if kick + later < following:
                value = 127 - round(part.pump * share)
                yield round((kick + later) * _TICKS_PER_SECOND), 0, bytes((_CONTROLLER | channel, _EXPRESSION, value))


def _length(value: int) -> bytes:
    """A MIDI variable-length quantity: seven bits per byte, the top bit set on all but the last."""
    found = [value & 0x7F]
    while value := value >> 7:
        found.append(0x80 | (value & 0x7F))
    return bytes(reversed(found))
