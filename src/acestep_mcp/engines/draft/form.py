"""The sections of a song: from the section marks in its lyrics, or a standard form for instrumentals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from acestep_mcp.engines.draft.form_length import (
    fit_lines,
    fit_window,
    instrumental,
    share_bars,
    share_unsung,
)
from acestep_mcp.engines.draft.form_section import INTENSITY, FormSection
from acestep_mcp.engines.draft.song_length import SongLength
from acestep_mcp.readers.lyric_sheet import LyricSheet, read_lyrics

Form = tuple[FormSection, ...]
_SUNG_LINE = 5.0  # seconds per line in the ACE-Step authors' examples
_RAPPED_LINE = 3.0
_SONG_FORM = ("intro", "verse", "chorus", "verse", "chorus", "bridge", "chorus", "outro")
_DANCE_FORM = ("intro", "build", "drop", "break", "build", "drop", "outro")


def make_form(
    lyrics: str, bars: int, bar_seconds: float, *, rap: bool = False, dance: bool = False, halves: bool = False
) -> tuple[FormSection, ...]:
    """Lay out sections that fill exactly `bars` bars of `bar_seconds` seconds.

    Lyrics that are short for the length are sung again, the choruses first. `halves`: lines may begin in the middle of a bar.
    """
    marked = _parse_sections(read_lyrics(lyrics))
    length = SongLength(bars, bar_seconds, _RAPPED_LINE if rap else _SUNG_LINE, halves)
    if not marked:
        sections = instrumental(length, _DANCE_FORM if dance else _SONG_FORM)
    elif not any(section.lines for section in marked):
        sections = share_unsung(marked, length)
    else:
        sections = fit_lines(marked, length) or share_bars(marked, bars)
    return _with_numbered_names(_with_intensities(sections))


def intro_form(bars: int) -> tuple[FormSection, ...]:
    """An intro to put before an existing song: quiet first, then fuller."""
    first = max(1, bars // 2)
    sections = [FormSection("intro", "intro", first, (), 0.4)]
    if bars > first:
        sections.append(FormSection("lead-up", "verse", bars - first, (), 0.6))
    return tuple(sections)


def continued_form(lyrics: str, bars: int, bar_seconds: float, *, rap: bool, halves: bool) -> Form:
    """What follows a song that goes on: the bar in progress, then new sections."""
    link = FormSection("link", "intro", 1, (), 0.6)
    rest = make_form(lyrics, bars - 1, bar_seconds, rap=rap, halves=halves) if bars > 1 else ()
    if rest and rest[0].kind == "intro" and not rest[0].lines:
        # The song is under way: an intro would sound as if it stopped.
        rest = (replace(rest[0], name="interlude", kind="verse", intensity=0.6), *rest[1:])
    return link, *rest


def without_last_bar(sections: Form) -> Form:
    """The sections but their last bar."""
    last = sections[-1]
    return sections[:-1] if last.bars == 1 else (*sections[:-1], replace(last, bars=last.bars - 1))


def sung_lines(lyrics: str) -> list[str]:
    """Every sung line of the lyrics."""
    return list(read_lyrics(lyrics).lines)


def with_lyrics(sections: Sequence[FormSection], lyrics: str) -> tuple[FormSection, ...]:
    """The same sections with other lyrics: section by section if the kinds agree, else line by line in order.

    What was sung again is sung again with the new words, if the kinds agree.
    """
    new = [section for section in _parse_sections(read_lyrics(lyrics)) if section.lines]
    own = [number for number, section in enumerate(sections) if section.own_lines]
    if own and [section.kind for section in new] == [sections[number].kind for number in own]:
        return _section_by_section(sections, [section.lines for section in new])
    sung = [number for number, section in enumerate(sections) if section.lines] or _singable(sections)
    spread = _distribute([line for section in new for line in section.lines], [sections[number] for number in sung])
    new_lines = dict(zip(sung, (section.lines for section in spread), strict=True))
    return tuple(replace(one, lines=new_lines.get(number, ()), repeated=0) for number, one in enumerate(sections))


def _section_by_section(sections: Sequence[FormSection], new: Sequence[tuple[str, ...]]) -> tuple[FormSection, ...]:
    """The sections with the new lines, each as often as the old ones were sung there."""
    coming, found = iter(new), []
    latest: dict[str, tuple[int, tuple[str, ...]]] = {}
    for one in sections:
        if one.own_lines:
            latest[one.kind] = len(one.own_lines), next(coming)
        old, lines = latest.get(one.kind, (1, ()))
        times = max(1, round(len(one.lines) / old)) if one.lines else 0
        repeated = len(lines) * (times - bool(one.own_lines))
        found.append(replace(one, lines=lines * times, repeated=max(0, repeated)))
    return tuple(found)


def window_form(
    sections: Sequence[FormSection], window: tuple[int, int], lyrics: str, bar_seconds: float
) -> tuple[FormSection, ...]:
    """The sections with new lyrics in the bars `window` (first, last + 1).

    Lyrics with as many lines as the whole song are taken as the whole song's. Others are sung inside the window only,
    in their own sections if they have section marks.
    """
    first, last = window
    sheet = read_lyrics(lyrics)
    lines = list(sheet.lines)
    if lines and len(lines) == sum(len(section.own_lines) for section in sections):
        return with_lyrics(sections, lyrics)
    inside = _between(sections, first, last)
    if lines and sheet.sections:
        marked = _parse_sections(sheet)
        fitted = fit_window(marked, SongLength(last - first, bar_seconds)) or share_bars(marked, last - first)
        inside = list(_with_numbered_names(_with_intensities(fitted)))
    else:
        inside = _distribute(lines, inside)
    total = sum(section.bars for section in sections)
    return (*_between(sections, 0, first), *inside, *_between(sections, last, total))


def _between(sections: Sequence[FormSection], first: int, last: int) -> list[FormSection]:
    """The sections between two bars, without their lines."""
    found, bar = [], 0
    for section in sections:
        begin, end = max(first, bar), min(last, bar + section.bars)
        if begin < end:
            offset = section.offset_bars + begin - bar
            found.append(replace(section, bars=end - begin, lines=(), offset_bars=offset, repeated=0))
        bar += section.bars
    return found


def _singable(sections: Sequence[FormSection]) -> list[int]:
    numbers = [
        number
        for number, section in enumerate(sections)
        if section.kind in {"verse", "chorus", "pre", "bridge", "drop"}
    ]
    return numbers or list(range(len(sections)))


def _distribute(lines: list[str], sections: Sequence[FormSection]) -> list[FormSection]:
    """Spread all lines over the sections in proportion to their length."""
    total, distributed, done, bars = sum(section.bars for section in sections), [], 0, 0
    for section in sections:
        bars += section.bars
        end = round(len(lines) * bars / total)
        distributed.append(replace(section, lines=tuple(lines[done:end]), repeated=0))
        done = end
    return distributed


def _parse_sections(sheet: LyricSheet) -> list[FormSection]:
    """The sections of the lyrics, or their stanzas if they have no marks. Bars are not set yet."""
    if sheet.sections:
        kinds = {"pre-chorus": "pre"}
        return [FormSection(part.name, kinds.get(part.kind, part.kind), 0, part.lines) for part in sheet.sections]
    sections = []
    for number, lines in enumerate(sheet.stanzas):
        chorus = sheet.stanzas.count(lines) > 1 or number % 2 == 1
        sections.append(FormSection("chorus" if chorus else "verse", "chorus" if chorus else "verse", 0, lines))
    return sections


def _with_intensities(sections: Sequence[FormSection]) -> list[FormSection]:
    """Set intensities: later verses are fuller than the first, the last chorus is the fullest."""
    seen: dict[str, int] = {}
    lasts = {section.kind: number for number, section in enumerate(sections)}
    changed = []
    for number, section in enumerate(sections):
        again = seen.get(section.kind, 0)
        seen[section.kind] = again + 1
        top = 0.1 if section.kind == "chorus" and lasts["chorus"] == number and again else 0.0
        intensity = min(1.0, INTENSITY[section.kind] + 0.06 * min(again, 2) + top)
        changed.append(replace(section, intensity=round(intensity, 3)))
    return changed


def _with_numbered_names(sections: Sequence[FormSection]) -> tuple[FormSection, ...]:
    """Number the names of sections that occur more than once: `verse 1`, `verse 2`."""
    names = [section.name for section in sections]
    numbered = []
    for number, section in enumerate(sections):
        count = names[: number + 1].count(section.name)
        numbered.append(replace(section, name=f"{section.name} {count}") if names.count(section.name) > 1 else section)
    return tuple(numbered)
