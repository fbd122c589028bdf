"""The score, which the composer writes and the renderer plays: parts with notes in seconds, and the song's plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from acestep_mcp.engines.draft.form_section import FormSection
from acestep_mcp.engines.draft.sung_syllables import UNSUNG, SungSyllable

RATE = 48_000
"""Sample rate of everything the draft engine renders, in Hz."""

SUNG_RATE = RATE // 2
"""Sample rate in Hz of a voice alone: nothing of it lies above 12 kHz."""

# Increase when the same request and seed give different notes than before.
VERSION = "9"
SAME_NOTES = frozenset({"8", VERSION})
"""Versions that compose the same notes on a given grid and form; version 8 placed some lines elsewhere in 5/4."""

Singer = Literal["woman", "man"]


class Note(NamedTuple):
    """`start` and `end` are seconds from the start of the song; `pitch` and `velocity` are MIDI's (0-127).

    `sung` is the syllable that is sung on it.
    """

    start: float
    end: float
    pitch: int
    velocity: int
    sung: SungSyllable = UNSUNG


@dataclass(frozen=True, slots=True)
class Part:
    """One instrument. `program` is General MIDI's (0-127); `volume`, `pan`, `reverb` are controllers (0-127).

    `lead` marks the parts that carry the melody, `singer` those that are sung; `pump`, 0 to 127, is how far each bass drum
    turns the part down.
    """

    name: str
    program: int
    notes: tuple[Note, ...]
    drums: bool = False
    volume: int = 90
    pan: int = 64
    reverb: int = 30
    lead: bool = False
    singer: Singer | None = None
    pump: int = 0


@dataclass(frozen=True, slots=True)
class ScoreSection:
    """A section of the score; `start` and `end` in seconds, `kind` is the name without its number."""

    name: str
    kind: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Score:
    """A composed song. `plan` is JSON from which a later edit can compose it again.

    `notes` say what the song has not as asked.
    """

    parts: tuple[Part, ...]
    seconds: float
    sections: tuple[ScoreSection, ...] = ()
    ending: str = "ring"
    form: tuple[FormSection, ...] = ()
    plan: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
