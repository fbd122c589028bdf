"""The rhythmic feels in which genres sing, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feel:
    """How a genre sings. `liked` marks the sixteenths of a bar of 4/4 on which its syllables like to fall.

    `lengthened`: how much longer the note of a stressed syllable is than that of an unstressed one. `lead_in`: the usual
    beats of rest before a line. `pickup`: how many beats unstressed syllables may come before it. `touch`: the sounding
    share of a note. `spoken` is for rap: sixteenths on nearly one pitch.
    """

    liked: str = "x.x.x.x.x.x.x.x."
    lengthened: float = 1.5
    lead_in: float = 0.0
    pickup: float = 1.0
    touch: float = 0.97
    spoken: bool = False


FEELS = {
    "straight": Feel(),
    "even": Feel("x...x...x...x...", 1.0, 0.0, 1.0, 0.98),
    "dotted": Feel("x..x...xx..x...x", 3.0, 0.0, 0.5),
    "held": Feel("x.....x.x.....x.", 2.6, 0.0, 1.0, 0.99),
    "swung": Feel("x..x..x.x.x..x..", 2.0, 0.5, 0.5, 0.94),
    "laid back": Feel("..x.x.x...x.x.x.", 1.3, 1.0, 0.5, 0.95),
    "syncopated": Feel("x..x..x...x..x..", 1.4, 0.0, 0.75, 0.92),
    "tresillo": Feel("x..x..x.x..x..x.", 1.2, 0.0, 0.75, 0.93),
    "off the beat": Feel("..x...x...x...x.", 1.2, 0.5, 0.5, 0.85),
    "driving": Feel("x.x.x.x.x.x.x.x.", 1.0, 0.0, 0.5, 0.9),
    "clipped": Feel("x.xxx.x.x.xxx.x.", 1.1, 0.5, 0.25, 0.75),
    "spoken": Feel("x.xxx.xxx.xxx.xx", 1.0, 0.0, 0.5, 0.85, spoken=True),
}
_GENRES = {
    "straight": "pop|synth-pop|country|folk|edm|indie|jingle|k-pop",
    "even": "march|anthem|lullaby|cinematic|chiptune|hardstyle|techno",
    "dotted": "celtic|shanty|waltz|corrido|chanson|tango|mariachi",
    "held": "ballad|ambient|post-rock|new age|classical|metal ballad|gregorian|world",
    "swung": "jazz|swing|blues|gospel|boogie",
    "laid back": "lofi|r&b|hip hop|soul|phonk|bossa nova",
    "syncopated": "funk|disco|deep house|uk garage|afrobeat|amapiano|drum and bass",
    "tresillo": "salsa|reggaeton|bachata|soca|cumbia|samba|latin",
    "off the beat": "reggae|ska|dub|trip hop",
    "driving": "punk|rock|metal|trance|synthwave|dubstep|j-pop|grunge",
    "clipped": "trap|bhangra|qawwali|drill",
}
_FEEL_OF = {genre: feel for feel, genres in _GENRES.items() for genre in genres.split("|")}


def feel_of(genre: str, *, rap: bool) -> Feel:
    """How the genre sings, or raps."""
    return FEELS["spoken" if rap else _FEEL_OF.get(genre, "straight")]
