"""Tempo, key and metre that the tags state, as the draft plays them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from acestep_mcp.engines.draft.harmony import Key
from acestep_mcp.engines.draft.metres import played_metre
from acestep_mcp.readers.attributes import find_keys, find_metres, find_tempos
from acestep_mcp.readers.tempo import FASTEST, SLOWEST

_ANY_BPM = re.compile(r"(?<![\d.,])(?P<bpm>\d{1,6}(?:\.\d+)?) ?bpm\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MusicalAttributes:
    """`bpm` is in quarter notes per minute, `tempo` the range of an Italian term; None where the tags say nothing.

    `notes` say what of it is played differently.
    """

    bpm: float | None
    tempo: tuple[float, float] | None
    key: Key | None
    metre: str | None
    notes: tuple[str, ...]


def read_attributes(tags: str) -> MusicalAttributes:
    """What the tags state of tempo, key and metre. Of several the first counts, which a note says."""
    tempos, keys, metres = find_tempos(tags), find_keys(tags), find_metres(tags)
    tempo = tempos[0] if tempos else None
    metre = metres[0].name if metres else None
    notes = [
        _several("tempo", [f"{one.bpm:g} bpm" for one in tempos if one.stated and not one.term]),
        _several("key", [one.name for one in keys if one.stated]),
        _several("metre", [one.name for one in metres if one.stated]),
    ]
    notes += [
        f"{found[0]} is not played by the draft, which plays {SLOWEST:g} to {FASTEST:g} bpm."
        for found in _ANY_BPM.finditer(tags)
        if not SLOWEST <= float(found["bpm"]) <= FASTEST
        and not any(one.start < found.end() and found.start() < one.end for one in tempos)  # such as eighth = 320 bpm
    ]
    if metre and played_metre(metre) != metre:
        notes.append(f"{metre} is not played by the draft: played as {played_metre(metre)}.")
    return MusicalAttributes(
        bpm=tempo.quarters if tempo and not tempo.term else None,
        tempo=(tempo.low, tempo.high) if tempo and tempo.term else None,
        key=Key(keys[0].pitch_class, keys[0].mode) if keys else None,
        metre=played_metre(metre) if metre else None,
        notes=tuple(note for note in notes if note),
    )


def _several(what: str, named: list[str]) -> str:
    different = list(dict.fromkeys(named))
    if len(different) < 2:
        return ""
    return f"The tags name more than one {what} ({', '.join(different)}): the draft plays {different[0]} throughout."
