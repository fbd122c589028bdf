# ruff: noqa: RUF001 - words of other languages and typographic quotation marks are intended
"""Reads which words a song must not hold: "never use the word sea", "don't mention love"."""

from __future__ import annotations

import re
from collections.abc import Callable

_NOT = r"(?:never|don'?t|do not|doesn't|does not|must not|mustn't|should(?:n't| not)|can(?:'t|not)|avoid|without|please no|no|not|ohne|nie|jamais|sin|senza|sem)"
_SAY = r"(?:us(?:e|ing|es)|say(?:ing|s)?|mention(?:ing|s|ed)?|sing(?:ing)?|includ(?:e|ing)|contain(?:ing|s)?|hav(?:e|ing)|writ(?:e|ing)|about|reference(?:s|d)? to|talk(?:ing)? about|refer(?:ring)? to|bring(?:ing)? up)"
_WORD = r"(?:the |any |a |das |le |la |el )?(?:words?|terms?|phrases?|wort|mot|palabra|parola|palavra)"
_ONE = r"[\"'“‘«„]?[\w'’-]+[\"'”’»“]?"
_LIST = rf"([\"'“‘«„]?[\w'’-]+(?: (?!please|anywhere|and |or )[\w'’-]+){{0,3}}?[\"'”’»“]?(?:(?:\s*,\s*{_ONE})*\s*,?\s+(?:or|and|nor|oder|ou|o)\s+{_ONE})?)"
_END = r"(?=\s*(?:[,.;:!?\n|()]|$|\s-\s|\s(?:in|anywhere|at all|please|but|anymore|at any point|once)\b))"
_FORMS = (
    re.compile(rf"(?i)(?<!\w){_NOT}\s+(?:ever |even |please )?(?:{_SAY}\s+)?{_WORD}\s+{_LIST}{_END}"),
    re.compile(
        rf"(?i)(?<!\w){_NOT}\s+(?:ever |even |please )?(?!about{_END}){_SAY}\s+(?:of |the |any |a )?{_LIST}{_END}"
    ),
    re.compile(
        rf"(?i)(?<!\w)(?:no|without (?:any )?)\s*(?:mention|talk|reference|word|line|lyric|verse)s?\s+(?:of|about|to)\s+(?:the |any |a )?{_LIST}{_END}"
    ),
    re.compile(
        rf"(?i)(?<!\w)(?:leave|keep)\s+(?:out\s+{_WORD}\s+{_LIST}|{_WORD}?\s*{_LIST}\s+out of (?:it|the (?:lyrics|song|words))){_END}"
    ),
    re.compile(rf"(?i)(?<![\w'’-]){_LIST}\s+(?:is|are)\s+(?:a )?(?:forbidden|banned|taboo)(?: words?)?{_END}"),
)
_SIMPLE = re.compile(
    rf"(?i)(?<!\w)(?:no|without(?: any)?|not about|nothing about|ohne|sin|sans|senza|sem)\s+(?:the |any |a )?{_LIST}{_END}"
)
_SPOKEN = re.compile(
    r"(?i)\b(?:words?|terms?|phrases?|say\w*|sing\w*|mention\w*|talk\w*|refer\w*|wort|mot|palabra|parola|palavra)\b"
)
_STORY = re.compile(r"(?i)\b(?:about|called|titled|named|life|world|who|how|when|where|i|we|he|she|they|you|my)\b")
_TOLD = re.compile(r"(?i)\b(?:i|we|you|he|she|they|who|have|having|has|had|got|with|there's|there is|all|every\w*)\b")
_BEFORE_NO = re.compile(r"(?i)\s*(?:(?:and|but|with|please|just|has|have|song|music|track|lyrics|theme|carol)\s*)*")
_PLAIN = re.compile(r"(?i)^(?:the|any|a|an|or|and|nor|ever|word|words|about|of|like)$")
# Not words to leave out: voices, which are style, and set phrases ("no surrender").
_NEVER = frozenset(
    ["vocals", "vocal", "words", "lyrics", "singing", "voice", "voices", "music", "instruments", "one", "problem", "idea", "more",
     "less", "you", "me", "us", "him", "her", "them", "it", "end", "limits", "regrets", "surrender", "worries", "excuses", "matter",
     "doubt", "fear", "mercy", "return", "way"]
)  # fmt: skip


def refused_words(text: str, is_style: Callable[[str, str], bool]) -> tuple[tuple[str, ...], str]:
    """The words that must not be sung, and the text with `|` in their place.

    "No rain" refuses a word, "no drums" an instrument: what `is_style` knows stays in the text. It is called with the
    whole refusal and with what is refused.
    """
    words: list[str] = []

    def keep(match: re.Match[str]) -> str:
        listed = next(group for group in match.groups() if group)
        if not _SPOKEN.search(match[0]) and is_style(match[0], listed):
            return match[0]
        words.extend(_separate(listed))
        return "|"

    for form in _FORMS:
        text = form.sub(keep, text)

    def simple(match: re.Match[str]) -> str:
        listed = _separate(match[1])
        clause = re.split(r"[,.;:!?|\n()]", match.string[: match.start()])[-1]
        added = re.search(r"(?i)\bbut\s*$", clause) and not _TOLD.search(clause)  # "about trucks but no beer"
        of_the_story = (not added and _STORY.search(clause)) or (
            not added and match[0][:2].lower() == "no" and not _BEFORE_NO.fullmatch(clause)
        )
        if of_the_story or is_style(match[0], match[1]) or not listed or len(match[1].split()) > 5:
            return match[0]
        if _NEVER & {word.split()[-1] for word in listed}:
            return match[0]
        words.extend(listed)
        return "|"

    text = _SIMPLE.sub(simple, text)
    return tuple(dict.fromkeys(words)), text


def _separate(listed: str) -> list[str]:
    parts = re.split(r"(?i)\s*,\s*(?:or |and |nor )?|\s+(?:or|and|nor|oder|ou|o)\s+", listed)
    plain = (" ".join(word for word in part.strip(" \"'“”‘’«»„").split() if not _PLAIN.match(word)) for part in parts)
    named = (
        re.sub(r"(?i)\s+(?:songs?|mentions?|lyrics|stuff|themes?|references?|words?|please)$", "", part)
        for part in plain
    )
    return [part.lower() for part in named if part]
