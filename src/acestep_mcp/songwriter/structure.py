"""How many lines fit a duration, and the sections they are divided into."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from random import Random

from acestep_mcp.readers.lyric_sheet import read_lyrics

LyricSection = tuple[str, list[str]]

_NAMES = {"V": "verse", "P": "pre-chorus", "C": "chorus", "B": "bridge", "O": "outro"}
_SUNG_FORMS = (
    "C1", "C2", "V2 C2", "C4", "V4 C2", "V4 C4", "V4 C4 O2", "V4 P2 C4", "V4 C4 B2 O2", "V4 P2 C4 O2", "V4 C4 B2 C4",
    "V4 C4 V4 C4", "V4 C4 V4 C4 O2", "V4 P2 C4 V4 C4", "V4 P2 C4 V4 P2 C4", "V4 C4 V4 C4 B2 O2", "V4 C4 V4 C4 B2 C4",
    "V4 C4 V4 C4 B4 C4", "V4 C4 V4 C4 B4 C4 O2", "V4 P2 C4 V4 P2 C4 B4 C4", "V8 C4 V4 C4 B4 C4",
    "V4 P2 C4 V4 P2 C4 B4 C4 O2", "V8 C4 V8 C4 B4 C4", "V8 C4 V8 C4 B4 C4 O2", "V8 P2 C4 V8 P2 C4 B4 C4",
    "V8 C4 V8 C4 B4 C4 V4 C4", "V8 P2 C4 V8 P2 C4 B4 C4 V4 C4", "V8 C4 V8 C4 V8 C4 B4 C4 O4",
)  # fmt: skip
_RAPPED_FORMS = (
    "C1", "C2", "V2 C2", "V4 C2", "V4 C4", "V6 C2", "V8 C2", "V8 C4", "V8 C4 O2", "V4 C4 V4 C4", "V8 C4 V4 O2",
    "V8 C4 V4 C4", "V8 C4 V8 O2", "V8 C4 V8 C4", "V12 C4 V8 C4", "V12 C4 V12 C4", "V12 C4 V12 C4 O4", "V16 C4 V16 C4",
    "V16 C4 V16 C4 O4", "V16 C4 V16 C4 B4 C4", "V16 C4 V12 C4 V12 C4", "V16 C4 V16 C4 V12 C4", "V16 C4 V16 C4 V16 C4",
    "V16 C4 V16 C4 B4 V16 C4", "V16 C4 V16 C4 B8 V16 C4",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds per line: the usual, the fastest and the slowest that still sound right."""

    usual: float
    fastest: float
    slowest: float
    rapped: bool

    def lines(self, duration: float) -> tuple[int, int]:
        """The fewest and the most lines for a duration in seconds, at least one."""
        most = max(1, math.floor(duration / self.fastest))
        return min(most, math.ceil(duration / self.slowest)), most


def pace(bpm: float, *, rapped: bool) -> Pace:
    """The pace at a tempo. Slow songs take longer per line; a rapped line takes half the time of a sung one."""
    if rapped:
        return Pace(3.6 if bpm < 120 else 3.5, 3.3, 4.0, rapped=True)
    return Pace(7.4 if bpm < 80 else 6.6 if bpm < 126 else 6.0, 5.0, 9.0, rapped=False)


def choose_form(tempo: Pace, duration: float, rng: Random) -> list[tuple[str, int]]:
    """Section letters and line counts of the form closest to the usual pace; near ties are decided at random."""
    fewest, most = tempo.lines(duration)
    sizes = {form: sum(map(int, re.findall(r"\d+", form))) for form in (_RAPPED_FORMS if tempo.rapped else _SUNG_FORMS)}
    fitting = {form: size for form, size in sizes.items() if fewest <= size <= most} or sizes
    usual = min(max(duration / tempo.usual, fewest), most)
    nearest = min(abs(size - usual) for size in fitting.values())
    drawn = rng.choice([form for form, size in fitting.items() if abs(size - usual) <= nearest + 0.5])
    return [(part[0], int(part[1:])) for part in drawn.split()]


def section_name(letter: str) -> str:
    return _NAMES[letter]


def mark_sections(given: str) -> str:
    """The user's lyrics. If they have no section marks, these are added, and a repeated stanza is the chorus."""
    sheet = read_lyrics(given)
    if not sheet.stanzas:
        return sheet.text.strip()
    return format_sections(
        [("chorus" if sheet.stanzas.count(one) > 1 else "verse", list(one)) for one in sheet.stanzas]
    )


def format_sections(song: list[LyricSection]) -> str:
    return "\n\n".join("\n".join([f"[{name}]", *lines]) for name, lines in song)


def sung_lines(lyrics: str) -> list[str]:
    """The sung lines: those that are neither empty nor a section mark."""
    return list(read_lyrics(lyrics).lines)
