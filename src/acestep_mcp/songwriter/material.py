"""What one song is composed of: its subject, what it must name, its themes and its tone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from acestep_mcp.songwriter.brief import Brief
from acestep_mcp.songwriter.mentions import Mention
from acestep_mcp.songwriter.songbook import Songbook, songbook

_THEMES_BY_TONE = {
    "sad": ("goodbye", "rain", "time"), "happy": ("summer", "friendship", "dance"), "calm": ("night", "nature", "morning"),
    "fierce": ("hope", "city", "road"), "dark": ("night", "city", "rain"), "tender": ("love", "home", "dream"),
    "any": ("road", "night", "love", "hope", "home", "summer"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Material:
    """`subject` follows "about"; `kind` is thing, person, clause or ""; each of `mentions` is sung at least once."""

    subject: str
    kind: str
    title: str
    mentions: tuple[Mention, ...]
    themes: tuple[str, ...]
    tone: str
    refused: tuple[str, ...]
    rapped: bool

    def refuses(self, line: str) -> bool:
        """Whether a line holds a word that must not be sung, or a form of it: "loved" for "love"."""
        return any(re.search(rf"(?<!\w){re.escape(_stem(word))}", line, re.IGNORECASE) for word in self.refused)


def material_of(brief: Brief, tone: str, rng: Random, *, rapped: bool) -> Material:
    """What to sing about. Without a subject, that is a theme that suits the tone.

    If the lyrics are in another language than the prompt, only names, and relatives that the songbook knows, go over.
    """
    book = songbook(brief.language.lyrics)
    themes = tuple(
        theme for theme in brief.themes if theme in book.themes and not _is_refused(book, theme, brief.refused)
    )
    own = brief.language.prompt == brief.language.lyrics and not brief.language.foreign
    subject, kind = (brief.subject.name, brief.subject.kind) if own else (_relative(brief, book), "thing")
    if brief.title and subject in (brief.title, ""):
        subject, kind = "", ""
    named = _mentions(brief, own=own)
    if not themes:
        usual = tuple(theme for theme in _THEMES_BY_TONE[tone] if theme in book.themes)
        themes = (rng.choice([theme for theme in usual if not _is_refused(book, theme, brief.refused)] or ["hope"]),)
    known = bool(brief.themes) and book.language != "en"
    if not subject and not brief.title and (known or not named):
        subject, kind = book.themes[themes[0]].name, "thing"
    whole = f"{subject} {brief.title}".lower()
    person = brief.subject.person.lower()
    named = tuple(one for one in named if one[0] != "phrase" or not _within(one[1], person))
    left = tuple(
        (what, words) for what, words in named if not re.search(rf"(?<!\w){re.escape(words.lower())}(?!\w)", whole)
    )
    return Material(subject, kind, brief.title, left, themes, tone, brief.refused, rapped)


def has_words_for(brief: Brief) -> bool:
    """Whether the lyrics' language has words for the subject: a theme or relative it knows, or a name."""
    book = songbook(brief.language.lyrics)
    named = any(theme in book.themes for theme in brief.themes) or any(
        kind in {"person", "name", "place"} for kind, _ in brief.mentions
    )
    return named or bool(_relative(brief, book))


def _mentions(brief: Brief, *, own: bool) -> tuple[Mention, ...]:
    person = brief.subject.person
    name = re.search(r"(?:^|\s)((?-i:[A-Z][\w'-]+)(?:(?:,? and|,| &)? [A-Z][\w'-]+)*)$", person)
    whole: list[Mention] = (
        [("relation" if not name or name[1] != person else "person", person)] if person and own else []
    )
    if name:
        whole.append(("person", name[1]))
    elif brief.subject.kind == "person" and own:
        whole.append(("relation", brief.subject.name))
    others = [mention for mention in brief.mentions if own or mention[0] in {"person", "name", "place", "age"}]
    kept: list[Mention] = []
    for kind, words in [*whole, *others]:
        names = [known for known_kind, known in kept if known_kind != "relation"]
        if (kind, words) not in kept and (kind == "relation" or not any(_within(words, known) for known in names)):
            kept.append((kind, words))
    return tuple(kept)


def _within(words: str, others: str) -> bool:
    return bool(re.search(rf"(?i)(?<!\w){re.escape(words)}(?!\w)", others))


def _relative(brief: Brief, book: Songbook) -> str:
    """The subject in the language of the lyrics, if it is a relative: "para mi abuela"."""
    spoken = f"{brief.subject.name} {brief.subject.person}".lower()
    people = book.tables.get("people", {})
    return next((words for english, words in people.items() if re.search(rf"(?<!\w){english}(?!\w)", spoken)), "")


def _is_refused(book: Songbook, theme: str, refused: tuple[str, ...]) -> bool:
    return any(word in book.themes[theme].keys for word in refused)


def _stem(word: str) -> str:
    return re.sub(r"(?i)(?:ing|es|e|s|y)$", "", word) if len(word) > 3 and " " not in word else word
