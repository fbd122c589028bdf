"""Parses tags into a Style: genre, mood, tempo, key, metre, instruments. Unknown text still picks a genre."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

from acestep_mcp.engines.draft.attributes import read_attributes
from acestep_mcp.engines.draft.genres import GENRES, Genre
from acestep_mcp.engines.draft.harmony import Key
from acestep_mcp.engines.draft.instruments import BASSES, PADS, PITCHED_DRUMS, SOLOISTS
from acestep_mcp.engines.draft.lineup import Lineup, read_lineup
from acestep_mcp.engines.draft.moods import MOODS, TEMPO_WORDS, Mood
from acestep_mcp.engines.draft.tag_terms import NamedStyle, TagTerms, read_tags

# Genres that give way to a narrower one in the same tags.
_BROAD = frozenset({"pop", "ballad", "edm", "rock", "world"})
_NAMED = {genre.name: genre for genre in GENRES}


@dataclass(frozen=True, slots=True)
class Style:
    """What the tags ask for. `bpm`, `key` and `metre` are set only if a tag names them; `notes` say what is not played.

    `bpm` and the range `tempo` are in quarter notes per minute; `instruments` are the named ones in order, `percussion` the named unpitched ones;
    `drums` is whether a drum kit or percussion plays; `register` shifts the voice in semitones. `notes` say what is not
    played as asked.
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
    percussion: tuple[str, ...] = ()
    drums: bool = True
    register: int = 0
    rap: bool = False
    lineup: Lineup = field(default_factory=Lineup)
    notes: tuple[str, ...] = ()


@lru_cache(maxsize=32)
def parse_style(tags: str) -> Style:
    """The style that comma-separated tags or a plain description ask for. Never fails: any text gives a style."""
    terms = read_tags(tags)
    wanted = terms.exclusions.wanted
    chosen, notes = _genres(terms)
    main, second = chosen[0], chosen[1] if len(chosen) > 1 else None
    moods = tuple(mood for mood in MOODS if mood.name in terms.moods)
    lineup = read_lineup(terms.exclusions, terms.instrument_names)
    found = Style(
        genre=_as_allowed(main.genre, terms),
        second=second.genre if second else None,
        tempo=_tempo(terms, main, second, moods),
        scales=_scales(main.genre, second.genre if second else None, moods, _refused_moods(terms)),
        drive=min(1.0, max(0.1, main.genre.drive + sum(mood.drive for mood in moods))),
        reverb=0 if lineup.dry else max(0, min(120, main.genre.reverb + sum(mood.reverb for mood in moods))),
        instruments=_instruments(terms, chosen, lineup),
        percussion=terms.percussion,
        drums=lineup.drums,
        register=_register(terms),
        rap="rap" in terms.voices or "spoken word" in terms.voices,
        lineup=lineup,
        notes=(*notes, *lineup.notes, *_missing_notes(terms, lineup)),
    )
    stated = read_attributes(wanted)
    tempo, notes = stated.tempo or found.tempo, (*found.notes, *stated.notes)
    return replace(found, bpm=stated.bpm, tempo=tempo, key=stated.key, metre=stated.metre, notes=notes)


@dataclass(frozen=True, slots=True)
class _Chosen:
    genre: Genre
    tempo: tuple[int, int]


def _genres(terms: TagTerms) -> tuple[list[_Chosen], tuple[str, ...]]:
    """The genres of the named styles, the most important first and at least one, and a note for styles without one.

    Broad genres come after all others.
    """
    refused = {term.name for term in terms.exclusions.refused}
    ranked = sorted(terms.styles, key=lambda style: style.names.genre in _BROAD)
    found: dict[str, _Chosen] = {}
    for style in ranked:
        found.setdefault(style.names.genre, _Chosen(_NAMED[style.names.genre], style.names.tempo))
    if not found:
        genre = _NAMED[terms.nearest_genre(refused)]
        return [_Chosen(genre, genre.tempo)], _unknown_notes(terms.unknown, genre)
    return list(found.values()), tuple(_near_note(style) for style in ranked if style.names.near)


def _near_note(style: NamedStyle) -> str:
    return f"{style.word} is not a style the draft knows: played as {style.names.genre}."


def _unknown_notes(unknown: tuple[str, ...], genre: Genre) -> tuple[str, ...]:
    return tuple(f"{words} is not a style the draft knows: played as {genre.name}." for words in unknown[:1])


