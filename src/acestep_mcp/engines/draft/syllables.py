"""The syllables of a sung line: how many, which of them start a word, and which are stressed."""

# ruff: noqa: RUF001 - letters of other alphabets are intended
from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from acestep_mcp.engines.draft.line_language import language_of
from acestep_mcp.engines.draft.sung_syllables import UNSUNG, SungSyllable, sung_syllables
from acestep_mcp.engines.draft.syllable_count import count_syllables
from acestep_mcp.engines.draft.word_stress import EVEN, sentence_stresses

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_PAUSES = frozenset(",;:.!?…、。，！？")


@dataclass(frozen=True, slots=True)
class Syllable:
    """`starts_word` is true for a word's first syllable, `pause` if punctuation follows; `stress` is 0 to 1, `sung` how it sounds."""

    starts_word: bool
    pause: bool = False
    stress: float = EVEN
    sung: SungSyllable = UNSUNG


def syllables(line: str, language: str | None = None) -> list[Syllable]:
    """The line's syllables in order, text in brackets included. Only letters and digits count.

    `language` is as in `word_stress.language_of`, and is found in the line itself if it is None.
    """
    language = language or language_of([line])
    found: list[Syllable] = []
    matches = list(_WORD.finditer(line))
    words = [(match[0], count_syllables(match[0], language)) for match in matches]
    for match, stresses in zip(matches, sentence_stresses(words, language), strict=True):
        rest = line[match.end() : match.end() + 1]
        pause = rest in _PAUSES and bool(rest)
        last = len(stresses) - 1
        sung = sung_syllables(match[0], len(stresses), language)
        found.extend(
            Syllable(number == 0, pause and number == last, one, sung[number]) for number, one in enumerate(stresses)
        )
    return found


def stress_count(lines: Sequence[str]) -> float:
    """The number of stressed syllables in the lines; weaker ones, and all in a language without stress, count less than one."""
    language = language_of(lines)
    return sum(one.stress for line in lines for one in syllables(line, language) if one.stress >= EVEN)
