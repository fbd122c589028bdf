"""Collects the couplets for one song: on its subject, in its mood, and hooks that name the subject."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from random import Random

from acestep_mcp.songwriter.brief import Brief
from acestep_mcp.songwriter.songbook import Couplet, Songbook, songbook
from acestep_mcp.songwriter.subjects import Subject

_THEMES_BY_TONE = {
    "sad": ("goodbye", "rain", "time"), "happy": ("summer", "friendship", "dance"), "calm": ("night", "nature", "morning"),
    "fierce": ("hope", "city", "road"), "dark": ("night", "city", "rain"), "tender": ("love", "home", "dream"),
    "any": ("road", "night", "love", "hope", "home", "summer"),
}  # fmt: skip

NAME_SPACE = "\ue000"
"""Replaces the spaces of a name in a couplet, so that no line is split inside the name."""


@dataclass(slots=True)
class CoupletPool:
    """Couplets in the order of use; each is removed when used. With `splits`, a line may be split in two."""

    verses: list[Couplet]
    hooks: list[Couplet]
    plain: list[Couplet]
    splits: bool


def collect_couplets(brief: Brief, tone: str, rng: Random, *, rapped: bool) -> CoupletPool:
    """Collect the couplets this song can use. Without a subject, a theme that suits the tone is chosen."""
    book = songbook(brief.language.lyrics)
    source = _CoupletSource(book, rng)
    themes = tuple(theme for theme in brief.themes if theme in book.themes)
    themes = themes or (() if _prompt_subject(brief).name else (rng.choice(_THEMES_BY_TONE[tone]),))
    subject = _choose_subject(brief, book, themes)
    plain = source.of("hook plain", f"hook plain {tone}")
    if subject.name and subject.person:
        plain += source.of("hook person", name=subject.person)[:1]
    hooks = _hooks(subject, tone, source)
    return CoupletPool(
        _verses(subject, themes, tone, source, rapped=rapped), hooks, plain, bool(book.setting("halves")) and not rapped
    )


class _CoupletSource:
    """Gives a songbook's couplets shuffled, with a name filled in."""

    def __init__(self, book: Songbook, rng: Random) -> None:
        self.book = book
        self.rng = rng

    def of(self, *sections: str, name: str = "") -> list[Couplet]:
        """Shuffled couplets without those that would repeat a word of the name ("the night tonight")."""
        words = re.findall(r"[^\W\d_]{4,}", name.lower())
        couplets = self.shuffled(self.book.of(*sections))
        fresh = [couplet for couplet in couplets if not any(word in " ".join(couplet).lower() for word in words)]
        return [_fill_in(couplet, name) for couplet in fresh or couplets]

    def theme(self, theme: str) -> list[Couplet]:
        return self.shuffled(self.book.themes[theme].couplets)

    def shuffled(self, couplets: tuple[Couplet, ...]) -> list[Couplet]:
        return self.rng.sample(couplets, len(couplets))


def _prompt_subject(brief: Brief) -> Subject:
    """The subject in the user's own words if they are in the language of the lyrics, else an empty one."""
    return brief.subject if brief.language.prompt == brief.language.lyrics else Subject()


def _choose_subject(brief: Brief, book: Songbook, themes: tuple[str, ...]) -> Subject:
    own = _prompt_subject(brief)
    if own.name or own.person:
        return own
    name = book.themes[themes[0]].name if themes else ""
    return Subject(name, "thing" if name else "")


def _verses(
    subject: Subject, themes: tuple[str, ...], tone: str, source: _CoupletSource, *, rapped: bool
) -> list[Couplet]:
    """Two couplets on the subject (alternating between its two strongest themes) for each one in the mood."""
    by_theme = [source.theme(theme) for theme in themes[:2]]
    theme = list(_interleave(by_theme[0], by_theme[1], 1)) if len(by_theme) > 1 else [*chain(*by_theme)]
    own = list(_interleave(theme, _subject_verses(subject, source), 2)) if theme else _subject_verses(subject, source)
    mood = source.of("lines rapped") if rapped else []
    mood += source.of(f"lines {tone}") + source.of("lines any")
    return list(_interleave(own, mood, 2))


def _subject_verses(subject: Subject, source: _CoupletSource) -> list[Couplet]:
    """Couplets that name the subject or address the person."""
    person = subject.person or (subject.name if subject.kind == "person" else "")
    spoken = source.of("slots person", name=person)[:3] if person else []
    if not subject.name:
        return spoken
    sections = ("slots any",) if subject.kind == "clause" else ("slots any", "slots")
    named = source.of(*sections, name=subject.name)
    return list(_interleave(named[: 2 if len(subject.name.split()) > 4 else None], spoken, 1))


def _hooks(subject: Subject, tone: str, source: _CoupletSource) -> list[Couplet]:
    """Hooks; those that rhyme on the subject or name the person come among the first."""
    name = subject.name
    person = subject.person or (name if subject.kind == "person" else "")
    to_person = source.of("hook person", name=person) if person else []
    if not name:
        return to_person
    toned = source.of(f"hook {tone}", name=name) if subject.kind != "clause" else []
    general = source.of("hook any", *(("hook thing",) if subject.kind == "thing" else ()), name=name)
    best = [*_rhymed_hooks(name, source), *toned, *general[:2], *([] if subject.person else to_person[:2])]
    return [*source.rng.sample(best, len(best)), *general[2:]]


def _rhymed_hooks(name: str, source: _CoupletSource) -> list[Couplet]:
    """A couplet that rhymes on the subject's last word, if the book has a rhyme for it."""
    rhymes = source.book.rhymes_for(name.rsplit(maxsplit=1)[-1].lower())
    openings = sorted(source.book.tables.get("openings", {}).values())
    if not rhymes or not openings:
        return []
    return [_fill_in((source.rng.choice(openings), source.rng.choice(rhymes)), name)]


def _fill_in(couplet: Couplet, name: str) -> Couplet:
    whole = name.replace(" ", NAME_SPACE)
    return couplet[0].replace("{s}", whole), couplet[1].replace("{s}", whole)


def _interleave(many: list[Couplet], few: list[Couplet], each: int) -> Iterator[Couplet]:
    """`each` items of the first list, then one of the second, and so on; the rest comes last."""
    at = 0
    for index in range(0, len(many), each):
        yield from many[index : index + each]
        yield from few[at : at + 1]
        at += 1
    yield from few[at:]
