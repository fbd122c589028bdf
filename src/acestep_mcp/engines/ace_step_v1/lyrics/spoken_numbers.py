"""Numbers spelt out."""

from __future__ import annotations

import re
from collections.abc import Callable

from acestep_mcp.engines.ace_step_v1.lyrics.spoken_forms import (
    COMMA_THOUSANDS,
    CURRENCIES,
    NO_CURRENCY,
    NUM2WORDS_LANGUAGES,
    ORDINAL_ENDINGS,
)
from acestep_mcp.engines.model.packages import import_for_lyrics

# Longer runs of digits are not read as numbers and stay unchanged.
_WHOLE = r"(?<!\d)\d{1,15}(?!\d)"
_DECIMAL = r"(?<!\d)\d{1,12}[.,]\d{1,9}(?!\d)"
_AMOUNT = rf"(?:{_DECIMAL}|{_WHOLE})"
_FAILURES = (ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError)


def spell_numbers(text: str, language: str) -> str:
    """Spell out currencies, ordinals, decimals and whole numbers. A rule that fails leaves the text unchanged."""
    if not any(letter.isdecimal() for letter in text):
        return text
    if language == "zh":
        return _chinese(text)
    if language not in NUM2WORDS_LANGUAGES:
        return text
    text = _remove_thousands(text, "," if language in COMMA_THOUSANDS else ".")
    if language not in NO_CURRENCY:
        text = _substitute(rf"([$£€])({_AMOUNT})", lambda m: _spell_amount(m[1], m[2], language), text)
    if endings := ORDINAL_ENDINGS.get(language):
        text = _substitute(rf"({_WHOLE})(?:{endings})(?!\w)", lambda m: _spell(int(m[1]), language, to="ordinal"), text)
    text = _substitute(_DECIMAL, lambda m: _spell(float(m[0].replace(",", ".")), language), text)
    return _substitute(_WHOLE, lambda m: _spell(int(m[0]), language), text)


def _substitute(pattern: str, spell: Callable[[re.Match[str]], str], text: str) -> str:
    try:
        return re.sub(pattern, spell, text)
    except _FAILURES:
        return text


def _spell(number: float, language: str, **form: str) -> str:
    return str(import_for_lyrics("num2words").num2words(number, lang=language, **form))


def _spell_amount(sign: str, amount: str, language: str) -> str:
    """`$20.50` becomes "twenty dollars, fifty cents"; a whole amount has no cents."""
    number = float(amount.replace(",", "."))
    form = {"to": "currency", "currency": CURRENCIES[sign]}
    if number.is_integer():
        return _spell(number, language, **form, separator="|").split("|")[0].strip()
    return _spell(number, language, **form)


def _remove_thousands(text: str, mark: str) -> str:
    groups = rf"(?<![\d.,])\d{{1,3}}(?:{re.escape(mark)}\d{{3}})+(?!\d)"
    return re.sub(groups, lambda m: m[0].replace(mark, ""), text)


_DIGITS = "零一二三四五六七八九"
_FOURS = ("", "万", "亿", "兆")
_UNITS = {"$": "美元", "£": "英镑", "€": "欧元"}


def _chinese(text: str) -> str:
    text = re.sub(rf"([$£€])({_AMOUNT})", lambda m: m[2] + _UNITS[m[1]], text)
    text = re.sub(rf"({_AMOUNT})\s?%", r"百分之\1", text)
    text = re.sub(r"(?<!\d)\d{4}(?=年)", lambda m: _spell_digits(m[0]), text)
    text = re.sub(_DECIMAL, lambda m: _chinese_decimal(*re.split("[.,]", m[0])), text)
    return re.sub(_WHOLE, lambda m: _chinese_whole(int(m[0])), text)


def _spell_digits(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _chinese_decimal(whole: str, fraction: str) -> str:
    return f"{_chinese_whole(int(whole))}点{_spell_digits(fraction)}"


def _chinese_whole(number: int) -> str:
    """Groups of four digits, each with its unit. A gap inside the number is spelt as a single zero."""
    if number == 0:
        return _DIGITS[0]
    spelt = ""
    for power in range((len(str(number)) - 1) // 4, -1, -1):
        group = number // 10 ** (4 * power) % 10000
        if group:
            gap = spelt and (group < 1000 or spelt.endswith(_DIGITS[0]))
            spelt = spelt.rstrip(_DIGITS[0]) + (_DIGITS[0] if gap else "") + _spell_group(group) + _FOURS[power]
        elif spelt and not spelt.endswith(_DIGITS[0]):
            spelt += _DIGITS[0]
    spelt = spelt.rstrip(_DIGITS[0])
    return spelt[1:] if spelt.startswith("一十") else spelt


def _spell_group(number: int) -> str:
    spelt = ""
    for size, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // size % 10
        if digit:
            spelt += _DIGITS[digit] + unit
        elif spelt and number % size and not spelt.endswith(_DIGITS[0]):
            spelt += _DIGITS[0]
    return spelt
