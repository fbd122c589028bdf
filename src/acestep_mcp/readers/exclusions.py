"""Reads what a text refuses ("no drums, piano and strings") and what it limits a song to ("solo piano")."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from acestep_mcp.readers import negations
from acestep_mcp.readers.limits import limited_to
from acestep_mcp.readers.vocabulary import Term, vocabulary
from acestep_mcp.readers.words import Hit, Token, tokens

_ENDS = frozenset(",;.!?:\n|\uff0c\u3001\u3002")
_COMMAS = frozenset(",\uff0c\u3001")
_PLAYERS = frozenset({"instrument", "voice", "everything"})
_UNKNOWN_WORDS = 3  # the longest unknown thing that a tag can refuse


@dataclass(frozen=True, slots=True)
class Exclusions:
    """What a text refuses and what it asks for.

    `wanted` is the text with each refusal replaced by `|`, `refused` what is refused, in order, `spans` the places of
    the refusals in the text. `only` are the instruments and voices that a song is limited to, `unknown` the words that a
    tag refuses and no table has.
    """

    wanted: str
    refused: tuple[Term, ...] = ()
    only: tuple[Term, ...] = ()
    unknown: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()

    def refuses(self, *names: str) -> bool:
        """Whether a thing of one of these names is refused."""
        return any(term.name in names for term in self.refused)


@lru_cache(maxsize=64)
def read_exclusions(text: str) -> Exclusions:
    """What tags or a wish refuse. Only the thing behind the refusing word is refused, up to a comma that ends the list.

    "no A, B or C" refuses all three; "no A, B and C" refuses A; "avoid A, B and C" all three.
    """
    words = tokens(text)
    found = _Found(words)
    at = 0
    while at < len(words):
        at = _step(words, at, found)
    spans = tuple((words[first].start, words[last - 1].end) for first, last in found.spans)
    wanted = _blank(text, spans)
    only = limited_to(tokens(wanted), exceptions=tuple(found.exceptions))
    refused = tuple(dict.fromkeys(found.refused))
    if not only and _refuses_others(words, refused):
        named = (hit.value for hit in vocabulary().all(tokens(wanted)) if hit.value.kind in {"instrument", "voice"})
        only = tuple(dict.fromkeys(named)) or (Term("voice", "vocals"),)
    if any(term.kind == "voice" for term in refused) and all(term.kind == "voice" for term in only):
        only = ()  # "no singing, just humming" is about the voice, not about the instruments
    return Exclusions(wanted, refused, only, tuple(found.unknown), spans)


def _refuses_others(words: tuple[Token, ...], refused: tuple[Term, ...]) -> bool:
    """Whether nothing plays but what is named: "voice, no accompaniment", "piano and nothing else"."""
    everything = any(term.kind == "everything" and term.name != "rhythm section" for term in refused)
    return everything or any(
        hit.last == len(words) or words[hit.last].word in _ENDS for hit in negations.NOTHING_ELSE.all(words)
    )


@dataclass(slots=True)
class _Found:
    words: tuple[Token, ...]
    refused: list[Term] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    exceptions: list[Term] = field(default_factory=list)

    def add(self, first: int, last: int, terms: tuple[Term, ...]) -> int:
        self.spans.append((first, last))
        self.refused.extend(terms)
        return last


@dataclass(frozen=True, slots=True)
class _Phrase:
    """One refused thing: its terms, the token behind it, and whether an adjective stands before the noun."""

    terms: tuple[Term, ...]
    last: int
    adjectives: bool = False


def _step(words: tuple[Token, ...], at: int, found: _Found) -> int:
    """Read one refusal at token `at`; the token to go on from."""
    if skipped := negations.NOT_NEGATIONS.at(words, at):
        return skipped.last
    if words[at].word == "instrumental" and (exception := negations.EXCEPTIONS.at(words, at + 1)):
        return exception.last  # "instrumental except for a choir" asks for the choir
    if words[at].word == "wordless" and vocabulary().at(words, at + 1):
        return at + 1  # "a wordless choir" is wanted
    if own := _suffixed(words[at].word):
        return found.add(at, at + 1, (own,))
    if afterwards := _refused_afterwards(words, at):
        return found.add(at, afterwards[1], (afterwards[0],))
    negation = negations.NEGATIONS.at(words, at)
    return _refusal(words, at, negation, found) if negation else at + 1


def _refusal(words: tuple[Token, ...], at: int, negation: Hit[negations.Negation], found: _Found) -> int:
    """Read what a negation at token `at` refuses."""
    read = _refused_list(words, negation.last, negation.value)
    if words[at].word == "less" and not all(term.kind == "mood" for phrase in read for term in phrase.terms):
        return at + 1  # "less drums" still has drums
    if not read:
        found.unknown.extend(_unknown(words, at, negation))
        return at + 1
    last = read[-1].last
    if section := _section(words, last):
        found.unknown.append(" ".join(token.word for token in words[negation.last : section]))
        return found.add(at, section, ())
    found.add(at, last, tuple(term for phrase in read for term in phrase.terms))
    return _exception(words, last, found)


def _section(words: tuple[Token, ...], at: int) -> int | None:
    """The token behind "in the intro" at token `at`: what is refused there is not refused in the song."""
    if at >= len(words) or words[at].word not in negations.IN_A_SECTION:
        return None
    at += 1
    while at < len(words) and (filler := negations.FILLERS.at(words, at)):
        at = filler.last
    return at + 1 if at < len(words) and words[at].word in negations.SECTIONS else None


def _suffixed(word: str) -> Term | None:
    """What "drumless" refuses."""
    stem = word.removesuffix("less")
    if stem == word or len(stem) < 3:
        return None
    term = vocabulary().get(stem) or vocabulary().get(f"{stem}s")
    return term if term and term.kind in {"instrument", "voice"} else None


def _refused_afterwards(words: tuple[Token, ...], at: int) -> tuple[Term, int] | None:
    """What "drums: none", "guitar-free" or a Japanese or Korean refusal refuses, and the token behind it."""
    hit = vocabulary().at(words, at)
    if hit is None or hit.value.kind not in {"instrument", "voice", "everything"} or hit.last >= len(words):
        return None
    following = hit.last
    if words[following].word == "free":
        return (hit.value, following + 1) if vocabulary().at(words, following) is None else None
    colon = words[following].word == ":"
    refusal = negations.AFTERWARDS.at(words, following + colon)
    if refusal is None or (words[following].word == "no" and not colon):
        return None
    return hit.value, refusal.last


def _refused_list(words: tuple[Token, ...], first: int, negation: negations.Negation) -> list[_Phrase]:
    """The refused things behind a negation, as far as its list goes."""
    phrases: list[_Phrase] = []
    separators: list[str] = []
    at: int | None = first
    while at is not None:
        phrase = _noun_phrase(words, at, adjective=negation == "adjective")
        if phrase is None or (phrases and negations.NEGATIONS.at(words, at)):
            break
        phrases.append(phrase)
        at = None
        if separator := _separator(words, phrase.last):
            separators.append(separator[0])
            at = separator[1]
    return phrases[: _count(phrases, separators, negation)]


def _count(phrases: list[_Phrase], separators: list[str], negation: negations.Negation) -> int:
    """How many things of a list are refused."""
    between = separators[: max(0, len(phrases) - 1)]
    if "or" in between:
        return len(between) - between[::-1].index("or") + 1
    if negation == "list" and "and" in between:
        return len(between) - between[::-1].index("and") + 1
    count = 1
    if negation == "noun":
        while count < len(phrases) and between[count - 1] == "and" and not phrases[count].adjectives:
            count += 1
    return min(count, len(phrases))


def _separator(words: tuple[Token, ...], at: int) -> tuple[str, int] | None:
    """Whether the list goes on at token `at`: "or", "and" or ",", and the token behind it."""
    comma = at < len(words) and words[at].word in _COMMAS
    for name, table in (("or", negations.OR), ("and", negations.AND)):
        if hit := table.at(words, at + comma):
            return name, hit.last
    return (",", at + 1) if comma else None


def _noun_phrase(words: tuple[Token, ...], at: int, *, adjective: bool) -> _Phrase | None:
    """The thing that is refused at token `at`, with the adjectives before it.

    With `adjective`, the first word alone is refused: of "not too sad piano" the mood.
    """
    while (filler := negations.FILLERS.at(words, at)) or (at < len(words) and words[at].word == ":"):
        at = filler.last if filler else at + 1
    run = list(_run(words, at)) or ([] if adjective else list(_run_behind_unknown(words, at)))
    if not run:
        return None
    if adjective:
        return _Phrase((run[0].value,), run[0].last)
    for nouns in (_PLAYERS, {"production"}):
        for number, hit in enumerate(run):
            if hit.value.kind in nouns:
                return _with_noun(words, run[: number + 1])
    last = run[-1].last
    if noun := negations.MUSIC_NOUNS.at(words, last):
        last = noun.last
    return _Phrase(tuple(hit.value for hit in run), last)


def _with_noun(words: tuple[Token, ...], run: list[Hit[Term]]) -> _Phrase:
    """A refused noun with the adjectives before it."""
    noun, before = run[-1], run[:-1]
    traits = tuple(hit.value for hit in before if hit.value.kind in {"style", "mood"})
    trap_drums = noun.value.name == "drums" and any(term.kind == "style" for term in traits)
    if traits and (trap_drums or negations.MUSIC_NOUNS.at(words, noun.first)):
        return _Phrase(traits, noun.last, adjectives=True)  # "no trap drums", "no sad vibes"
    if noun.value.kind == "instrument" and (part := negations.PARTS.at(words, noun.last)):
        return _Phrase((Term("production", "solo"),), part.last, bool(before))
    return _Phrase((noun.value,), noun.last, bool(before))


def _run(words: tuple[Token, ...], at: int) -> Iterator[Hit[Term]]:
    """Known words one directly after another, up to the first noun."""
    while hit := vocabulary().at(words, at):
        yield hit
        at = hit.last
        if hit.value.kind in _PLAYERS:
            return


def _run_behind_unknown(words: tuple[Token, ...], at: int) -> Iterator[Hit[Term]]:
    """The instrument behind an adjective that no table has: "no cheesy synths"."""
    if at + 1 < len(words) and words[at].word.isalpha() and words[at].word not in negations.NOT_ADJECTIVES:
        hit = vocabulary().at(words, at + 1)
        if hit and hit.value.kind in {"instrument", "voice"}:
            yield hit


def _exception(words: tuple[Token, ...], at: int, found: _Found) -> int:
    """Read "except piano" behind "no instruments"; elsewhere the words behind "but" are simply wanted."""
    hit = negations.EXCEPTIONS.at(words, at)
    if hit is None:
        return at
    everything = any(term.kind == "everything" and term.name != "rhythm section" for term in found.refused)
    if everything:
        rest: int | None = hit.last
        while rest is not None:
            phrase = _noun_phrase(words, rest, adjective=False)
            if phrase is None:
                break
            found.exceptions.extend(phrase.terms)
            separator = _separator(words, phrase.last)
            rest = separator[1] if separator else None
    return hit.last


def _unknown(words: tuple[Token, ...], at: int, negation: Hit[negations.Negation]) -> Iterator[str]:
    """The words that a tag of its own refuses and no table has."""
    if negation.value == "adjective" or (at and words[at - 1].word not in _ENDS):
        return
    first = negation.last
    while filler := negations.FILLERS.at(words, first):
        first = filler.last
    last = first
    while last < len(words) and words[last].word not in _ENDS:
        last += 1
    known = any(vocabulary().all(words[first:last]))
    if 0 < last - first <= _UNKNOWN_WORDS and words[first].word.isalpha() and not known:
        yield " ".join(token.word for token in words[first:last])


def _blank(text: str, spans: tuple[tuple[int, int], ...]) -> str:
    """The text with `|` in place of each span, so that the texts on both sides stay separate."""
    pieces, at = [], 0
    for start, end in spans:
        pieces += [text[at:start], " | "]
        at = end
    return "".join([*pieces, text[at:]])
