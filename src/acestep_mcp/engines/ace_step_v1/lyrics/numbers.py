"""Numbers as words."""

from __future__ import annotations

import re
from collections.abc import Callable

from acestep_mcp.engines.ace_step_v1.lyrics.late import package
from acestep_mcp.engines.ace_step_v1.lyrics.words import (
    COMMA_THOUSANDS,
    COUNTED,
    CURRENCIES,
    NO_CURRENCY,
    ORDINAL_ENDINGS,
)

# Longer runs of digits are no numbers that anybody sings; they stay as they are.
_WHOLE = r"(?<!\d)\d{1,15}(?!\d)"
_DECIMAL = r"(?<!\d)\d{1,12}[.,]\d{1,9}(?!\d)"
_AMOUNT = rf"(?:{_DECIMAL}|{_WHOLE})"
_FAILURES = (ArithmeticError, LookupError, NotImplementedError, TypeError, ValueError)


def in_words(text: str, language: str) -> str:
    """Currencies, ordinals, decimals and whole numbers read out; a rule that fails leaves the text as it was."""
    if not any(letter.isdecimal() for letter in text):
        return text
    if language == "zh":
        return _chinese(text)
    if language not in COUNTED:
        return text
    text = _without_thousands(text, "," if language in COMMA_THOUSANDS else ".")
    if language not in NO_CURRENCY:
        text = _rule(rf"([$£€])({_AMOUNT})", lambda m: _money(m[1], m[2], language), text)
    if endings := ORDINAL_ENDINGS.get(language):
        text = _rule(rf"({_WHOLE})(?:{endings})(?!\w)", lambda m: _read(int(m[1]), language, to="ordinal"), text)
    text = _rule(_DECIMAL, lambda m: _read(float(m[0].replace(",", ".")), language), text)
    return _rule(_WHOLE, lambda m: _read(int(m[0]), language), text)


def _rule(pattern: str, words: Callable[[re.Match[str]], str], text: str) -> str:
    try:
        return re.sub(pattern, words, text)
    except _FAILURES:
        return text


def _read(number: float, language: str, **form: str) -> str:
    return str(package("num2words").num2words(number, lang=language, **form))


def _money(sign: str, amount: str, language: str) -> str:
    """`$20.50` is twenty dollars, fifty cents; a whole amount has no cents."""
    number = float(amount.replace(",", "."))
    form = {"to": "currency", "currency": CURRENCIES[sign]}
    if number.is_integer():
        return _read(number, language, **form, separator="|").split("|")[0].strip()
    return _read(number, language, **form)


def _without_thousands(text: str, mark: str) -> str:
    groups = rf"(?<![\d.,])\d{{1,3}}(?:{re.escape(mark)}\d{{3}})+(?!\d)"
    return re.sub(groups, lambda m: m[0].replace(mark, ""), text)


_DIGITS = "零一二三四五六七八九"
_FOURS = ("", "万", "亿", "兆")
_UNITS = {"$": "美元", "£": "英镑", "€": "欧元"}


def _chinese(text: str) -> str:
    text = re.sub(rf"([$£€])({_AMOUNT})", lambda m: m[2] + _UNITS[m[1]], text)
    text = re.sub(rf"({_AMOUNT})\s?%", r"百分之\1", text)
    text = re.sub(r"(?<!\d)\d{4}(?=年)", lambda m: _one_by_one(m[0]), text)
    text = re.sub(_DECIMAL, lambda m: _chinese_decimal(*re.split("[.,]", m[0])), text)
    return re.sub(_WHOLE, lambda m: _chinese_whole(int(m[0])), text)


def _one_by_one(digits: str) -> str:
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _chinese_decimal(whole: str, fraction: str) -> str:
    return f"{_chinese_whole(int(whole))}点{_one_by_one(fraction)}"


def _chinese_whole(number: int) -> str:
    """Groups of four digits, each with its unit; a zero is said once between what stands around it."""
    if number == 0:
        return _DIGITS[0]
    said = ""
    for power in range((len(str(number)) - 1) // 4, -1, -1):
        group = number // 10 ** (4 * power) % 10000
        if group:
            gap = said and (group < 1000 or said.endswith(_DIGITS[0]))
            said = said.rstrip(_DIGITS[0]) + (_DIGITS[0] if gap else "") + _four(group) + _FOURS[power]
        elif said and not said.endswith(_DIGITS[0]):
            said += _DIGITS[0]
    said = said.rstrip(_DIGITS[0])
    return said[1:] if said.startswith("一十") else said


def _four(number: int) -> str:
    said = ""
    for size, unit in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // size % 10
        if digit:
            said += _DIGITS[digit] + unit
        elif said and number % size and not said.endswith(_DIGITS[0]):
            said += _DIGITS[0]
    return said
