# ruff: noqa: RUF001 - words of other languages and typographic quotation marks are intended
"""Reads the length of a song from a wish: "20 second", "two minutes", "a minute and a half", "2:30"."""

from __future__ import annotations

import re
from typing import TypeVar

from acestep_mcp.api.requests import LONGEST, SHORTEST, PromptToAudio

_UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS: dict[str, float] = {word: number for number, word in enumerate(_UNITS.split())}
_WORDS |= {word: 10 * number for number, word in enumerate(_TENS.split(), 2)}
_WORDS |= {"hundred": 100, "a hundred": 100, "one hundred": 100}
_WORDS |= {
    f"{tens}{sign}{unit}": 10 * number + one
    for number, tens in enumerate(_TENS.split(), 2)
    for one, unit in enumerate(_UNITS.split())
    if 0 < one < 10
    for sign in ("-", " ")
}
_WORDS |= {
    "a": 1,
    "an": 1,
    "a couple of": 2,
    "couple of": 2,
    "a few": 3,
    "half a": 0.5,
    "quarter of a": 0.25,
    "a quarter of a": 0.25,
    "half": 0.5,
}
# The same words in the other languages of the songwriter.
_WORDS |= {"una": 1, "un": 1, "une": 1, "eine": 1, "einer": 1, "uma": 1, "одна": 1, "одну": 1, "dos": 2, "deux": 2, "zwei": 2,
           "dois": 2, "due": 2, "две": 2, "tres": 3, "trois": 3, "drei": 3, "três": 3, "tre": 3, "три": 3, "treinta": 30, "trente": 30,
           "dreißig": 30, "trinta": 30, "trenta": 30, "medio": 0.5, "media": 0.5, "une demi": 0.5, "eine halbe": 0.5, "meia": 0.5,
           "mezzo": 0.5, "anderthalb": 1.5, "eineinhalb": 1.5, "полторы": 1.5, "полминуты": 0.5}  # fmt: skip
_NUMBER = rf"(\d+(?:[.,]\d+)?|{'|'.join(sorted(map(re.escape, _WORDS), key=len, reverse=True))})"
_MINUTE = r"(?:minutes?|mins?\.?|minutos?|minuten|minuti|minuto|минут[аыу]?|мин\.?|分钟|分鐘|分間?|분)"
_SECOND = r"(?:seconds?|secs?\.?|segundos?|sekunden?|secondes?|secondi|секунд[аыу]?|сек\.?|秒钟?|秒間?|초)"
_HALF = r"(?:and a half|y medi[oa]|et demie?|e mei[oa]|e mezzo|с половиной)"
_CLOCK = re.compile(
    r"(?<![\d:./])([0-4]):([0-5]\d)(?![\d:])(?!\s*(?:a\.?m|p\.?m|o'?clock|uhr|in the (?:morning|evening)))(?!\s*at night)",
    re.IGNORECASE,
)
_PHRASE = re.compile(
    rf"(?<![\w.])(?:(?:about|around|roughly|exactly|at least|at most|of|for|lasting|max(?:imum)?)\s+)?{_NUMBER}[\s-]*"
    rf"(?:(?P<minute>{_MINUTE}|(?<=\d)(?:m(?=\s?\d|[\s,.;]|$)|'))(?:\s*(?P<half>{_HALF})|[\s,]*(?:and\s+|y\s+|et\s+|und\s+)?{_NUMBER}[\s-]*(?:{_SECOND}|(?:(?<=\d)|(?<=\d[ -]))(?:s|''))(?!\w))?"
    rf"|(?P<second>{_SECOND}|(?<=\d)s|(?<=\d[ -])s))(?!\w)(?:[\s-]*(?:long|in length|lang|de long|duration))?",
    re.IGNORECASE,
)  # fmt: skip
_HALF_FIRST = re.compile(rf"(?i)(?<!\w){_NUMBER}\s+and a half[\s-]*{_MINUTE}(?!\w)")
_NOT_A_LENGTH = re.compile(
    r"(?i)^\s*(?:ago|late|later|of (?:fame|silence|peace)|intro|solo|outro|bridge|break|hook|drop|delay|walk|drive|rest|warning|from|away|left|old|before|after|into|with you)\b"
)
_IN_THE_STORY = re.compile(
    r"(?i)(?:\b(?:every|each|per|last|first|next|another|those|these|final|after|within|wait(?:ed|ing)?|past|i have|we have|we had|i had|only|just)\s+|'(?=\d))$"
)


