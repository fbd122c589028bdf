"""From tags, lyrics, length and seed to a score. The same brief gives the same score in every process."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from acestep_mcp.engines.draft.band import Seat, band
from acestep_mcp.engines.draft.form import Part as FormPart
from acestep_mcp.engines.draft.form import form, form_plan
from acestep_mcp.engines.draft.frame import Frame, new_frame
from acestep_mcp.engines.draft.levels import controller
from acestep_mcp.engines.draft.score import Note, Part, Score, Stretch
from acestep_mcp.engines.draft.seeds import Dice
from acestep_mcp.engines.draft.song import Song, outline
from acestep_mcp.engines.draft.style import Style, style

_DANCE = frozenset({"deep house", "techno", "trance", "edm", "dubstep", "drum and bass"})


@dataclass(frozen=True, slots=True)
class Brief:
    """What is to be composed. A frame and a form that are given are kept; `dice` decide the rest."""

    tags: str
    lyrics: str
    seconds: float
    dice: Dice
    frame: Frame | None = None
    form: tuple[FormPart, ...] = ()
    new_lines: frozenset[str] = frozenset()


def compose(brief: Brief) -> Score:
    """The whole song."""
    song = sketch(brief)
    parts = tuple(_part(song, seat) for seat in band(song))
    sections = tuple(_stretches(song))
    return Score(
        parts=tuple(part for part in parts if part.notes),
        seconds=song.frame.seconds,
        sections=sections,
        ending=song.frame.ending,
        form=tuple(span.part for span in song.spans),
        plan=_plan(brief, song),
    )


def sketch(brief: Brief) -> Song:
    """Style, grid, sections and chords, before anybody plays."""
    wanted = style(brief.tags)
    frame = brief.frame or new_frame(wanted, brief.seconds, brief.dice)
    dance = wanted.genre.name in _DANCE
    parts = brief.form or form(brief.lyrics, frame.bars, frame.bar, rap=wanted.rap, dance=dance)
    return replace(outline(wanted, frame, parts, brief.dice), new_lines=brief.new_lines)


def _part(song: Song, seat: Seat) -> Part:
    """A seat's strokes as notes in seconds, swung and played by a human hand; then the last chord."""
    touch = song.dice.stream(f"touch/{seat.name}", 10.0)
    notes = list(_humanised(song, seat, touch))
    notes.extend(_last_chord(song, seat))
    return Part(
        name=seat.name,
        program=seat.program,
        notes=tuple(sorted(notes, key=lambda note: (note.start, note.pitch))),
        drums=seat.drums,
        volume=controller(seat.program, seat.weight, drums=seat.drums),
        pan=seat.pan,
        reverb=seat.reverb,
        lead=seat.lead,
    )


def _humanised(song: Song, seat: Seat, touch: random.Random) -> Iterator[Note]:
    loose = song.style.genre.loose * seat.looseness
    for stroke in seat.strokes:
        start = song.frame.at(swung(stroke.beat, song.style)) + max(-2 * loose, min(2 * loose, touch.gauss(0, loose)))
        end = song.frame.at(swung(stroke.beat + stroke.length, song.style))
        start = max(song.frame.phase, start)
        velocity = round(stroke.velocity + touch.gauss(0, 3))
        if start < song.frame.seconds - 0.05:
            end = min(max(end, start + 0.05), song.frame.seconds)
            yield Note(round(start, 5), round(end, 5), stroke.pitch, max(1, min(127, velocity)))


def swung(beat: float, wanted: Style) -> float:
    """The beat with its second half (or that of each half beat) played late."""
    unit, share = wanted.genre.swing_unit, wanted.genre.swing
    if share == 0.5:
        return beat
    whole, place = divmod(beat, unit)
    place /= unit
    warped = 2 * place * share if place < 0.5 else share + (2 * place - 1) * (1 - share)
    return (whole + warped) * unit


def _last_chord(song: Song, seat: Seat) -> Iterator[Note]:
    if song.frame.ending not in {"ring", "slow"} or not seat.last:
        return
    start = song.frame.at(song.beats)
    end = max(start + 0.3, song.frame.seconds - 0.35)
    for number, stroke in enumerate(seat.last):
        late = 0.018 * number if not seat.drums else 0.0
        yield Note(round(start + late, 5), round(end, 5), stroke.pitch, max(1, min(127, round(stroke.velocity))))


def _stretches(song: Song) -> Iterator[Stretch]:
    for number, span in enumerate(song.spans):
        start = 0.0 if number == 0 else song.frame.at(span.beat)
        end = song.frame.seconds if number == len(song.spans) - 1 else song.frame.at(span.end)
        yield Stretch(span.part.name, span.part.kind, max(0.0, round(start, 3)), min(song.frame.seconds, round(end, 3)))


def _plan(brief: Brief, song: Song) -> dict[str, object]:
    frame = song.frame
    return {
        "seed": brief.dice.seed,
        "tags": brief.tags,
        "tempo": frame.tempo,
        "key": frame.key.name,
        "scale": frame.scale,
        "meter": frame.metre,
        "genre": song.style.genre.name,
        "progressions": song.progressions,
        "sections": form_plan([span.part for span in song.spans]),
        "frame": frame.plan(),
    }
