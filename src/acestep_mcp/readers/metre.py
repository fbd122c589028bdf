"""Reads a metre as musicians write it: time signatures in digits and words, "in 7", and dances that have one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from acestep_mcp.readers.phrasing import around, folded, is_refused

_SMALL = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen")
_NUMBERS = {word: value for value, word in enumerate(_SMALL, 1)}
_VULGAR = {"\u00be": "3/4", "\u215d": "5/8", "\u215e": "7/8", "\u215c": "3/8"}
# Counts of beats and the signature that they usually have: seven and more are counted in eighths.
_BY_COUNT = {
    2: "2/4",
    3: "3/4",
    4: "4/4",
    5: "5/4",
    6: "6/8",
    7: "7/8",
    9: "9/8",
    10: "10/8",
    11: "11/8",
    12: "12/8",
    13: "13/8",
}
_NAMES = {
    "common time": "4/4", "common metre": "4/4", "common meter": "4/4", "\U0001d134": "4/4", "cut time": "2/2", "cut common": "2/2",
    "alla breve": "2/2", "\U0001d135": "2/2", "compound duple": "6/8", "compound triple": "9/8", "compound quadruple": "12/8",
    "simple duple": "2/4", "simple triple": "3/4", "simple quadruple": "4/4", "three quarter time": "3/4", "three quarters time": "3/4",
    "dreivierteltakt": "3/4", "viervierteltakt": "4/4", "zweivierteltakt": "2/4", "sechsachteltakt": "6/8", "fünfvierteltakt": "5/4",
    "siebenachteltakt": "7/8", "zwölfachteltakt": "12/8", "tres por cuatro": "3/4", "seis por ocho": "6/8", "tre quarti": "3/4",
    "sei ottavi": "6/8", "trois temps": "3/4", "quatre temps": "4/4", "deux temps": "2/4", "cinq temps": "5/4", "compás ternario": "3/4",
    "seis por oito": "6/8", "três por quatro": "3/4", "три четверти": "3/4", "четыре четверти": "4/4", "шесть восьмых": "6/8",
}  # fmt: skip
_KINDS = {
    "compound": "6/8", "duple": "2/4", "triple": "3/4", "quadruple": "4/4", "quintuple": "5/4", "septuple": "7/8", "odd": "7/8",
}  # fmt: skip
_DANCES = {
    "waltz": "3/4", "waltzy": "3/4", "waltzes": "3/4", "walzer": "3/4", "valse": "3/4", "vals": "3/4", "valzer": "3/4", "valsa": "3/4", "вальс": "3/4",
    "ワルツ": "3/4", "圆舞曲": "3/4", "圓舞曲": "3/4", "华尔兹": "3/4", "왈츠": "3/4", "minuet": "3/4", "menuet": "3/4", "mazurka": "3/4",
    "ländler": "3/4", "polonaise": "3/4", "sarabande": "3/4", "slip jig": "9/8", "jig": "6/8", "jigs": "6/8", "gigue": "6/8",
    "tarantella": "6/8", "barcarolle": "6/8", "siciliana": "6/8", "siciliano": "6/8",
}  # fmt: skip
_EASTERN = {"二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十二": 12}

_TIME = (
    r"(?:time(?![a-z])(?:\s*sig(?:nature)?\b\.?)?|met(?:re|er)s?(?![a-z])|signature|measures?(?![a-z])|feel(?![a-z])|groove|beat(?![a-z])|"
    r"rhythm|takt(?![a-z])|shuffle|waltz|compás|compasso|mesure|размер\w*|拍子?|박자)"
)
_LABEL = r"(?:time[ _-]?sig(?:nature)?\.?|met(?:re|er)|signature|compás|compasso|mesure|tempo|takt|размер\w*|拍子|拍号|박자)(?:\s+(?:is|of|de|à|in))?\s*[:=]?"
_SLASH = r"\s?[/\u2044\u2215]\s?"
_FRACTION = re.compile(
    rf"(?i)(?P<label>(?<![a-z]){_LABEL}\s*)?(?<![a-z\d/\u2044\u2215.,:-])(?P<beats>\d{{1,2}}){_SLASH}(?P<unit>\d{{1,2}})"
    rf"(?![\d\u2044\u2215%]|{_SLASH}\d|\.\d|-\d)(?P<time>[ -]*{_TIME})?"
)
_BESIDE = re.compile(
    r"(?i)(?<![\d/.-])(?P<beats>\d{1,2})(?:\s*-\s*|\s+(?:by|over)\s+|by|x)(?P<unit>2|4|8|16)[ -]+(?:time(?![a-z])|met(?:re|er))"
)
_LABELLED_COUNT = re.compile(
    r"(?i)(?<![a-z])(?:time[ _-]?sig(?:nature)?\.?|met(?:re|er))\s*(?:is|of)?\s*[:=]?\s*(?P<count>\d{1,2})(?![\d/\u2044\u2215:.-]|\s*/)"
)
_WORDED = re.compile(
    r"(?i)(?<![\w-])(?P<lead>(?:one|two|three)[\s,-]+)?(?P<into>in\s+)?(?P<beats>two|three|four|five|six|seven|nine|ten|eleven|twelve|thirteen)"
    rf"(?:[ -]|/|\s+(?:by|over)\s+)(?P<unit>two|four|eight|eighths?|quarters?|sixteen)(?![\w])(?P<time>[ -]+{_TIME})?"
)
_IN = re.compile(
    r"(?i)(?<![a-z\d])in\s+(?P<count>\d{1,2}|three|five|six|seven|nine|eleven)"
    r"(?P<time>[ -]+(?:time|beats?|feel|meter|metre)\b)?(?=\s*(?:$|[,;.!?)\n|])|\s+(?:with|and|at|about)\b)(?!\.\d)"
)
_COUNTED = re.compile(
    r"(?i)(?:(?<![\w.])(?P<count>\d{1,2}|two|three|four|five|six|seven|nine)[ -]?(?:beats?\s+(?:to|per|in)\s+(?:the|a|each)?\s*(?:bar|measure)|"
    r"beats?[ -]+(?:a[ -]bar|bar|measure|met(?:er|re)|cycle|groove|pattern|loop|phrase)s?)|(?<![\d十])(?P<eastern>\d{1,2}|十二|[二三四五六七八九])\s?(?:拍子|박자|拍(?![子号號]))|"
    r"(?P<under>\d{1,2}|[二四八])分の(?P<over>\d{1,2}|[二三四五六七八九])拍子)"
)
_KIND = re.compile(rf"(?i)(?<![\w-])(?P<kind>{'|'.join(_KINDS)})[ -](?:time(?![a-z])|met(?:re|er)|rhythm)")
_NAME = re.compile(
    rf"(?i)(?<![^\W_])(?:{'|'.join(re.escape(name).replace(chr(92) + ' ', '[ -]') for name in sorted(_NAMES, key=len, reverse=True))})(?!\w)"
)
_DANCE = re.compile(
    rf"(?i)(?:(?<![a-z])(?:{'|'.join(re.escape(n) for n in sorted(_DANCES, key=len, reverse=True) if n.isascii())})(?![a-z])|"
    rf"{'|'.join(name for name in _DANCES if not name.isascii())})(?!\s+(?:is|was)\s+up\b)"
)
_AMOUNT = re.compile(
    r"(?i)\s*(?:\"|''|-?(?:of|inch(?:es)?|in\.|cups?|miles?|hours?|years?|full|empty|steps?|sleeves?|length|tones?|notes?|scale|score|"
    r"finish\w*|done|stars?|pounds?|lbs?|teaspoons?|tablespoons?|tsp|tbsp|majority|marks?|points?|ounces?|oz|pints?|am|pm|"
    r"tremolo|triplets?|hi-?hats?|arps?|delay|st|nd|rd|th)\b)"
)
_DATE = re.compile(
    r"(?i)\b(?:on|since|born|dated?|until|till|before|after|rated|score[ds]?|level|version|part|page|day|room)\s+(?:is |of )?$"
)
_MUSIC = re.compile(
    r"(?i)\b(?:song|songs|groove|jazz|music|tune|piece|riff|beat|track|rock|prog|metal|played?|count(?:ed)?|written|pulse|all|mostly|feel|"
    r"rhythm|techno|funk|fusion|waltz|is|ballad|folk|pop)\s+$"
)
_LATER = re.compile(r"(?i)\b(?:back|done|ready|home|see|done|you|it|over|be|up|split|cut|torn|broken)\s+$")
_NEAR = 30  # characters before a match that are looked at


@dataclass(frozen=True, slots=True)
class Metre:
    """`beats` notes of a `unit`th in a bar; `start` and `end` are its place in the text.

    `stated` is false if only a dance implies it: a waltz in 6/8 is in 6/8.
    """

    beats: int
    unit: int
    start: int
    end: int
    stated: bool = True

    @property
    def name(self) -> str:
        """Such as "7/8"."""
        return f"{self.beats}/{self.unit}"


def find_metres(text: str) -> tuple[Metre, ...]:
    """Every metre in a text, the one to play first.

    A stated one wins over one that a dance implies. Of equals the first wins: a piece begins in its metre, and later
    ones are changes. Dates ("3/4/2024"), amounts ("3/4 of a mile") and note lengths ("1/8 notes") are none. A count
    ("in 5", "in 7") means the usual signature: 5/4, 7/8.
    """
    plain = folded(text)
    found: list[Metre] = []
    for finder in (_stated, _dances):
        known = len(found)
        for metre in finder(plain):
            free = all(metre.end <= other.start or metre.start >= other.end for other in found)
            if free and not is_refused(plain, metre.start):
                found.append(metre)
        found[known:] = sorted(found[known:], key=lambda one: one.start)
    return tuple(found)


def read_metre(text: str) -> Metre | None:
    """The metre of a text; see `find_metres`."""
    return next(iter(find_metres(text)), None)


def _stated(text: str) -> Iterator[Metre]:
    for match in _FRACTION.finditer(text):
        if _is_metre(match):
            yield Metre(int(match["beats"]), int(match["unit"]), *match.span())
    for match in _BESIDE.finditer(text):
        yield Metre(int(match["beats"]), int(match["unit"]), *match.span())
    for match in re.finditer("|".join(_VULGAR), text):
        if not _AMOUNT.match(text, match.end()):
            yield _named(_VULGAR[match[0]], match)
    for match in _NAME.finditer(text):
        yield _named(_NAMES[match[0].lower().replace("-", " ")], match)
    yield from _in_words(text)
    yield from _counts(text)
    for match in _KIND.finditer(text):
        yield _named(_KINDS[match["kind"].lower()], match)


def _in_words(text: str) -> Iterator[Metre]:
    """Words such as "five four time" and "in six-eight", also as a tag of their own."""
    for match in _WORDED.finditer(text):
        before, after = around(text, *match.span())
        alone = not (before + after).strip(" .\"'")
        if not match["lead"] and (match["time"] or match["into"] or alone):
            unit = {"quarter": 4, "eighth": 8, "sixteen": 16}.get(match["unit"].lower().rstrip("s")) or _value(
                match["unit"]
            )
            yield Metre(_value(match["beats"]), unit, *match.span())


def _counts(text: str) -> Iterator[Metre]:
    """Metres of which only the number of beats is named."""
    for match in (*_LABELLED_COUNT.finditer(text), *_IN.finditer(text), *_COUNTED.finditer(text)):
        groups = match.groupdict()
        if groups.get("over"):
            yield Metre(_value(groups["over"]), _value(groups["under"]), *match.span())
            continue
        signature = _BY_COUNT.get(_value(groups.get("count") or groups.get("eastern") or "0"))
        if signature and (match.re is not _IN or _is_count(match)):
            yield _named(signature, match)


def _is_count(match: re.Match[str]) -> bool:
    """Whether "in 7" counts beats: digits do, unless the words before are of a delay; words need music before them."""
    before = match.string[max(0, match.start() - _NEAR) : match.start()]
    if match["time"]:
        return True
    if match["count"].isdigit():
        return int(match["count"]) > 2 and not _LATER.search(before)
    return bool(_MUSIC.search(before))


def _is_metre(match: re.Match[str]) -> bool:
    """Whether a fraction is a time signature and not a date or an amount."""
    beats, unit = int(match["beats"]), int(match["unit"])
    if unit not in {1, 2, 4, 8, 16, 32} or not 1 <= beats <= 32:
        return False
    if match["label"] or match["time"]:
        return True
    usual = {2: range(2, 5), 4: range(2, 10), 8: range(3, 17), 16: range(3, 22)}.get(unit, range(0))
    text = match.string
    return (
        beats in usual
        and not _AMOUNT.match(text, match.end())
        and not _DATE.search(text, max(0, match.start() - _NEAR), match.start())
    )


def _dances(text: str) -> Iterator[Metre]:
    for match in _DANCE.finditer(text):
        yield _named(_DANCES[match[0].lower()], match, stated=False)


def _named(signature: str, match: re.Match[str], *, stated: bool = True) -> Metre:
    beats, unit = map(int, signature.split("/"))
    return Metre(beats, unit, *match.span(), stated)


def _value(number: str) -> int:
    word = number.lower()
    return int(word) if word.isdigit() else _NUMBERS.get(word) or _EASTERN.get(word, 0)
