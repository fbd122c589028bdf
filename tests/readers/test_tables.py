"""What one table names, the others know."""

import re
from collections import Counter

import pytest

from acestep_mcp.engines.draft import instruments
from acestep_mcp.engines.draft.bass_patterns import BASSES
from acestep_mcp.engines.draft.drums import PIECES, groove
from acestep_mcp.engines.draft.genres import GENRES
from acestep_mcp.engines.draft.harmony import SCALES
from acestep_mcp.engines.draft.moods import MOODS, TEMPO_WORDS
from acestep_mcp.engines.draft.patterns import PATTERNS
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.style import parse_style
from acestep_mcp.engines.draft.tag_terms import _BY_ENDING, _BY_INSTRUMENT, _BY_MOOD
from acestep_mcp.readers import word_tables
from acestep_mcp.readers.instrument_table import INSTRUMENTS, VOICES
from acestep_mcp.readers.style_table import STYLES
from acestep_mcp.readers.vocabulary import vocabulary
from acestep_mcp.songwriter import lexicon, style_tags
from acestep_mcp.songwriter.styles import find_terms

KITS = {0, 8, 16, 24, 25, 32, 40, 48}
GENRE_NAMES = {genre.name for genre in GENRES}


def test_every_style_has_a_genre_in_the_draft_and_every_genre_a_style():
    assert {style.genre for style in STYLES} == GENRE_NAMES
    assert {style.genre for style in STYLES if not style.near} == GENRE_NAMES


def test_every_style_is_known_to_the_songwriter():
    written = {name for genre in lexicon.GENRES for name in genre.names}
    assert {name for style in STYLES for name in style.names} <= written
    assert written <= {name for style in STYLES for name in style.every}


def test_no_word_names_two_things_of_one_kind():
    for table in (STYLES, INSTRUMENTS, VOICES):
        words = Counter(word for row in table for word in row.every)
        assert [word for word, count in words.items() if count > 1] == []
    moods = Counter(word for words in word_tables.MOODS.values() for word in words.split("|"))
    assert [word for word, count in moods.items() if count > 1] == []


@pytest.mark.parametrize("genre", GENRES, ids=lambda genre: genre.name)
def test_a_genre_uses_what_the_draft_has(genre):
    line, basses = genre.bass.split(":")
    layers = [layer.split(":") for layer in genre.layers]
    named = {
        *basses.split("/"),
        *genre.leads.split("|"),
        genre.voice,
        *(one for _, row in layers for one in row.split("/")),
    }
    assert named <= set(instruments.PROGRAMS)
    assert line in BASSES
    assert {pattern for pattern, _ in layers} <= set(PATTERNS)
    assert set(genre.scales.split("|")) <= set(SCALES)
    assert genre.kit in KITS
    for name in genre.grooves.split("|"):
        assert set(groove(name, 16, Seeds(1).stream("test"))) <= set(PIECES)


def test_every_instrument_has_a_sound_but_those_that_are_noted():
    silent = {row.name for row in INSTRUMENTS if not instruments.has_sound(row.name)}
    assert silent == {"didgeridoo", "turntables", "field recordings"}
    assert parse_style("pop, didgeridoo").notes == ("The draft has no didgeridoo: left out.",)


def test_the_tables_of_sounds_name_instruments_that_exist():
    names = {row.name for row in INSTRUMENTS}
    tables = (instruments.PLAYED_BY, instruments.PIECES, instruments.PERCUSSION_ROWS, instruments.DRUM_KITS)
    assert set().union(*tables) <= names
    assert {*instruments.PLAYED_BY.values(), *instruments.SPELLINGS.values(), *_BY_INSTRUMENT} <= set(
        instruments.PROGRAMS
    )
    assert {word for word in instruments.SPELLINGS if word not in vocabulary()} == set()
    assert {row.split()[0] for row in instruments.PERCUSSION_ROWS.values()} <= set(PIECES)


def test_the_nearest_genres_exist():
    assert {*_BY_INSTRUMENT.values(), *_BY_MOOD.values(), *(genre for _, genre in _BY_ENDING)} <= GENRE_NAMES
    assert set(_BY_MOOD) <= set(word_tables.MOODS)


def test_moods_and_tempo_words_have_an_effect_in_the_draft():
    assert [mood.name for mood in MOODS] == [*dict.fromkeys(mood.name for mood in MOODS)]
    assert {mood.name for mood in MOODS} == set(word_tables.MOODS)
    assert set(TEMPO_WORDS) == set(word_tables.TEMPO_WORDS.split("|"))
    assert set(lexicon.TEMPO_WORDS) <= set(TEMPO_WORDS)


def test_every_genre_of_the_songwriter_has_a_mood_of_its_table():
    moods = {name for mood in lexicon.MOODS for name in mood.names}
    assert {genre.mood for genre in lexicon.GENRES} <= moods


def test_the_readers_know_every_word_of_the_songwriter():
    words = {
        *(name for mood in lexicon.MOODS for name in (*mood.names, *mood.related)),
        *(genre.mood for genre in lexicon.GENRES),
        *lexicon.INSTRUMENTS,
        *(name for names in lexicon.VOICES for name in names),
        *lexicon.TEMPO_WORDS,
        *lexicon.SYNONYMS,
    }
    assert {word for word in words if word not in vocabulary()} == set()


def test_the_songwriter_chooses_genres_that_it_has():
    tables = (style_tags._BY_TONE, style_tags._BY_DECADE, style_tags._BY_THEME)
    chosen = {name for table in tables for names in table.values() for name in names}
    assert chosen <= {genre.name for genre in lexicon.GENRES}


def test_what_the_songwriter_names_as_an_instrument_the_draft_can_play():
    """The tags of a written song are the draft's input: each usual instrument is one that it knows."""
    usual = {one for genre in lexicon.GENRES for one in genre.instruments}
    unknown = {one for one in usual if not any(vocabulary().get(word) for word in (one, *_endings(one)))}
    assert unknown == set()


def _endings(words: str) -> list[str]:
    parts = re.split(r"[ -]", words)
    return [" ".join(parts[start:]) for start in range(1, len(parts))]


def test_a_style_that_is_named_in_a_wish_is_a_style_of_the_draft():
    for style in STYLES:
        assert parse_style(style.name).genre.name == style.genre
        assert find_terms(style.name).of("genre") == (style.name,), style.name
