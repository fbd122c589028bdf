"""Lyrics by rule: a form that fits the length, filled with couplets on the subject."""

from __future__ import annotations

import re
from random import Random

from acestep_mcp.songwriter.brief import Wish
from acestep_mcp.songwriter.couplets import GLUE, Material, gather
from acestep_mcp.songwriter.lexicon import listed
from acestep_mcp.songwriter.songbook import Couplet
from acestep_mcp.songwriter.structure import Pace, Section, arranged, form, printed, section_name

_DANGLING = listed(
    "a an the my your our his her its of to in on at by for with from and or but so is are was that than as not no who "
    "which it's there's i'm"
)
_BREATHS = listed("and or but so that where when while with in on of to by for from till like as without if then")


def lyrics(wish: Wish, tone: str, tempo: Pace, duration: float, chance: Random) -> str:
    """The song's words under section marks. Given lyrics stay as they are; quoted lines become the chorus."""
    if wish.given:
        return arranged(wish.given)
    if len(wish.quotes) > 1 and len(wish.quotes) * 2 > duration / tempo.wished:
        return printed([("verse" if len(wish.quotes) > 4 else "chorus", list(wish.quotes))])
    material = gather(wish, tone, chance, rapped=tempo.rapped)
    plan = form(tempo, duration, chance)
    size = next((size for letter, size in plan if letter == "C"), 4)
    refrain = _quoted(wish.quotes, size, material) if wish.quotes else _refrain(size, material)
    return printed([_section(letter, size, refrain, material) for letter, size in _sung_plan(plan, wish)])


def _sung_plan(plan: list[tuple[str, int]], wish: Wish) -> list[tuple[str, int]]:
    """A plan with room for the user's own lines, however short the song."""
    if wish.quotes and not any(letter == "C" for letter, _ in plan):
        return [("C", plan[0][1])]
    return plan


def _section(letter: str, size: int, refrain: list[str], material: Material) -> Section:
    """One section's lines; with no new line left, the chorus comes back rather than a verse twice."""
    if letter == "C":
        return "chorus", refrain
    short = letter != "V" and size == 2 and bool(material.plain)
    lines = _sung(material.plain.pop()) if short else _stanza(size, material)
    return (section_name(letter), lines) if lines else ("chorus", refrain[:size])


def _stanza(size: int, material: Material) -> list[str]:
    lines: list[str] = []
    while len(lines) < size and material.verses:
        couplet = material.verses.pop(0)
        wanted = size - len(lines)
        lines += _halved(couplet) if material.splits and wanted >= 4 else _sung(couplet)[:wanted]
    return lines


def _refrain(size: int, material: Material) -> list[str]:
    lines = _sung(material.hooks.pop(0)) if material.hooks else []
    while len(lines) < size and (material.plain or material.hooks):
        lines += _sung(material.plain.pop() if material.plain else material.hooks.pop(0))
    return lines[:size]


def _quoted(quotes: tuple[str, ...], size: int, material: Material) -> list[str]:
    """The user's own lines as the refrain, answered by ours where there is room."""
    answers = _sung(material.plain.pop()) if material.plain and size - len(quotes) >= 2 else []
    if len(quotes) == 1 and answers:
        return [quotes[0], answers[0], quotes[0], answers[1]]
    return [*quotes, *answers] if len(quotes) > 1 else [quotes[0]] * min(size, 2)


def _halved(couplet: Couplet) -> list[str]:
    return [_capital(half) for line in couplet for half in halves(line)]


def _sung(couplet: Couplet) -> list[str]:
    return [_capital(line) for line in couplet]


def halves(line: str) -> tuple[str, str]:
    """A long line as two short ones, parted where a singer breathes."""
    words = line.split()
    beats = [_syllables(word) for word in words]
    whole = sum(beats)

    def strain(at: int) -> float:
        off = abs(sum(beats[:at]) - whole * 0.52)
        last, following = words[at - 1], words[at]
        return (
            off
            + 2.5 * (last.lower() in _DANGLING)
            - 1.2 * last.endswith((",", "."))
            - 0.6 * (following.lower() in _BREATHS)
        )

    at = min(range(2, len(words) - 1), key=strain)
    return " ".join(words[:at]).rstrip(","), " ".join(words[at:])


def _syllables(word: str) -> int:
    """Roughly: groups of vowels, less a silent e."""
    plain = re.sub(r"[^a-z]", "", word.lower())
    groups = len(re.findall(r"[aeiouy]+", plain))
    return max(1, groups - (plain.endswith("e") and not plain.endswith("le")))


def _capital(line: str) -> str:
    return (line[:1].upper() + line[1:]).replace(GLUE, " ")
