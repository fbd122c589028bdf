"""A line of lyrics as in the model's training: lower case, numbers and symbols spelt out, CJK romanised."""

from __future__ import annotations

import re
from functools import cache

from acestep_mcp.engines.ace_step_v1.lyrics import chinese_numbers, romanise, spoken_forms
from acestep_mcp.engines.ace_step_v1.lyrics.spoken_numbers import spell_numbers
from acestep_mcp.engines.model.language import printable

_ROMAN = {"zh": romanise.pinyin, "ja": romanise.romaji, "ko": romanise.hangul}
_abbreviation_pattern = cache(spoken_forms.abbreviation_pattern)


def clean(line: str, language: str) -> str:
    """The text to tokenize; `language` is a two-letter code of one of the seventeen languages.

    Numbers, symbols and quotation marks of Hindi and Japanese are not changed.
    """
    text = lower(printable(line), language)
    if language in spoken_forms.SYMBOLS:
        text = text.replace('"', "")
    if language == "zh":
        text = chinese_numbers.replace_punctuation(chinese_numbers.spell_numbers(text))
    if language in spoken_forms.SYMBOLS:
        text = spell_numbers(text, language)
        text = _spell_symbols(_spell_abbreviations(text, language), language)
    text = " ".join(text.split())
    return _ROMAN[language](text).strip() if language in _ROMAN else text


def lower(text: str, language: str) -> str:
    return (text.replace("İ", "i") if language == "tr" else text).lower()


def _spell_abbreviations(text: str, language: str) -> str:
    pattern = _abbreviation_pattern(language)
    return pattern.sub(lambda m: spoken_forms.ABBREVIATIONS[language][m[1]], text) if pattern else text


def _spell_symbols(text: str, language: str) -> str:
    table = spoken_forms.SYMBOLS[language]
    return re.sub("[&@%#$£°]", lambda m: f" {table[m[0]]} ", text)
