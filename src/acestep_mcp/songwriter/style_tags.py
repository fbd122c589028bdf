"""Chooses the tags of a song: what the user named and what usually goes with it, about ten in all."""

from __future__ import annotations

import re
from random import Random

from acestep_mcp.songwriter import lexicon
from acestep_mcp.songwriter.brief import Brief
from acestep_mcp.songwriter.styles import related_terms

_USUAL_COUNT, _MAX_COUNT, _MAX_EXCLUDED = 10, 19, 6
_BY_TONE = {
    "sad": ("ballad", "folk", "indie pop", "trip hop"),
    "happy": ("pop", "indie pop", "funk", "soul"),
    "calm": ("folk", "lo-fi hip hop", "bossa nova", "dream pop"),
    "fierce": ("rock", "synth-pop", "indie rock", "edm"),
    "dark": ("trip hop", "synthwave", "rock", "dream pop"),
    "tender": ("r&b", "folk", "ballad", "soul"),
    "any": ("pop", "indie pop", "folk", "synth-pop", "soul", "rock"),
}
_BY_DECADE = {
    "20s": ("jazz",), "30s": ("jazz",), "40s": ("jazz",), "50s": ("blues", "jazz"), "60s": ("soul", "rock"),
    "70s": ("disco", "funk", "rock"), "80s": ("synth-pop", "synthwave"), "90s": ("trip hop", "indie rock", "r&b"),
}  # fmt: skip
_BY_THEME = {
    "dance": ("disco", "house", "funk"), "dream": ("lullaby", "dream pop"), "christmas": ("jazz", "pop"),
    "birthday": ("pop", "funk"), "machine": ("synth-pop", "electronic"), "pet": ("indie pop", "folk"),
    "road": ("country", "rock", "folk"), "sea": ("folk", "dream pop"),
}  # fmt: skip
_BY_FEW_PLAYERS = ("folk", "ballad", "lullaby")
_TONE_BY_THEME = {
    "goodbye": "sad", "love": "tender", "dance": "happy", "birthday": "happy", "christmas": "happy", "summer": "happy",
    "hope": "fierce", "dream": "calm", "morning": "calm", "family": "tender", "pet": "happy",
}  # fmt: skip
_VOICES = ("female voice", "male voice")
_VOICE_BY_TONE = {
    "sad": "soft voice", "happy": "bright voice", "calm": "warm voice", "fierce": "powerful voice", "dark": "low voice",
    "tender": "breathy vocals", "any": "clear voice",
}  # fmt: skip


def tone(brief: Brief) -> str:
    """The tone of the lyrics: that of the named mood, else of the subject, else of the genre, else "any"."""
    named = [mood.tone for mood in brief.moods]
    if named:
        return named[0]
    excluded = _excluded_words(brief)
    of_genre = [
        mood.tone
        for genre in brief.genres
        for mood in lexicon.MOODS
        if genre.mood in mood.names and genre.mood not in excluded
    ]
    of_theme = [_TONE_BY_THEME[theme] for theme in brief.themes if theme in _TONE_BY_THEME]
    return next(iter([*of_theme, *of_genre]), "any")


def genres_for(brief: Brief, rng: Random) -> tuple[lexicon.GenreEntry, ...]:
    """The named genres, or one that suits decade, subject and mood."""
    if brief.genres:
        return brief.genres
    theme = next((theme for theme in brief.themes if theme in _BY_THEME), "")
    alone = _BY_FEW_PLAYERS if brief.terms.of("only") else None
    names = (
        alone
        or _BY_DECADE.get(brief.decade)
        or (_BY_THEME.get(theme) if not brief.moods else None)
        or _BY_TONE[tone(brief)]
    )
    banned = brief.terms.of("banned")
    allowed = [name for name in names if name not in banned] or [n for n in _BY_TONE["any"] if n not in banned]
    name = rng.choice(allowed or ["pop"])
    return tuple(genre for genre in lexicon.GENRES if genre.name == name)


def tempo(brief: Brief, genre: lexicon.GenreEntry, rng: Random) -> float:
    """The named tempo in bpm, one in the range of an Italian term, or one in the genre's, shifted by mood and tempo words."""
    if brief.bpm:
        return brief.bpm
    if brief.tempo:
        return round(rng.uniform(brief.tempo.low, brief.tempo.high))
    pulls = [lexicon.TEMPO_WORDS[word] for word in brief.terms.of("tempo")]
    pulls = pulls or [-0.7 * lexicon.TEMPO_WORDS.get(word, 0) for word in brief.terms.of("banned")] or [0]
    pulls = [*pulls, *pulls, *(mood.pull for mood in brief.moods)]
    low, high = genre.tempo
    middle = low + (high - low) * (0.5 + 0.5 * sum(pulls) / len(pulls))
    return min(high, max(low, round(middle + rng.uniform(-0.12, 0.12) * (high - low))))


