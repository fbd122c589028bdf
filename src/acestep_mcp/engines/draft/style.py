"""Parses tags into a Style: genre, mood, tempo, key, metre, instruments. Unknown text still picks a genre."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from functools import cache

from acestep_mcp.engines.draft.attributes import read_attributes
from acestep_mcp.engines.draft.genres import GENRES, Genre
from acestep_mcp.engines.draft.harmony import Key
from acestep_mcp.engines.draft.instruments import BASSES, NAMES, PADS, PROGRAMS, SOLOISTS
from acestep_mcp.engines.draft.moods import MOODS, TEMPO_WORDS, Mood

_WITHOUT = re.compile(r"\b(?:no|without|minus|zero)\s+(?P<what>[a-z ]+)", re.IGNORECASE)
# Genres that give way to a narrower one in the same tags.
_BROAD = frozenset({"pop", "ballad", "edm", "rock", "world"})
_FALLBACKS = ("pop", "indie", "folk", "synth-pop", "r&b", "ballad")
_BY_INSTRUMENT = {
    "distortion guitar": "metal", "overdriven guitar": "rock", "sitar": "world", "koto": "world", "banjo": "country",
    "bagpipe": "celtic", "fiddle": "celtic", "church organ": "classical", "harpsichord": "classical",
    "violin": "classical", "cello": "classical", "strings": "cinematic", "taiko": "cinematic", "tenor sax": "jazz",
    "saw lead": "edm", "polysynth": "synth-pop", "steel guitar": "folk", "nylon guitar": "folk", "piano": "ballad",
    "accordion": "waltz", "music box": "lullaby", "sub bass": "trap", "warm pad": "ambient", "kalimba": "afrobeat",
    "steel drums": "reggae", "harmonica": "blues", "electric piano": "r&b", "brass": "funk", "marimba": "afrobeat",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """What the tags ask for. `bpm`, `key` and `metre` are set only if a tag names them; `notes` say what is not played.

    `bpm` and the range `tempo` are in quarter notes per minute; `instruments` are the named ones in order; `register` shifts the voice in semitones.
    """

    genre: Genre
    second: Genre | None
    tempo: tuple[float, float]
    scales: tuple[str, ...]
    drive: float
    reverb: int
    bpm: float | None = None
    key: Key | None = None
    metre: str | None = None
    instruments: tuple[str, ...] = ()
    drums: bool = True
    register: int = 0
    rap: bool = False
    notes: tuple[str, ...] = ()


def parse_style(tags: str) -> Style:
    """The style that comma-separated tags or a plain description ask for. Never fails: any text gives a style."""
    text, excluded = _split_exclusions(tags)
    lowered = f" {re.sub(r'[_;/|.!?()]+(?![48])', ' ', text.lower())} "
    instruments = _instruments(lowered)
    main, second = _genres(lowered, instruments)
    if "guitar" in " ".join(main.layers) and not _mentions(lowered, "acoustic guitar"):
        instruments = tuple(name for name in instruments if name != NAMES["guitar"])
    moods = tuple(mood for mood in MOODS if _mentions(lowered, mood.keywords))
    found = Style(
        genre=main,
        second=second,
        tempo=_tempo(lowered, main, second, moods),
        scales=_scales(main, second, moods),
        drive=min(1.0, max(0.1, main.drive + sum(mood.drive for mood in moods))),
        reverb=max(0, min(120, main.reverb + sum(mood.reverb for mood in moods))),
        instruments=instruments,
        drums=not re.search(r"drum|percussion|beat", excluded)
        and "a cappella" not in lowered
        and "beatless" not in lowered,
        register=_register(lowered),
        rap=bool(_mentions(lowered, "rap|rapper|spoken word|melodic rap|freestyle")),
    )
    stated = read_attributes(tags)
    tempo = stated.tempo or found.tempo
    return replace(found, bpm=stated.bpm, tempo=tempo, key=stated.key, metre=stated.metre, notes=stated.notes)


def _split_exclusions(tags: str) -> tuple[str, str]:
    excluded = " ".join(found["what"] for found in _WITHOUT.finditer(tags)).lower()
    return _WITHOUT.sub(" ", tags), excluded


def _mentions(text: str, alternatives: str) -> bool:
    return _pattern(alternatives).search(text) is not None


@cache
def _pattern(alternatives: str) -> re.Pattern[str]:
    choices = "|".join(re.escape(word) for word in sorted(alternatives.split("|"), key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{choices})(?![\w])")


def _genres(lowered: str, instruments: tuple[str, ...]) -> tuple[Genre, Genre | None]:
    """The first and second genre named; broad genres come after all others."""
    found: list[tuple[bool, int, int, Genre]] = []
    for number, genre in enumerate(GENRES):
        hit = _pattern(genre.keywords).search(lowered)
        if hit:
            inside = any(start <= hit.start() and hit.end() <= end for start, end in _longer_keywords(lowered, hit[0]))
            if not inside:
                found.append((genre.name in _BROAD, hit.start(), number, genre))
    ranked = [genre for *_, genre in sorted(found, key=lambda entry: entry[:3])]
    if not ranked:
        return _guess_genre(lowered, instruments), None
    return ranked[0], ranked[1] if len(ranked) > 1 else None


def _longer_keywords(lowered: str, short: str) -> list[tuple[int, int]]:
    """Where a longer genre name contains this one, as `deep house` contains `house`."""
    spans: list[tuple[int, int]] = []
    for genre in GENRES:
        for word in genre.keywords.split("|"):
            if short in word and word != short:
                spans.extend(match.span() for match in _pattern(word).finditer(lowered))
    return spans


def _guess_genre(lowered: str, instruments: tuple[str, ...]) -> Genre:
    named = {genre.name: genre for genre in GENRES}
    for instrument in instruments:
        if instrument in _BY_INSTRUMENT:
            return named[_BY_INSTRUMENT[instrument]]
    if _mentions(lowered, "aggressive|energetic|party|workout"):
        return named["edm"]
    plain = " ".join(lowered.split())
    return named[_FALLBACKS[zlib.crc32(plain.encode()) % len(_FALLBACKS)] if plain else "pop"]


def _instruments(lowered: str) -> tuple[str, ...]:
    found: dict[str, int] = {}
    rest = lowered
    for word in sorted({**NAMES, **{name: name for name in PROGRAMS}}, key=len, reverse=True):
        hit = _pattern(word).search(rest)
        if hit and not (word == "voice" or (word == "whistle" and "tin" not in lowered)):
            found.setdefault(NAMES.get(word, word), hit.start())
            rest = rest[: hit.start()] + " " * len(hit[0]) + rest[hit.end() :]
    return tuple(sorted(found, key=lambda name: (found[name], name)))


def _tempo(lowered: str, main: Genre, second: Genre | None, moods: tuple[Mood, ...]) -> tuple[float, float]:
    low, high = float(main.tempo[0]), float(main.tempo[1])
    if second is not None:
        low, high = _widened(*_between((low, high), second.tempo))
    factor = 1.0
    for mood in moods:
        factor *= mood.tempo
    named = [(len(word), change) for word, change in TEMPO_WORDS.items() if _mentions(lowered, word)]
    factor = max(0.75, min(1.25, factor))
    if named:
        factor *= max(named)[1]
    return max(44.0, low * factor), min(208.0, high * factor)


def _between(main: tuple[float, float], second: tuple[int, int]) -> tuple[float, float]:
    """The overlap of both ranges, or else the half of the main one that is nearer to the second."""
    low, high = max(main[0], second[0]), min(main[1], second[1])
    if low <= high:
        return low, high
    middle = (main[0] + main[1]) / 2
    return (middle, main[1]) if second[0] > main[1] else (main[0], middle)


def _widened(low: float, high: float) -> tuple[float, float]:
    """The range widened to at least 12 %, so that different seeds give different tempos."""
    middle = (low + high) / 2
    return min(low, middle * 0.94), max(high, middle * 1.06)


def _scales(main: Genre, second: Genre | None, moods: tuple[Mood, ...]) -> tuple[str, ...]:
    """The genre's scales, most likely first; a bright or dark mood keeps the major or minor ones."""
    own = tuple(main.scales.split("|"))
    others = tuple(second.scales.split("|")) if second else ()
    side = sum(mood.mode for mood in moods)
    if side == 0:
        return own
    wanted = tuple(scale for scale in own + others if Key(0, scale).minor == (side < 0))
    return wanted or (("minor",) if side < 0 else ("major",))


def _register(lowered: str) -> int:
    """Semitones to shift the voice by; 0 is a woman's voice."""
    if _mentions(lowered, "bass voice|deep voice|deep male|baritone"):
        return -12
    if _mentions(lowered, "male|man|boy|male vocal|male vocals|male voice|tenor|masculine") and not _mentions(
        lowered, "female|duet"
    ):
        return -9
    return 3 if _mentions(lowered, "child|kid voice|high voice|soprano|chipmunk") else 0


def soloist(style: Style) -> str | None:
    """The first named instrument that can play the melody."""
    return next((name for name in style.instruments if name in SOLOISTS), None)


def bass_instrument(style: Style) -> str | None:
    return next((name for name in style.instruments if name in BASSES), None)


def accompanists(style: Style) -> tuple[str, ...]:
    """The named instruments that play chords, pads last."""
    names = [name for name in style.instruments if name not in SOLOISTS and name not in BASSES]
    return tuple(sorted(names, key=lambda name: name in PADS))
