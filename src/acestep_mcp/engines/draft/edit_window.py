"""The bars of a window to compose again, and the lines that are still sung outside it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from acestep_mcp.engines.draft.text_setting import line_places

if TYPE_CHECKING:
    from acestep_mcp.engines.draft.form_section import FormSection
    from acestep_mcp.engines.draft.grid import Grid


def window_bars(grid: Grid, start: float, end: float) -> tuple[int, int]:
    """First and last + 1 of the whole bars inside the window; at least the bar in its middle."""
    first = math.ceil((start - grid.phase) / grid.bar_seconds - 0.1)
    last = math.floor((end - grid.phase) / grid.bar_seconds + 0.1)
    first, last = (min(max(bar, 0), grid.bars) for bar in (first, last))
    if first >= last:
        middle = int(((start + end) / 2 - grid.phase) / grid.bar_seconds)
        first = min(max(middle, 0), grid.bars - 1)
        last = first + 1
    return first, last


def with_outer_lines(
    new: tuple[FormSection, ...], old: tuple[FormSection, ...], window: tuple[int, int], grid: Grid
) -> tuple[FormSection, ...]:
    """The new sections, those outside the window with the lines that are still sung there."""
    layout = grid.layout
    sung: list[tuple[float, str, bool]] = []
    bar = 0
    for section in old:
        count, own = len(section.lines), len(section.own_lines)
        places = line_places(section.bars * layout.quarters, count, layout) if count else []
        for n, (line, (start, length)) in enumerate(zip(section.lines, places, strict=True)):
            sung.append((bar + (start + length / 2) / layout.quarters, line, n >= own))
        bar += section.bars
    found, bar = [], 0
    for section in new:
        end = bar + section.bars
        if end <= window[0] or bar >= window[1]:
            inside = [(line, again) for at, line, again in sung if bar <= at < end]
            lines, repeated = tuple(line for line, _ in inside), sum(again for _, again in inside)
            section = replace(section, lines=lines, repeated=repeated)  # noqa: PLW2901
        found.append(section)
        bar = end
    return tuple(found)
