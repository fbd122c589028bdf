"""Backing voices: they sing the chorus with the tune, a third above and a third below it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from acestep_mcp.engines.draft.melody import MelodyNote
from acestep_mcp.engines.draft.song import Song

BACKING = (("voice third above", 1, 88), ("voice third below", -1, 40))
"""The backing voices: name, side of the tune, and pan (0-127)."""
_LONG = 0.9
_THIRDS, _WIDER = (3, 4), (5, 8, 9)


def thirds(song: Song, sung: Sequence[MelodyNote], side: int) -> Iterator[MelodyNote]:
    """The tune's notes in choruses a third above (`side` 1) or below (-1); a fourth or a sixth where the chord wants it.

    A voice rests where every such note lies outside the chord and the scale, or a long one grinds against the chord.
    """
    spans = [span for span in song.spans if span.section.kind == "chorus"]
    for note in sung:
        if any(span.beat - 1 <= note.beat < span.end for span in spans):
            interval = _interval(song, note, side)
            if interval:
                yield note._replace(pitch=note.pitch + side * interval)


def _interval(song: Song, note: MelodyNote, side: int) -> int:
    """Semitones between the tune and the backing voice; 0 for a rest."""
    chord = song.chord_at(note.beat)
    tones, scale = set(chord.tones), set(song.grid.key.pitch_classes)

    def fits(interval: int, pitches: set[int]) -> bool:
        return (note.pitch + side * interval) % 12 in pitches

    def grinds(interval: int) -> bool:
        return any((note.pitch + side * interval - tone) % 12 in {1, 11} for tone in tones)

    in_chord = [interval for interval in (*_THIRDS, *_WIDER) if fits(interval, tones)]
    in_scale = [interval for interval in _THIRDS if fits(interval, scale | tones)]
    if note.length >= _LONG:
        return next((interval for interval in (*in_chord, *in_scale) if not grinds(interval)), 0)
    return next(iter((*(one for one in in_chord if one in _THIRDS), *in_scale, *in_chord)), 0)
