"""A line of lyrics as the model has learnt to read it: lower case, numbers and signs as words, Latin letters for CJK."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from acestep_mcp.engines.ace_step_v1.lyrics import romanise, words
from acestep_mcp.engines.ace_step_v1.lyrics.numbers import in_words

_ROMAN = {"zh": romanise.pinyin, "ja": romanise.romaji, "ko": romanise.hangul}
_abbreviation = cache(words.abbreviation)


def clean(line: str, language: str) -> str:
    """The text whose tokens are the line's; `language` is one of the seventeen, by its two letters.

    Hindi and Japanese numbers and signs stay as they are.
    """
    text = lowered(printable(line).replace('"', ""), language)
    if language in words.SYMBOLS:
        text = in_words(text, language)
        text = _signs(_abbreviations(text, language), language)
    text = " ".join(text.split())
    return _ROMAN[language](text).strip() if language in _ROMAN else text


def printable(text: str) -> str:
    """Controls become spaces and halves of surrogate pairs go; accents written as separate characters are joined."""
    kept = (" " if unicodedata.category(letter) == "Cc" else letter for letter in text if not _surrogate(letter))
    return unicodedata.normalize("NFC", "".join(kept))


def lowered(text: str, language: str) -> str:
    return (text.replace("İ", "i") if language == "tr" else text).lower()


def _surrogate(letter: str) -> bool:
    return "\ud800" <= letter <= "\udfff"


def _abbreviations(text: str, language: str) -> str:
    pattern = _abbreviation(language)
    return pattern.sub(lambda m: words.ABBREVIATIONS[language][m[1]], text) if pattern else text


def _signs(text: str, language: str) -> str:
    table = words.SYMBOLS[language]
    return re.sub("[&@%#$£°]", lambda m: f" {table[m[0]]} ", text)
