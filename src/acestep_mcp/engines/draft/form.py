"""The sections of a song: from the section marks in its lyrics, or a standard form for instrumentals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from acestep_mcp.readers.lyric_sheet import LyricSheet, read_lyrics

_INTENSITY = {
    "intro": 0.32, "verse": 0.55, "pre": 0.68, "chorus": 0.9, "bridge": 0.48, "solo": 0.75, "build": 0.6, "drop": 1.0,
    "break": 0.3, "outro": 0.38,
}  # fmt: skip
_SUNG_LINE = 5.0  # seconds per line in the ACE-Step authors' examples
_RAPPED_LINE = 3.0
_SONG_FORM = ("intro", "verse", "chorus", "verse", "chorus", "bridge", "chorus", "outro")
_DANCE_FORM = ("intro", "build", "drop", "break", "build", "drop", "outro")


@dataclass(frozen=True, slots=True)
class FormSection:
    """A section of `bars` bars with its sung `lines`; `intensity` goes from 0 (very quiet) to 1 (everything plays).

    When a section is cut, `offset_bars` is how many of its bars come before this piece.
    """

    name: str
    kind: str
    bars: int
    lines: tuple[str, ...] = ()
    intensity: float = 0.5
    offset_bars: int = 0


def make_form(
    lyrics: str, bars: int, bar_seconds: float, *, rap: bool = False, dance: bool = False
) -> tuple[FormSection, ...]:
    """Lay out sections that fill exactly `bars` bars of `bar_seconds` seconds."""
    marked = _parse_sections(read_lyrics(lyrics))
    if not marked:
        sections = _instrumental(bars, _DANCE_FORM if dance else _SONG_FORM)
    elif not any(section.lines for section in marked):
        sections = _share_bars(marked, bars)
    else:
        sections = _fit_lines(marked, bars, bar_seconds, _RAPPED_LINE if rap else _SUNG_LINE)
    return _with_numbered_names(_with_intensities(sections))


def intro_form(bars: int) -> tuple[FormSection, ...]:
    """An intro to put before an existing song: quiet first, then fuller."""
    first = max(1, bars // 2)
    sections = [FormSection("intro", "intro", first, (), 0.4)]
    if bars > first:
        sections.append(FormSection("lead-up", "verse", bars - first, (), 0.6))
    return tuple(sections)


def sung_lines(lyrics: str) -> list[str]:
    """Every sung line of the lyrics."""
    return list(read_lyrics(lyrics).lines)


def with_lyrics(sections: Sequence[FormSection], lyrics: str) -> tuple[FormSection, ...]:
    """The same sections with other lyrics: section by section if the kinds agree, else line by line in order."""
    new = [section for section in _parse_sections(read_lyrics(lyrics)) if section.lines]
    old = [number for number, section in enumerate(sections) if section.lines] or _singable(sections)
    if [section.kind for section in new] != [sections[number].kind for number in old]:
        new = _distribute([line for section in new for line in section.lines], [sections[number] for number in old])
    new_lines = dict(zip(old, (section.lines for section in new), strict=False))
    return tuple(replace(section, lines=new_lines.get(number, ())) for number, section in enumerate(sections))


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
    if lines and len(lines) == sum(len(section.lines) for section in sections):
        return with_lyrics(sections, lyrics)
    inside = _between(sections, first, last)
    if lines and sheet.sections:
        inside = list(make_form(lyrics, last - first, bar_seconds))
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
            found.append(replace(section, bars=end - begin, lines=(), offset_bars=section.offset_bars + begin - bar))
        bar += section.bars
    return found


def form_to_plan(sections: Sequence[FormSection]) -> list[list[Any]]:
    """The sections as JSON values."""
    return [
        [
            section.name,
            section.kind,
            section.bars,
            round(section.intensity, 3),
            list(section.lines),
            section.offset_bars,
        ]
        for section in sections
    ]


def form_from_plan(plan: Any, bars: int) -> tuple[FormSection, ...] | None:
    """The sections stored in a plan, or None if they are invalid or do not fill `bars` bars."""
    if not isinstance(plan, list):
        return None
    sections = []
    for row in plan:
        match row:
            case [str(name), str(kind), int(size), int() | float() as intensity, list(lines), int(offset_bars)]:
                known = kind in _INTENSITY and size > 0 and 0 <= intensity <= 1 and offset_bars >= 0
                if not known or not all(isinstance(line, str) for line in lines):
                    return None
                sections.append(FormSection(name, kind, size, tuple(lines), float(intensity), offset_bars))
            case _:
                return None
    return tuple(sections) if sections and sum(section.bars for section in sections) == bars else None


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
        distributed.append(replace(section, lines=tuple(lines[done:end])))
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


def _fit_lines(marked: Sequence[FormSection], bars: int, bar_seconds: float, line_seconds: float) -> list[FormSection]:
    """Give each line the number of bars (a power of two) nearest to its usual length with which all lines fit."""
    for per_line in sorted((4.0, 2.0, 1.0, 0.5), key=lambda share: _ratio(share * bar_seconds, line_seconds)):
        sized = [replace(section, bars=_section_bars(section, per_line)) for section in marked]
        if sum(section.bars for section in sized) <= bars:
            return _fill_bars(sized, bars)
    return _share_bars(marked, bars)


def _ratio(seconds: float, wanted: float) -> float:
    return max(seconds / wanted, wanted / seconds)


def _section_bars(section: FormSection, per_line: float) -> int:
    wanted = len(section.lines) * per_line if section.lines else 4
    return max(1, round(wanted))


def _share_bars(marked: Sequence[FormSection], bars: int) -> list[FormSection]:
    """Share the bars out by number of lines. Without enough bars, the last sections are merged into one."""
    limit = max(1, bars)
    sung = [section for section in marked if section.lines] or list(marked)
    chosen = list(marked) if len(marked) <= limit else sung[:limit]
    if len(sung) > limit:
        rest = tuple(line for section in sung[limit:] for line in section.lines)
        chosen[-1] = replace(chosen[-1], lines=chosen[-1].lines + rest)
    weights = [len(section.lines) or 2 for section in chosen]
    ends = [round(bars * sum(weights[: number + 1]) / sum(weights)) for number in range(len(chosen))]
    sizes = [max(1, end - start) for start, end in zip([0, *ends], ends, strict=False)]
    while sum(sizes) > bars:
        sizes[sizes.index(max(sizes))] -= 1
    return [replace(section, bars=size) for section, size in zip(chosen, sizes, strict=True)]


def _fill_bars(sections: list[FormSection], bars: int) -> list[FormSection]:
    """Fill the bars left over: with an intro, an outro, then solos between the sections, then a longer intro."""
    left = bars - sum(section.bars for section in sections)
    unit = 4 if bars >= 12 else 2
    edges = (sections[0].kind != "intro") + (sections[-1].kind != "outro")
    size = min(unit, -(-left // max(1, edges)))
    if left >= 1 and sections[0].kind != "intro":
        sections = [FormSection("intro", "intro", size), *sections]
        left -= size
    if left >= 1 and sections[-1].kind != "outro":
        size = min(left, unit)
        sections = [*sections, FormSection("outro", "outro", size)]
        left -= size
    return _add_solos(sections, left, 8 if bars >= 40 else unit)


def _add_solos(sections: list[FormSection], left: int, unit: int) -> list[FormSection]:
    """Add solos where a singer would rest: after the choruses if there are any, starting with the last."""
    gaps = [n for n in range(1, len(sections)) if sections[n - 1].lines and sections[n].kind not in {"pre", "solo"}]
    gaps = [n for n in gaps if sections[n - 1].kind == "chorus" and sections[n].lines] or gaps[-2:] or [len(sections)]
    shares = [0] * len(gaps)
    for number in range(left // unit):
        shares[-1 - number % len(gaps)] += unit
    filled = list(sections)
    for gap, share in zip(reversed(gaps), reversed(shares), strict=True):
        if share:
            filled.insert(gap, FormSection("solo", "solo", share))
    rest = next((n for n, section in enumerate(filled) if not section.lines), len(filled) - 1)
    filled[rest] = replace(filled[rest], bars=filled[rest].bars + left % unit)
    return _merge_solos(filled)


def _merge_solos(sections: list[FormSection]) -> list[FormSection]:
    """Merge consecutive solos."""
    joined: list[FormSection] = []
    for section in sections:
        if joined and section.kind == joined[-1].kind == "solo":
            joined[-1] = replace(joined[-1], bars=joined[-1].bars + section.bars)
        else:
            joined.append(section)
    return joined


def _instrumental(bars: int, shape: Sequence[str]) -> list[FormSection]:
    unit = next(size for size, least in ((16, 112), (8, 36), (4, 12), (2, 5), (1, 0)) if bars >= least)
    count = max(1, bars // unit)
    kinds = list(shape[1:3])[:count] if count < 3 else _kinds(shape, count)
    sizes = [unit] * len(kinds)
    sizes[-2 if len(kinds) > 2 else -1] += bars - unit * len(kinds)
    return [FormSection(kind, kind, size) for kind, size in zip(kinds, sizes, strict=True)]


def _kinds(shape: Sequence[str], count: int) -> list[str]:
    """The form with `count` sections: first and last stay, the middle is shortened or repeated."""
    middle = list(shape[1:-1])
    while len(middle) < count - 2:
        middle += shape[1:-1]
    middle = middle[: count - 2]
    if count > 3:
        middle[-1] = shape[-2]  # the section before the last is the peak
    return [shape[0], *middle, shape[-1]]


def _with_intensities(sections: Sequence[FormSection]) -> list[FormSection]:
    """Set intensities: later verses are fuller than the first, the last chorus is the fullest."""
    seen: dict[str, int] = {}
    lasts = {section.kind: number for number, section in enumerate(sections)}
    changed = []
    for number, section in enumerate(sections):
        again = seen.get(section.kind, 0)
        seen[section.kind] = again + 1
        top = 0.1 if section.kind == "chorus" and lasts["chorus"] == number and again else 0.0
        intensity = min(1.0, _INTENSITY[section.kind] + 0.06 * min(again, 2) + top)
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
