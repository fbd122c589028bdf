"""The whole lyrics of an edited song: the source's, with the words of the new part in their place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any

from acestep_mcp.readers.lyric_sheet import NO_VOCALS, read_lyrics
from acestep_mcp.readers.section_names import read_name

_FEWEST_LINES = 4
_NOTHING = ("", "[inst]", "[instrumental]")


@dataclass(frozen=True, slots=True)
class EditedLyrics:
    """`removed` counts the source's lines that are no longer sung. `is_estimated`: only the time of the edit told where
    among the lines the new words stand, since the times of the sections are unknown.
    """

    text: str
    removed: int = 0
    is_estimated: bool = False


@dataclass(slots=True)
class _LyricBlock:
    """A section of the lyrics: the index of its mark among the lines, if it has one, and of its sung lines."""

    mark: int | None = None
    sung: list[int] = field(default_factory=list)


class _SungText:
    def __init__(self, text: str) -> None:
        plain = read_lyrics(text).text.strip()
        self.lines = [] if plain.lower() in _NOTHING else [line.rstrip() for line in plain.splitlines()]
        self.marks = {number for number, line in enumerate(self.lines) if _name(line)}
        self.blocks = self._blocks()
        self.sung = [number for block in self.blocks for number in block.sung]

    def _blocks(self) -> list[_LyricBlock]:
        """The lyrics cut at their marks, or at blank lines where there are none."""
        blocks = [_LyricBlock()]
        for number, line in enumerate(self.lines):
            if number in self.marks:
                blocks.append(_LyricBlock(number))
            elif line and not _is_bracketed(line):
                blocks[-1].sung.append(number)
            elif not self.marks and blocks[-1].sung:
                blocks.append(_LyricBlock())
        return [block for block in blocks if block.sung or block.mark is not None]

    def text(self) -> str:
        return "\n".join(self.lines)

    def words(self) -> list[str]:
        return [" ".join(self.lines[number].split()).casefold() for number in self.sung]

    def mark_of(self, number: int | None) -> str:
        """The mark above a sung line; empty where there is none."""
        block = next((block for block in self.blocks if number in block.sung), None)
        return self.lines[block.mark] if block and block.mark is not None else ""

    def name_of(self, block: _LyricBlock) -> str:
        return _base(_name(self.lines[block.mark])) if block.mark is not None else ""

    def times(self, sections: Sequence[dict[str, Any]], seconds: float) -> tuple[list[float], set[int]]:
        """The middle of each sung line, and the numbers of those lines whose section is not known by name.

        These are spread over the time between the sections that are, or over the whole song.
        """
        places = self._places(sections)
        times: list[float] = []
        for block, (start, end) in zip(self.blocks, self._filled(places, seconds), strict=True):
            times += [start + (n + 0.5) * (end - start) / len(block.sung) for n in range(len(block.sung))]
        unknown = (block for block, place in zip(self.blocks, places, strict=True) if place is None)
        return times, {number for block in unknown for number in block.sung}

    def _places(self, sections: Sequence[dict[str, Any]]) -> list[tuple[float, float] | None]:
        """The section of each block: the next one of its name."""
        places: list[tuple[float, float] | None] = []
        rest = list(sections)
        for block in self.blocks:
            name = self.name_of(block)
            found = next((n for n, section in enumerate(rest) if _is_named(str(section["name"]), name)), None)
            if found is None:
                places.append(None)
            else:
                places.append((float(rest[found]["start"]), float(rest[found]["end"])))
                rest = rest[found + 1 :]
        return places

    def _filled(self, places: Sequence[tuple[float, float] | None], seconds: float) -> list[tuple[float, float]]:
        """The places with those that are None shared out by their number of lines."""
        filled: list[tuple[float, float]] = []
        for number, place in enumerate(places):
            start = filled[-1][1] if filled else 0.0
            if place is None:
                run = list(takewhile(lambda n: places[n] is None, range(number, len(places))))
                following = places[run[-1] + 1] if run[-1] + 1 < len(places) else None
                stop = following[0] if following else max(start, seconds)
                lines = sum(len(self.blocks[n].sung) for n in run)
                place = (start, start + (stop - start) * len(self.blocks[number].sung) / max(1, lines))  # noqa: PLW2901
            filled.append(place)
        return filled


def extended(lyrics: str, new: str, *, before: bool) -> EditedLyrics:
    """The lyrics with words before or after them. New lyrics that hold all the old lines are the whole song's."""
    old, added = _SungText(lyrics), _SungText(new)
    if not added.lines:
        return EditedLyrics(lyrics)
    if not old.lines or _holds(added.words(), old.words()):
        return EditedLyrics(added.text())
    if whole := _corrected(old, added):
        return EditedLyrics(whole)
    parts = (added, old) if before else (old, added)
    return EditedLyrics("\n\n".join(part.text() for part in parts))


def words_between(lyrics: str, window: tuple[float, float], sections: Sequence[dict[str, Any]], seconds: float) -> str:
    """The lines of a song of `seconds` that are sung in the window, each section under its mark; empty if none is."""
    song = _SungText(lyrics)
    times, _ = song.times(sections, seconds)
    inside = [number for number, at in zip(song.sung, times, strict=True) if window[0] <= at < window[1]]
    parts = []
    for block in song.blocks:
        lines = [song.lines[number] for number in block.sung if number in inside]
        if lines:
            parts.append("\n".join([song.lines[block.mark], *lines] if block.mark is not None else lines))
    return "\n\n".join(parts)


