"""What a remix keeps of its source: the chord of each bar and the tune, as far as they are known or heard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from operator import attrgetter

from acestep_mcp.engines import Source
from acestep_mcp.engines.draft.compose import ComposeRequest, sketch
from acestep_mcp.engines.draft.grid import Grid
from acestep_mcp.engines.draft.heard_chords import chords_in
from acestep_mcp.engines.draft.heard_tune import tune_in
from acestep_mcp.engines.draft.lead import lead
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.source_plan import SourcePlan
from acestep_mcp.engines.draft.style import parse_style


def with_kept_music(
    request: ComposeRequest, source: Source, old: SourcePlan, version: str
) -> tuple[ComposeRequest, str]:
    """The request with the source's chords and tune, and a note on what is kept.

    A draft of this `version` is sketched again from its plan; of other songs both are heard.
    """
    if old.made_by is not None and old.made_by[0] == version and old.seed is not None:
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


def unplayed(tags: str, grid: Grid) -> tuple[str, ...]:
    """A note on a tempo, key or metre in the tags of a remix that is not the source's, which it keeps."""
    return tuple(
        f"A remix keeps the source's tempo, metre and key: {' and '.join(asked)} in the tags had no effect."
        for asked in [list(_asked(tags, grid))]
        if asked
    )


def _asked(tags: str, grid: Grid) -> Iterator[str]:
    style = parse_style(tags)
    if style.bpm is not None and all(abs(style.bpm * times / grid.tempo - 1) > 0.03 for times in (0.5, 1, 2)):
        yield f"{style.bpm:g} bpm"
    if style.metre is not None and style.metre != grid.metre:
        yield style.metre
    if style.key is not None and (style.key.tonic, style.key.minor) != (grid.key.tonic, grid.key.minor):
        yield style.key.name
