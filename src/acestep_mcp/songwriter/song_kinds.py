"""What kind of song or music a wish asks for in words that are no style: "a drinking song", "German techno"."""

from __future__ import annotations

import re

from acestep_mcp.songwriter.lexicon import word_set
from acestep_mcp.songwriter.subjects import Subject
from acestep_mcp.songwriter.wish_words import FILLERS

# Words for occasions, which the lyrics name, and others that are no kind.
_NO_KINDS = word_set(
    "wedding christmas anniversary graduation farewell goodbye thank valentine breakup mother's father's simple whole other same first "
    "second last next original different special personal modern catchy kids english theme cover every each another own two three"
)
_ORIGINS = (
    "african|american|andean|arabic|argentinian|asian|australian|balinese|brazilian|british|bulgarian|caribbean|celtic|chinese|colombian|"
    "cuban|dutch|eastern|egyptian|english|ethiopian|european|finnish|french|german|greek|hawaiian|hungarian|indian|indonesian|iranian|"
    "irish|israeli|italian|jamaican|japanese|korean|latin|malian|mexican|mongolian|moroccan|nigerian|nordic|norwegian|persian|peruvian|"
    "polish|portuguese|romanian|russian|scandinavian|scottish|senegalese|serbian|spanish|swedish|thai|tibetan|turkish|tuvan|ukrainian|"
    "vietnamese|welsh|western"
)
_ORIGIN = re.compile(rf"(?i)(?<![\w'-])({_ORIGINS})(?![\w'-])(?!\s+[A-Z])")
_KIND = re.compile(r"(?<![\w'|-])((?:[A-Za-z][\w-]+ )?[a-z][\w-]{2,}) (song|tune|track|chant|dance)s?(?![\w'])")


def kinds_of_music(rest: str, subject: Subject) -> tuple[tuple[str, ...], str]:
    """Tags for kinds of song and origins in the part of a wish that is neither style nor subject, and the rest of it."""
    origins, rest = _origins(rest)
    songs: tuple[str, ...] = ()
    if subject.name or subject.person:
        songs, rest = _songs(rest)
    if subject.person:  # "for my friend with cancer" is about the friend
        rest = re.sub(r"\|\s*with [^|]*", "|", rest)
    return (*songs, *origins), rest


def _songs(rest: str) -> tuple[tuple[str, ...], str]:
    found: list[str] = []

    def kind(match: re.Match[str]) -> str:
        words = [word for word in match[1].lower().split() if word not in FILLERS]
        if not words or _NO_KINDS & set(words) or match[1].lower().split()[-1] in FILLERS:
            return match[0]
        found.append(f"{' '.join(words)} {match[2]}")
        return "|"

    left = _KIND.sub(kind, rest)
    return tuple(found), left


def _origins(rest: str) -> tuple[tuple[str, ...], str]:
    return tuple(match[1].lower() for match in _ORIGIN.finditer(rest)), _ORIGIN.sub("|", rest)
