# ruff: noqa: RUF001 - wishes in several languages are intended
"""Wishes as people write them: who and what they name is sung, and what they refuse is not."""

from __future__ import annotations

import itertools
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from acestep_mcp.readers.length import named_seconds
from acestep_mcp.songwriter.brief import read_brief
from acestep_mcp.songwriter.given_names import capitalised_names
from acestep_mcp.songwriter.languages import find_language
from acestep_mcp.songwriter.song_text import SongText
from acestep_mcp.songwriter.songbook import songbook
from acestep_mcp.songwriter.structure import sung_lines
from acestep_mcp.songwriter.writer import write_by_rules
from tests.support.parameters import few

WISHES = tomllib.loads(Path(__file__).with_name("wishes.toml").read_text(encoding="utf-8"))["wish"]
SAME_THEME = (
    "a love song",
    "love song, pop",
    "a song about love",
    "rock",
    "a birthday song for Ben",
    "happy birthday, folk",
)


@cache
def song(prompt: str, seed: int = 7, duration: float = 60) -> SongText:
    return write_by_rules(prompt, instrumental=False, duration=duration, seed=seed)


def holds(text: str, pattern: str) -> bool:
    return bool(re.search(rf"(?i)(?<!\w)(?:{pattern})(?!\w)", text))


@pytest.mark.parametrize("wish", WISHES, ids=[wish["prompt"][:40] for wish in WISHES])
def test_a_wish_is_heard(wish):
    brief = read_brief(wish["prompt"])
    assert brief.language.lyrics == wish.get("language", brief.language.lyrics)
    assert named_seconds(wish["prompt"]) == wish.get("seconds")
    for seed in (1, 7):
        text = song(wish["prompt"], seed)
        assert (text.lyrics == "[inst]") == wish.get("instrumental", False)
        assert [one for one in wish.get("lyrics", ()) if not holds(text.lyrics, one)] == []
        assert [one for one in wish.get("never_lyrics", ()) if holds(text.lyrics, one)] == []
        assert [one for one in wish.get("tags", ()) if not holds(text.tags, one)] == []
        assert [one for one in wish.get("never_tags", ()) if holds(text.tags, one)] == []
        assert holds(" ".join(text.notes), wish.get("notes", ""))


@pytest.mark.slow
@pytest.mark.parametrize("duration", few([60, 30], 1))
def test_at_most_one_line_in_five_of_a_song_is_in_another_wish_s_song(duration):
    songs = {}
    for prompt in (*(wish["prompt"] for wish in WISHES), *SAME_THEME):
        text = song(prompt, duration=duration)
        if text.lyrics != "[inst]":
            songs[prompt] = {line.lower() for line in sung_lines(text.lyrics)}
    assert len(songs) >= 60
    shared = {pair: songs[pair[0]] & songs[pair[1]] for pair in itertools.permutations(songs, 2)}
    assert {pair: lines for pair, lines in shared.items() if len(lines) * 5 > len(songs[pair[0]])} == {}


@pytest.mark.parametrize(
    "prompt",
    [
        "no drums, no guitar, no bass", "die laughing", "a son comes home", "pain and gain", "come on, sale today", "man in a hat",
        "fast car", "bossa nova", "corrido tumbado about the sea", "chanson d'amour", "a fado about Lisbon", "mariachi for Jose",
        "a song for José and María about el camino", "la vida loca party song", "schlager about beer", "a me and you song",
        "an art song about a chat on the sur coast", "plus one", "lied about the moon", "con man blues", "a pan flute and a fin whale",
    ],
)  # fmt: skip
def test_words_that_english_has_too_are_no_evidence_of_another_language(prompt):
    assert find_language(prompt).lyrics == "en"


@pytest.mark.parametrize(
    ("prompt", "lyrics", "other"),
    [
        ("a song in Spanish", "es", ""), ("auf Deutsch, a rock song", "de", ""), ("en français: a song for Lea", "fr", ""),
        ("rock, em português", "pt", ""), ("pop in italiano", "it", ""), ("по-русски, rock", "ru", ""), ("用中文唱, pop", "zh", ""),
        ("日本語で, pop", "ja", ""), ("한국어로 pop", "ko", ""), ("happy French song", "fr", ""), ("language: German, pop", "de", ""),
        ("canción triste", "es", ""), ("chanson triste", "fr", ""), ("ein Lied", "de", ""), ("canzone d'amore", "it", ""),
        ("a folk song in Polish", "en", "Polish"), ("piosenka o mojej mamie", "en", "Polish"), ("een vrolijk liedje over mijn hond", "en", "Dutch"),
        ("пісня про літо для мене", "en", "Ukrainian"), ("τραγούδι για τη θάλασσα", "en", "Greek"), ("annem için bir şarkı", "en", "Turkish"),
        ("en glad sång om min hund", "en", "Swedish"),
    ],
)  # fmt: skip
def test_the_language_is_the_one_asked_for_or_that_of_the_wish(prompt, lyrics, other):
    language = find_language(prompt)
    assert (language.lyrics, language.unsupported) == (lyrics, other)


