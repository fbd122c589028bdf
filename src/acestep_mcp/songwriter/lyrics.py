"""Writes lyrics by rules: a form that fits the length, filled with lines on the subject."""

from __future__ import annotations

from random import Random

from acestep_mcp.songwriter.brief import Brief
from acestep_mcp.songwriter.material import material_of
from acestep_mcp.songwriter.songbook import songbook
from acestep_mcp.songwriter.stanzas import Stanzas
from acestep_mcp.songwriter.structure import (
    LyricSection,
    Pace,
    choose_form,
    format_sections,
    mark_sections,
    section_name,
)
from acestep_mcp.songwriter.wordless import syllables


def write_lyrics(brief: Brief, tone: str, tempo: Pace, duration: float, rng: Random) -> str:
    """The lyrics with section marks. Given lyrics do not change; quoted lines become the chorus."""
    if brief.given_lyrics:
        return mark_sections(brief.given_lyrics)
    if len(brief.quotes) > 1 and len(brief.quotes) * 2 > duration / tempo.usual:
        return format_sections([("verse" if len(brief.quotes) > 4 else "chorus", list(brief.quotes))])
    if brief.wordless:
        plan = choose_form(tempo, duration, rng)
        return format_sections([(section_name(letter), syllables(brief.wordless, size, rng)) for letter, size in plan])
    material = material_of(brief, tone, rng, rapped=tempo.rapped)
    stanzas = Stanzas(songbook(brief.language.lyrics), material, rng)
    plan = _plan_with_chorus(choose_form(tempo, duration, rng), brief)
    elsewhere = sum(size if letter == "V" else 0 for letter, size in plan) // 2
    size = next((size for letter, size in plan if letter == "C"), 0)
    refrain = _quoted_refrain(brief.quotes, size, stanzas) if brief.quotes else []
    refrain = refrain or (stanzas.refrain(size, naming=stanzas.due() > elsewhere) if size else [])
    return format_sections([_section(letter, size, refrain, stanzas, naming=not refrain) for letter, size in plan])


def _plan_with_chorus(plan: list[tuple[str, int]], brief: Brief) -> list[tuple[str, int]]:
    """The plan with a chorus for the quoted lines, even in a very short song."""
    if brief.quotes and not any(letter == "C" for letter, _ in plan):
        return [("C", plan[0][1])]
    return plan


def _section(letter: str, size: int, refrain: list[str], stanzas: Stanzas, *, naming: bool) -> LyricSection:
    """One section's lines. Without a refrain, the verse names the subject."""
    if letter == "C":
        return "chorus", [_capitalise(line) for line in refrain]
    if naming:
        lines = stanzas.refrain(min(4, size), naming=True)
        lines += stanzas.stanza(size - len(lines)) if size > 4 else []
    else:
        lines = [line for part in _parts(size) for line in stanzas.stanza(part)]
    return section_name(letter), [_capitalise(line) for line in lines]


def _parts(size: int) -> list[int]:
    return [4] * (size // 4) + ([size % 4] if size % 4 else [])


def _quoted_refrain(quotes: tuple[str, ...], size: int, stanzas: Stanzas) -> list[str]:
    """The quoted lines as the refrain, followed by two lines if there is space."""
    answers = stanzas.answer() if size - len(quotes) >= 2 else []
    if len(quotes) == 1 and answers:
        return [quotes[0], answers[0], quotes[0], answers[1]]
    return [*quotes, *answers] if len(quotes) > 1 else [quotes[0]] * min(max(size, 1), 2)


def _capitalise(line: str) -> str:
    return line[:1].upper() + line[1:]
