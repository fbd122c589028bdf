"""Notes that a part repeats often: each is rendered once, and its sound added wherever it is played.

A note of a SoundFont depends on its pitch and length alone; the velocity scales it. The renderer takes 3.5 ms for each
second of a file and about 0.32 ms for each second of each voice that sounds in it; adding a second takes 0.1 ms.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from acestep_mcp.engines.draft.midi import BASS_DRUMS, expression_changes, kick_times
from acestep_mcp.engines.draft.score import RATE, Note, Part

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_FILE, _VOICE, _ADDITION = 3.5, 0.32, 0.1
"""Milliseconds for each second."""
_LEAST_SAVED = 1.0
# By program: the voices of a note, and the seconds that it rings after its end. Others are cheap.
_COSTS: dict[int, tuple[int, float]] = {
    2: (2, 0.7), 3: (2, 0.8), 4: (2, 0.3), 8: (1, 1.0), 9: (1, 1.0), 11: (1, 0.9), 12: (1, 0.9), 13: (2, 0.9),
    14: (1, 1.0), 15: (2, 0.9), 19: (2, 0.5), 45: (1, 0.9), 46: (1, 0.9), 47: (1, 0.9), 48: (5, 0.5), 49: (4, 0.7),
    50: (2, 0.3), 51: (2, 0.9), 52: (3, 0.5), 53: (2, 0.5), 55: (2, 0.7), 60: (4, 0.4), 62: (2, 0.3), 80: (2, 0.3),
    81: (2, 0.3), 82: (2, 0.3), 86: (2, 0.5), 88: (2, 1.0), 89: (1, 0.7), 90: (2, 0.5), 91: (2, 0.5), 92: (2, 0.8),
    0: (1, 0.7), 24: (1, 0.4), 25: (1, 0.3), 26: (1, 0.3), 27: (1, 0.4), 104: (1, 0.9), 105: (1, 0.7), 106: (1, 0.7),
    107: (1, 0.9), 108: (1, 0.8), 114: (1, 0.9), 93: (2, 0.8), 94: (2, 0.5), 95: (2, 0.8), 97: (2, 0.6), 98: (2, 1.0), 99: (2, 0.5), 100: (2, 1.0), 101: (2, 0.6),
}  # fmt: skip
# Milliseconds for a stroke of the drums that ring, of which none silences another as a closed hi-hat does an open one: toms,
# cymbals, tambourine, congas, timbales, agogos. Kits that have them in stereo take twice as long.
_TOMS = {41: 0.9, 43: 0.85, 45: 0.75, 47: 0.75, 48: 0.65, 50: 0.6}
_CYMBALS = {49: 1.75, 51: 2.1, 52: 1.1, 53: 1.9, 55: 0.95, 57: 1.55, 59: 1.9}
_STROKES = _TOMS | _CYMBALS | {54: 0.33, 63: 0.75, 64: 0.45, 65: 0.65, 66: 0.6, 67: 0.4, 68: 0.5}
_STEREO = frozenset({16, 40})
_OF_KITS = {16: {38: 0.26}, 24: {36: 0.32}, 25: {36: 0.32, 56: 0.34}, 48: {36: 0.32}}
_ROOM, _CYMBAL, _TOM, _DRUM = 0.3, 3.4, 1.6, 1.1  # seconds
_ALIKE = 0.03  # seconds between the lengths of notes that sound the same
_TOGETHER = 16.0  # seconds of sounds in one call of the renderer
_SILENT = 7e-4  # of its peak: a sound ends where the rest is below this
_MOST_FADED = 0.4
_BLOCK = 64  # frames, in which the renderer goes from one expression to the next


class RepeatedNote(NamedTuple):
    """Notes of a part that sound alike: `note` is rendered, and lasts `seconds` with what rings after it."""

    part: Part
    note: Note
    notes: tuple[Note, ...]
    seconds: float


def without_repeats(parts: Sequence[Part]) -> tuple[tuple[Part, ...], tuple[RepeatedNote, ...]]:
    """The parts without the notes whose sounds are added, and those.

    Bass drums stay as notes of velocity 0, which nobody hears: they turn other parts down.
    """
    rest, repeated = [], []
    for part in parts:
        taken = [found for found in _alike(part) if _saved(found) > _LEAST_SAVED]
        away = {note for found in taken for note in found.notes}
        rest.append(replace(part, notes=tuple(_left(part, away))) if away else part)
        repeated += taken
    return tuple(part for part in rest if part.notes), tuple(repeated)


def _left(part: Part, away: set[Note]) -> Iterator[Note]:
    for note in part.notes:
        if note not in away:
            yield note
        elif note.pitch in BASS_DRUMS and part.drums:
            yield note._replace(velocity=0)


def batches(repeated: Sequence[RepeatedNote]) -> Iterator[list[tuple[float, RepeatedNote]]]:
    """Repeated notes to be rendered together, each with the second at which it begins."""
    batch: list[tuple[float, RepeatedNote]] = []
    at = 0.0
    for found in repeated:
        if batch and at + found.seconds > _TOGETHER:
            yield batch
            batch, at = [], 0.0
        batch.append((at, found))
        at += found.seconds
    if batch:
        yield batch


def parts_of(batch: Sequence[tuple[float, RepeatedNote]]) -> tuple[Part, ...]:
    """The parts that play the notes of a batch once each."""
    notes: dict[int, list[Note]] = defaultdict(list)
    played = {id(found.part): found.part for _, found in batch}
    for start, found in batch:
        notes[id(found.part)].append(found.note._replace(start=start, end=start + found.note.end))
    return tuple(replace(part, notes=tuple(notes[key]), pump=0) for key, part in played.items())


def add_repeats(
    batch: Sequence[tuple[float, RepeatedNote]],
    rendered: Floats,
    parts: Sequence[Part],
    out: Floats,
    start: float,
) -> None:
    """Add the notes of a rendered batch to `out` ([frames, 2], from `start` seconds on) wherever they are played.

    The bass drums of `parts` turn them down.
    """
    import numpy as np

    kicks = tuple(kick_times(parts))
    flat = out.reshape(-1)
    for at, found in batch:
        sound = _trimmed(rendered[round(at * RATE) : round((at + found.seconds) * RATE)], found.note.end)
        gains = _expression(found.part.pump, kicks, start, len(out)) if found.part.pump else None
        scaled = np.empty_like(sound)
        for note in found.notes:
            if not start <= note.start < start + len(out) / RATE:
                continue
            first = 2 * round((note.start - start) * RATE)
            count = min(len(sound), len(flat) - first)
            np.multiply(sound[:count], np.float32((note.velocity / found.note.velocity) ** 2), out=scaled[:count])
            if gains is not None:
                scaled[:count] *= _gain_lines(gains, first, count)
            flat[first : first + count] += scaled[:count]


def _alike(part: Part) -> Iterator[RepeatedNote]:
    """The notes of a part, in groups of one pitch and nearly one length."""
    if not part.drums and part.program not in _COSTS:
        return
    by_pitch: dict[int, list[Note]] = defaultdict(list)
    for note in part.notes:
        if not part.drums or _stroke(part.program, note.pitch):
            by_pitch[note.pitch].append(note)
    for pitch, notes in sorted(by_pitch.items()):
        notes.sort(key=lambda note: (note.end - note.start, note.start))
        lengths = [note.end - note.start for note in notes]
        first = 0
        while first < len(notes):
            last = len(notes) if part.drums else bisect_right(lengths, lengths[first] + _ALIKE)
            length = 0.12 if part.drums else lengths[(first + last) // 2]
            note = Note(0.0, length, pitch, max(note.velocity for note in notes[first:last]))
            yield RepeatedNote(part, note, tuple(notes[first:last]), length + _ringing(part, pitch))
            first = last


def _ringing(part: Part, pitch: int) -> float:
    if part.drums:
        return _CYMBAL if pitch in _CYMBALS else _TOM if pitch in _TOMS else _DRUM
    return _COSTS[part.program][1] + _ROOM


def _saved(found: RepeatedNote) -> float:
    """The milliseconds that adding the sound saves."""
    rendered = _rendering(found)
    return len(found.notes) * (rendered - _ADDITION * found.seconds) - rendered - _FILE * found.seconds


def _rendering(found: RepeatedNote) -> float:
    """The milliseconds in which the renderer plays one of the notes."""
    if found.part.drums:
        return _stroke(found.part.program, found.note.pitch)
    voices, ringing = _COSTS[found.part.program]
    return _VOICE * voices * (found.note.end + ringing)


def _stroke(kit: int, pitch: int) -> float:
    """The milliseconds for a stroke of a drum that rings; 0 for others."""
    own = _OF_KITS.get(kit, {}).get(pitch)
    return own or _STROKES.get(pitch, 0.0) * (2 if kit in _STEREO else 1)


def _trimmed(rendered: Floats, held: float) -> Floats:
    """The sound without its inaudible end, faded out after its note; left and right in turn."""
    import numpy as np

    blocks = np.abs(rendered[: len(rendered) // _BLOCK * _BLOCK]).reshape(-1, 2 * _BLOCK).max(axis=1)
    heard = np.flatnonzero(blocks > _SILENT * blocks.max(initial=0.0))
    frames = (int(heard[-1]) + 1) * _BLOCK if len(heard) else 0
    sound = rendered[:frames].copy()
    faded = int(min(_MOST_FADED * frames, max(0.0, frames - held * RATE)))
    if faded:
        sound[-faded:] *= np.cos(np.linspace(0, np.pi / 2, faded, dtype=np.float32))[:, None] ** 2
    return sound.reshape(-1)


@lru_cache(1)
def _expression(pump: int, kicks: tuple[float, ...], start: float, frames: int) -> Floats:
    """The gain of the expression controller of a part with `pump` at the beginning of each block."""
    import numpy as np

    gains = np.ones(frames // _BLOCK + 2, np.float32)
    changes = [(round((time - start) * RATE / _BLOCK), value) for time, value in expression_changes(pump, kicks)]
    for (first, value), (last, _) in pairwise((*changes, (len(gains), 0))):
        gains[max(0, first) : max(0, last)] = (value / 127) ** 2
    return gains


def _gain_lines(gains: Floats, first: int, count: int) -> Floats:
    """The gains of `count` values, left and right in turn, from the value `first` on."""
    import numpy as np

    block = 2 * _BLOCK
    along = np.repeat(np.arange(_BLOCK, dtype=np.float32) / np.float32(_BLOCK), 2)
    begin, end = first // block, -(-(first + count) // block)
    lines = gains[begin:end, None] + np.diff(gains[begin : end + 1])[:, None] * along
    return np.asarray(lines.reshape(-1)[first - begin * block :][:count], np.float32)
