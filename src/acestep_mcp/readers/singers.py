# ruff: noqa: RUF001, RUF002 - letters of other alphabets are intended
"""Names of singers before the lines they sing: `Anna: I waited`, `BOTH:`, `男：`."""

from __future__ import annotations

import re

from acestep_mcp.readers.folding import folded
from acestep_mcp.readers.given_name_table import GIVEN_NAMES
from acestep_mcp.readers.headings import is_heading
from acestep_mcp.readers.section_names import read_name

SINGERS = "not sung, as names of singers"
_LABEL = re.compile(
    r"\s*[*_]{0,2}[\[(]?([^\W\d_][^:\uff1a\[\]()\n]{0,24}?)[\])]?[*_]{0,2}\s*[:\uff1a][*_]{0,2}(?!//)(?:\s+|(?<=\uff1a)|$)(.*)"
)


def _folded(words: str) -> frozenset[str]:
    return frozenset(folded(word) for word in words.split("|"))


# One of these is enough.
_SURE = _folded(
    "male|female|male voice|female voice|male vocal|female vocal|male vocals|female vocals|male singer|female singer|singer|"
    "choir|lead singer|lead vocal|lead vocals|backing|backing vocals|background vocals|backup singers|narrator|rapper|soprano|alto|"
    "tenor|baritone|duet|chor|sänger|sängerin|chœur|choeur|мужчина|"
    "женщина|хор|мужской голос|женский голос|男|女|合|男声|女声|男聲|女聲|合唱|旁白|男女|남|여|남자|여자|함께"
)
# Two lines with a singer are enough if one of these is among them.
_LIKELY = _folded(
    "man|woman|lead|m|f|m+f|mann|frau|hombre|mujer|homme|femme|uomo|donna|homem|mulher|both|all|together|everyone|everybody|he|she|him|her|boy|girl|boys|girls|group|crowd|kids|children|mom|mum|mother|dad|father|son|"
    "daughter|band|beide|alle|er|sie|ambos|todos|el|ella|tous|ensemble|lui|elle|lei|tutti|insieme|ele|ela|он|она|вместе|все|оба"
)
_NUMBERED = re.compile(r"\s*(?:#\s*)?\d$")


def without_singers(lines: list[str]) -> tuple[list[str], tuple[str, ...]]:
    """The lines without names of singers before them, and these names.

    A name counts as a singer's if it is a role ("Choir:"), or if two lines have one and a name comes twice, is a given
    name or stands in capitals. "Monday: I cry" and "Dear John: goodbye" are sung.
    """
    found = {
        number: label
        for number, line in enumerate(lines)
        if (label := _LABEL.fullmatch(line)) and not is_heading(line) and not read_name(label[1].strip())
    }
    names = [label[1].strip() for label in found.values()]
    company = {name for name in names if _role(name) in _SURE | _LIKELY or _is_given(name)}
    singers = {name for name in {*names} if _is_singer(name, company, alone=len(names) < 2)}
    if not singers:
        return lines, ()
    kept = [
        (found[number][2] or None) if number in found and found[number][1].strip() in singers else line
        for number, line in enumerate(lines)
    ]
    return [line for line in kept if line is not None], tuple(name for name in dict.fromkeys(names) if name in singers)


def _is_singer(name: str, company: set[str], *, alone: bool) -> bool:
    """Whether a label is a singer's name. `company` are the labels that look like one, `alone` is the only label."""
    if _role(name) in _SURE:
        return True
    if alone or len(name.split()) > 2:
        return False
    in_company = bool(company - {name})
    if _role(name) in _LIKELY:
        return in_company
    if not all(word[:1].isupper() for word in name.split()):
        return False
    return _is_given(name) or (in_company and len(name) > 1)


def _role(name: str) -> str:
    return folded(_NUMBERED.sub("", name))


def _is_given(name: str) -> bool:
    return name.split(maxsplit=1)[0].lower() in GIVEN_NAMES
