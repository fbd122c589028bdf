"""Reads what a song is limited to: "solo piano", "just guitar and voice", "drums only", "a cappella"."""

from __future__ import annotations

from acestep_mcp.readers import negations
from acestep_mcp.readers.vocabulary import Term, vocabulary
from acestep_mcp.readers.words import Hit, Token

_PLAYERS = frozenset({"instrument", "voice"})
_VOICES = Term("voice", "vocals")
_OF = frozenset({"de", "di", "do", "für", "pour", "para"})
_QUALITIES = frozenset(
    {"clean", "lead", "main", "soft", "deep", "raspy", "breathy", "melodic", "sung", "english", "solo"}
)
_BEFORE_LEADS = frozenset({"not", "the", "with", "featuring"})


def limited_to(words: tuple[Token, ...], exceptions: tuple[Term, ...] = ()) -> tuple[Term, ...]:
    """The instruments and voices that a song is limited to; empty if it is not.

    Others that the same text asks for are among them: of "solo piano, female voice" both. A solo instrument beside
    others is the lead and limits nothing: "solo violin, strings, drums".
    """
    named = [hit for hit in vocabulary().all(words) if hit.value.kind in _PLAYERS]
    only = [*exceptions]
    solo: list[Term] = []
    for at in range(len(words)):
        if negations.ALONE_VOICES.at(words, at):
            only.append(_VOICES)
        if before := negations.ONLY_BEFORE.at(words, at):
            player = _limited_before(words, at, before.last)
            (solo if words[at].word in {"solo", "lone"} else only).extend(player)
        if after := negations.ONLY_AFTER.at(words, at):
            before_it = [hit for hit in named if hit.last == at and not _in_section(words, after.last)]
            only.extend(hit.value for hit in before_it if not _tells_which_voice(words, hit))
    others = {hit.value for hit in named if hit.value.kind == "instrument"} - set(solo)
    if not others:
        only += solo
    return tuple(dict.fromkeys([*only, *(hit.value for hit in named)])) if only else ()


def _limited_before(words: tuple[Token, ...], at: int, first: int) -> tuple[Term, ...]:
    """The player behind "just" at token `at`."""
    lead = at > 0 and words[at - 1].word in _BEFORE_LEADS and words[at].word != "just"
    if lead or (first < len(words) and words[first].word in _OF):
        return ()  # "with solo violin" names a lead, "solo de guitarra" a section
    while filler := negations.FILLERS.at(words, first):
        first = filler.last
    hit = _player_at(words, first)
    return (hit.value,) if hit and not _in_section(words, hit.last) and not _tells_which_voice(words, hit) else ()


def _tells_which_voice(words: tuple[Token, ...], hit: Hit[Term]) -> bool:
    """Whether "female vocals only" or "clean vocals only" is about the voice of a song that names its style or players."""
    if hit.value.kind != "voice":
        return False
    described = hit.value.name.endswith(" voice") or (hit.first > 0 and words[hit.first - 1].word in _QUALITIES)
    return described and any(
        other.value.kind in {"style", "instrument"} for other in vocabulary().all(words) if other.first != hit.first
    )


def _in_section(words: tuple[Token, ...], at: int) -> bool:
    """Whether the words at token `at` say that only a section is meant: "solo piano intro"."""
    return at < len(words) and words[at].word in negations.SECTION_WORDS


def _player_at(words: tuple[Token, ...], first: int) -> Hit[Term] | None:
    """The player at token `first`, behind at most three adjectives."""
    for _ in range(4):
        hit = vocabulary().at(words, first)
        if hit is None or hit.value.kind in _PLAYERS:
            return hit
        first = hit.last
    return None
