"""How each genre is produced: its dynamics, brightness and width, and whether the bass drum turns the others down."""

from __future__ import annotations

from typing import NamedTuple


class Production(NamedTuple):
    """`peak_to_loudness` is the true peak minus the LUFS, in dB, that a song has at most.

    `glue` is the share of a short excess over the level of three seconds that compression removes, `treble` the gain
    above about 3 kHz and `width` that of the difference of left and right above 200 Hz, both in dB; `pump`, 0 to 127,
    is how far the expression controller falls at each bass drum; `saturated` songs are clipped softly before limiting.
    """

    peak_to_loudness: float = 13.0
    glue: float = 0.3
    treble: float = 0.0
    width: float = 3.0
    pump: int = 0
    saturated: bool = False


PLAIN = Production(60.0, 0.0, 0.0, 0.0)
"""Changes nothing but the level."""

_BAND = Production(12.0, 0.35, 1.0, 3.0)
_ACOUSTIC = Production(13.5, 0.2, 0.5, 3.0)
_LATIN = Production(12.5, 0.3, -1.0, 3.0)
_URBAN = Production(11.0, 0.4, 0.5, 3.0, 30)
_CLUB = Production(10.0, 0.45, 1.0, 4.0, 75)

PRODUCTIONS: dict[str, Production] = {
    "metal": Production(8.5, 0.55, 12.0, 1.5, saturated=True),
    "punk": Production(8.5, 0.55, 6.0, 1.5, saturated=True),
    "hardstyle": Production(8.5, 0.5, 4.0, 4.0, 90, saturated=True),
    "dubstep": Production(8.5, 0.5, 3.0, 4.0, 70, saturated=True),
    "edm": Production(9.0, 0.5, 4.0, 4.0, 85, saturated=True),
    "phonk": Production(8.5, 0.5, 1.0, 3.0, 60, saturated=True),
    "trance": _CLUB._replace(treble=4.0, pump=90),
    "techno": _CLUB._replace(treble=-1.0),
    "deep house": _CLUB._replace(peak_to_loudness=10.5),
    "drum and bass": _CLUB._replace(peak_to_loudness=9.5, pump=30),
    "uk garage": _CLUB._replace(pump=45),
    "synthwave": Production(10.5, 0.45, 1.5, 4.0, 60),
    "synth-pop": Production(10.5, 0.45, 2.0, 4.0, 35),
    "k-pop": Production(9.5, 0.45, 1.5, 4.0, 45, saturated=True),
    "j-pop": Production(9.5, 0.45, 1.5, 4.0, saturated=True),
    "pop": Production(10.5, 0.4, 1.5, 4.0),
    "disco": Production(11.0, 0.4, 1.5, 4.0, 25),
    "rock": Production(10.0, 0.45, 4.0, 4.0, saturated=True),
    "indie": Production(11.5, 0.4, 1.0, 4.0),
    "anthem": Production(11.0, 0.4, 2.0, 3.0),
    "post-rock": Production(12.5, 0.3, 1.0, 4.0),
    "chiptune": Production(10.5, 0.3, 0.0, 4.0),
    "trap": _URBAN._replace(peak_to_loudness=10.0, saturated=True),
    "drill": _URBAN._replace(peak_to_loudness=10.5),
    "grime": _URBAN._replace(peak_to_loudness=10.5),
    "hip hop": _URBAN,
    "reggaeton": _URBAN._replace(peak_to_loudness=10.5),
    "afrobeat": _URBAN._replace(pump=0),
    "soca": _URBAN._replace(peak_to_loudness=10.0, pump=0),
    "bhangra": _URBAN._replace(pump=0),
    "lofi": Production(12.0, 0.4, -3.0, 3.0, 35),
    "trip hop": Production(12.0, 0.35, -1.5, 3.0, 25),
    "r&b": Production(11.5, 0.35, 0.5, 3.0, 15),
    "funk": _BAND,
    "ska": _BAND,
    "gospel": Production(12.5, 0.3, 1.0, 2.0),
    "blues": _BAND._replace(peak_to_loudness=12.5),
    "country": _BAND,
    "reggae": _BAND._replace(treble=0.0),
    "jingle": Production(11.0, 0.4, 0.0, 3.0),
    "bossa nova": Production(13.5, 0.2, -6.0, 3.0),
    "salsa": _LATIN,
    "bachata": _LATIN,
    "mariachi": _ACOUSTIC,
    "corrido": _ACOUSTIC,
    "jazz": Production(15.0, 0.05, 0.0, 3.0),
    "swing": Production(14.5, 0.1, 0.0, 3.0),
    "classical": Production(15.0, 0.0, 1.0, 3.0),
    "cinematic": Production(13.5, 0.15, 1.0, 3.0),
    "ambient": Production(14.0, 0.0, 0.0, 2.0),
    "march": Production(14.0, 0.1, 0.0, 2.0),
}
"""By genre; the other genres are played on acoustic instruments."""


def production(genre: str | None) -> Production:
    """How the genre of that name is produced; without one, plainly."""
    return PLAIN if genre is None else PRODUCTIONS.get(genre, _ACOUSTIC)
