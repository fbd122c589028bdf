"""Which syllables of a word are stressed: by spelling in English, by the rules of the language elsewhere."""

# ruff: noqa: RUF001 - letters of other alphabets are intended
from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from acestep_mcp.engines.draft.english_stress import english_stress
from acestep_mcp.engines.draft.line_language import FUNCTION_WORDS

STRESSED, EVEN, UNSTRESSED = 1.0, 0.5, 0.0

_INITIAL = frozenset({"fi", "cs", "hu"})
_GERMANIC = frozenset({"de", "nl", "sv", "da"})
_FINAL = frozenset({"fr", "tr", "he"})
_ACUTE_MARKS = frozenset({"\u0301", "\u0300", "\u0302"})
_MARKED = frozenset({"es", "it", "pt", "el"})
_LOAN = re.compile(r"(?:ieren|iert|tion|tät|ismus|ei)$")
_GERMAN_PREFIX = re.compile(
    r"(?:be|ge|er|ver|zer|ent|emp|miss|ont|her|för)(?=[^aeiouyäöü]*[aeiouyäöüåæø]\S*[^aeiouyäöü]*[aeiouyäöüåæø])"
)


@lru_cache(maxsize=8192)
def stresses(word: str, count: int, language: str) -> tuple[float, ...]:
    """The stress of each of the `count` syllables of a word as it is sung in a sentence, 0 to 1."""
    word = word.lower().replace("’", "'")
    if language == "even" or count < 1:
        return (EVEN,) * count
    if word in FUNCTION_WORDS.get(language, frozenset()):
        return (UNSTRESSED,) * count
    if count == 1:
        return (STRESSED,)
    at = min(count - 1, max(0, _stressed(word, count, language)))
    found = [UNSTRESSED] * count
    found[at] = STRESSED
    for other in (*range(at - 2, -1, -2), *range(at + 2, count, 2)):
        found[other] = 0.3 if found[other] == UNSTRESSED else found[other]
    return tuple(found)


def _stressed(word: str, count: int, language: str) -> int:
    if language == "en":
        return english_stress(word, count)
    marked = _written_accent(word, language)
    if marked is not None:
        return marked
    if language in _GERMANIC:
        loan = _LOAN.search(word)
        return count - (2 if loan[0] in {"ieren", "ismus"} else 1) if loan else int(bool(_GERMAN_PREFIX.match(word)))
    if language in _INITIAL:
        return 0
    return count - 1 if language in _FINAL else _penult(word, count, language)


def _penult(word: str, count: int, language: str) -> int:
    """The syllable before the last, or the last of a word that ends as the language stresses its end."""
    final = {
        "es": r"[^aeiouáéíóúns]$",
        "pt": r"(?:[ilruzx]|[iu]s|im|um|ão|ões|ã)$",
        "ro": r"[^aeiouăî]$",
        "it": r"[^aeiou]$",
    }.get(language)
    return count - 1 if final and re.search(final, word) else max(0, count - 2)


def _written_accent(word: str, language: str) -> int | None:
    """The syllable whose vowel has a written accent, where the language writes stress; ё is always stressed."""
    groups = list(_vowel_groups(word))
    for number, group in enumerate(groups):
        accented = any(mark in _ACUTE_MARKS for mark in unicodedata.normalize("NFD", group))
        if (accented and language in _MARKED) or (language == "ru" and "ё" in group):
            return number
    return None


def _vowel_groups(word: str) -> Iterable[str]:
    for match in re.finditer(r"[aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýœаеёиоуыэюяіїєάέήίόύώαεηιουω]+", word):
        yield match[0]


def sentence_stresses(words: Sequence[tuple[str, int]], language: str) -> list[list[float]]:
    """The stress of each syllable of the words of a line, given with their numbers of syllables.

    Of three unstressed syllables in a row the middle one is a little stronger, and so is the last word of a line.
    """
    found = [list(stresses(word, count, language)) for word, count in words]
    flat = [(at, number) for at, word in enumerate(found) for number in range(len(word))]
    for before, (at, number), after in zip(flat, flat[1:], flat[2:], strict=False):
        if all(found[a][n] == UNSTRESSED for a, n in (before, (at, number), after)):
            found[at][number] = 0.3
    if found and len(found[-1]) == 1:
        found[-1][0] = max(found[-1][0], 0.6 if language != "even" else EVEN)
    return found