def _missing_notes(terms: TagTerms, lineup: Lineup) -> tuple[str, ...]:
    if lineup.only is not None or not terms.missing:
        return ()
    return (f"The draft has no {', '.join(terms.missing)}: left out.",)


def _as_allowed(genre: Genre, terms: TagTerms) -> Genre:
    """The genre without the ending or the swing that the tags refuse."""
    if terms.exclusions.refuses("fade-out", "fade out", "fadeout") and genre.ending == "fade":
        genre = replace(genre, ending="ring")
    return replace(genre, swing=0.5) if terms.exclusions.refuses("swing") and genre.name != "swing" else genre


def _instruments(terms: TagTerms, chosen: list[_Chosen], lineup: Lineup) -> tuple[str, ...]:
    """The named instruments. An electric guitar is distorted where the genre's guitars are; a plain guitar is the genre's."""
    guitars = [layer.partition(":")[2] for one in chosen[:2] for layer in one.genre.layers[:1]]
    distorted = next((name.split("/")[0] for name in guitars if name.startswith(("distortion", "overdriven"))), None)
    own = "guitar" in " ".join(chosen[0].genre.layers) and lineup.only is None
    found: dict[str, None] = {}
    for word, name, sound in terms.instruments:
        played = distorted if distorted and name in {"electric guitar", "guitar"} and word != "guitar" else sound
        if not (own and name == "guitar" and played == "steel guitar"):
            found.setdefault(played)
    return tuple(found)


def _tempo(terms: TagTerms, main: _Chosen, second: _Chosen | None, moods: tuple[Mood, ...]) -> tuple[float, float]:
    low, high = float(main.tempo[0]), float(main.tempo[1])
    if second is not None:
        low, high = _widened(*_between((low, high), second.tempo))
    factor = 1.0
    for mood in moods:
        factor *= mood.tempo
    named = [(len(word), TEMPO_WORDS[word]) for word in terms.tempo_words]
    factor = max(0.75, min(1.25, factor))
    if named:
        factor *= max(named)[1]
    for term in terms.exclusions.refused:
        factor *= TEMPO_WORDS.get(term.name, 1.0) ** -0.5 if term.kind == "tempo" else 1.0
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


def _refused_moods(terms: TagTerms) -> tuple[Mood, ...]:
    refused = {term.name for term in terms.exclusions.refused if term.kind == "mood"}
    return tuple(mood for mood in MOODS if mood.name in refused)


def _scales(main: Genre, second: Genre | None, moods: tuple[Mood, ...], refused: tuple[Mood, ...]) -> tuple[str, ...]:
    """The genre's scales, most likely first; a bright or dark mood keeps the major or minor ones, a refused one the others."""
    own = tuple(main.scales.split("|"))
    others = tuple(second.scales.split("|")) if second else ()
    side = sum(mood.mode for mood in moods)
    if side == 0:
        away = sum(mood.mode for mood in refused)
        kept = tuple(scale for scale in own if Key(0, scale).minor == (away > 0))
        return (kept or own) if away else own
    wanted = tuple(scale for scale in own + others if Key(0, scale).minor == (side < 0))
    return wanted or (("minor",) if side < 0 else ("major",))


def _register(terms: TagTerms) -> int:
    """Semitones to shift the voice by; 0 is a woman's voice."""
    voices = set(terms.voices)
    if terms.exclusions.refuses("female voice") and not voices:
        voices = {"male voice"}
    if "baritone" in voices:
        return -12
    if voices & {"male voice", "tenor"} and not voices & {"female voice", "duet"}:
        return -9
    return 3 if voices & {"child voice", "soprano"} else 0


def soloist(style: Style) -> str | None:
    """The first named instrument that can play the melody."""
    return next((name for name in style.instruments if name in SOLOISTS), None)


def bass_instrument(style: Style) -> str | None:
    return next((name for name in style.instruments if name in BASSES), None)


def accompanists(style: Style) -> tuple[str, ...]:
    """The named instruments that play chords, pads last. Drums of definite pitch are not among them."""
    others = BASSES | SOLOISTS | PITCHED_DRUMS
    return tuple(sorted((name for name in style.instruments if name not in others), key=lambda name: name in PADS))
