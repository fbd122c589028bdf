"""Writes lyrics by rules: a form that fits the length, filled with couplets on the subject."""

from __future__ import annotations

import re
from random import Random

from acestep_mcp.songwriter.brief import Brief
from acestep_mcp.songwriter.couplets import NAME_SPACE, CoupletPool, collect_couplets
from acestep_mcp.songwriter.lexicon import word_set
from acestep_mcp.songwriter.songbook import Couplet
from acestep_mcp.songwriter.structure import (
    LyricSection,
    Pace,
    choose_form,
    format_sections,
    mark_sections,
    section_name,
)

_DANGLING = word_set(
    "a an the my your our his her its of to in on at by for with from and or but so is are was that than as not no who "
    "which it's there's i'm"
)
_BREAK_BEFORE = word_set(
    "and or but so that where when while with in on of to by for from till like as without if then"
)


def write_lyrics(brief: Brief, tone: str, tempo: Pace, duration: float, rng: Random) -> str:
    """The lyrics with section marks. Given lyrics do not change; quoted lines become the chorus."""
    if brief.given_lyrics:
        return mark_sections(brief.given_lyrics)
    if len(brief.quotes) > 1 and len(brief.quotes) * 2 > duration / tempo.usual:
        return format_sections([("verse" if len(brief.quotes) > 4 else "chorus", list(brief.quotes))])
    pool = collect_couplets(brief, tone, rng, rapped=tempo.rapped)
    plan = choose_form(tempo, duration, rng)
    size = next((size for letter, size in plan if letter == "C"), 4)
    refrain = _quoted_refrain(brief.quotes, size, pool) if brief.quotes else _refrain(size, pool)
    return format_sections([_section(letter, size, refrain, pool) for letter, size in _plan_with_chorus(plan, brief)])


def _plan_with_chorus(plan: list[tuple[str, int]], brief: Brief) -> list[tuple[str, int]]:
    """The plan with a chorus for the quoted lines, even in a very short song."""
    if brief.quotes and not any(letter == "C" for letter, _ in plan):
        return [("C", plan[0][1])]
    return plan


def _section(letter: str, size: int, refrain: list[str], pool: CoupletPool) -> LyricSection:
    """One section's lines. When no new line is left, the chorus is repeated and not a verse."""
    if letter == "C":
        return "chorus", refrain
    short = letter != "V" and size == 2 and bool(pool.plain)
    lines = _capitalised_lines(pool.plain.pop()) if short else _stanza(size, pool)
    return (section_name(letter), lines) if lines else ("chorus", refrain[:size])


def _stanza(size: int, pool: CoupletPool) -> list[str]:
    lines: list[str] = []
    while len(lines) < size and pool.verses:
        couplet = pool.verses.pop(0)
        wanted = size - len(lines)
        lines += _split_couplet(couplet) if pool.splits and wanted >= 4 else _capitalised_lines(couplet)[:wanted]
    return lines


def _refrain(size: int, pool: CoupletPool) -> list[str]:
    lines = _capitalised_lines(pool.hooks.pop(0)) if pool.hooks else []
    while len(lines) < size and (pool.plain or pool.hooks):
        lines += _capitalised_lines(pool.plain.pop() if pool.plain else pool.hooks.pop(0))
    return lines[:size]


def _quoted_refrain(quotes: tuple[str, ...], size: int, pool: CoupletPool) -> list[str]:
    """The quoted lines as the refrain, followed by lines from the songbook if there is space."""
    answers = _capitalised_lines(pool.plain.pop()) if pool.plain and size - len(quotes) >= 2 else []
    if len(quotes) == 1 and answers:
        return [quotes[0], answers[0], quotes[0], answers[1]]
    return [*quotes, *answers] if len(quotes) > 1 else [quotes[0]] * min(size, 2)


def _split_couplet(couplet: Couplet) -> list[str]:
    return [_capitalise(half) for line in couplet for half in split_line(line)]


def _capitalised_lines(couplet: Couplet) -> list[str]:
    return [_capitalise(line) for line in couplet]


def split_line(line: str) -> tuple[str, str]:
    """Split a long line in two where a singer would breathe."""
    words = line.split()
    beats = [_syllables(word) for word in words]
    whole = sum(beats)

    def cost(at: int) -> float:
        imbalance = abs(sum(beats[:at]) - whole * 0.52)
        last, following = words[at - 1], words[at]
        return (
            imbalance
            + 2.5 * (last.lower() in _DANGLING)
            - 1.2 * last.endswith((",", "."))
            - 0.6 * (following.lower() in _BREAK_BEFORE)
        )

    at = min(range(2, len(words) - 1), key=cost)
    return " ".join(words[:at]).rstrip(","), " ".join(words[at:])


def _syllables(word: str) -> int:
    """A rough count: groups of vowels, minus a silent e."""
    plain = re.sub(r"[^a-z]", "", word.lower())
    groups = len(re.findall(r"[aeiouy]+", plain))
    return max(1, groups - (plain.endswith("e") and not plain.endswith("le")))


def _capitalise(line: str) -> str:
    return (line[:1].upper() + line[1:]).replace(NAME_SPACE, " ")
