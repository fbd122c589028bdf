"""Reads lyrics for every engine and the songwriter: sections, sung lines, and the plain text of dressed lyrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise

from acestep_mcp.readers.lyric_lines import SQUARE, Piece, Place, is_bare_mark, read_line, undressed
from acestep_mcp.readers.no_vocals import is_instrumental
from acestep_mcp.readers.plain_lines import plain_lines
from acestep_mcp.readers.section_table import Kind
from acestep_mcp.readers.singers import SINGERS, without_singers
from acestep_mcp.readers.stage_directions import is_direction
from acestep_mcp.readers.timed_lines import without_times

NO_VOCALS = "[inst]"
_PLAIN_NO_VOCALS = frozenset({"", "[inst]", "[instrumental]"})
_SLASHES = "lines that stood behind slashes are lines of their own"
_REPEATED_ONCE = "what is to be repeated is sung once, since the lyrics would be too long"
_SHOWN = 3
_LONGEST_SHOWN = 40
_LONGEST_MARK = 200
_MOST_LAYERS = 4
_LONGEST_WRITTEN = 19_000
"""Characters of lyrics with what is repeated written out; with their section marks, a request may still have them."""


@dataclass(frozen=True, slots=True)
class LyricSection:
    """A section with its sung lines; `name` is in English and lower case ("final chorus")."""

    name: str
    kind: Kind
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LyricSheet:
    """Lyrics as read.

    `text` has one line per sung line and every section mark as `[name]` on a line of its own; lyrics that are written
    like that already are the same to the byte. `sections` is empty for lyrics without marks, which have `stanzas`.
    `directions` say how something is sung or heard: words in square brackets that name no section, or behind a section's
    name. `notes` say what was left out or read as something else.
    """

    text: str
    sections: tuple[LyricSection, ...] = ()
    stanzas: tuple[tuple[str, ...], ...] = ()
    directions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """Every sung line in order."""
        return tuple(line for part in (*(s.lines for s in self.sections), *self.stanzas) for line in part)


@dataclass(slots=True)
class _Notes:
    """The changes by kind, each with the texts that were changed."""

    kinds: dict[str, dict[str, None]] = field(default_factory=dict)

    def add(self, kind: str, example: str) -> None:
        found = self.kinds.setdefault(kind, {})
        if example := example.strip():
            found[example] = None

    def texts(self) -> tuple[str, ...]:
        return tuple(f"{kind}{_examples([*found])}." for kind, found in self.kinds.items())


@dataclass(slots=True)
class _Block:
    """A mark and what follows it until the next; the first may have no mark."""

    mark: Piece | None
    pieces: list[Piece] = field(default_factory=list)
    times: int = 1

    @property
    def sung(self) -> bool:
        return any(piece.kind == "sung" for piece in self.pieces)


def plain_line(line: str) -> str:
    """One line without times and invisible characters, and without Markdown round a mark in square brackets."""
    lines, _ = plain_lines(line)
    lines, _ = without_times(lines)
    return undressed(" ".join(lines))


def first_mark(text: str) -> int | None:
    """Where the first section mark of a text begins that may hold lyrics; None without one.

    A mark in square brackets is one by itself. Names such as `Chorus:` or `### Chorus` are marks if there are two of them,
    since a description may have one.
    """
    found: list[int] = []
    start = 0
    for line in text.split("\n"):
        plain = plain_line(line)
        pieces = (
            read_line(plain, Place(top=False, before="", bare=False), _ignore) if len(line) <= _LONGEST_MARK else []
        )
        if pieces and pieces[0].kind == "mark":
            square = SQUARE.match(plain.lstrip()) is not None
            if square or len(pieces) == 1:
                found.append(start)
            if square or len(found) > 1:
                return found[0]
        start += len(line) + 1
    return None


def _ignore(_kind: str, _example: str) -> None:
    pass


@lru_cache(maxsize=16)
def read_lyrics(text: str) -> LyricSheet:
    """Read lyrics as people, players and language models write them. Never fails.

    Everything that is left out or read as something else than it says is in the notes.
    """
    sheet = _read_once(text)
    notes = [*sheet.notes]
    for _ in range(_MOST_LAYERS):
        if not sheet.notes:
            break
        # What is left may be dressed again: Markdown around chords in a quotation.
        sheet = _read_once(sheet.text)
        notes += sheet.notes
    return replace(sheet, notes=tuple(dict.fromkeys(notes)))


def _read_once(text: str) -> LyricSheet:
    notes = _Notes()
    lines, changes = plain_lines(text)
    lines, times = without_times(_at_slashes(lines, notes))
    for change in (*changes, *times):
        notes.add(change, "")
    lines, singers = without_singers(lines)
    for singer in singers:
        notes.add(SINGERS, singer)
    plain = "\n".join(lines)
    if is_instrumental(plain):
        return _instrumental(text, notes)
    blocks = _written_out(list(_pieces(lines, notes)), notes)
    written = "\n".join(_written(blocks)).rstrip("\n")
    return LyricSheet(
        written if notes.kinds else plain,
        *_sections(blocks),
        tuple(dict.fromkeys(_directions(blocks))),
        notes.texts(),
    )


def _instrumental(text: str, notes: _Notes) -> LyricSheet:
    plain = text.strip().lower() in _PLAIN_NO_VOCALS
    if not plain:
        notes = _Notes()
        notes.add("no vocals, as the lyrics say", text)
    return LyricSheet(text if plain else NO_VOCALS, notes=notes.texts())


def _at_slashes(lines: list[str], notes: _Notes) -> list[str]:
    """The lines of lyrics that are written on one line: `a / b // c`."""
    written = [line for line in lines if line.strip()]
    if len(written) != 1 or not re.search(r"\S\s+//?\s+\S", written[0]):
        return lines
    notes.add(_SLASHES, "")
    return re.sub(r"\s+/\s+", "\n", re.sub(r"\s+//\s+", "\n\n", written[0].strip())).split("\n")


def _pieces(lines: list[str], notes: _Notes) -> Iterator[Piece]:
    bare = _has_bare_marks(lines)
    top, before = True, ""
    for line in lines:
        pieces = read_line(line, Place(top, before, bare), notes.add)
        top = top and not any(piece.kind in {"mark", "sung"} for piece in pieces)
        before = pieces[-1].text if pieces and pieces[-1].kind == "sung" else ""
        yield from pieces


def _has_bare_marks(lines: list[str]) -> bool:
    """Whether names of sections without any brackets stand above stanzas: two different ones, or one with a number."""
    found = [line.strip() for line, below in pairwise([*lines, ""]) if below.strip() and is_bare_mark(line)]
    return len(set(found)) > 1 or any(re.search(r"\d", line) for line in found)


def _written_out(pieces: list[Piece], notes: _Notes) -> list[_Block]:
    """The blocks, each with its words as often as they are sung, or once if that would be too much text."""
    blocks = _repeated(_blocks(pieces))
    once = _blocks([_once(piece) for piece in pieces])
    if _length(blocks) <= max(_LONGEST_WRITTEN, _length(once)):
        return blocks
    notes.add(_REPEATED_ONCE, "")
    return once


def _once(piece: Piece) -> Piece:
    return replace(piece, times=1) if piece.times != 1 else piece


def _length(blocks: list[_Block]) -> int:
    return sum(len(piece.text) + 1 for block in blocks for piece in block.pieces)


def _blocks(pieces: list[Piece]) -> list[_Block]:
    blocks = [_Block(None)]
    for piece in pieces:
        if piece.kind == "mark":
            blocks.append(_Block(piece, times=piece.times))
        elif piece.kind == "repeat":
            blocks[-1].times = piece.times
        else:
            blocks[-1].pieces.extend([_once(piece)] * piece.times)
    return blocks if blocks[0].pieces or len(blocks) == 1 else blocks[1:]


def _repeated(blocks: list[_Block]) -> list[_Block]:
    """Each block's words as often as they are sung; "Repeat Chorus" alone has the words of the last chorus."""
    for number, block in enumerate(blocks):
        repeats = block.times > 1 or (block.mark and block.mark.name and block.mark.name.repeats)
        if repeats and not block.sung and (earlier := _earlier(blocks[:number], block)):
            block.pieces = [*earlier.pieces]
        elif block.sung:
            end = len(block.pieces) - next(n for n, piece in enumerate(reversed(block.pieces)) if piece.kind != "blank")
            block.pieces = block.pieces[:end] * block.times + block.pieces[end:]
    return blocks


