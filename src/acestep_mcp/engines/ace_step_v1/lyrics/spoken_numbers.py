"""Numbers spelt out, in the languages that num2words knows."""

from __future__ import annotations

import re
from contextlib import suppress

from acestep_mcp.engines.ace_step_v1.lyrics.spoken_forms import (
    COMMA_THOUSANDS,
    CURRENCIES,
    NO_CURRENCY,
    NO_DECIMALS,
    NUM2WORDS_LANGUAGES,
    ORDINAL_ENDINGS,
)
from acestep_mcp.engines.model.packages import import_for_lyrics

# Longer runs of digits are not read as numbers and stay unchanged.
_WHOLE = r"(?<!\d)\d{1,15}(?!\d)"
_DECIMAL = r"(?<!\d)\d{1,12}[.,]\d{1,9}(?!\d)"
_AMOUNT = rf"({_DECIMAL}|{_WHOLE})"
_PRICE = rf"([$£€]){_AMOUNT}|{_AMOUNT}([$£€])"
_FAILURES = (ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError)


def spell_numbers(text: str, language: str) -> str:
    """Spell out currencies, decimals, ordinals and whole numbers.

    As in the model's training, one number that num2words cannot read leaves all numbers of the line unchanged.
    """
    if language not in NUM2WORDS_LANGUAGES or not any(letter.isdecimal() for letter in text):
        return text
    try:
        return _spell_all(text, language)
    except _FAILURES:
        return text


def _spell_all(text: str, language: str) -> str:
    text = _remove_thousands(text, "," if language in COMMA_THOUSANDS else ".")
    if language not in NO_CURRENCY:
        with suppress(*_FAILURES):
            text = re.sub(_PRICE, lambda m: _spell_amount(m, language), text)
    if language not in NO_DECIMALS:
        text = re.sub(_DECIMAL, lambda m: _spell(float(m[0].replace(",", ".")), language), text)
    if endings := ORDINAL_ENDINGS.get(language):
        text = re.sub(rf"({_WHOLE})(?:{endings})", lambda m: _spell(int(m[1]), language, to="ordinal"), text)
    return re.sub(_WHOLE, lambda m: _spell(int(m[0]), language), text)


def _spell(number: float, language: str, **form: str) -> str:
    return str(import_for_lyrics("num2words").num2words(number, lang=language, **form))


def _spell_amount(match: re.Match[str], language: str) -> str:
    """`$20.50` becomes "twenty dollars, fifty cents"; a whole amount has no cents."""
    sign, amount = (match[1], match[2]) if match[1] else (match[4], match[3])
    number = float(amount.replace(",", "."))
    form = {"to": "currency", "currency": CURRENCIES[sign]}
    if number.is_integer():
        return _spell(number, language, **form, separator="|").split("|")[0].strip()
    return _spell(number, language, **form)


def _remove_thousands(text: str, mark: str) -> str:
    groups = rf"(?<![\d.,])\d{{1,3}}(?:{re.escape(mark)}\d{{3}})+(?!\d)"
    return re.sub(groups, lambda m: m[0].replace(mark, ""), text)
