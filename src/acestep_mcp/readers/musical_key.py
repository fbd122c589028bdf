"""Reads a key as musicians write it, in English, German, solfège, Russian and East Asian names."""

# ruff: noqa: RUF001 - letters of other alphabets are intended
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from acestep_mcp.readers.phrasing import around, folded, is_refused, is_tag_list

_ENGLISH_MODES = {
    "natural minor": "minor", "harmonic minor": "harmonic minor", "melodic minor": "melodic minor", "major pentatonic":
    "major pentatonic", "minor pentatonic": "minor pentatonic", "pentatonic minor": "minor pentatonic", "pentatonic major":
    "major pentatonic", "blues scale": "blues", "minor": "minor", "major": "major", "min": "minor", "maj": "major",
    "dorian": "dorian", "phrygian": "phrygian", "lydian": "lydian", "mixolydian": "mixolydian", "aeolian": "minor",
    "ionian": "major", "locrian": "locrian",
}  # fmt: skip
_MINOR_MODES = frozenset(
    {"minor", "harmonic minor", "melodic minor", "minor pentatonic", "blues", "dorian", "phrygian", "locrian"}
)
# How the words for minor begin in other languages; all others are major.
_MINOR_WORDS = (
    "m",
    "minor",
    "min",
    "moll",
    "mol",
    "menor",
    "mineur",
    "minore",
    "minör",
    "мин",
    "мін",
    "短",
    "小",
    "단",
    "マイ",
    "마이",
)
_PITCHES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SOLFEGE = {
    "do": "C", "ut": "C", "re": "D", "ré": "D", "mi": "E", "fa": "F", "sol": "G", "la": "A", "si": "B", "dó": "C", "fá": "F",
    "lá": "A", "до": "C", "ре": "D",
    "ми": "E", "фа": "F", "соль": "G", "ля": "A", "си": "B",
}  # fmt: skip
_KANA = dict(zip("ハニホヘトイロはにほへといろ", "CDEFGABCDEFGAB", strict=True))
_HANGUL = dict(zip("다라마바사가나", "CDEFGAB", strict=True))
# H is B, B is B flat; a sharp note ends in -is, a flat one in -es or -s.
_GERMAN = {
    **{letter.lower(): letter for letter in "CDEFGA"}, "h": "B", "b": "Bb", "es": "Eb", "as": "Ab", "bes": "Bb",
    **{f"{letter.lower()}is": f"{letter}#" for letter in "CDEFGA"}, "his": "B#",
    **{f"{letter.lower()}es": f"{letter}b" for letter in "CDFG"},
}  # fmt: skip
_SHARPS = ("#", "♯", "sharp", "sostenido", "sustenido", "diesis", "dièse", "diese", "диез", "升", "嬰", "올림")
_FLATS = ("b", "♭", "flat", "bemol", "bémol", "bemolle", "бемоль", "降", "変", "내림")

