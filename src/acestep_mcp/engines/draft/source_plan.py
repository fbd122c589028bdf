"""What is known about a song to edit: from the plan in its file's comment, else from analysing its sound."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Any

from acestep_mcp.audio import Sound
from acestep_mcp.engines import Section, Source
from acestep_mcp.engines.draft.form_section import FormSection, form_from_plan, form_to_plan
from acestep_mcp.engines.draft.grid import METRES, Grid
from acestep_mcp.engines.draft.harmony import Key
from acestep_mcp.engines.draft.score import SAME_NOTES, VERSION
from acestep_mcp.engines.draft.seeds import Seeds

_SAME_LENGTH = 0.05
_PULSE = 0.1
_SURE = 0.2
_SECTION_BARS = 8
_MOST_LATE = 60


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """The song before the edit.

    `made_by` is the (version, renderer) that composed it, None after an edit or for a recording. `times` are the sections of
    a song whose sections do not all begin with a bar of the grid; they are empty where the form says all. `late` is from
    which second on the bars are how many seconds later than on the grid: after the slow last bar of a song that was extended.
    """

    grid: Grid
    form: tuple[FormSection, ...]
    tags: str = ""
    seed: int | None = None
    made_by: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()
    times: tuple[Section, ...] = ()
    late: tuple[float, float] = (0.0, 0.0)

    @property
    def sections(self) -> tuple[Section, ...]:
        """The song's sections, in seconds."""
        return self.times or _sections_on(self.grid, self.form)

    @property
    def is_composable(self) -> bool:
        """Whether grid, form, tags and seed give the same notes as in the song."""
        version = self.made_by[0] if self.made_by and self.seed is not None else None
        return version == VERSION or (version in SAME_NOTES and self.grid.metre != "5/4")

    def grid_at(self, second: float) -> Grid:
        """The grid on whose bars the song is there."""
        begin, seconds = self.late
        return replace(self.grid, phase=self.grid.phase + seconds) if second >= begin else self.grid

    def seeds(self, edit_seed: int, variance: float) -> Seeds:
        """The song's own seeds, with `variance` of the decisions from `edit_seed`; that alone if its own are unknown."""
        return Seeds(edit_seed) if self.seed is None else Seeds(self.seed, edit_seed, variance)


def read_source_plan(source: Source) -> SourcePlan:
    """Tempo, key, grid and sections of the source, from its plan or else estimated, which `notes` then says."""
    plan = plan_in_comment(source.comment)
    grid = Grid.from_plan(plan.get("frame"))
    seconds = source.sound.seconds
    if grid is None:
        return _estimated_plan(source.sound, plan)
    if abs(grid.seconds - seconds) > _SAME_LENGTH:
        note = "The file's length differs from its plan: tempo and key come from the plan, the beat was estimated."
        return replace(_estimated_plan(source.sound, plan, grid), notes=(note,))
    sections = form_from_plan(plan.get("sections"), grid.bars)
    times = _times_in(plan.get("times"), seconds) if sections else ()
    if sections is None:
        sections = _sections_by_loudness(source.sound, grid)
    seed, tags = plan.get("seed"), plan.get("tags")
    made_by = plan.get("made_by")
    known = isinstance(made_by, list) and len(made_by) == 2 and isinstance(seed, int) and isinstance(tags, str)
    return SourcePlan(
        grid=grid,
        form=sections,
        tags=tags if isinstance(tags, str) else "",
        seed=seed if isinstance(seed, int) else None,
        made_by=(str(made_by[0]), str(made_by[1])) if known and made_by else None,
        times=times,
        late=_late_in(plan.get("late"), seconds),
    )


def plan_json(song: SourcePlan, *, made_by: tuple[str, str] | None) -> dict[str, Any]:
    """The plan to store in the edited song's file. Without `made_by` the same music cannot be composed again."""
    grid = song.grid
    return {
        "seed": song.seed,
        "tags": song.tags,
        "tempo": grid.tempo,
        "key": grid.key.name,
        "scale": grid.scale,
        "meter": grid.metre,
        "sections": form_to_plan(song.form),
        "times": [[one.name, one.start, one.end] for one in song.times],
        "frame": grid.plan(),
        "late": list(song.late),
        "made_by": list(made_by) if made_by else None,
    }


