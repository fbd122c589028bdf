"""Finds the terms of tags: styles, instruments, voices, moods and tempo words, and the genre nearest to unknown ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from acestep_mcp.engines.draft.instruments import (
    DRUM_KITS,
    PERCUSSION_ROWS,
    PLAYED_BY,
    PROGRAMS,
    SPELLINGS,
    has_sound,
)
from acestep_mcp.readers.attributes import without_attributes
from acestep_mcp.readers.exclusions import Exclusions, read_exclusions
from acestep_mcp.readers.instrument_table import INSTRUMENTS
from acestep_mcp.readers.negations import ALONE_VOICES, NEGATIONS
from acestep_mcp.readers.style_table import STYLES, StyleNames
from acestep_mcp.readers.vocabulary import find, vocabulary
from acestep_mcp.readers.words import Phrases, Token, tokens, word_set

_BY_INSTRUMENT = {
    "distortion guitar": "metal", "overdriven guitar": "rock", "sitar": "world", "koto": "world", "banjo": "country",
    "bagpipe": "celtic", "fiddle": "celtic", "church organ": "classical", "harpsichord": "classical",
    "violin": "classical", "cello": "classical", "strings": "cinematic", "taiko": "cinematic", "tenor sax": "jazz",
    "saw lead": "edm", "polysynth": "synth-pop", "steel guitar": "folk", "nylon guitar": "folk", "piano": "ballad",
    "accordion": "waltz", "music box": "lullaby", "sub bass": "trap", "warm pad": "ambient", "kalimba": "afrobeat",
    "steel drums": "soca", "harmonica": "blues", "electric piano": "r&b", "brass": "funk", "marimba": "afrobeat",
    "shamisen": "world", "bandoneon": "tango", "whistle": "celtic", "flute": "folk", "trumpet": "jazz",
    "organ": "gospel", "rock organ": "rock", "choir": "gospel", "harp": "classical", "clarinet": "swing",
    "french horn": "cinematic", "timpani": "cinematic", "slap bass": "funk", "synth bass": "synth-pop",
    "clean guitar": "indie", "vibraphone": "jazz", "tuba": "march", "square lead": "chiptune", "acoustic bass": "jazz",
}  # fmt: skip
_BY_MOOD = {
    "aggressive": "rock", "epic": "cinematic", "dreamy": "ambient", "calm": "ambient", "chill": "lofi", "groovy": "funk",
    "energetic": "edm", "mysterious": "cinematic", "romantic": "ballad", "sad": "ballad", "dark": "cinematic",
    "uplifting": "pop", "happy": "pop", "nostalgic": "folk",
}  # fmt: skip
# The last part of a style's name that no table has tells its family.
_BY_ENDING = (
    ("core", "metal"), ("gaze", "indie"), ("wave", "synthwave"), ("step", "dubstep"), ("hop", "hip hop"),
    ("house", "deep house"), ("tronica", "edm"), ("tech", "techno"), ("techno", "techno"), ("trance", "trance"),
    ("billy", "rock"), ("grass", "country"), ("punk", "punk"), ("metal", "metal"), ("rock", "rock"), ("pop", "pop"),
    ("folk", "folk"), ("jazz", "jazz"), ("blues", "blues"), ("soul", "r&b"), ("funk", "funk"), ("disco", "disco"),
    ("trap", "trap"), ("drill", "drill"), ("phonk", "phonk"), ("rap", "hip hop"), ("style", "hardstyle"),
    ("beat", "afrobeat"), ("ton", "reggaeton"), ("waltz", "waltz"), ("march", "march"), ("ambient", "ambient"),
    ("swing", "swing"), ("ska", "ska"), ("reggae", "reggae"), ("dub", "reggae"), ("bass", "dubstep"), ("chant", "gospel"),
)  # fmt: skip
_MAX_STYLE_WORDS = 3
_NOT_STYLES = word_set(
    "a an the of for in at on with and or to by from about as is it this my your bpm key major minor instrumental song "
    "songs music track tune"
)


@dataclass(frozen=True, slots=True)
class NamedStyle:
    """A style and the word that names it in the tags."""

    word: str
    names: StyleNames


@dataclass(frozen=True, slots=True)
class TagTerms:
    """What tags name, each kind in order and once.

    `instruments` are (word, name in the readers' table, name in PROGRAMS), `missing` the instruments
    that the draft has no sound for, `unknown` the short tags that no table has.
    """

    exclusions: Exclusions
    styles: tuple[NamedStyle, ...]
    instruments: tuple[tuple[str, str, str], ...]
    percussion: tuple[str, ...]
    voices: tuple[str, ...]
    moods: frozenset[str]
    tempo_words: frozenset[str]
    instrument_names: frozenset[str]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]

    def nearest_genre(self, refused: set[str]) -> str:
        """The genre that comes nearest where no style is named: by the word's ending, the instruments, or the moods."""
        for words in self.unknown:
            for ending, genre in _BY_ENDING:
                if words.endswith(ending) and genre not in refused:
                    return genre
        for _, _, sound in self.instruments:
            if sound in _BY_INSTRUMENT:
                return _BY_INSTRUMENT[sound]
        return next((genre for mood, genre in _BY_MOOD.items() if mood in self.moods and genre not in refused), "pop")


def read_tags(tags: str) -> TagTerms:
    """Every term of the tags that is asked for, and what they refuse."""
    found = read_exclusions(tags)
    words = tokens(found.wanted)
    named = {style.name: style for style in STYLES}
    refused = {term.name for term in found.refused if term.kind == "style"}
    styles = {
        hit.value.name: NamedStyle(_text(words, hit.first, hit.last), named[hit.value.name])
        for hit in reversed(find("style", words))
        if hit.value.name not in refused
    }
    instruments = {sound: (word, name, sound) for word, name, sound in reversed(list(_instruments(words)))}
    inside = [range(hit.first, hit.last) for hit in find("style", words)]
    found_names = [
        hit.value.name
        for hit in find("instrument", words)
        if not any(hit.first in span and hit.last - 1 in span for span in inside if len(span) > hit.last - hit.first)
    ]
    return TagTerms(
        exclusions=found,
        styles=tuple(reversed(styles.values())),
        instruments=tuple(reversed(instruments.values())),
        percussion=tuple(dict.fromkeys(name for name in found_names if name in PERCUSSION_ROWS or name in DRUM_KITS)),
        voices=tuple(dict.fromkeys(hit.value.name for hit in find("voice", words))),
        moods=frozenset(hit.value.name for hit in find("mood", words)),
        tempo_words=frozenset(hit.value.name for hit in find("tempo", words)),
        instrument_names=frozenset(found_names),
        missing=tuple(dict.fromkeys(name for name in found_names if not has_sound(name))),
        unknown=() if styles else _unknown(without_attributes(found.wanted, ",")),
    )


def _instruments(words: tuple[Token, ...]) -> list[tuple[str, str, str]]:
    found = []
    for hit in _sounds().all(words):
        name, sound = hit.value
        if sound:
            found.append((_text(words, hit.first, hit.last), name, sound))
    return found


@cache
def _sounds() -> Phrases[tuple[str, str]]:
    """Every spelling of an instrument, with its name in the readers' table and its sound, "" for none."""
    entries = []
    for row in INSTRUMENTS:
        usual = row.name if row.name in PROGRAMS else PLAYED_BY.get(row.name, "")
        entries += [(word, (row.name, SPELLINGS.get(word, usual))) for word in row.every]
    own = [(name, (name, name)) for name in PROGRAMS if name not in {"voice", "honky-tonk"}]
    return Phrases([*entries, *own])


def _text(words: tuple[Token, ...], first: int, last: int) -> str:
    return " ".join(token.word for token in words[first:last])


def _unknown(wanted: str) -> tuple[str, ...]:
    """The words of short tags that no table has: what a style may be called that nothing knows."""
    found = []
    for tag in re.split(r"[,;\n|]", wanted):
        words = tokens(tag)
        if not words or len(words) > _MAX_STYLE_WORDS or not all(token.word.isalpha() for token in words):
            continue
        named = [(hit.value.kind, range(hit.first, hit.last)) for hit in vocabulary().all(words)]
        rest = [token.word for at, token in enumerate(words) if not any(at in span for _, span in named)]
        kinds = {kind for kind, _ in named}
        plain = not kinds & {"instrument", "voice", "style"} and not any(ALONE_VOICES.all(words))
        plain = plain and not NEGATIONS.at(words, 0)
        if plain and rest and _NOT_STYLES.isdisjoint(rest) and len("".join(rest)) > 2:
            found.append(" ".join(rest))
    return tuple(found)
