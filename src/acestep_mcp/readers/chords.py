"""Chords and guitar tablature among lyrics."""

from __future__ import annotations

import re

_CHORD = re.compile(
    r"[A-H][#b\u266f\u266d]?(?:maj|min|dim|aug|sus|add|m|M|\+|\u00b0|\u00f8|\u0394)?\d{0,2}(?:(?:sus|add|maj|b|#)\d{1,2})*"
    r"(?:/[A-H][#b\u266f\u266d]?)?|N\.?C\.?"
)
_TABLATURE = re.compile(r"\s*[eBGDAE]\s?\|[-\d|hpbr/\\~x ]{4,}\s*")


def is_chord(text: str) -> bool:
    """Whether a text in brackets is a chord, or several: `Am`, `F#m7/C`, `G D Em`."""
    words = re.split(r"[\s|,-]+", text.strip(" |"))
    return all(_CHORD.fullmatch(word) for word in words)


def is_chord_line(line: str) -> bool:
    """Whether a line has two or more chords and nothing else, or is tablature. Letters alone ("A B C") are sung."""
    words = [word for word in line.split() if word.strip("|-.")]
    chords = len(words) > 1 and all(_CHORD.fullmatch(word.strip("|()-")) for word in words)
    return _TABLATURE.fullmatch(line) is not None or (
        chords and (any(len(word.strip("|()-")) > 1 for word in words) or "   " in line.strip())
    )