@pytest.mark.parametrize(
    ("prompt", "foreign"),
    [("een liedje over mijn kat Poes", "liedje|kat"), ("piosenka o lecie i morzu dla Kasi", "piosenka|lecie|morzu"),
     ("τραγούδι για τη θάλασσα", "θάλασσα"), ("a song about my grandmother, in Spanish", "grandmother"), ("song about the old harbour in German", "harbour")],
)  # fmt: skip
def test_words_of_one_language_are_not_sung_inside_lines_of_another(prompt, foreign):
    for seed in range(5):
        assert not holds(song(prompt, seed).lyrics, foreign)
    assert read_brief(prompt).language.lyrics != "en" or song(prompt).notes


def test_a_relative_is_sung_in_the_language_of_the_lyrics():
    for language, words in {
        "Spanish": "para mi abuela",
        "German": "für meine Oma",
        "French": "pour ma grand-mère",
    }.items():
        assert words in song(f"a song for my grandma, in {language}").lyrics


@pytest.mark.parametrize(
    "names", ["English and French", "half in English, half in Spanish", "verses in English, chorus in Korean"]
)
def test_a_wish_for_two_languages_has_a_note(names):
    text = song(f"a love song for Julien, {names}")
    assert "Julien" in text.lyrics
    assert any("one language" in note for note in text.notes)


@pytest.mark.parametrize(
    ("prompt", "seconds"),
    [
        ("20 second jingle", 20), ("two minutes of lofi", 120), ("a minute and a half", 90), ("30s", 30), ("half a minute", 30),
        ("2:30", 150), ("one and a half minutes", 90), ("3 min 20 s", 200), ("a two-minute song", 120), ("thirty-second ad", 30),
        ("1m30s", 90), ("zwei Minuten", 120), ("2 minutos y medio", 150), ("полторы минуты", 90), ("2分钟", 120), ("30초", 30),
        ("10 minutes", 240), ("2 seconds", None), ("I am 7", None), ("as a man", None), ("80s synth pop", None), ("90s trip hop", None),
        ("I left five minutes ago", None), ("wake me at 2:30 in the morning", None), ("a second chance", None), ("in 6/8 time", None),
        ("wait a minute", None), ("I love you every second", None), ("30s swing", None), ("a 30s radio ad", 30),
    ],
)  # fmt: skip
def test_a_length_in_words_is_read(prompt, seconds):
    assert named_seconds(prompt) == seconds


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("pop about the beach, never use the word sea", ("sea",)), ("don't mention love or hearts, a ballad", ("love", "hearts")),
        ('avoid the words "moon" and "night", folk', ("moon", "night")), ("a song about home without the word house", ("house",)),
        ("winter song, no snow", ("snow",)), ("no mention of rain, please, jazz", ("rain",)), ("a love song that never says love", ("love",)),
        ("please no love songs, just something about hiking", ("love",)), ("a song about no regrets", ()), ("about life without you", ()), ("my days without rain", ()), ("no surrender, rock", ()),
        ("a Christmas song without Santa or snow", ("santa", "snow")), ("not about love, pop for Zoe", ("love",)), ("no words about rain", ("rain",)),
        ("no drums, no guitar", ()), ("no vocals", ()), ("pop without synths", ()),
    ],
)  # fmt: skip
def test_words_that_must_not_be_sung_are_read(prompt, words):
    assert read_brief(prompt).refused == words


@pytest.mark.parametrize("word", ["love", "sea", "night", "rain", "dance", "heart"])
def test_no_form_of_a_refused_word_is_sung(word):
    for seed in range(10):
        for prompt in (f"a pop song, never use the word {word}", f"sad folk for my wife, don't mention {word}"):
            assert not re.search(rf"(?i)\b{word}", song(prompt, seed, 120).lyrics)


