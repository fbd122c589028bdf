"""What every edit returns besides the sound: its lyrics and its sections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from acestep_mcp.engines import Section
from acestep_mcp.engines.draft.form_section import FormSection
from acestep_mcp.engines.draft.source_plan import SourcePlan
from acestep_mcp.readers.no_vocals import is_instrumental

_SHORTEST = 0.5
"""Seconds; a window's edge that is nearer to that of a section leaves nothing of the section, or all of it."""


def sections_after(
    old: SourcePlan, form: Sequence[FormSection], bars: tuple[int, int], window: tuple[float, float]
) -> tuple[Section, ...]:
    """The song's sections after an edit of `window`, in whose whole bars `form` may have other sections.

    Those outside the window are the song's own.
    """
    start, end = (_nearest_edge(old.sections, at) for at in window)
    if start >= end or _name_of_each_bar(form) == _name_of_each_bar(old.form):
        return old.sections
    before = [replace(one, end=min(one.end, start)) for one in old.sections if one.start < start]
    after = [replace(one, start=max(one.start, end)) for one in old.sections if one.end > end]
    inside = list(_inside(replace(old, form=tuple(form)), bars, start, end))
    if before and before[-1] not in old.sections and _goes_on(before[-1], inside[0]):
        inside[0] = replace(before.pop(), end=inside[0].end)
    if after and after[0] not in old.sections and _goes_on(after[0], inside[-1]):
        inside[-1] = replace(after.pop(0), start=inside[-1].start)
    return (*before, *inside, *after)


def answer_lyrics(lyrics: str) -> str:
    """The lyrics as the answer holds them."""
    return "[inst]" if is_instrumental(lyrics) else lyrics


def _nearest_edge(sections: Sequence[Section], at: float) -> float:
    """The edge of a section that is very near, else the time itself."""
    edge = min((edge for one in sections for edge in (one.start, one.end)), key=lambda edge: abs(edge - at))
    return edge if abs(edge - at) < _SHORTEST else round(at, 3)


def _name_of_each_bar(form: Sequence[FormSection]) -> list[str]:
    return [section.name for section in form for _ in range(section.bars)]


def _inside(new: SourcePlan, bars: tuple[int, int], start: float, end: float) -> Iterator[Section]:
    """The new sections of the window's bars from `start` to `end`; one that would be very short is left out."""
    names = _name_of_each_bar(new.form)
    begins = [(start, names[bars[0]])]
    for bar in range(bars[0] + 1, bars[1]):
        at = round(new.grid.time_at(bar * new.grid.beats_per_bar), 3)
        if names[bar] != names[bar - 1] and begins[-1][0] + _SHORTEST <= at <= end - _SHORTEST:
            begins.append((at, names[bar]))
    for (at, name), (following, _) in pairwise([*begins, (end, "")]):
        yield Section(name, at, following)


def _goes_on(section: Section, new: Section) -> bool:
    """Whether the new section is more of the same: `chorus` is that of `chorus 2`."""
    return section.name == new.name or section.name.rstrip("0123456789").rstrip() == new.name
