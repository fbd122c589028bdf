"""Splits the words of a line into the texts of their syllables, for the lyric events of a MIDI file."""

# ruff: noqa: RUF001 - letters of other alphabets are intended
from __future__ import annotations

import re
import unicodedata
from itertools import pairwise

from acestep_mcp.engines.draft.syllable_count import count_syllables

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_VOWELS = frozenset("aeiouyæœøаеёиоуыэюяіїєαεηιουωı")
_TOGETHER = frozenset({"ch", "sh", "th", "ph", "wh", "ck", "qu", "sch", "gh", "ng"})


def syllable_texts(line: str, language: str) -> list[str]:
    """The text of each syllable of a sung line, in order; the last one of a word ends with what follows up to the next word.

    As in Standard MIDI Files: a word ends with a space, and the syllables of one word follow each other without.
    """
    found: list[str] = []
    words = list(_WORD.finditer(line))
    for match, following in pairwise([*words, None]):
        assert match is not None
        parts = split_word(match[0], count_syllables(match[0], language))
        rest = line[match.end() : following.start() if following else len(line)]
        parts[-1] += rest if following else rest.rstrip() + " "
        found += parts
    if found and words[0].start():
        found[0] = line[: words[0].start()].lstrip() + found[0]
    return found


def split_word(word: str, count: int) -> list[str]:
    """The word in `count` parts, which together are the word. A part is empty where a word has fewer letters than syllables."""
    cuts = _between_vowels(word)
    if len(cuts) < count - 1:
        cuts = sorted({*cuts, *_inside_vowels(word)[: count - 1 - len(cuts)]})
    if len(cuts) < count - 1:
        even = [round(len(word) * (number + 1) / count) for number in range(count - 1)]
        cuts = sorted({*cuts, *even})
        cuts = cuts if len(cuts) >= count - 1 else even
    while len(cuts) > count - 1:
        # Final syllables that are not sung, such as a silent e, stay with the one before.
        cuts.pop()
    edges = [0, *cuts, len(word)]
    return [word[start:end] for start, end in pairwise(edges)]


def _between_vowels(word: str) -> list[int]:
    """Where the syllables of a word after the first begin: at the last consonant before a group of vowels."""
    vowel = [_is_vowel(letter) for letter in word.lower()]
    starts = [at for at in range(1, len(word)) if vowel[at] and not vowel[at - 1] and any(vowel[:at])]
    return [at - (2 if word[at - 2 : at].lower() in _TOGETHER and not vowel[at - 2] else 1) for at in starts]


def _inside_vowels(word: str) -> list[int]:
    """Where one vowel follows another, from the end of the word."""
    vowel = [_is_vowel(letter) for letter in word.lower()]
    return [at for at in range(len(word) - 1, 0, -1) if vowel[at] and vowel[at - 1]]


def _is_vowel(letter: str) -> bool:
    return unicodedata.normalize("NFD", letter)[0] in _VOWELS
