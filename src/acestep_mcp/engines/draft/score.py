"""The score, which the composer writes and the renderer plays: parts with notes in seconds, and the song's plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from acestep_mcp.engines.draft.form_section import FormSection

RATE = 48_000
"""Sample rate of everything the draft engine renders, in Hz."""

# Increase when the same request and seed give different notes than before.
VERSION = "4"


class Note(NamedTuple):
    """`start` and `end` are seconds from the start of the song; `pitch` and `velocity` are MIDI's (0-127)."""

    start: float
    end: float
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Part:
    """One instrument. `program` is General MIDI's (0-127); `volume`, `pan`, `reverb` are controllers (0-127).

    `lead` marks the parts that carry the melody; `pump`, 0 to 127, is how far each bass drum turns the part down.
    """

    name: str
    program: int
    notes: tuple[Note, ...]
    drums: bool = False
    volume: int = 90
    pan: int = 64
    reverb: int = 30
    lead: bool = False
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
