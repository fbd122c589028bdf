"""A score as a Standard MIDI File, through pretty_midi."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from acestep_mcp.engines.draft.score import Part

if TYPE_CHECKING:
    import pretty_midi

# Ticks a quarter note at 120 bpm: half a millisecond each, finer than the humanised timing.
_RESOLUTION = 960
_CONTROLLERS = {"volume": 7, "pan": 10, "reverb": 91, "chorus": 93}
_END_OF_TAIL = 121  # reset all controllers: does nothing audible, and the renderer plays on until the last event


def file_bytes(parts: Sequence[Part], seconds: float) -> bytes:
    """The parts as a MIDI file that lasts `seconds`, so that the renderer plays the tail of the last notes."""
    import pretty_midi

    song = pretty_midi.PrettyMIDI(resolution=_RESOLUTION, initial_tempo=120)
    song.instruments.extend(_instrument(part) for part in parts if part.notes)
    if song.instruments:
        end = pretty_midi.ControlChange(_END_OF_TAIL, 0, seconds)
        song.instruments[0].control_changes.append(end)
    buffer = io.BytesIO()
    song.write(buffer)
    return buffer.getvalue()


def _instrument(part: Part) -> pretty_midi.Instrument:
    import pretty_midi

    instrument = pretty_midi.Instrument(part.program, is_drum=part.drums, name=part.name)
    instrument.control_changes = [
        pretty_midi.ControlChange(number, getattr(part, name), 0.0) for name, number in _CONTROLLERS.items()
    ]
    instrument.notes = [pretty_midi.Note(note.velocity, note.pitch, note.start, note.end) for note in part.notes]
    return instrument
