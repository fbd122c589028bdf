"""Finds style terms in a text: genres, moods, instruments, voices, production, tempo, and excluded terms."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from acestep_mcp.songwriter import lexicon

_NEGATION = re.compile(
    r"(?i)(?<!\w)(no|without|not|non|avoid|never|skip|leave out|minus|(?:don't|do not) (?:use|want|add|include)|zero|free of)"
    r"(?: any| the| a| too| so| very| more| be)*[ -]$"
)
_OR = re.compile(r"(?i)^,?\s*(?:or|nor|/)(?: any| the| a)?\s*$")
_AND = re.compile(r"(?i)^\s*(?:,|,?\s*and|&|\+)\s*$")
_MUSIC_NOUN = re.compile(
    r"(?i)^[ -](?:song|track|music|beat|tune|anthem|ballad|style|groove|mix|remix|banger|number|vibe|feel)"
)
_POSSESSIVE = re.compile(r"(?i)(?<!\w)(?:my|our|your|his|her|their|the|this|that|old|haunted|every|whose) $")
# Words that are a style unless they mean a thing: "my house", "the country".
_AMBIGUOUS = lexicon.word_set("house country soul march metal trap drill rock jungle drone folk latin indie salsa pop")


@dataclass(slots=True)
class StyleTerms:
    """Style terms in order of appearance, by kind; `rest` is the text with each of them replaced by `|`.

    Kinds are genre, mood, instrument, voice, production, tempo, and banned for excluded terms.
    """

    rest: str
    by_kind: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, word: str) -> None:
        words = self.by_kind.setdefault(kind, [])
        if word not in words:
            words.append(word)

    def of(self, kind: str) -> tuple[str, ...]:
        return tuple(self.by_kind.get(kind, ()))


def find_terms(text: str) -> StyleTerms:
    """Every style term of a text; longer terms win ("trip hop", not "hop")."""
    terms = StyleTerms(text)
    spans: list[tuple[int, int]] = []
    negation, last_end = "", -1
    for match in _terms().finditer(text):
        before, between = text[max(0, match.start() - 40) : match.start()], text[last_end : match.start()]
        negation = _negation(before, negation if last_end >= 0 else "", between)
        last_end = match.end()
        kind, word = _kind_and_name(match)
        if not negation and (kind == "negatable" or _is_not_style(match, before)):
            continue
        terms.add("banned" if negation else kind, word)
        spans.append((match.start() - (len(_negation_text(before)) if negation else 0), match.end()))
    terms.rest = _blank(text, spans)
    return terms


def related_terms(word: str) -> tuple[str, ...]:
    """All words to avoid if `word` is excluded: without drums, no snare either."""
    plain = lexicon.SYNONYMS.get(word, word)
    return lexicon.RELATED_TERMS.get(plain, (plain, plain.removesuffix("s")))


def _negation(before: str, last: str, between: str) -> str:
    """The word that negates a term: its own, or that of the preceding term in the same list."""
    own = _NEGATION.search(before)
    if own:
        return own[1].lower()
    if last and _OR.match(between):
        return last
    return last if last in {"without", "minus", "avoid", "leave out", "skip"} and _AND.match(between) else ""


def _negation_text(before: str) -> str:
    own = _NEGATION.search(before)
    return own[0] if own else ""


def _kind_and_name(match: re.Match[str]) -> tuple[str, str]:
    if match[1]:
        return "instrument", " ".join(match[1].lower().replace(",", " ").split())
    return _kinds()[re.sub(r"\s+", " ", match[0].lower())]


def _is_not_style(match: re.Match[str], before: str) -> bool:
    if match[0].lower() not in _AMBIGUOUS:
        return False
    return bool(_POSSESSIVE.search(before)) and not _MUSIC_NOUN.match(match.string[match.end() :])


def _blank(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with `|` in place of each span, so that the texts on both sides stay separate."""
    pieces, at = [], 0
    for start, end in spans:
        pieces += [text[at:start], "|"]
        at = max(at, end)
    return "".join([*pieces, text[at:]])


@functools.cache
def _kinds() -> dict[str, tuple[str, str]]:
    """Every style term in lower case, with its kind and its canonical name."""
    kinds: dict[str, tuple[str, str]] = {word: ("negatable", word) for word in lexicon.SYNONYMS}
    kinds.update({word: ("production", word) for word in lexicon.PRODUCTION})
    kinds.update({word: ("tempo", word) for word in lexicon.TEMPO_WORDS})
    for mood in lexicon.MOODS:
        kinds.update({name: ("mood", name) for name in mood.names})
    for voice in lexicon.VOICES:
        kinds.update(dict.fromkeys(voice, ("voice", voice[0])))
    kinds.update({word: ("instrument", word) for word in lexicon.INSTRUMENTS})
    for genre in lexicon.GENRES:
        kinds.update({name: ("genre", name) for name in genre.names})
    return kinds


@functools.cache
def _terms() -> re.Pattern[str]:
    instruments = _alternatives(lexicon.INSTRUMENTS)
    shades = _alternatives(lexicon.ADJECTIVES)
    return re.compile(
        rf"(?i)(?<![\w'])(?:((?:(?:{shades}),? ){{1,3}}(?:{instruments}))|(?:{_alternatives(_kinds())}))(?!\w)(?!'s)"
    )


def _alternatives(words: Iterable[str]) -> str:
    """A regular expression for any of the words, longest first; spaces match any white space."""
    longest = sorted(words, key=lambda word: (-len(word), word))
    return "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in longest)