def _earlier(before: list[_Block], block: _Block) -> _Block | None:
    kind = _kind(block)
    return next((one for one in reversed(before) if one.sung and kind and _kind(one) == kind), None)


def _kind(block: _Block) -> Kind | None:
    return block.mark.name.kind if block.mark and block.mark.name else None


def _written(blocks: list[_Block]) -> Iterator[str]:
    """The lines of the text, without the blank lines that are left where something was left out."""
    blank = True
    for block in blocks:
        for piece in ([block.mark] if block.mark else []) + block.pieces:
            if piece.text.strip() or not blank:
                yield piece.text
            blank = not piece.text.strip()


def _directions(blocks: list[_Block]) -> Iterator[str]:
    for block in blocks:
        if block.mark and block.mark.name and is_direction(block.mark.name.detail):
            yield block.mark.name.detail
        yield from (piece.text.strip("[] ") for piece in block.pieces if piece.kind == "direction")


def _sections(blocks: list[_Block]) -> tuple[tuple[LyricSection, ...], tuple[tuple[str, ...], ...]]:
    """The sections of lyrics with marks, or else the stanzas."""
    if not any(block.mark for block in blocks):
        return (), tuple(_stanzas([piece for block in blocks for piece in block.pieces]))
    sections = []
    for block in blocks:
        lines = tuple(piece.text.strip() for piece in block.pieces if piece.kind == "sung")
        name = block.mark.name if block.mark else None
        if name:
            sections.append(LyricSection(name.name.lower(), name.kind, lines))
        elif lines:
            sections.append(LyricSection("verse", "verse", lines))
    return tuple(sections), ()


def _stanzas(pieces: list[Piece]) -> Iterator[tuple[str, ...]]:
    lines: list[str] = []
    for piece in [*pieces, Piece("blank")]:
        if piece.kind == "sung":
            lines.append(piece.text.strip())
        elif piece.kind == "blank" and lines:
            yield tuple(lines)
            lines = []


def _examples(found: list[str]) -> str:
    if not found:
        return ""
    shown = [one if len(one) <= _LONGEST_SHOWN else f"{one[: _LONGEST_SHOWN - 3]}..." for one in found[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f": {', '.join(map(repr, shown))}{more}"
