"""Composes the lines of a song from a songbook's lists: rhymed couplets, stanzas and the refrain."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from random import Random

from acestep_mcp.songwriter.material import Material
from acestep_mcp.songwriter.songbook import Songbook

_TRIES = 60
_WORDS, _RHYMED_WORDS, _RAPPED_WORDS = 6, 8, 10  # in one line
_OPENED = 0.6  # how often a rhymed line begins with a word such as "and"
_LONG_LINE = 44  # characters; a longer line takes no time or rhyme after it


class Deck:
    """Draws from a list in random order; nothing comes twice before everything has come once."""

    def __init__(self, items: Iterable[str], rng: Random) -> None:
        self._items = tuple(items)
        self._rng = rng
        self._left: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._items)

    def draw(self) -> str:
        if not self._left:
            self._left = self._rng.sample(self._items, len(self._items))
        return self._left.pop()


class Stanzas:
    """Composes lines for one song. No line comes twice, and none holds a word of `material.refused`."""

    def __init__(self, book: Songbook, material: Material, rng: Random) -> None:
        self._book = book
        self._material = material
        self._rng = rng
        self._decks: dict[str, Deck] = {}
        self._used: set[str] = set()
        self._due = [self._mention(kind, text) for kind, text in material.mentions]

    def due(self) -> int:
        """How many lines are still to come that name something the prompt names."""
        return len(self._due)

    def stanza(self, size: int, *, naming: bool = False) -> list[str]:
        """`size` lines. A due line takes the place of a line without a rhyme, with `naming` of any line."""
        lines: list[str] = []
        family = self._family()
        while len(lines) < size:
            if naming and self._due:
                lines.append(self._due.pop(0))
                continue
            rhymed = self._material.rapped or size < 4
            if rhymed and size - len(lines) >= 2 and not self._due:
                lines += self._couplet()
            elif rhymed or len(lines) % 2 == 0:
                lines.append(self._due.pop(0) if self._due else self._free_line())
            else:
                lines.append(self._rhymed_line(family))
        return lines

    def refrain(self, size: int, *, naming: bool = False) -> list[str]:
        """The chorus: its first line names the subject. With `naming` it holds all due lines it has space for."""
        family = self._family()
        first = self._subject_line()
        lines = [first] if first else []
        while len(lines) < size:
            if self._due and (naming or len(lines) % 2 == 0):
                lines.append(self._due.pop(0))
            elif len(lines) % 2:
                lines.append(self._rhymed_line(self._rhyme_of(first) or family))
            else:
                lines.append(self._free_line())
        return lines

    def answer(self) -> list[str]:
        """Two rhymed lines, to follow a line of the user's."""
        return self._couplet()

    # -- lines

    def _couplet(self) -> list[str]:
        family = self._family()
        return [self._rhymed_line(family), self._rhymed_line(family)]

    def _subject_line(self) -> str:
        material = self._material
        if material.title:
            return self._line(lambda: self._filled(self._list("frames", "title"), material.title))
        if not material.subject:
            return self._due.pop(0) if self._due else ""
        kinds = ("subject", f"subject {material.kind}")
        return self._line(lambda: self._filled(self._list("frames", *kinds), material.subject))

    def _mention(self, kind: str, text: str) -> str:
        """A line that names `text`. Its frames are those of the theme for a name, else those of the kind."""
        if kind == "occasion":
            return self._line(lambda: self._filled(self._list("occasions", text), ""))
        own = self._theme_list("names") if kind in {"person", "name"} else Deck((), self._rng)
        frames = (
            own if own and self._rng.random() < 0.7 else self._list("frames", kind) or self._list("frames", "subject")
        )
        return self._line(lambda: self._filled(frames, text))

    def _free_line(self) -> str:
        material = self._material
        if material.subject and self._rng.random() < 0.15 and len(material.subject) < _LONG_LINE / 2:
            frames = self._list("frames", "subject", f"subject {material.kind}")
            return self._line(lambda: self._filled(frames, material.subject))
        return self._line(lambda: self._filled(self._list("frames", "thing"), ""), words=_WORDS)

    def _rhymed_line(self, family: str) -> str:
        return self._line(
            lambda: f"{self._lead()} {self._list('tails', family).draw()}",
            words=_RAPPED_WORDS if self._material.rapped else _RHYMED_WORDS,
        )

    def _lead(self) -> str:
        if self._rng.random() < (0.3 if self._material.rapped else 0.1) and self._list("thing leads", "any"):
            return self._filled(self._list("thing leads", "any"), "")
        opener = f"{self._list('openers', 'any').draw()} " if self._rng.random() < _OPENED else ""
        tone = self._material.tone
        spoken = ("rapped",) if self._material.rapped and self._list("leads", "rapped") else ("any", tone, tone)
        return opener + self._list("leads", *spoken).draw()

    def _filled(self, frames: Deck, text: str) -> str:
        """A frame with everything filled in: {s}, {n}, {p}, {a} with `text`, {t} with a thing, {w} with a time."""
        frame = frames.draw()
        if len(text) > _LONG_LINE / 2 and ("{w}" in frame or frame.count("{s}") + frame.count("{n}") > 1):
            frame = frame.replace(" {w}", "").replace("{w}, ", "").replace("{s}, {s}", "{s}").replace("{n}, {n}", "{n}")
        things = self._theme_list("things") or self._list("things", "any")
        frame = frame.replace("{t2}", "\ue001", 1)
        for mark, deck in (("\ue001", things), ("{t}", things), ("{w}", self._list("times", "any"))):
            if mark in frame:
                frame = frame.replace(mark, deck.draw())
        return re.sub(r"\{[snpa]\}", lambda _: text, frame)

    def _line(self, compose: Callable[[], str], words: int = 99) -> str:
        """The first of some composed lines that is new, holds no refused word and at most so many words."""
        line = ""
        for _ in range(_TRIES):
            line = compose()
            if len(line.split()) <= words and line.lower() not in self._used and not self._material.refuses(line):
                break
        self._used.add(line.lower())
        return line

    # -- lists

    def _list(self, section: str, *keys: str) -> Deck:
        name = f"{section} {keys}"
        if name not in self._decks:
            self._decks[name] = Deck((item for key in keys for item in self._book.items(section, key)), self._rng)
        return self._decks[name]

    def _theme_list(self, key: str) -> Deck:
        """The items of the song's themes, the first theme's twice as often as another's."""
        if key not in self._decks:
            themes = self._material.themes[:2] if key == "things" else self._material.themes[:1]
            self._decks[key] = Deck((i for theme in themes for i in self._book.items(f"theme {theme}", key)), self._rng)
        return self._decks[key]

    def _family(self) -> str:
        """A rhyme, each one once before one comes again."""
        if "families" not in self._decks:
            self._decks["families"] = Deck(sorted(self._book.tables["tails"]), self._rng)
        return self._decks["families"].draw()

    def _rhyme_of(self, line: str) -> str:
        """The rhyme of a line's last word, if the book knows it."""
        last = re.findall(r"[\w']+", line.lower())[-1:]
        for family in self._book.tables.get("rhymes", {}):
            if last and last[0] in self._book.items("rhymes", family):
                return family if family in self._book.tables["tails"] else ""
        return ""
