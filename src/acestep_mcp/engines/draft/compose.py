"""Composes a score from tags, lyrics, length and seed. The same request gives the same score in every process."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from operator import attrgetter

from acestep_mcp.engines.draft.band import Player, band
from acestep_mcp.engines.draft.form import make_form, sung_lines
from acestep_mcp.engines.draft.form_section import FormSection, form_to_plan
from acestep_mcp.engines.draft.grid import Grid, fastest_tempo, new_grid
from acestep_mcp.engines.draft.harmony import Chord
from acestep_mcp.engines.draft.lineup import lyric_notes
from acestep_mcp.engines.draft.melody import MelodyNote
from acestep_mcp.engines.draft.mix import pump_depth, volume_controller
from acestep_mcp.engines.draft.score import Note, Part, Score, ScoreSection
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.song import Song, outline
from acestep_mcp.engines.draft.song_end import unsung_note, with_room_for_words
from acestep_mcp.engines.draft.style import Style, parse_style
from acestep_mcp.engines.draft.syllables import stress_count

_DANCE_GENRES = frozenset(
    {"deep house", "techno", "trance", "edm", "dubstep", "drum and bass", "hardstyle", "uk garage"}
)


@dataclass(frozen=True, slots=True)
class ComposeRequest:
    """What to compose. A given `grid` or `form` is used as is; `seeds` decide the rest.

    `new_lines` are lyric lines that always get a new melody from the edit seed. `chords`, one for each bar, and `tune` come
    from another song: a bar without a chord gets its own.
    """

    tags: str
    lyrics: str
    seconds: float
    seeds: Seeds
    grid: Grid | None = None
    form: tuple[FormSection, ...] = ()
    new_lines: frozenset[str] = frozenset()
    chords: tuple[Chord | None, ...] = ()
    tune: tuple[MelodyNote, ...] = ()


def compose(request: ComposeRequest) -> Score:
    """Compose the whole song."""
    song = sketch(request)
    players = tuple(band(song))
    parts = tuple(_part(song, player) for player in players)
    sections = tuple(_score_sections(song))
    return Score(
        parts=tuple(part for part in parts if part.notes),
        seconds=song.grid.seconds,
        sections=sections,
        ending=song.grid.ending,
        form=tuple(span.section for span in song.spans),
        plan=_plan(request, song),
        notes=(
            *(song.style.notes if request.grid is None else ()),
            *_lyric_notes(song),
            *_unsung_notes(song, players, parts),
        ),
    )


def sketch(request: ComposeRequest) -> Song:
    """Style, grid, sections and chords, without any notes yet."""
    style = parse_style(request.tags)
    grid, sections = _grid_and_form(request, style)
    song = outline(style, grid, sections, request.seeds)
    chords = tuple(kept or own for kept, own in zip_longest(request.chords[: len(song.chords)], song.chords))
    return replace(song, new_lines=request.new_lines, chords=chords, tune=request.tune)


def _grid_and_form(request: ComposeRequest, style: Style) -> tuple[Grid, tuple[FormSection, ...]]:
    dance = style.genre.name in _DANCE_GENRES

    def form_of(grid: Grid) -> tuple[FormSection, ...]:
        return make_form(
            request.lyrics, grid.bars, grid.bar_seconds, rap=style.rap, dance=dance, halves=grid.layout.halves
        )

    grid = request.grid or new_grid(style, request.seconds, request.seeds, _stresses(request, style))
    if request.grid is None and not request.form:
        return with_room_for_words(grid, form_of, 0.0 if style.bpm else fastest_tempo(style, grid.metre))
    return grid, request.form or form_of(grid)


def _stresses(request: ComposeRequest, style: Style) -> float:
    """The stressed syllables that want a strong beat; those of a rap do not."""
    return 0.0 if style.rap else stress_count(sung_lines(request.lyrics))


def _lyric_notes(song: Song) -> tuple[str, ...]:
    sung = any(span.section.lines for span in song.spans)
    return lyric_notes(song.style.lineup) if sung else ()


def _unsung_notes(song: Song, players: Sequence[Player], parts: Sequence[Part]) -> tuple[str, ...]:
    """Which words come too late to be heard."""
    found = next(((player, part) for player, part in zip(players, parts, strict=True) if player.singer), None)
    if found is None:
        return ()
    lost = [note.sung.text for note in found[0].notes[len(found[1].notes) :]]
    return unsung_note([line for span in song.spans for line in span.section.lines], lost)


def _part(song: Song, player: Player) -> Part:
    """A player's notes in seconds, with swing and humanised timing, and its final notes."""
    notes = list(_humanise(song, player))
    notes.extend(_last_chord(song, player))
    return Part(
        name=player.name,
        program=player.program,
        notes=tuple(sorted(notes, key=attrgetter("start", "pitch"))),
        drums=player.drums,
        volume=volume_controller(player.program, player.weight, drums=player.drums),
        pan=player.pan if player.lead else _apart(player.pan),
        reverb=player.reverb,
        lead=player.lead,
        singer=player.singer,
        pump=0 if player.drums or player.lead else pump_depth(song.style.genre.name),
    )