_ACCIDENTAL = r"(?P<sign>\s?[#♯♭♮]|b|[\s_-]?(?:sharp|flat)(?![a-z]))?"
_MODE = "|".join(mode.replace(" ", r"[\s_-]+") for mode in sorted(_ENGLISH_MODES, key=len, reverse=True))
_NOT_CHORD = r"(?!\s?(?:7|9|11|13)(?:th)?\b)"
_OPEN, _CLOSE = r"(?<![a-zA-Z\u00c0-\u024f\d'’&#♯♭])", r"(?![a-zA-Z\u00c0-\u024f\d])"
_SIGN_WORD = "|".join((*_SHARPS[3:8], *_FLATS[3:6]))
_WITH_MODE = re.compile(
    rf"(?i){_OPEN}(?P<letter>[A-G]){_ACCIDENTAL}(?P<gap>[\s_-]*)(?P<mode>{_MODE}){_CLOSE}{_NOT_CHORD}"
)
_KEY_WORD = r"(?:key(?:[ _]?scale)?|scale|tonality|tonart|tonalit[àé]|tonalidad|tom|тональност\w*|キー|调|조성)"
_LABELLED = re.compile(
    rf"(?i)(?<![^\W_]){_KEY_WORD}(?:\s+signature)?(?P<link>\s*(?:[:=–-]|(?:of|is|in|de|di)\b|は)\s*|\s+)(?:the\s+)?"
    rf"(?P<letter>[A-G]){_ACCIDENTAL}(?P<mode>m(?:in|aj)?)?{_CLOSE}(?!-\w)"
)
_IN = re.compile(
    rf"(?<![^\W_])[Ii]n\s+(?P<letter>[A-G]|[a-g](?=[#♯♭]|bm?\b)|[b-g](?=[ -](?:sharp|flat))){_ACCIDENTAL}(?P<mode>m)?"
    r"(?=\s*(?:$|[,;.!?)\n|])|\s+(?:at|and|with|for|about)\b|\s+\d)(?!\.\w)"
)
_PART = re.compile(
    r"(?P<letter>[A-G])(?P<sign>\s?[#♯♭]|b|[ -](?i:sharp|flat))?(?P<mode>m|M)?(?i:\s+(?:key|scale))?"
    r"|(?P<small>[a-g])(?P<small_sign>[#♯♭])(?P<small_mode>m)?"
)
_SIGNED = re.compile(rf"{_OPEN}(?P<letter>[A-Ga-g])(?P<sign>[#♯♭]|(?<=[A-G])b)(?P<mode>m){_CLOSE}")
_SHORT = re.compile(rf"{_OPEN}(?<!I )(?P<letter>[A-G])(?P<mode>m)(?:\s+(?:key|scale))?(?=\s*(?:$|,)|\s+\d)")
_GERMAN_KEY = re.compile(
    rf"(?i){_OPEN}(?<!tu )(?P<note>{'|'.join(sorted(_GERMAN, key=len, reverse=True))})(?P<sign>[#♯♭]|(?<=[A-G])b)?"
    rf"[\s-]*(?P<mode>dur|molli?|mol){_CLOSE}"
)
_SOLFEGE_KEY = re.compile(
    rf"(?i)(?<!\w)(?P<note>do|dó|ut|re\u0301|ré|re|mi|fa|fá|sol|la|lá|si)(?:(?P<flat>b)|[\s-]?(?P<sign>[#♯♭]|{_SIGN_WORD}))?[\s-]+"
    r"(?P<mode>mayor|menor|maior|majeur|mineur|maggiore|minore|majör|minör)" + _CLOSE
)
_LETTER_ABROAD = re.compile(
    rf"{_OPEN}(?P<letter>[A-G])(?P<sign>[#♯♭b])?[\s-](?P<mode>mayor|menor|maior|majeur|mineur|maggiore|minore){_CLOSE}"
)
_RUSSIAN_KEY = re.compile(
    r"(?i)(?<!\w)(?P<note>до|ре|ми|фа|соль|ля|си)[\s-]*(?P<sign>[#♯♭]|диез|бемоль)?[\s-]*(?P<mode>м[иі]нор|мажор)\w*"
)
# The wheel of DJs: 1A to 12A are the minor keys in fifths from A flat on, 1B to 12B their relative major keys.
_CAMELOT = re.compile(
    r"(?i)(?<![a-z])(?:camelot|key)\s*:?\s*(?P<hour>1[0-2]|[1-9])(?P<side>[AB])(?![a-z\d])"
    r"|(?<![\w.])(?P<hour2>1[0-2]|[1-9])(?P<side2>[AB])\s+camelot"
)
_MINOR_WHEEL = ("Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MAJOR_WHEEL = ("B", "F#", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E")
_EASTERN_KEY = re.compile(
    r"(?P<sign>[嬰変升降#♯♭]|올림|내림)?(?P<note>[ハニホヘトイロはにほへといろ다라마바사가나]|(?<![A-Za-z])[A-Ga-g])(?P<after>[#♯♭b])?\s*"
    r"(?P<mode>[长長短]调|[長短]調|[大小][调調]|[장단]조|メジャー|マイナー|메이저|마이너)"
)
# What "major" and "minor" describe when they are plain adjectives.
_NO_KEY = re.compile(
    r"(?i)[\s-]+(?:(?:supporting|energy|record|plot|key|life|glow)[\s-]+)?(?:characters?|roles?|parts?|lift|hits?|labels?|leagues?|"
    r"setbacks?|issues?|problems?|details?|changes?|deals?|events?|stars?|cit(?:y|ies)|roads?|players?|threats?|injur\w+|offen[cs]es?|"
    r"crimes?|victor(?:y|ies)|wins?|loss(?:es)?|success(?:es)?|accidents?|inconvenien\w+|things?|points?|updates?|upgrades?|"
    r"milestones?|moments?|leaps?|steps?|works?|influences?|reasons?|sources?|fans?|crush|moods?|vibes?|energy|comeback|breakthroughs?|"
    r"celebrations?|moves?|throwback|banger|bops?|jams?|cris[ie]s|disasters?|tweaks?|repairs?|overhaul|thirds?|sixths?|sevenths?|up|"
    r"general|domo|depress\w+|earthquake|surgery|gods?|prophets?|planets?|arcana|street|swing|bug|fix(?:es)?|damage|scratch|annoyance|"
    r"feeling|flaws?|miracle|drop|shift|impact|motion pictures?|company|studio|network|airport|drama|tragedy|mistakes?|difference)\b"
)
_AFTER_ARTICLE = re.compile(
    r"(?i)\s*(?:$|[,;:.!?)(\]\n/|\u3001\u3002]|[-–—]\s|\d)|\s+(?:at|with|and|then|in|for|about|by|to|on|over|tuning|waltz|ballad|piano|guitar|"
    r"blues|jazz|techno|house|trance|trap|drill|folk|rock|pop|metal|lofi|lo-fi|ambient|orchestral|strings?|violin|cello|synth\w*|"
    r"arpeggio\w*|progression|prelude|nocturne|sonata|symphony|étude|etude|fugue|concerto|tonality|pentatonic|riff|melody|hip[ -]hop|"
    r"acoustic|organ|choir|bass|beat|bpm|tempo|4/4|3/4)\b"
)
_AFTER_CAPITAL_A = re.compile(r"(?i)\s+(?:key|scale|chords?)\b")
_BEFORE_NOUN = re.compile(r"(?i)\b(?:is|was|be|as|about|being|just|only|such|like|i'm|he's|she's|not|still|became)\s+$")
_MINOR_BEFORE = re.compile(r"(?i)\bminor\s+$")
_NAMED_BY_LETTER = re.compile(
    r"(?i)\b(?:vitamins?|plan|type|class|grade|group|option|section|side|hepatitis|series|exhibit|level|part|team|room|gate|block)\s+$"
)

_NEAR = 30  # characters before a match that are looked at


@dataclass(frozen=True, slots=True)
class MusicalKey:
    """`tonic` is a letter with "#", "b" or nothing; `mode` is "major", "minor" or the name of another scale.

    `start` and `end` are its place in the text. `stated` is false for a note name alone, without "key", "in" or a mode.
    """

    tonic: str
    mode: str
    start: int
    end: int
    stated: bool = True

    @property
    def name(self) -> str:
        """Such as "F# minor" or "D dorian"."""
        return f"{self.tonic} {self.mode}"

    @property
    def plain_name(self) -> str:
        """The same as major or minor: what a mode is nearest to."""
        return f"{self.tonic} {'minor' if self.mode in _MINOR_MODES else 'major'}"

    @property
    def pitch_class(self) -> int:
        """The tonic in semitones above C, 0 to 11."""
        return (_PITCHES[self.tonic[0]] + self.tonic.count("#") - self.tonic.count("b")) % 12


def find_keys(text: str) -> tuple[MusicalKey, ...]:
    """Every key in a text, the one to play first.

    A key with its mode, or after "key" or "in", wins over a note name that is a tag of its own ("C"). Of equals the
    first wins: a piece begins in its key, and later ones are modulations. "A major lift" and "vitamin C" are none.
    """
    plain = folded(text)
    found: list[MusicalKey] = []
    for finder in (_stated, _short):
        known = len(found)
        for key in finder(plain):
            free = all(key.end <= other.start or key.start >= other.end for other in found)
            if free and not is_refused(plain, key.start):
                found.append(key)
        found[known:] = sorted(found[known:], key=lambda one: one.start)
    return tuple(found)


def read_key(text: str) -> MusicalKey | None:
    """The key of a text; see `find_keys`."""
    return next(iter(find_keys(text)), None)


def _stated(text: str) -> Iterator[MusicalKey]:
    """Keys in whole; of overlapping ones `find_keys` takes the first, so "key of a minor" is read with its mode."""
    for match in _WITH_MODE.finditer(text):
        if _is_key(match):
            yield _key(match, match["letter"].upper())
    for match in _LABELLED.finditer(text):
        if _is_labelled_key(match):
            key = _key(match, match["letter"].upper())
            yield replace(key, mode="minor") if _MINOR_BEFORE.search(_before(match)) else key
    for pattern in (_IN, _SIGNED, _LETTER_ABROAD):
        for match in pattern.finditer(text):
            if not _NAMED_BY_LETTER.search(_before(match)):
                yield _key(match, match["letter"].upper())
    yield from _stated_abroad(text)


def _stated_abroad(text: str) -> Iterator[MusicalKey]:
    for match in _GERMAN_KEY.finditer(text):
        yield _key(match, "B" if match["sign"] and match["note"].lower() == "b" else _GERMAN[match["note"].lower()])
    for match in _SOLFEGE_KEY.finditer(text):
        if _is_solfege_key(match):
            yield _key(match, _SOLFEGE[match["note"].lower().replace("e\u0301", "é")])
    for match in _RUSSIAN_KEY.finditer(text):
        yield _key(match, _SOLFEGE[match["note"].lower()])
    for match in _CAMELOT.finditer(text):
        hour, minor = int(match["hour"] or match["hour2"]), (match["side"] or match["side2"]) in "aA"
        yield MusicalKey(
            (_MINOR_WHEEL if minor else _MAJOR_WHEEL)[hour - 1], "minor" if minor else "major", *match.span()
        )
    for match in _EASTERN_KEY.finditer(text):
        note = match["note"]
        yield _key(match, _KANA.get(note) or _HANGUL.get(note) or note.upper())


def _short(text: str) -> Iterator[MusicalKey]:
    """A note name that is a whole part of a list, and in a list of tags "Am" at the end of a part."""
    for part in re.finditer(r"[^,;|\n]+", text):
        start = part.start() + len(part[0]) - len(part[0].lstrip())
        match = _PART.fullmatch(text, start, start + len(part[0].strip().rstrip(".")))
        if match and (letter := match["letter"] or match["small"]):
            yield replace(_key(match, letter.upper()), stated=False)
    if is_tag_list(text):
        for match in _SHORT.finditer(text):
            yield replace(_key(match, match["letter"]), stated=False)


def _key(match: re.Match[str], tonic: str) -> MusicalKey:
    groups = match.groupdict()
    sign = (
        (groups.get("sign") or groups.get("after") or groups.get("flat") or groups.get("small_sign") or "")
        .strip(" _-")
        .lower()
    )
    mark = "#" if sign in _SHARPS else "b" if sign in _FLATS else ""
    mode = groups.get("mode") or groups.get("small_mode") or "major"
    english = _ENGLISH_MODES.get(re.sub(r"[\s_-]+", " ", mode.lower()))
    other = "minor" if (mode != "M" and mode.lower().startswith(_MINOR_WORDS[1:])) or mode == "m" else "major"
    start, end = match.span()
    return MusicalKey(tonic + mark, english or other, start, end)


def _is_key(match: re.Match[str]) -> bool:
    """Whether a letter with "major" or "minor" is a key and not an adjective: "a major lift", "B minor character"."""
    letter, sign, mode = match["letter"], match["sign"], match["mode"].lower()
    if not match["gap"] and not sign and letter.islower() and len(mode) < len("minor"):
        return False  # "emin", "cmaj"
    if sign:
        return True
    if _NO_KEY.match(match.string, match.end()) or _NAMED_BY_LETTER.search(_before(match)):
        return False
    if letter == "a":
        return (
            mode not in {"min", "maj", "blues scale"}
            and not _BEFORE_NOUN.search(_before(match))
            and _allows_article(match)
        )
    if letter != "A" or mode not in {"major", "minor", "maj", "min"}:
        return True
    before, _ = around(match.string, *match.span())
    return bool(before.strip()) or _allows_article(match) or bool(_AFTER_CAPITAL_A.match(match.string, match.end()))


def _before(match: re.Match[str]) -> str:
    return match.string[max(0, match.start() - _NEAR) : match.start()]


def _allows_article(match: re.Match[str]) -> bool:
    """Whether what follows "a minor" can follow a key: the end of a tag, a preposition, an instrument or a style."""
    return bool(_AFTER_ARTICLE.match(match.string, match.end())) or match["gap"] == "-"


def _is_labelled_key(match: re.Match[str]) -> bool:
    """Whether a letter after "key" is a note: "key of a" is, "the key a friend gave me" is not."""
    letter, link = match["letter"], match["link"].strip().lower()
    rest = match.string[match.end() :]
    word_follows = bool(re.match(r"\s+(?!major|minor|maj\b|min\b|at\b|and\b|with\b|sharp|flat)[a-z]", rest))
    if letter.isupper():
        return letter != "A" or bool(match["sign"] or match["mode"]) or not word_follows or link in {":", "="}
    return link not in {"", "is", "in", "-"} and not (letter == "a" and word_follows and not match["sign"])


def _is_solfege_key(match: re.Match[str]) -> bool:
    """Whether no noun follows: "la mayor", "mi menor" are keys only where no noun follows: "la mayor aventura" is the greatest adventure."""
    if (
        match["note"].lower() not in {"la", "mi", "si"}
        or match["sign"]
        or match["mode"].lower() in {"majeur", "mineur"}
    ):
        return True
    return bool(re.match(r"(?i)\s*(?:$|[,;:.!?)\n\d-])|\s+(?:y|e|con|com|at|\d)\b", match.string[match.end() :]))
