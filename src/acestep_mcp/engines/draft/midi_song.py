"""A song as a MIDI file to work with: in its own tempo, with metre, key, sections, and each syllable at its note."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.midi import TICKS_PER_QUARTER, TimedMessage, file_of, meta, tempo_change
from acestep_mcp.engines.draft.score import Score

_LYRIC, _MARKER, _TIME_SIGNATURE, _KEY_SIGNATURE = 0x05, 0x06, 0x58, 0x59
_SLOWING_STEPS = 16
_LETTERS = "FCGDAEB"
_CLOCKS_PER_QUARTER = 24


def song_bytes(score: Score, grid: Grid, syllables: list[str]) -> bytes:
    """The score as a MIDI file. `syllables` are the texts of all that is sung, in order, for the part that sings."""
    tempo = _TempoMap.of(grid)
    singing = next((number for number, part in enumerate(score.parts) if part.name.startswith("voice")), None)
    lyrics = {}
    if singing is not None:
        notes = sorted(score.parts[singing].notes)
        lyrics[singing] = [
            # Before the note of its tick.
            TimedMessage(tempo.tick_at(note.start), 1, meta(_LYRIC, text.encode()))
            for note, text in zip(notes, syllables, strict=False)
        ]
    return file_of(_conductor(score, grid, tempo), score.parts, score.seconds, tempo.tick_at, lyrics)


@dataclass(frozen=True, slots=True)
class _TempoMap:
    """The beats, in quarter notes, at which the tempo changes, and their times in seconds."""

    beats: tuple[float, ...]
    times: tuple[float, ...]

    @classmethod
    def of(cls, grid: Grid) -> _TempoMap:
        """One tempo, and while the last bar slows down a new one for each sixteenth part of it."""
        beats = [0.0]
        if grid.slowing:
            last = (grid.bars - 1) * grid.beats_per_bar
            beats += [last + grid.beats_per_bar * step / _SLOWING_STEPS for step in range(_SLOWING_STEPS + 1)]
        beats = sorted({*beats, beats[-1] + grid.beats_per_bar})
        return cls(tuple(beats), tuple(grid.time_at(beat) for beat in beats))

    def tick_at(self, seconds: float) -> int:
        at = min(max(0, bisect_right(self.times, seconds) - 1), len(self.times) - 2)
        (first, last), (start, end) = self.beats[at : at + 2], self.times[at : at + 2]
        beat = first + (seconds - start) / (end - start) * (last - first)
        return max(0, round(beat * TICKS_PER_QUARTER))

    def changes(self) -> Iterator[TimedMessage]:
        for (first, start), (last, end) in pairwise(zip(self.beats, self.times, strict=True)):
            yield tempo_change(round(first * TICKS_PER_QUARTER), (end - start) / (last - first))


def _conductor(score: Score, grid: Grid, tempo: _TempoMap) -> Iterator[TimedMessage]:
    count, unit = (int(part) for part in grid.metre.split("/"))
    clocks = _CLOCKS_PER_QUARTER * 3 // 2 if grid.layout.compound else _CLOCKS_PER_QUARTER * 4 // unit
    yield TimedMessage(0, 0, meta(_TIME_SIGNATURE, bytes((count, unit.bit_length() - 1, clocks, 8))))
    yield TimedMessage(0, 0, meta(_KEY_SIGNATURE, key_signature(grid.key.name)))
    yield from tempo.changes()
    for section in score.sections:
        yield TimedMessage(tempo.tick_at(section.start), 1, meta(_MARKER, section.name.encode()))


def key_signature(name: str) -> bytes:
    """The data of a key signature: the sharps of a key such as `F# minor`, negative for flats, and whether it is minor."""
    tonic, mode = name.split(" ")
    fifths = _LETTERS.index(tonic[0]) - 1 + 7 * (tonic.count("#") - tonic.count("b"))
    minor = mode == "minor"
    sharps = fifths - 3 if minor else fifths
    return bytes((sharps % 256, minor))