@pytest.mark.parametrize(
    ("prompt", "artist", "tag"),
    [
        ("in the style of Johnny Cash, about trains", "Johnny Cash", "country"), ("something like Daft Punk", "Daft Punk", "house"),
        ("Drake type beat, sung", "Drake", "hip hop"), ("Metallica-style song about tax", "Metallica", "metal"), ("taylor swift vibes", "taylor swift", "pop"),
        ("a ballad as if sung by Adele", "Adele", "ballad"), ("Bob Marley meets jazz", "Bob Marley", "reggae"), ("think Billie Eilish, about rain", "Billie Eilish", "dream pop"),
        ("sounds like Zara Quill, folk", "Zara Quill", "folk"),
    ],
)  # fmt: skip
def test_an_artist_is_described_and_not_sung(prompt, artist, tag):
    text = song(prompt)
    assert holds(text.tags, tag)
    assert not any(holds(text.tags + text.lyrics, word) for word in artist.split())
    assert any(artist in note for note in text.notes)


@pytest.mark.parametrize(
    "prompt",
    ["a song for Adele, my niece", "a birthday song for Drake, who is 5", "a song about Paris", "Queen bee lullaby"],
)
def test_a_name_that_an_artist_has_too_is_no_artist(prompt):
    assert read_brief(prompt).artists == ()


def test_what_a_wish_names_is_sung_even_in_a_short_song():
    for seed in range(10):
        lyrics = song("a birthday song for my wife Anna, turning 40", seed, 20).lyrics
        assert "Anna" in lyrics
        assert "40" in lyrics


def test_a_title_is_sung_and_leaves_the_subject():
    lyrics = song('a waltz called "paper boats by night" about the river').lyrics
    assert "paper boats by night" in lyrics.lower()
    assert read_brief('a waltz called "paper boats by night" about the river').subject.name == "the river"


@pytest.mark.parametrize(
    ("prompt", "title"),
    [("song called Midnight Pizza about hunger", "Midnight Pizza"), ("title: Last Train Home. rock", "Last Train Home"),
     ('it is titled "a b c", pop', "a b c"), ("track named Queen of the Night, techno", "Queen of the Night"), ("a dog called Rex", "")],
)  # fmt: skip
def test_a_title_is_read(prompt, title):
    assert read_brief(prompt).title == title


def test_every_theme_of_the_english_songbook_has_things_of_its_own():
    book = songbook("en")
    things = [thing for theme in book.themes for thing in book.items(f"theme {theme}", "things")]
    assert all(len(book.items(f"theme {theme}", "things")) >= 14 for theme in book.themes)
    assert len(set(things)) > len(things) * 0.9


@pytest.mark.parametrize(
    ("prompt", "syllable"),
    [
        ("no lyrics, just oohs and aahs, dream pop", "ooh|aah"), ("scat singing only, no words, jazz", "doo|bop"), ("no words, la la la, pop", "la"),
        ("wordless female vocals over pads", "ah|ooh|oh"), ("instrumental with humming", "mmm|hmm"),
    ],
)  # fmt: skip
def test_a_voice_without_words_sings_syllables(prompt, syllable):
    text = song(prompt)
    assert all(holds(line, syllable) for line in sung_lines(text.lyrics))
    assert write_by_rules(prompt, instrumental=True, duration=60, seed=7).lyrics == "[inst]"


@pytest.mark.parametrize("prompt", ["no humming, no vocals, folk", "no vocals", "instrumental with a choir pad"])
def test_a_song_without_any_voice_has_no_syllables(prompt):
    assert song(prompt).lyrics == "[inst]"


@pytest.mark.parametrize(
    ("prompt", "written"),
    [
        ("my dog max", "my dog Max"), ("song for lily and max", "song for Lily and Max"), ("my son zyler who runs", "my son Zyler who runs"),
        ("for grandma ruth", "for grandma Ruth"), ("a cat named biscuit", "a cat named Biscuit"), ("we met in lisbon", "we met in Lisbon"),
        ("my friend moving away", "my friend moving away"), ("my mother loves me", "my mother loves me"), ("will you hope", "will you hope"),
        ("chicago house, max energy", "chicago house, max energy"), ("i will mark the day", "i will mark the day"),
    ],
)  # fmt: skip
def test_names_get_the_capital_they_were_written_without(prompt, written):
    assert capitalised_names(prompt) == written