def named_seconds(text: str) -> float | None:
    """The length that a wish names, in seconds, within what can be requested; None if it names none."""
    found = _find(text)
    return min(max(found[0], SHORTEST), LONGEST) if found else None


R = TypeVar("R")


def in_named_length(request: R) -> tuple[R, tuple[str, ...]]:
    """A prompt_to_audio request in the length that its prompt names, if `duration` was left out, and a note that says so.

    Every other request comes back as it is.
    """
    if not isinstance(request, PromptToAudio) or "duration" in request.model_fields_set:
        return request, ()
    seconds = named_seconds(request.prompt)
    if seconds is None:
        return request, ()
    return request.model_copy(update={"duration": seconds}), (f"The song is {seconds:g} s long, as the prompt says.",)


def without_length(text: str) -> str:
    """The text with `|` in place of the length that it names."""
    found = _find(text)
    return f"{text[: found[1]]}|{text[found[2] :]}" if found else text


def _find(text: str) -> tuple[float, int, int] | None:
    """Seconds, start and end of the first length in the text that belongs to the song and not to its story."""
    for match in _HALF_FIRST.finditer(text):
        return (_value(match[1]) + 0.5) * 60, match.start(), match.end()
    for match in _PHRASE.finditer(text):
        if _NOT_A_LENGTH.match(text[match.end() :]) or _IN_THE_STORY.search(text[: match.start()]):
            continue
        seconds = _seconds(match)
        if SHORTEST <= seconds <= 1200 and not (
            match["second"] == "s" and re.match(r"\d0s", match[0]) and _is_decade(text, match)
        ):
            return seconds, match.start(), match.end()
    for match in _CLOCK.finditer(text):
        if _CLOCK_IS_LENGTH.search(text):
            return int(match[1]) * 60 + int(match[2]), match.start(), match.end()
    return None


_CLOCK_IS_LENGTH = re.compile(
    r"(?i)\d:\d\d[\s-]*(?:long|min|minutes?|length|song|track|version)\b|(?:length|duration|about|around|for|long|lasting|of|runtime|exactly|,|;|\.|\()\s*:?\s*\d:\d\d(?!\s*(?:a|p)m)|^\s*\d:\d\d|\d:\d\d\s*[).]?\s*$"
)


def _seconds(match: re.Match[str]) -> float:
    number = _value(match[1])
    if match["second"]:
        return number
    return 60 * (number + 0.5 * bool(match["half"])) + (_value(match[4]) if match[4] else 0)


def _value(text: str) -> float:
    plain = text.lower().replace(",", ".")
    return float(_WORDS[plain]) if plain in _WORDS else float(plain)


def _is_decade(text: str, match: re.Match[str]) -> bool:
    """Whether "80s" is a decade: it is before a word, unless that says that a length is meant ("30s song, pop")."""
    number = int(_value(match[1]))
    after = text[match.end() :]
    if number in (50, 70, 80) or (number == 90 and not re.match(r"\s*(?:long|$|[,.;])", after)):
        return True
    return (
        bool(re.match(r"\s+(?:style|swing|jazz|big band|rock|pop|disco|soul|funk|blues|vibe|feel|music|era)", after))
        and number != 30
    ) or bool(re.match(r"\s+(?:swing|jazz|big band)", after))
