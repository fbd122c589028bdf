"""Fits sections to the length of a song: how long lines are, what is sung again, and what is played without words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from acestep_mcp.engines.draft.form_section import FormSection
from acestep_mcp.engines.draft.song_length import EDGE_SECONDS, LONGEST_EDGE, LONGEST_SOLO, SHORT_SONG, SongLength

LEAST_SUNG, MOST_SUNG = 0.65, 0.85
"""The share of a song with words that is sung, where its lyrics and its length allow it."""
_LONGEST_CHORUS = 16
_RUSHED, _DRAWN_OUT = 0.4, 1.3


def fit_lines(marked: Sequence[FormSection], length: SongLength) -> list[FormSection] | None:
    """The marked sections and what is added to them, exactly as long as the song; None if the lines do not fit in it.

    Of all lengths of lines that fit, the one is taken that is nearest to the usual one and has most of the song sung.
    """
    options = [sized for sized in _sizes(marked, length) if _total(sized) <= length.bars]
    if not options:
        return None
    best = min(options, key=lambda sized: _cost(sized, length))
    return _filled(_sung_again(best, length), length)


def fit_window(marked: Sequence[FormSection], length: SongLength) -> list[FormSection] | None:
    """The marked sections alone, exactly as long as a window of a song; None if their lines do not fit in it."""
    options = [sized for sized in _sizes(marked, length) if _total(sized) <= length.bars]
    if not options:
        return None
    best = min(options, key=lambda sized: _cost(sized, length))
    return _stretched(best, length.bars - _total(best))


def _sizes(marked: Sequence[FormSection], length: SongLength) -> Iterator[list[FormSection]]:
    """The marked sections with every length of lines: a power of two of bars, in some sections perhaps the double.

    Choruses may have half of two bars; verses, where bars have halves, one bar and a half.
    """
    kinds = {section.kind for section in marked if section.lines}
    differ = "chorus" in kinds and len(kinds) > 1
    for per_line in (4.0, 2.0, 1.0, 0.5):
        yield _sized(marked, per_line, length)
        if differ and per_line <= 2:
            yield _sized(marked, per_line, length, chorus=2)
        if differ and per_line == 2:
            yield _sized(marked, per_line, length, chorus=0.5)
        if differ and per_line == 1:
            for verse, bridge in product((1, 1.5, 2) if length.halves else (1, 2), (1, 2)):
                yield _sized(marked, per_line, length, verse=verse, bridge=bridge)


def _sized(marked: Sequence[FormSection], per_line: float, length: SongLength, **times: float) -> list[FormSection]:
    """The sections with `per_line` bars for each line, by kind so many times as many."""
    return [replace(one, bars=_bars(one, per_line * times.get(one.kind, 1), length)) for one in marked]


def _bars(section: FormSection, per_line: float, length: SongLength) -> int:
    if section.lines:
        return max(1, math.ceil(len(section.lines) * per_line - 0.01))
    return max(1, length.edge) if section.kind in {"intro", "outro"} else max(1, min(length.unit, length.bars // 8))


def _cost(sized: Sequence[FormSection], length: SongLength) -> float:
    """How unusual the lines' length is, in octaves, how often lyrics must be repeated, and what is missing of a rest.

    Long lines take longer than short ones.
    """
    lines = sum(len(section.lines) for section in sized)
    average = max(1.0, sum(_letters(section) for section in sized) / lines)
    unusual = 0.0
    for section in sized:
        if section.lines:
            wordy = min(1.6, max(0.6, _letters(section) / len(section.lines) / average))
            share = section.bars * length.bar_seconds / len(section.lines) / (length.line_seconds * wordy)
            unusual += (
                len(section.lines)
                / lines
                * (abs(math.log2(share)) + (2.0 if share < _RUSHED else 0.0) + max(0.0, share - _DRAWN_OUT))
            )
    sung = _sung(sized)
    repeats = max(0.0, math.log2(LEAST_SUNG * length.bars / sung))
    dense = max(0.0, sung / length.bars - MOST_SUNG) if length.seconds > SHORT_SONG else 0.0
    return unusual + 0.35 * repeats + 14 * dense


def _letters(section: FormSection) -> int:
    return sum(character.isalnum() for line in section.lines for character in line)


def _sung(sections: Sequence[FormSection]) -> int:
    return sum(section.bars for section in sections if section.lines)


def _total(sections: Sequence[FormSection]) -> int:
    return sum(section.bars for section in sections)


def _sung_again(sections: Sequence[FormSection], length: SongLength) -> list[FormSection]:
    """Choruses sung twice, and then more sections, until enough of the song is sung."""
    found = list(sections)
    room = min(MOST_SUNG * length.bars - _sung(found), length.bars - _total(found))
    while _sung(found) < LEAST_SUNG * length.bars:
        added = _doubled_chorus(found, room) or _added_section(found, sections, room)
        if not added:
            break
        room -= _sung(added) - _sung(found)
        found = added
    return found


def _doubled_chorus(sections: list[FormSection], room: float) -> list[FormSection] | None:
    """The shortest chorus, of several the last, with its lines twice."""
    choruses = [number for number, one in enumerate(sections) if one.kind == "chorus" and one.lines]
    allowed = [n for n in choruses if sections[n].bars <= room and 2 * sections[n].bars <= _LONGEST_CHORUS]
    if not allowed:
        return None
    at = min(allowed, key=lambda number: (sections[number].bars, -number))
    one = sections[at]
    lines = 2 * one.lines
    doubled = replace(one, bars=2 * one.bars, lines=lines, repeated=one.repeated + len(one.lines))
    return [*sections[:at], doubled, *sections[at + 1 :]]


def _added_section(sections: list[FormSection], marked: Sequence[FormSection], room: float) -> list[FormSection] | None:
    """The sections with one more at their end, before an outro: the chorus, or else the words from their beginning."""
    sung = [one for one in marked if one.lines]
    added = sum(bool(one.lines) and not one.own_lines for one in sections)
    choruses = [one for one in sung if one.kind == "chorus"]
    again = [*choruses[-1:], *sung]
    order = [again[(added + shift) % len(again)] for shift in range(len(again))]
    one = next((one for one in order if one.bars <= room), None)
    if one is None:
        return None
    copy = replace(one, repeated=len(one.lines))
    at = len(sections) - (sections[-1].kind == "outro" and not sections[-1].lines)
    return [*sections[:at], copy, *sections[at:]]


def _filled(sections: list[FormSection], length: SongLength) -> list[FormSection]:
    """The sections with an intro, solos and an outro in the bars that are left."""
    left = length.bars - _total(sections)
    opening = length.edge if sections[-1].kind == "outro" else length.opening
    if left and sections[0].kind != "intro" and opening:
        size = next(size for size in (8, 4, 2, 1) if size <= min(left, opening))
        sections, left = [FormSection("intro", "intro", size), *sections], left - size
    if left and sections[-1].kind != "outro" and length.seconds > SHORT_SONG:
        size = min(max(1, length.edge), left)
        sections, left = [*sections, FormSection("outro", "outro", size)], left - size
    sections, left = _with_solos(sections, left, length)
    sections, left = _with_longer(sections, left, length)
    return _stretched(_merged_solos(sections), left)


def _with_solos(sections: list[FormSection], left: int, length: SongLength) -> tuple[list[FormSection], int]:
    """Solos where a singer would rest: after the choruses first, from the last, and no longer than solos are."""
    gaps = [
        n for n in range(1, len(sections))
        if sections[n - 1].lines and sections[n].kind not in {"pre", "solo", "outro", "break", "drop"}
    ]  # fmt: skip
    gaps.sort(key=lambda n: (sections[n - 1].kind != "chorus", -n))
    shares = dict.fromkeys(gaps, 0)
    for most in (length.unit, length.solo, LONGEST_SOLO if len(gaps) < 2 else length.solo):
        for gap in gaps:
            size = min(most - shares[gap], left // length.unit * length.unit)
            if size > 0:
                shares[gap] += size
                left -= size
    filled = list(sections)
    for gap in sorted(shares, reverse=True):
        if shares[gap]:
            filled.insert(gap, FormSection("solo", "solo", shares[gap]))
    return filled, left


def _with_longer(sections: list[FormSection], left: int, length: SongLength) -> tuple[list[FormSection], int]:
    """A longer outro, longer solos, and then a longer intro, each no longer than they may be."""
    limits = {"outro": LONGEST_EDGE, "solo": length.solo, "intro": LONGEST_EDGE}
    if length.seconds <= SHORT_SONG:
        limits = {"solo": length.solo}
    elif length.bar_seconds * LONGEST_EDGE > 2 * EDGE_SECONDS:
        limits |= {"outro": max(1, length.edge) + 2, "intro": max(1, length.edge)}
    longer = list(sections)
    for kind, most in limits.items():
        for at, one in enumerate(longer):
            size = min(most - one.bars, left) if one.kind == kind and not one.lines else 0
            if size > 0:
                longer[at] = replace(one, bars=one.bars + size)
                left -= size
    return longer, left


def _stretched(sections: Sequence[FormSection], left: int) -> list[FormSection]:
    """The bars that are left, shared out at the ends of the sung sections, or of all if none is sung."""
    longer = list(sections)
    sung = [number for number, one in enumerate(longer) if one.lines] or list(range(len(longer)))
    for turn in range(left):
        at = sung[-1 - turn % len(sung)]
        longer[at] = replace(longer[at], bars=longer[at].bars + 1)
    return longer


def _merged_solos(sections: Sequence[FormSection]) -> list[FormSection]:
    """The sections with solos joined that follow each other and are not too long together."""
    joined: list[FormSection] = []
    for section in sections:
        before = joined[-1] if joined else section
        both = before.bars + section.bars
        if joined and section.kind == before.kind == "solo" and both <= LONGEST_SOLO:
            joined[-1] = replace(before, bars=both)
        else:
            joined.append(section)
    return joined


def share_bars(marked: Sequence[FormSection], bars: int) -> list[FormSection]:
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


def share_unsung(marked: Sequence[FormSection], length: SongLength) -> list[FormSection]:
    """Marked sections without any words: the first intro and the last outro short, and the rest alike."""
    inner = [one for one in marked if one.kind not in {"intro", "outro"}]
    edge = max(1, length.edge)
    left = length.bars - edge * (len(marked) - len(inner))
    if not inner or left < len(inner):
        return share_bars(marked, length.bars)
    sizes = iter(share_bars(inner, left))
    return [replace(one, bars=edge) if one.kind in {"intro", "outro"} else next(sizes) for one in marked]


def instrumental(length: SongLength, shape: Sequence[str]) -> list[FormSection]:
    """The standard form `shape` in exactly so many bars: its first and last kind are short, the middle has equal sections."""
    edges = length.opening, length.edge if length.seconds > SHORT_SONG else 0
    inner = length.bars - sum(edges)
    unit = next(size for size, least in ((16, 112), (8, 32), (4, 8), (2, 3), (1, 0)) if inner >= least)
    count = max(1, inner // unit)
    middle = [shape[1:-1][number % len(shape[1:-1])] for number in range(count)]
    if count > 1:
        middle[-1] = shape[-2]  # the section before the last is the peak
    sizes = [unit] * count
    for number in range(inner - unit * count):
        sizes[-1 - number % count] += 1
    found = [FormSection(kind, kind, size) for kind, size in zip(middle, sizes, strict=True)]
    first = [FormSection(shape[0], shape[0], edges[0])] if edges[0] else []
    last = [FormSection(shape[-1], shape[-1], edges[1])] if edges[1] else []
    return [*first, *found, *last]
