"""Reads a tempo as musicians write it: bpm in many forms, metronome marks, Italian terms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from acestep_mcp.readers.phrasing import around, folded, is_refused, is_tag_list

SLOWEST, FASTEST = 30.0, 300.0
"""What counts as a tempo, in quarter notes per minute: fields of models and sequencers end about there."""

# Ranges in beats per minute, about as on the scales of metronomes.
_TERMS = {
    "larghissimo": (36, 44), "grave": (40, 46), "largo": (44, 60), "larghetto": (58, 66), "lento": (48, 62),
    "adagio": (64, 76), "adagietto": (70, 80), "andante": (76, 96), "andantino": (84, 104), "moderato": (100, 116),
    "andante moderato": (92, 108), "allegretto": (108, 122), "allegro moderato": (112, 124), "allegro": (120, 152), "vivace": (148, 168), "vivacissimo": (164, 178),
    "presto": (168, 196), "prestissimo": (196, 208),
}  # fmt: skip
# These are also words of other languages or names: they count as a tag of their own or beside "tempo".
_OTHER_WORDS = frozenset({"grave", "largo", "lento", "presto"})
_NOTE_LENGTHS = {  # in quarter notes
    "\u2669": 1.0, "\u266a": 0.5, "\U0001d15f": 1.0, "\U0001d158\U0001d165": 1.0, "\U0001d15e": 2.0,
    "\U0001d157\U0001d165": 2.0, "\U0001d160": 0.5,
    "\U0001d158\U0001d165\U0001d16e": 0.5, "quarter": 1.0, "crotchet": 1.0, "quaver": 0.5, "eighth": 0.5,
    "minim": 2.0, "half": 2.0, "semibreve": 4.0, "whole": 4.0, "sixteenth": 0.25, "semiquaver": 0.25, "1/4": 1.0,
    "1/8": 0.5, "1/2": 2.0, "q": 1.0, "h": 2.0, "e": 0.5, "viertel": 1.0, "halbe": 2.0, "achtel": 0.5, "noire": 1.0,
    "blanche": 2.0, "croche": 0.5, "negra": 1.0, "blanca": 2.0, "corchea": 0.5, "semínima": 1.0, "semiminima": 1.0,
    "четверть": 1.0, "половинная": 2.0, "восьмая": 0.5,
}  # fmt: skip
_ONES = "one|two|three|four|five|six|seven|eight|nine"
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_BELOW_100 = rf"(?:(?:{_TENS})(?:[ -](?:{_ONES}))?|{_TEENS}|{_ONES})"
_SPELLED = rf"(?:(?:a|one|two)[ -]hundred(?:(?:[ -]and)?[ -]{_BELOW_100})?|(?:{_TENS})(?:[ -](?:{_ONES}))?|one[ -]{_BELOW_100})"
_DIGITS = r"\d{2,3}(?:\.\d{1,2}|,\d(?=\s*b))?(?![\d%])"
_NUMBER = rf"(?:{_DIGITS}|{_SPELLED}\b)"
_TO = r"(?:[-\u2013\u2014~\u301c]|\b(?:to|bis|à|a|до)\b|[至到])"
_AND = r"\b(?:and|und|y|et|e|и)\b"
_BETWEEN = r"(?:between|zwischen|entre|tra|fra|между)"
_VALUE = (
    rf"(?:{_BETWEEN}\s+(?P<from>{_NUMBER})(?:\s*bpm)?\s*(?:{_AND}|{_TO})\s*(?P<upto>{_NUMBER})"
    rf"|(?P<low>{_NUMBER})(?:\s*bpm)?\s*{_TO}\s*(?P<high>{_NUMBER})|(?P<one>{_NUMBER}))"
)
_UNIT = (
    r"(?:bpms?(?![a-z])|bmp(?![a-z])|b\.\s?p\.\s?m\b\.?|"
    r"(?:beats?|quarter[ -]notes?|quarters|crotchets?|battements|schläge|schlägen|viertel|pulsaciones|golpes|negras|battiti|batidas|slagen|uderzeń|ударов|удара|уд\.?)\s*"
    r"(?:per|/|a|each|every|par|pro|por|al|na|в)\s*(?:the )?(?:min\b\.?|minu[ut]+[eoaę]?|минуту|мин\.?)|(?:per |/\s?)min(?:ute)?\b|拍(?!子)|비트)"
)
_LABEL = (
    r"(?:(?<![a-z])bpm(?![a-z])(?:\s*range)?|b\.p\.m\.?|(?<![a-z])tempo(?![a-z])(?:\s*\(?bpm\)?)?|темп\w*|(?<![a-z])(?:andamento|velocidad(?:e)?|allure)(?![a-z])|テンポ|템포|速度|节奏|節奏|"
    r"(?<![a-z])metronome(?:\s*mark(?:ing)?)?|(?<![a-z])m\.?m\.?(?=\s*[=:♩\d])|"
    r"(?<![a-z])speed(?=\s*(?:[:=]|of|at))|(?<![a-z])beats per minute|(?<![a-z])(?:half|double)[ -]?time|(?<![a-z])(?:up|mid|down|medium)[ -]?tempo|(?<![a-z])(?:slow|medium|moderate|fast|quick)(?=\s*\())"
)
_ABOUT = (
    r"(?:around|about|approx(?:imately|\.)?|circa|ca\.?|c\.|roughly|near(?:ly)?|exactly|etwa|ungefähr|environ|aproximadamente|"
    r"около|примерно|[~≈約约]|およそ)"
)
_LINK = rf"(?:[:=(\u2013\u2014-]|(?:of|is|was|at|to|be|set|from|the|von|auf|bei|de|di)\b|[はがをで是为為은는]|{_ABOUT})"
_START = r"(?<![a-z\u00c0-\u024f\d])(?<!\d[.,])"
_TERM_NAMES = "|".join(sorted(_TERMS, key=len, reverse=True))
_NOTE = "|".join(re.escape(name) for name in sorted(_NOTE_LENGTHS, key=len, reverse=True))
_FORMS = (
    rf"{_START}{_VALUE}\s*(?:-?ish|\+(?!/)|or so|s|(?:±|\+/-)\s*\d{{1,2}})?[\s_]*[-(]?\s*{_UNIT}",
    rf"{_START}{_VALUE}[ -]tempo(?![a-z])",
    rf"{_LABEL}(?:\s*{_LINK}){{0,4}}\s*{_VALUE}(?:-?ish)?(?![a-z]|\s*(?:/\s*\d|bars|sec|s\b|hz))",
    (
        rf"(?:(?P<dotted>dotted)[ -])?(?<![a-z\d])(?P<note>{_NOTE})[\ufe0e\ufe0f]?(?P<dot>\.)?(?:[ -]?notes?)?"
        rf"\s*(?P<equals>=|:|\b(?:at|equals|is)\b)?\s*{_ABOUT}?\s*{_VALUE}(?![/\w])"
    ),
    rf"(?<![a-z])(?P<term>{_TERM_NAMES})(?![a-z])\s*[,(:=]?\s*{_ABOUT}?\s*{_VALUE}(?!\w|\s*(?:/|bars|sec|hz))",
)
_AT = rf"(?:(?<![a-z])at|@)\s*{_ABOUT}?\s*{_VALUE}(?=\s*(?:$|[,;.!?)\n|])|\s+(?:and|with|in|about|half|double)\b)"
_HAS_NUMBER = re.compile(rf"(?i)\d\d|hundred|one[ -]|{_TENS}")
_NO_MUSIC = re.compile(
    r"(?i)\b(?:about|life|begins?|starts? over|married|still|driving|turn\w*|my|her|his|our|their|looking|aged?|dancing|living|"
    r"young|old|die[ds]?|grand\w+|mother|father|mom|mum|dad|birthday|who|he|she|they|i|we|you|is|was|record)\b"
)
_ALONE = re.compile(r"(?:^|,)\s*(?P<one>\d{2,3})\s*(?=,|$)")
_LEAST_ALONE, _MOST_ALONE = 50, 220
_TERM = re.compile(rf"(?<![^\W_])(?:{_TERM_NAMES})(?![^\W_])", re.IGNORECASE)
_WORD_VALUES = {
    word: value
    for words, first, step in ((_ONES, 1, 1), (_TEENS, 10, 1), (_TENS, 20, 10))
    for value, word in zip(range(first, 100, step), words.split("|"), strict=False)
}


@dataclass(frozen=True, slots=True)
class Tempo:
    """`low` to `high` beats per minute, a beat being `beat` quarter notes; `start` and `end` are its place in the text.

    `term` is the Italian term if no number states the tempo; `stated` is false for a plain number without unit or label. Without a note value, bpm count quarter notes in every
    metre, as in a sequencer: "6/8, 120 bpm" has 40 bars a minute, "6/8, dotted quarter = 120" has 60.
    """

    low: float
    high: float
    start: int
    end: int
    beat: float = 1.0
    term: str = ""
    stated: bool = True

    @property
    def bpm(self) -> float:
        """The middle of the range, in beats per minute."""
        return (self.low + self.high) / 2

    @property
    def quarters(self) -> float:
        """The same in quarter notes per minute."""
        return self.bpm * self.beat


def find_tempos(text: str) -> tuple[Tempo, ...]:
    """Every tempo in a text, the one to play first.

    A number wins over an Italian term, and one with a unit, a label or a note value over a plain one. Of equals the
    first wins: a score states its tempo at the beginning, and later ones are changes. What is refused ("not 120 bpm")
    does not count.
    """
    plain = folded(text)
    found: list[Tempo] = []
    for finder in (_stated, _plain_numbers, _terms):
        for tempo in sorted(finder(plain), key=lambda one: one.start):
            free = all(tempo.end <= other.start or tempo.start >= other.end for other in found)
            in_range = SLOWEST <= tempo.quarters <= FASTEST
            if free and in_range and not is_refused(plain, tempo.start):
                found.append(tempo)
    return tuple(found)


def read_tempo(text: str) -> Tempo | None:
    """The tempo of a text; see `find_tempos`."""
    return next(iter(find_tempos(text)), None)


def _stated(text: str) -> Iterator[Tempo]:
    """Numbers with a unit, a label, a note value or an Italian term; of overlapping ones the longest."""
    if not _HAS_NUMBER.search(text):
        return
    matches = [match for form in _FORMS for match in _compiled(form).finditer(text) if _is_mark(match)]
    taken: list[tuple[int, int]] = []
    for match in sorted(matches, key=lambda one: (-len(one[0]), one.start())):
        start, end = match.span()
        if all(end <= first or start >= last for first, last in taken):
            taken.append((start, end))
            yield _tempo(match)


@cache
def _compiled(form: str) -> re.Pattern[str]:
    """A form that is searched for: compiling all takes longer than composing a song, and most texts hold no number."""
    return re.compile(form, re.IGNORECASE)


def _is_mark(match: re.Match[str]) -> bool:
    """Whether a note value before a number is a metronome mark: words need an equals sign, glyphs do not."""
    groups = match.groupdict()
    note = groups.get("note")
    if note is None:
        return True
    if note[0].isalnum() and not groups["equals"]:
        return False
    return len(note) > 1 or not note.isalpha() or groups["equals"] == "="


def _tempo(match: re.Match[str]) -> Tempo:
    groups = match.groupdict()
    low = groups.get("from") or groups.get("low") or groups["one"]
    high = groups.get("upto") or groups.get("high") or low
    beat = _NOTE_LENGTHS.get((groups.get("note") or "\u2669").lower(), 1.0)
    dotted = groups.get("dotted") or groups.get("dot")
    first, second = sorted((_number(low), _number(high)))
    return Tempo(first, second, *match.span(), beat * 1.5 if dotted else beat)


def _number(written: str) -> float:
    """The value of digits, or of English number words up to "two hundred and ninety-nine"; "one twenty" is 120."""
    if written[0].isdigit():
        return float(written.replace(",", "."))
    words = [word for word in re.split(r"[ -]+", written.lower()) if word != "and"]
    hundreds = 0
    if "hundred" in words:
        hundreds = 200 if words[0] == "two" else 100
        words = words[words.index("hundred") + 1 :]
    elif words[0] == "one":
        hundreds, words = 100, words[1:]
    return float(hundreds + sum(_WORD_VALUES[word] for word in words))


def _plain_numbers(text: str) -> Iterator[Tempo]:
    """A number after "at", and in a list of tags a number alone."""
    for match in _compiled(_AT).finditer(text) if _HAS_NUMBER.search(text) else ():
        before, _ = around(text, *match.span())
        if len(before.split()) <= 8 and not _NO_MUSIC.search(before):
            yield replace(_tempo(match), stated=False)
    if "," in text and is_tag_list(text) and not _NO_MUSIC.search(text):
        for match in _ALONE.finditer(text):
            if _LEAST_ALONE <= int(match["one"]) <= _MOST_ALONE:
                yield Tempo(float(match["one"]), float(match["one"]), *match.span("one"), stated=False)


def _terms(text: str) -> Iterator[Tempo]:
    for match in _TERM.finditer(text):
        before, after = around(text, *match.span())
        term = match[0].lower()
        if term not in _OTHER_WORDS or not re.sub(r"(?i)\btempo\b", "", before + after).strip(" .:-=\"'"):
            low, high = _TERMS[term]
            yield Tempo(low, high, *match.span(), term=term)