def _apart(pan: int) -> int:
    """A place further from the middle: patterns are written for a narrow stage."""
    return max(4, min(123, round(64 + 1.8 * (pan - 64))))


def _humanise(song: Song, player: Player) -> Iterator[Note]:
    style, grid, time_at = song.style, song.grid, song.grid.time_at
    first, seconds = grid.phase, grid.seconds
    loose = style.genre.loose * player.looseness
    beats = grid.beats_per_bar
    touches: dict[int, random.Random] = {}
    for beat, length, pitch, velocity, sung in player.notes:
        bar = int(beat // beats)
        if (timing := touches.get(bar)) is None:
            timing = song.seeds.of_passage(player.name, bar).stream(f"touch/{player.name}/{bar}")
            touches[bar] = timing
        late = max(-2 * loose, min(2 * loose, timing.gauss(0, loose)))
        start = max(first, time_at(swing(beat, style, grid)) + late)
        loud = round(velocity + timing.gauss(0, 3))
        if start < seconds - 0.05:
            end = min(max(time_at(swing(beat + length, style, grid)), start + 0.05), seconds)
            yield Note(round(start, 5), round(end, 5), pitch, max(1, min(127, loud)), sung)


def swing(beat: float, style: Style, grid: Grid) -> float:
    """The swung position of `beat`: the second half of each swing unit is played late.

    Compound beats have their three eighths and are not swung, nor are bars that are no multiple of the unit.
    """
    unit, share = style.genre.swing_unit, style.genre.swing
    if share == 0.5 or grid.layout.compound or grid.beats_per_bar % unit:
        return beat
    whole, position = divmod(beat, unit)
    position /= unit
    warped = 2 * position * share if position < 0.5 else share + (2 * position - 1) * (1 - share)
    return (whole + warped) * unit


def _last_chord(song: Song, player: Player) -> Iterator[Note]:
    if song.grid.ending not in {"ring", "slow"} or not player.final_notes:
        return
    start = song.grid.time_at(song.beats)
    end = max(start + 0.3, song.grid.seconds - 0.35)
    for number, note in enumerate(player.final_notes):
        late = 0.018 * number if not player.drums else 0.0
        yield Note(round(start + late, 5), round(end, 5), note.pitch, max(1, min(127, round(note.velocity))))


def _score_sections(song: Song) -> Iterator[ScoreSection]:
    for number, span in enumerate(song.spans):
        start = 0.0 if number == 0 else song.grid.time_at(span.beat)
        end = song.grid.seconds if number == len(song.spans) - 1 else song.grid.time_at(span.end)
        yield ScoreSection(
            span.section.name, span.section.kind, max(0.0, round(start, 3)), min(song.grid.seconds, round(end, 3))
        )


def _plan(request: ComposeRequest, song: Song) -> dict[str, object]:
    grid = song.grid
    return {
        "seed": request.seeds.seed,
        "tags": request.tags,
        "tempo": grid.tempo,
        "key": grid.key.name,
        "scale": grid.scale,
        "meter": grid.metre,
        "genre": song.style.genre.name,
        "progressions": song.progressions,
        "sections": form_to_plan([span.section for span in song.spans]),
        "frame": grid.plan(),
    }