def plan_in_comment(comment: str) -> dict[str, Any]:
    """The plan in a file's comment; empty if the comment holds anything else."""
    try:
        found = json.loads(comment)["acestep"]["plan"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _times_in(rows: Any, seconds: float) -> tuple[Section, ...]:
    """The sections stored in a plan; none if one of them is no part of a song of that length, or begins before the last ends."""
    found: list[Section] = []
    for row in rows if isinstance(rows, list) else []:
        match row:
            case [str(name), int() | float() as start, int() | float() as end]:
                if not (found[-1].end if found else 0) <= start < end <= seconds + _SAME_LENGTH:
                    return ()
                found.append(Section(name, start, end))
            case _:
                return ()
    return tuple(found)


def _late_in(pair: Any, seconds: float) -> tuple[float, float]:
    match pair:
        case [int() | float() as begin, int() | float() as late] if 0 <= begin <= seconds and 0 <= late < _MOST_LATE:
            return float(begin), float(late)
    return 0.0, 0.0


def _sections_on(grid: Grid, form: tuple[FormSection, ...]) -> tuple[Section, ...]:
    """Where the sections of a form stand on the grid; pieces that a window cut from the same section are joined."""
    found: list[Section] = []
    beat = 0.0
    for number, section in enumerate(form):
        start = round(max(0.0, grid.time_at(beat)), 3) if number else 0.0
        beat += section.bars * grid.beats_per_bar
        end = min(grid.seconds, round(grid.time_at(beat), 3)) if number < len(form) - 1 else grid.seconds
        if found and found[-1].name == section.name:
            found[-1] = replace(found[-1], end=end)
        else:
            found.append(Section(section.name, start, end))
    return tuple(found)


def _estimated_plan(sound: Sound, plan: dict[str, Any], grid: Grid | None = None) -> SourcePlan:
    """A plan from what the file states and, where it states nothing, from the sound."""
    from acestep_mcp.audio.spectrum import mono
    from acestep_mcp.audio.tonality import hear_key

    one, begin = mono(sound)
    stated = str(plan["meter"]) if plan.get("meter") in METRES else None
    tempo, metre, downbeat, has_pulse = (
        _heard_bars(one, grid.tempo, grid.metre)
        if grid
        else _heard_bars(one, _number(plan.get("tempo"), 30, 300), stated)
    )
    known = grid.key if grid else Key.named(str(plan.get("key")))
    heard = None if known else hear_key(one)
    key = known or (Key.named(heard.name) if heard and heard.confidence else None) or Key(0, "major")
    bar = 60 / tempo * METRES[metre]
    phase = (downbeat + begin) % bar
    phase -= bar if phase > 0 else 0.0
    bars = max(1, math.ceil((sound.seconds - phase) / bar))
    estimated = Grid(tempo, metre, key.tonic, key.scale, bars, sound.seconds, phase, 0.0, "none")
    note = f"Tempo, metre and key were estimated from the sound: {tempo:.0f} bpm, {metre}, {key.name}."
    unheard = [*([] if has_pulse else ["pulse"]), *(["key"] if heard and not heard.confidence else [])]
    if unheard:
        note = f"No {' and no '.join(unheard)} is heard in the source; it is taken to be {tempo:.0f} bpm, {metre}, {key.name}."
    return SourcePlan(estimated, _sections_by_loudness(sound, estimated), notes=(note,))


def _heard_bars(samples: Any, tempo: float | None, metre: str | None) -> tuple[float, str, float, bool]:
    """Tempo, metre, the second of the first downbeat of one channel, and whether it has a pulse. What is given stays as it is."""
    from acestep_mcp.audio.rhythm import find_downbeat, hear_rhythm

    if tempo is not None and metre is not None:
        return tempo, metre, find_downbeat(samples, tempo, METRES[metre]), True
    heard = hear_rhythm(samples)
    has_pulse = tempo is not None or heard.tempo_confidence >= _PULSE
    metre = metre or (heard.metre if heard.metre_confidence >= _SURE else "4/4")
    if tempo is None and metre == heard.metre:
        return heard.tempo, metre, heard.downbeat, has_pulse
    tempo = tempo or heard.tempo
    return tempo, metre, find_downbeat(samples, tempo, METRES[metre]), has_pulse


def _number(value: Any, low: float, high: float) -> float | None:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and low <= value <= high else None


def _sections_by_loudness(sound: Sound, grid: Grid) -> tuple[FormSection, ...]:
    """Sections of eight bars, with intensity by loudness."""
    import numpy as np

    from acestep_mcp.audio.measure import loudness_curve
    from acestep_mcp.audio.splice import to_float

    curve = loudness_curve(to_float(sound), sound.sample_rate)
    loudest = float(curve.max()) or 1.0
    sections = []
    for first in range(0, grid.bars, _SECTION_BARS):
        bars = min(_SECTION_BARS, grid.bars - first)
        begin, end = (max(0.0, grid.phase + grid.bar_seconds * bar) for bar in (first, first + bars))
        loud = curve[int(begin * 10) : max(int(begin * 10) + 1, int(end * 10))]
        share = float(np.mean(loud)) / loudest if len(loud) else 0.5
        sections.append(
            FormSection(f"part {first // _SECTION_BARS + 1}", "verse", bars, (), round(0.3 + 0.6 * share, 3))
        )
    return tuple(sections)
