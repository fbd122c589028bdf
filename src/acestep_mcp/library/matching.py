"""Names that look alike: the one that is meant, and near ones to propose."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping

# Quotes and dashes that no normalisation form unites. NFKC takes care of spaces, ligatures and full-width forms.
_SINGLE_QUOTES = "\u2018\u2019\u201a\u201b\u2032\u02bc\u02b9\u00b4\u0060\uff07"
_DOUBLE_QUOTES = "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\uff02"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_ALIKE = str.maketrans(
    dict.fromkeys(_SINGLE_QUOTES, "'") | dict.fromkeys(_DOUBLE_QUOTES, '"') | dict.fromkeys(_DASHES, "-")
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d ")
_ENDING = re.compile(r"\.[a-z0-9]{1,5}$")
_NEAR = 0.6
_BEGINNING, _LEAST_BEGINNING = 0.95, 3
"""How near a name is that begins with the given letters, of which there must be some."""


def look(name: str) -> str:
    """Equal for names that look the same: accents, spaces, quotes and dashes of any encoding; invisible letters count for nothing."""
    if not name.isascii():
        # Before NFKC, which makes a space and a combining accent of an acute accent that stands alone.
        name = unicodedata.normalize("NFKC", name.translate(_ALIKE)).translate(_ALIKE)
        name = "".join(c for c in name if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f")
    return " ".join(name.translate(_ALIKE).split())


def alike(name: str, names: Iterable[str]) -> list[str]:
    """The names that look like `name`: those in the same case or, if there are none, those in any case.

    A name that is exactly equal is not looked for. More than one result means that the name is ambiguous.
    """
    shown = look(name)
    folded = shown.casefold()
    found = [(other, look(other)) for other in names]
    same = [other for other, appearance in found if appearance == shown]
    return same or [other for other, appearance in found if appearance.casefold() == folded]


def near(name: str, names: Mapping[str, Iterable[str]]) -> list[str]:
    """At most three of the keys of `names`, each with its spellings, that begin with `name` or differ from it in a few letters.

    Best first. Dates in front and endings are not compared, since most names share them.
    """
    wanted = _core(name)
    if not wanted:
        return []
    matcher = difflib.SequenceMatcher(b=wanted)
    scores = {
        shown: max((_score(matcher, _core(spelling), wanted) for spelling in spellings), default=0.0)
        for shown, spellings in names.items()
    }
    close = [shown for shown, score in scores.items() if score >= _NEAR]
    return sorted(close, key=lambda shown: -scores[shown])[:3]


def _score(matcher: difflib.SequenceMatcher[str], spelling: str, wanted: str) -> float:
    least = _BEGINNING if len(wanted) >= _LEAST_BEGINNING and spelling.startswith(wanted) else 0.0
    matcher.set_seq1(spelling)
    if matcher.real_quick_ratio() < _NEAR or matcher.quick_ratio() < _NEAR:
        return least
    return max(least, matcher.ratio())


def _core(name: str) -> str:
    shown = look(name).casefold()
    return _ENDING.sub("", _DATE.sub("", shown)) or shown