def replaced(
    lyrics: str, new: str, window: tuple[float, float], sections: Sequence[dict[str, Any]], seconds: float
) -> EditedLyrics:
    """The lyrics of a song of `seconds` whose `window` is sung with new words, or with none.

    A line is in the window when its middle is. New lyrics that also hold most of the lines outside are taken as the
    whole song's.
    """
    old, added = _SungText(lyrics), _SungText(new)
    if not old.sung:
        return EditedLyrics(added.text() if added.lines else lyrics)
    times, unknown = old.times(sections, seconds)
    inside = [number for number, at in zip(old.sung, times, strict=True) if window[0] <= at < window[1]]
    outside = [words for number, words in zip(old.sung, old.words(), strict=True) if number not in inside]
    if _is_whole_song(added.words(), outside):
        return EditedLyrics(_line_by_line(old, added, inside) if len(added.sung) == len(old.sung) else added.text())
    if not inside and (whole := _corrected(old, added)):
        return EditedLyrics(whole)
    before = sum(at < window[0] for at in times)
    text = _joined(old, added, inside, before)
    is_estimated = bool(outside) and bool(unknown.intersection(inside) or (added.lines and not inside and unknown))
    return EditedLyrics(text or NO_VOCALS, len(inside), is_estimated)


def _line_by_line(old: _SungText, added: _SungText, inside: Sequence[int]) -> str:
    lines = list(old.lines)
    for number, other in zip(old.sung, added.sung, strict=True):
        if number in inside:
            lines[number] = added.lines[other]
    return "\n".join(lines)


def _corrected(old: _SungText, added: _SungText) -> str:
    """The new lyrics, if they are those of the whole song with a few lines changed, which are sung as before; else empty."""
    matcher = SequenceMatcher(None, old.words(), added.words(), autojunk=False)
    kept = sum(block.size for block in matcher.get_matching_blocks())
    if len(old.sung) < _FEWEST_LINES or len(added.sung) < len(old.sung) or 4 * kept < 3 * len(old.sung):
        return ""
    lines = list(added.lines)
    for what, first, last, begin, end in matcher.get_opcodes():
        if what == "replace" and last - first <= end - begin:
            begin = end - (last - first) if begin == 0 else begin  # noqa: PLW2901 - new lines come before the first one
            for number, other in zip(old.sung[first:last], added.sung[begin:], strict=False):
                lines[other] = old.lines[number]
    return "\n".join(lines)


def _joined(old: _SungText, added: _SungText, inside: Sequence[int], before: int) -> str:
    """The old lines with the new ones in place of those inside, or after the first `before` sung ones if none is."""
    previous = old.sung[before - 1] if before else -1
    first, last = (inside[0], inside[-1]) if inside else (previous + 1, previous)
    following = next((number for number in old.sung if number > last), None)
    is_cut = following is not None and not _starts_block(old, following)
    head, new, tail = old.lines[:first], list(added.lines), old.lines[last + 1 :]
    current = old.mark_of(inside[0] if inside else previous)
    gap = [""] if "" in old.lines else []
    if inside and _starts_block(old, inside[0]):
        if added.marks or not new:
            head = _without_last_mark(head)
    elif new[:1] == [current] and (inside or is_cut):
        new = new[1:]
    marks = [added.lines[number] for number in sorted(added.marks)]
    in_effect = marks[-1] if marks else old.mark_of(previous) if inside and not new else current
    if is_cut and old.mark_of(following) != in_effect:
        tail = [*gap, old.mark_of(following), *tail]
    if head and new == added.lines and 0 in added.marks:
        new = [*gap, *new]
    return re.sub(r"\n{3,}", "\n\n", "\n".join([*head, *new, *tail])).strip()


def _starts_block(lyrics: _SungText, number: int) -> bool:
    return any(block.sung[:1] == [number] for block in lyrics.blocks)


def _without_last_mark(lines: list[str]) -> list[str]:
    while lines and (not lines[-1] or _name(lines[-1])):
        if _name(lines.pop()):
            break
    return lines


def _is_bracketed(line: str) -> bool:
    return line.startswith("[") and line.endswith("]")


def _name(line: str) -> str:
    """The section that a line names as its mark, in English; empty for other lines."""
    name = read_name(line[1:-1]) if _is_bracketed(line) else None
    return name.name if name else ""


def _is_whole_song(new: Sequence[str], outside: Sequence[str]) -> bool:
    kept = sum(words in new for words in outside)
    return bool(outside) and len(new) > len(outside) and 2 * kept >= len(outside)


def _holds(lines: Sequence[str], others: Sequence[str]) -> bool:
    """Whether all the others are among the lines, in their order."""
    rest = iter(lines)
    return all(other in rest for other in others)


def _is_named(section: str, name: str) -> bool:
    section = _base(section)
    return section in {"verse", "chorus"} if not name else section.startswith(name) or name.startswith(section)


def _base(name: str) -> str:
    """`Chorus 2 - whispered` is `chorus`."""
    return re.sub(r"\s*\d+$", "", re.split(r"\s*[:,|-]\s+", name.strip().casefold())[0])
