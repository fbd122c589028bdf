"""Every word for an instrument, a voice, a style, a mood, a tempo or a production trait, and what it names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from acestep_mcp.readers.instrument_table import INSTRUMENTS, VOICES
from acestep_mcp.readers.style_table import STYLES
from acestep_mcp.readers.word_tables import ADJECTIVES, FOREIGN_WORDS, MOODS, PRODUCTION, TEMPO_WORDS, TRAITS
from acestep_mcp.readers.words import Hit, Phrases, Token

Kind = Literal["instrument", "voice", "style", "mood", "tempo", "production", "adjective", "everything"]


# Names for several instruments at once.
_EVERYTHING = {
    "instruments": "instrument|other instruments|instrumentation",
    "accompaniment": "backing|backing track|backing band|band",
    "rhythm section": "rhythm",
}


@dataclass(frozen=True, slots=True)
class Term:
    """What a word names: the `name` of a row in its table (a mood's row for moods)."""

    kind: Kind
    name: str


@cache
def vocabulary() -> Phrases[Term]:
    """All words of all tables. Where a word is in two of them, the earlier kind counts."""
    return Phrases(_entries())


@cache
def words_of(kind: Kind) -> Phrases[Term]:
    """The words of one kind."""
    return Phrases(_by_kind()[kind])


def find(kind: Kind, words: tuple[Token, ...]) -> tuple[Hit[Term], ...]:
    """The words of one kind in a text, in order; of "jazz guitar" the style is "jazz"."""
    return tuple(words_of(kind).all(words))


@cache
def _by_kind() -> dict[Kind, list[tuple[str, Term]]]:
    found: dict[Kind, list[tuple[str, Term]]] = defaultdict(list)
    for entry in _entries():
        found[entry[1].kind].append(entry)
    return found


def _entries() -> Iterator[tuple[str, Term]]:
    for instrument in INSTRUMENTS:
        yield from _named("instrument", instrument.name, instrument.every)
    for voice in VOICES:
        yield from _named("voice", voice.name, voice.every)
    for style in STYLES:
        yield from _named("style", style.name, style.every)
    for mood, alternatives in MOODS.items():
        yield from _named("mood", mood, alternatives.split("|"))
    yield from ((word, Term("tempo", word)) for word in TEMPO_WORDS.split("|"))
    yield from ((word, Term("production", word)) for word in PRODUCTION.split("|"))
    yield from ((word, Term("adjective", word)) for word in (*ADJECTIVES, *TRAITS))
    yield from _groups_and_foreign_words()


def _groups_and_foreign_words() -> Iterator[tuple[str, Term]]:
    for word, foreign in FOREIGN_WORDS.items():
        yield from _named("mood" if word in MOODS else "tempo", word, foreign.split("|"))
    for name, others in _EVERYTHING.items():
        yield from _named("everything", name, (name, *others.split("|")))


def _named(kind: Kind, name: str, words: Iterable[str]) -> Iterator[tuple[str, Term]]:
    term = Term(kind, name)
    for word in words:
        yield word, term
