"""Splits a text into words and finds phrases of several words in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Generic, TypeVar

T = TypeVar("T")

_WIDE = "\u3040-\u30ff\u3400-\u9fff"  # kana and Chinese characters, which have no spaces between words
_WORD = rf"[^\W_{_WIDE}]+(?:['\u2019][^\W_{_WIDE}]+)*"
_SPLIT = re.compile(rf"{_WORD}|[{_WIDE}]|[&+/]|[^\w\s'\"\u2019()-]|\n")


@dataclass(frozen=True, slots=True)
class Token:
    """A word in lower case, or a mark of punctuation, with its place in the text."""

    word: str
    start: int
    end: int


def tokens(text: str) -> tuple[Token, ...]:
    """The words and marks of a text. Hyphens, quotation marks and brackets separate words and are left out.

    Every kana and Chinese character is a word, so that phrases are found where no spaces separate them.
    """
    return tuple(Token(match[0].lower().replace("\u2019", "'"), *match.span()) for match in _SPLIT.finditer(text))


@cache
def phrase(text: str) -> tuple[str, ...]:
    """The words of a phrase, as `tokens` splits them."""
    return tuple(token.word for token in tokens(text))


@dataclass(frozen=True, slots=True)
class Hit(Generic[T]):
    """A phrase that was found: tokens `first` to `last`, the end not included, and what the phrase means."""

    value: T
    first: int
    last: int


class Phrases(Generic[T]):
    """Phrases and what each means; of two that fit, the longer one is found."""

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        self._entries: dict[tuple[str, ...], T] = {}
        for text, value in entries:
            self._entries.setdefault(phrase(text), value)
        self._lengths = _lengths(self._entries)

    def __contains__(self, text: str) -> bool:
        return phrase(text) in self._entries

    def get(self, text: str) -> T | None:
        """What the whole text means as one phrase."""
        return self._entries.get(phrase(text))

    def at(self, words: tuple[Token, ...], first: int) -> Hit[T] | None:
        """The longest phrase that starts at token `first`."""
        for length in self._lengths.get(words[first].word, ()) if first < len(words) else ():
            key = tuple(token.word for token in words[first : first + length])
            if len(key) == length and key in self._entries:
                return Hit(self._entries[key], first, first + length)
        return None

    def all(self, words: tuple[Token, ...]) -> Iterator[Hit[T]]:
        """Every phrase in a text, from left to right, without overlaps."""
        first = 0
        while first < len(words):
            hit = self.at(words, first)
            if hit is not None:
                yield hit
            first = hit.last if hit else first + 1


def phrase_set(alternatives: str) -> Phrases[bool]:
    """Phrases that only have to be found, from a text with `|` between them."""
    return Phrases((text, True) for text in alternatives.split("|"))


def word_set(text: str) -> frozenset[str]:
    """The set of words in a text."""
    return frozenset(text.split())


def _lengths(entries: Mapping[tuple[str, ...], object]) -> dict[str, tuple[int, ...]]:
    """The lengths of the phrases that start with a word, longest first."""
    found: dict[str, set[int]] = {}
    for key in entries:
        if key:
            found.setdefault(key[0], set()).add(len(key))
    return {word: tuple(sorted(lengths, reverse=True)) for word, lengths in found.items()}