def tags(brief: Brief, genres: tuple[lexicon.GenreEntry, ...], bpm: float, rng: Random) -> str:
    """The comma-separated tags: genre, mood, energy, instruments, tempo, voice, production."""
    groups = _named_tags(brief, genres, bpm)
    excluded = (*_excluded_words(brief), *_outside_limit(brief))
    free = _USUAL_COUNT - sum(map(len, groups.values())) - len(_exclusion_tags(brief))
    for kind, tag in _usual_tags(brief, genres[0], bpm, rng):
        if kind == "instrument" and brief.terms.of("only"):
            continue
        if free > 0 and not _clashes(tag, excluded) and not _repeats(tag, groups):
            groups[kind].append(tag)
            free -= 1
    order = [tag for group in groups.values() for tag in group] + _exclusion_tags(brief)
    return ", ".join(list(dict.fromkeys(order))[:_MAX_COUNT])


def _named_tags(brief: Brief, genres: tuple[lexicon.GenreEntry, ...], bpm: float) -> dict[str, list[str]]:
    """The tags the user named, and the tempo, by group in the order of the tags."""
    terms, sung = brief.terms, not brief.instrumental
    return {
        "genre": [*([brief.decade] if brief.decade else []), *(terms.of("genre") or (genre.name for genre in genres))],
        "mood": list(terms.of("mood")),
        "energy": [],
        "instrument": [*terms.of("instrument"), *_limit_tag(brief)],
        "tempo": [*terms.of("tempo"), *_term(brief), f"{bpm:g} bpm", *filter(None, (brief.key, brief.meter))],
        "voice": list(terms.of("voice")) if sung else [],
        "production": [*terms.of("production"), *(extra for extra in brief.extra_tags if sung or "voc" not in extra)],
    }


def _term(brief: Brief) -> list[str]:
    return [brief.tempo.term] if brief.tempo and brief.tempo.term not in brief.terms.of("tempo") else []


def _usual_tags(brief: Brief, genre: lexicon.GenreEntry, bpm: float, rng: Random) -> list[tuple[str, str]]:
    """(group, tag) pairs that usually go with the genre and mood, most important first."""
    moods = brief.moods or tuple(mood for mood in lexicon.MOODS if genre.mood in mood.names)
    instruments = rng.sample(genre.instruments, len(genre.instruments))
    styles = rng.sample(genre.styles, len(genre.styles))
    related = rng.sample(moods[0].related, len(moods[0].related))
    first = [] if brief.moods else [("mood", genre.mood)]
    if not brief.instrumental:
        voiced = brief.terms.of("voice")
        rapped = genre.rapped and "rap" not in voiced
        first += [("voice", "rap")] if rapped else []
        silent = not (voiced and voiced != ("rap",)) and "choir" not in " ".join(brief.terms.of("instrument"))
        voices = [voice for voice in _VOICES if voice not in brief.terms.of("banned")] or _VOICES
        first += [("voice", rng.choice(voices))] if silent and not brief.wordless else []
    first += [("instrument", one) for one in instruments[: max(1, 2 - len(brief.terms.of("instrument")))]]
    energy = moods[0].energy if brief.moods else _energy(bpm)
    first += [("genre", styles[0]), ("energy", energy), ("production", genre.production[0])]
    second = [("instrument", instruments[-1]), ("mood", related[0])]
    second += [] if brief.instrumental else [("voice", _VOICE_BY_TONE[tone(brief)])]
    return [*first, *second, ("production", genre.production[-1]), *(("genre", style) for style in styles[1:])]


def _energy(bpm: float) -> str:
    return "low energy" if bpm < 76 else "laid-back" if bpm < 96 else "mid energy" if bpm < 118 else "energetic"


def _exclusion_tags(brief: Brief) -> list[str]:
    """Excluded instruments as "no ..." tags. Excluded moods and genres are only left out."""
    allowed = {*lexicon.INSTRUMENTS, *lexicon.SYNONYMS, "reverb", "autotuned vocals"}
    return [
        f"no {lexicon.SYNONYMS.get(word, word)}"
        for word in brief.terms.of("banned")
        if word in allowed or word.endswith((" solos", " riffs", " fills"))
    ][:_MAX_EXCLUDED]


def _excluded_words(brief: Brief) -> tuple[str, ...]:
    return tuple(part for word in brief.terms.of("banned") for part in related_terms(word))


def _limit_tag(brief: Brief) -> list[str]:
    """A tag such as "only guitar and vocals" for a song that is limited to them, unless another tag says so."""
    only, terms = brief.terms.of("only"), brief.terms
    said = any(tag.startswith("solo ") for tag in terms.of("instrument"))
    return [f"only {' and '.join(only)}"] if only and not said and only != ("vocals",) else []


def _outside_limit(brief: Brief) -> tuple[str, ...]:
    """The words for instruments that a song limited to others has not."""
    only = brief.terms.of("only")
    others = [name for name in lexicon.RELATED_TERMS if only and name not in only]
    return tuple(word for name in others for word in related_terms(name) if word not in only)


def _clashes(tag: str, excluded: tuple[str, ...]) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(word)}s?(?!\w)", tag) for word in excluded)


def _repeats(tag: str, groups: dict[str, list[str]]) -> bool:
    """Whether a tag adds nothing: "drums" beside "live drums", "piano" beside "broken piano"."""
    last = tag.rsplit(maxsplit=1)[-1]
    instruments = {word.split()[-1] for word in groups["instrument"]}
    return last in instruments or any(tag in group for group in groups.values())
