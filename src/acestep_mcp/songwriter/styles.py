"""Finds style terms in a text: genres, moods, instruments, voices, production, tempo, and excluded terms."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from acestep_mcp.readers.exclusions import Exclusions, read_exclusions
from acestep_mcp.readers.vocabulary import vocabulary
from acestep_mcp.readers.word_tables import ADJECTIVES, MOODS
from acestep_mcp.songwriter import lexicon

_LIMITS = re.compile(r"(?i)\b(?:only|just|nothing but|nothing else|solely|purely|exclusively|alone|unaccompanied)\b")
_PART = re.compile(r"(?i)[ -](solos?|riffs?|fills?)(?!\w)")
_MUSIC_NOUN = re.compile(
    r"(?i)^[ -](?:song|track|music|beat|tune|anthem|ballad|style|groove|mix|remix|banger|number|vibe|feel)"
)
_POSSESSIVE = re.compile(r"(?i)(?<!\w)(?:my|our|your|his|her|their|the|this|that|old|haunted|every|whose) $")
# Words that are a style unless they mean a thing: "my house", "the country".
_AMBIGUOUS = lexicon.word_set(
    "house country soul march metal trap drill rock jungle drone folk latin indie salsa pop swing anthem grime emo"
)


@dataclass(slots=True)
class StyleTerms:
    """Style terms in order of appearance, by kind; `rest` is the text with each of them replaced by `|`.

    Kinds are genre, mood, instrument, voice, production, tempo, banned for excluded terms, and only for the
    instruments and voices that a song is limited to.
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
    exclusions = read_exclusions(text)
    for player in exclusions.only:
        terms.add("only", player.name)
    spans: list[tuple[int, int]] = []
    for match in _terms().finditer(text):
        refusal = next((span for span in exclusions.spans if span[0] <= match.start() and match.end() <= span[1]), None)
        kind, word = _kind_and_name(match)
        if refusal:
            spans.append(refusal)
            if kind == "instrument" and (part := _PART.match(text, match.end())):
                terms.add("banned", f"{word} {part[1].lower().rstrip('s')}s")  # "no guitar solos" keeps the guitar
            elif not (kind == "mood" and _refuses_instrument(text[slice(*refusal)])):
                terms.add("banned", word)
        elif kind != "negatable" and not _is_not_style(match, text[max(0, match.start() - 40) : match.start()]):
            terms.add(kind, word)
            spans.append(match.span())
    spans += _other_refusals(text, exclusions, terms)
    if exclusions.only:
        spans += [match.span() for match in _LIMITS.finditer(text)]
    terms.rest = _blank(text, sorted(set(spans)))
    return terms


def _other_refusals(text: str, exclusions: Exclusions, terms: StyleTerms) -> list[tuple[int, int]]:
    """Add what is refused in words that are no style terms ("drumless", "nothing too heavy"), and find these words.

    A mood is only refused by a clause of its own: "there is no joy in war" is what a song is about.
    """
    alone = [span for span in exclusions.spans if _is_clause(text, span)]
    kinds = {"instrument", "voice", "mood"} if alone else {"instrument", "voice"}
    banned = {vocabulary().get(word) for word in terms.of("banned")}
    for term in exclusions.refused:
        if term.kind in kinds and term not in banned:
            terms.add("banned", term.name)
    return alone


def _is_clause(text: str, span: tuple[int, int]) -> bool:
    before, after = text[: span[0]].rstrip(), text[span[1] :].lstrip()
    return before[-1:] in ("", *",.;!?|\n") and after[:1] in ("", *",.;!?|\n")


def related_terms(word: str) -> tuple[str, ...]:
    """All words to avoid if `word` is excluded: without drums, no snare either; if not sad, not melancholic either."""
    plain = lexicon.SYNONYMS.get(word, word)
    moods = next((words.split("|") for words in MOODS.values() if word in words.split("|")), [])
    return (*lexicon.RELATED_TERMS.get(plain, (plain, plain.removesuffix("s"))), *moods)


def _refuses_instrument(refusal: str) -> bool:
    """Whether a mood in this refusal only describes an instrument: "no sad piano"."""
    return any(_kind_and_name(match)[0] in {"instrument", "negatable", "voice"} for match in _terms().finditer(refusal))


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
    shades = _alternatives(ADJECTIVES)
    return re.compile(
        rf"(?i)(?<![\w'])(?:((?:(?:{shades}),? ){{1,3}}(?:{instruments}))|(?:{_alternatives(_kinds())}))(?!\w)(?!'s)"
    )


def _alternatives(words: Iterable[str]) -> str:
    """A regular expression for any of the words, longest first; spaces match any white space."""
    longest = sorted(words, key=lambda word: (-len(word), word))
    return "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in longest)
