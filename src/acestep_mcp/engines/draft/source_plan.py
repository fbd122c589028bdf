"""What is known of a song that is to be edited: from the plan in its file's comment, else from listening to it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import Any

from acestep_mcp.audio import Sound
from acestep_mcp.engines import Source
from acestep_mcp.engines.draft.form import Part, form_plan, planned_form
from acestep_mcp.engines.draft.frame import METRES, Frame
from acestep_mcp.engines.draft.harmony import Key

_SAME_LENGTH = 0.05
_SECTION_BARS = 8


@dataclass(frozen=True, slots=True)
class Former:
    """The song as it was. `made_by` is the (version, renderer) whose notes it is, None after an edit or for a
    recording; with it, tags and seed give the very same bed again.
    """

    frame: Frame
    form: tuple[Part, ...]
    tags: str = ""
    seed: int | None = None
    made_by: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()


def former(source: Source) -> Former:
    """Tempo, key, grid and sections of the source: its plan's, or estimates, and then `notes` says so."""
    plan = _plan(source.comment)
    frame = Frame.from_plan(plan.get("frame"))
    seconds = source.sound.seconds
    if frame is None:
        return _heard(source.sound, plan)
    if abs(frame.seconds - seconds) > _SAME_LENGTH:
        note = "The file is not as long as its plan says: tempo and key are the plan's, the beat was estimated."
        return replace(_heard(source.sound, plan, frame), notes=(note,))
    parts = planned_form(plan.get("sections"), frame.bars)
    if parts is None:
        parts = _by_loudness(source.sound, frame)
    seed, tags = plan.get("seed"), plan.get("tags")
    made_by = plan.get("made_by")
    known = isinstance(made_by, list) and len(made_by) == 2 and isinstance(seed, int) and isinstance(tags, str)
    return Former(
        frame=frame,
        form=parts,
        tags=tags if isinstance(tags, str) else "",
        seed=seed if isinstance(seed, int) else None,
        made_by=(str(made_by[0]), str(made_by[1])) if known and made_by else None,
    )


def plan_of(song: Former, *, made_by: tuple[str, str] | None) -> dict[str, Any]:
    """The plan to write into the edited song's file; without `made_by` it cannot be composed again as it is."""
    frame = song.frame
    return {
        "seed": song.seed,
        "tags": song.tags,
        "tempo": frame.tempo,
        "key": frame.key.name,
        "scale": frame.scale,
        "meter": frame.metre,
        "sections": form_plan(song.form),
        "frame": frame.plan(),
        "made_by": list(made_by) if made_by else None,
    }


def _plan(comment: str) -> dict[str, Any]:
    """The plan in a comment; empty where there is none: comments are anybody's."""
    try:
        found = json.loads(comment)["acestep"]["plan"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _heard(sound: Sound, plan: dict[str, Any], frame: Frame | None = None) -> Former:
    from acestep_mcp.audio.analyse import beat_phase, estimate_key, estimate_tempo

    tempo = frame.tempo if frame else _number(plan.get("tempo"), 30, 300) or estimate_tempo(sound)
    key = frame.key if frame else Key.named(str(plan.get("key"))) or Key.named(estimate_key(sound)) or Key(0, "major")
    metre = frame.metre if frame else "4/4"
    if frame is None and plan.get("meter") in METRES:
        metre = str(plan["meter"])
    bar = 60 / tempo * METRES[metre]
    phase = beat_phase(sound, tempo)
    phase -= bar if phase > 0 else 0.0
    bars = max(1, math.ceil((sound.seconds - phase) / bar))
    heard = Frame(tempo, metre, key.tonic, key.scale, bars, sound.seconds, phase, 0.0, "none")
    note = f"Tempo and key were estimated from the sound: {tempo:.0f} bpm, {key.name}."
    return Former(heard, _by_loudness(sound, heard), notes=(note,))


def _number(value: Any, low: float, high: float) -> float | None:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and low <= value <= high else None


def _by_loudness(sound: Sound, frame: Frame) -> tuple[Part, ...]:
    """Sections of eight bars, each as intense as it is loud."""
    import numpy as np

    from acestep_mcp.audio.measure import loudness_curve
    from acestep_mcp.audio.splice import to_float

    curve = loudness_curve(to_float(sound), sound.sample_rate)
    loudest = float(curve.max()) or 1.0
    parts = []
    for first in range(0, frame.bars, _SECTION_BARS):
        bars = min(_SECTION_BARS, frame.bars - first)
        begin, end = (max(0.0, frame.phase + frame.bar * bar) for bar in (first, first + bars))
        loud = curve[int(begin * 10) : max(int(begin * 10) + 1, int(end * 10))]
        share = float(np.mean(loud)) / loudest if len(loud) else 0.5
        parts.append(Part(f"part {first // _SECTION_BARS + 1}", "verse", bars, (), round(0.3 + 0.6 * share, 3)))
    return tuple(parts)
