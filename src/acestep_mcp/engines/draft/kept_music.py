"""What a remix keeps of its source: the chord of each bar and the tune, as far as they are known or heard."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter

from acestep_mcp.engines import Source
from acestep_mcp.engines.draft.compose import ComposeRequest, sketch
from acestep_mcp.engines.draft.grid import Grid, regrid
from acestep_mcp.engines.draft.heard_chords import chords_in
from acestep_mcp.engines.draft.heard_tune import tune_in
from acestep_mcp.engines.draft.lead import lead
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.source_plan import SourcePlan
from acestep_mcp.engines.draft.style import parse_style

_SAME_TEMPO = 0.03


def with_kept_music(request: ComposeRequest, source: Source, old: SourcePlan) -> tuple[ComposeRequest, str]:
    """The request with the source's chords and tune, and a note on what is kept.

    A draft that can be composed again is sketched from its plan; of other songs both are heard.
    """
    if old.is_composable and old.seed is not None:
        song = sketch(ComposeRequest(old.tags, "", old.grid.seconds, Seeds(old.seed), old.grid, old.form))
        tune = lead(song)
        kept = tuple(sorted((*tune.sung, *tune.played), key=attrgetter("beat")))
        return replace(request, chords=song.chords, tune=kept), "The source's chords and tune were kept."
    chords = chords_in(source.sound, old.grid)
    heard = sum(chord is not None for chord in chords)
    if 2 * heard < len(chords):
        return request, "The source's chords and tune were not heard: chords and tune are new."
    note = f"The chords of {heard} of {len(chords)} bars were heard in the source and kept, and so was its strongest line as the tune."
    return replace(request, chords=chords, tune=tune_in(source.sound, old.grid)), note


def asked_grid(tags: str, old: Grid) -> tuple[Grid, tuple[str, ...]]:
    """The grid of a remix: the source's, with the tempo and key that the tags name; and notes on both, and on a metre.

    Half and double the source's tempo are the same pulse.
    """
    style = parse_style(tags)
    tempo, key, played = old.tempo, old.key, []
    if style.bpm is not None and all(abs(style.bpm * times / tempo - 1) > _SAME_TEMPO for times in (0.5, 1, 2)):
        tempo = style.bpm
        played.append(f"at {tempo:g} bpm instead of {old.tempo:.0f}")
    if style.key is not None and (style.key.tonic, style.key.minor) != (key.tonic, key.minor):
        key = style.key
        played.append(f"in {key.name} instead of {old.key.name}")
    notes = [f"The remix is played {' and '.join(played)}, as its tags say."] if played else []
    if style.metre is not None and style.metre != old.metre:
        notes.append(f"A remix keeps the source's metre: {style.metre} in the tags had no effect.")
    return regrid(old, tempo, key) if played else old, tuple(notes)
