"""One line of lyrics as marks, words, stage directions and repeats, whatever it is dressed in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from acestep_mcp.readers.chords import is_chord, is_chord_line
from acestep_mcp.readers.folding import folded
from acestep_mcp.readers.headings import is_heading
from acestep_mcp.readers.no_vocals import is_instrumental
from acestep_mcp.readers.section_names import SectionName, count_only, read_name, take_count
from acestep_mcp.readers.stage_directions import is_direction

Note = Callable[[str, str], None]
"""Is told a kind of change and the text that was changed."""

MARKDOWN = "Markdown was left out"
MARKS = "read as section marks"
APART = "words beside a section mark are on a line of their own"
DIRECTIONS = "not sung, as stage directions"
CHORDS = "chords were left out"
HEADINGS = "not sung, as headings"
CLOSING = "closing marks were left out"
REPEATS = "written out as often as they are sung"
_MOST_WORDS = 5

NO_VOCALS = SectionName("solo", "inst", "", exact=True, sure=True, english=True)
_OPEN, _CLOSE = "[\\[\uff3b\u3010\u3014\u3016]", "[\\]\uff3d\u3011\u3015\u3017]"
_INSIDE = "([^\\[\\]\uff3b\uff3d\u3010\u3011\u3014\u3015\u3016\u3017]*)"
SQUARE = re.compile(f"{_OPEN}{{1,2}}{_INSIDE}{_CLOSE}{{1,2}}")
_OPENED = re.compile(_OPEN)
_UNCLOSED = re.compile(
    f"{_OPEN}([^\\]\uff3d\u3011\u3015\u3017]{{2,40}})|([^\\[\uff3b\u3010\u3014\u3016]{{2,40}}){_CLOSE}"
)
_ROUND = re.compile("[(\uff08]([^()\uff08\uff09]*)[)\uff09]|<([^<>]{2,40})>|\\{([^{}]{2,40})\\}")
_WRAPPED = re.compile("(?:[(\uff08](.+?)[)\uff09]|[{<\u3008](.+?)[}>\u3009])[\\s:\uff1a.]*(.{0,8})")
_STARS = re.compile(r"(?<![\w*])(?:\*([^*\s][^*]*)\*|_([^_\s][^_]*)_)(?![\w*])")
_EMPHASIS = re.compile(r"(?<![\w*_~`])(\*{1,3}|_{1,3}|~~|`)(?=\S)(.+?)(?<=\S)\1(?![\w*_~`])")
_MARKED = re.compile("[*_~`>\u2022]")  # what every sign of Markdown within a line has one of
_QUOTES = '"\u201c\u201d\u201e\u00ab\u00bb'
_DRESS = re.compile(
    rf"^(?:[\s#>*_`~=+\u2022\u00b7{_QUOTES}\u2013\u2014-]|\d+[.)]\s+(?=[*_{_QUOTES}]*{_OPEN}))+|[\s#*_`~={_QUOTES}\u2013\u2014-]+$"
)
_QUOTE = re.compile(r"^(?:>\s*)+|^[*\u2022]\s+")
_FENCE = re.compile(r"\s*(?:```|~~~)\s*\w*\s*")
_RULE = re.compile(r"\s*(?:[-_*=~\u2013\u2014\u2500\u2022]\s*){3,}")
_HEADING = re.compile(r"\s*#{1,6}\s+\S")
# Lines of the ChordPro format.
_DIRECTIVE = re.compile(r"\s*\{\s*[a-z_]{1,24}\s*(?::.*)?\}\s*", re.IGNORECASE)
_STARTS = {
    "start_of_chorus": "Chorus", "start_of_verse": "Verse", "start_of_bridge": "Bridge",
    "soc": "Chorus", "sov": "Verse", "sob": "Bridge",
}  # fmt: skip
_BEFORE_WORDS = re.compile(r"([^:\uff1a]{2,30}?)(?:[:\uff1a]\s*|\s+[-\u2013\u2014]\s+)(\S.*)")
_LINE_COUNT = re.compile(r"(?i)(?<!\s)\s+(?:[x\u00d7\u0445][2-8]|[2-8][x\u00d7\u0445])\s*$")
_NEAR = 1000
"""Characters: were all of a line read again for each bracket in it, a long line would take the square of its length."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line. `text` is the line to write; a mark has its `name`, and `times` says how often something is sung."""

    kind: Literal["mark", "sung", "blank", "direction", "repeat"]
    text: str = ""
    name: SectionName | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a line stands: at the `top`, before all words; after the words `before`; in a text with `bare` marks."""

    top: bool
    before: str
    bare: bool


def read_line(line: str, place: Place, note: Note) -> list[Piece]:
    """The pieces of a line; words without any change are the line itself."""
    if not line.strip():
        return [Piece("blank", line)]
    if kind := _unsung(line, place):
        note(kind, "" if kind is MARKDOWN else line)
        return [Piece("blank")] if kind is MARKDOWN else []
    words = _without_emphasis(line, place.before, note)
    core = _DRESS.sub("", words)
    if SQUARE.match(core):
        if core != words.strip():
            note(MARKDOWN, "")
            words = core
    elif marked := _undressed_mark(line, core, place, note):
        return marked
    elif _HEADING.match(line) or _DIRECTIVE.fullmatch(line):
        note(HEADINGS, line)
        return []
    return list(_at_brackets(words, place, note))


def _unsung(line: str, place: Place) -> str:
    """Why nothing of a line is sung, whatever is in it; "" if something may be."""
    if _FENCE.fullmatch(line) or _RULE.fullmatch(line):
        return MARKDOWN
    if is_chord_line(line):
        return CHORDS
    return HEADINGS if place.top and is_heading(line) else ""


def undressed(line: str) -> str:
    """The line without Markdown, if it begins with a mark in square brackets then."""
    core = _DRESS.sub("", _EMPHASIS.sub(r"\2", line))
    return core if SQUARE.match(core) else line


def is_bare_mark(line: str) -> bool:
    """Whether a line is the name of a section and nothing else, such as `Verse 2`."""
    name = read_name(line.strip(" \t.:\uff1a")) if len(line) < 40 else None
    return name is not None and name.exact and name.sure and not name.detail


def _undressed_mark(line: str, core: str, place: Place, note: Note) -> list[Piece]:
    """The mark that a line without square brackets is, and words behind it; nothing if it is none."""
    if wrapped := _WRAPPED.fullmatch(core):
        name = _wrapped_name(wrapped, place)
        return _dressed(line, name, note) if name else []
    unclosed = _UNCLOSED.fullmatch(core)
    name = read_name((unclosed[1] or unclosed[2]) if unclosed else core.rstrip(" .:\uff1a"))
    if name and name.exact:
        dressed = unclosed or line.strip() != core or core.endswith((":", "\uff1a"))
        listed = line.lstrip().startswith(("-", "+", "\u2022", ">", "\u2013", "\u2014"))
        if (dressed and (name.sure or not listed)) or (
            place.bare and (name.sure or (name.english and not place.before))
        ):
            return _dressed(line, name, note)
    before = _BEFORE_WORDS.fullmatch(core)
    name = read_name(before[1]) if before else None
    if before and name and name.exact and name.sure:
        note(APART, line)
        return [Piece("mark", _mark(name), name, name.times or 1), *_at_brackets(before[2], place, note)]
    return []


def _wrapped_name(wrapped: re.Match[str], place: Place) -> SectionName | None:
    """The section that a line in round, curly or angle brackets names. An echo of the line before is sung."""
    inside, behind = wrapped[1] or wrapped[2], wrapped[3]
    inside = _STARTS.get(inside.split(":")[0].strip().lower(), inside) if wrapped[2] else inside
    name = read_name(f"{inside} {behind}") if not behind or take_count(behind)[0] else None
    if name is None or not name.exact or len(name.detail.split()) > 3:
        return None
    echoes = set(folded(inside).split()) & set(folded(place.before).split())
    return name if name.sure or not echoes else None


def _dressed(line: str, name: SectionName, note: Note) -> list[Piece]:
    note(MARKS, line)
    return [Piece("mark", _mark(name), name, name.times or 1)]


def _mark(name: SectionName) -> str:
    return f"[{name.name}: {name.detail}]" if name.detail else f"[{name.name}]"


def _without_emphasis(line: str, before: str, note: Note) -> str:
    """The line without Markdown, and without stage directions in asterisks."""
    if not _MARKED.search(line):
        return line

    def direction(found: re.Match[str]) -> str:
        if not is_direction(found[1] or found[2], _beside(before, line, found)):
            return found[0]
        note(DIRECTIONS, found[0])
        return ""

    spoken = _STARS.sub(direction, line)
    plain = _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", _QUOTE.sub("", spoken)))
    if plain != spoken:
        note(MARKDOWN, "")
    return plain if plain == line else _spaced(plain)


def _beside(before: str, line: str, found: re.Match[str]) -> str:
    """The words near a text in brackets, and those of the line `before`."""
    start, end = found.span()
    near = f"{line[max(0, start - _NEAR) : start]} {line[end : end + _NEAR]}"
    return f"{before[-_NEAR:]} {near.replace(found[0], ' ')}"


def _at_brackets(line: str, place: Place, note: Note) -> Iterator[Piece]:
    """The pieces of a line that square brackets divide; chords, and directions behind words, are left out."""
    if _OPENED.search(line):
        return _divided(_without_chords(line, note), place, note)
    return _sung(line, place, note)


def _divided(line: str, place: Place, note: Note) -> Iterator[Piece]:
    words, end, marked = "", 0, False
    for found in SQUARE.finditer(line):
        words, end = words + line[end : found.start()], found.end()
        if times := count_only(found[1]):
            words += f" (x{times}) "
            continue
        piece = _bracketed(found, note)
        if piece is None or (piece.kind == "direction" and words.strip()):
            words += " "
            if piece:
                note(DIRECTIONS, found[0])
            continue
        behind = line[end : end + _NEAR].strip(" .:\uff1a")
        if not behind and line[end : end + _NEAR].strip():
            note(MARKS, line)
        if piece.kind == "mark" and (words.strip() or (behind and not count_only(behind))):
            note(APART, line)
        yield from _sung(_spaced(words), place, note)
        yield piece
        marked, words = True, ""
    if not end:
        yield from _sung(line, place, note)
        return
    rest = _spaced(words + line[end:])
    yield from _sung(re.sub(r"^[\s:\uff1a.*_|\u2013\u2014-]+", "", rest) if marked else rest, place, note)


def _spaced(words: str) -> str:
    return " ".join(words.split())


def _without_chords(line: str, note: Note) -> str:
    def chord(found: re.Match[str]) -> str:
        if not found[1].strip() or not is_chord(found[1]):
            return found[0]
        note(CHORDS, found[0])
        return ""

    plain = SQUARE.sub(chord, line)
    return line if plain == line else _spaced(plain)


def _bracketed(found: re.Match[str], note: Note) -> Piece | None:
    """The mark or stage direction in square brackets; None for what is left out."""
    text, inside = found[0], found[1].strip()
    if not inside or inside.startswith("/") or folded(inside).startswith("end of "):
        note(CLOSING, text)
        return None
    name = read_name(inside)
    if name and (name.exact or len(inside.split()) <= _MOST_WORDS):
        plain = f"[{take_count(inside)[1].strip()}]" if name.english and not name.repeats else _mark(name)
        if plain != text:
            note(MARKS, text)
        return Piece("mark", plain, name, name.times or 1)
    if is_instrumental(inside):
        note(MARKS, text)
        return Piece("mark", "[inst]", NO_VOCALS)
    plain = f"[{inside}]"
    if plain != text:
        note(DIRECTIONS, text)
    return Piece("direction", plain)


def _sung(words: str, place: Place, note: Note) -> Iterator[Piece]:
    """The words between brackets, without stage directions in round brackets and with how often they are sung."""
    counts: list[int] = []
    plain = _ROUND.sub(lambda found: _round(found, _beside(place.before, words, found), counts, note), words)
    if counted := _LINE_COUNT.search(f" {plain}"):
        counts.append(take_count(counted[0])[0])
        plain = f" {plain}"[: counted.start()]
    times = max([1, *counts])
    if times > 1:
        note(REPEATS, words)
    if plain.strip():
        yield Piece("sung", words if plain == words else _spaced(plain), times=times)
    elif times > 1:
        yield Piece("repeat", times=times)
    elif words.strip() and is_instrumental(words):
        yield Piece("mark", "[inst]", NO_VOCALS)


def _round(found: re.Match[str], beside: str, counts: list[int], note: Note) -> str:
    """What is sung of a text in round brackets: all or nothing. How often the line is sung is added to `counts`."""
    inside = next((group for group in found.groups() if group), "")
    if count := count_only(inside):
        counts.append(count)
        return ""
    if not inside.strip() or is_direction(inside, beside) or is_instrumental(inside):
        note(DIRECTIONS, found[0])
        return ""
    return found[0]
