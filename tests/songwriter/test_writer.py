# ruff: noqa: RUF001 - prompts in ten languages are intended
import os
import re
import socket
import subprocess
import sys
from functools import cache
from random import Random

import pytest

from acestep_mcp.songwriter import lexicon
from acestep_mcp.songwriter.brief import read_brief
from acestep_mcp.songwriter.song_text import SongText
from acestep_mcp.songwriter.songbook import LANGUAGES, parse, songbook
from acestep_mcp.songwriter.structure import choose_form, pace, section_name, sung_lines
from acestep_mcp.songwriter.writer import write_by_rules
from tests.support.parameters import few

SEA = "a sad song about the sea for my grandmother, 90s trip hop, female voice"
MARK = re.compile(r"\[(verse|chorus|bridge|outro|pre-chorus)\]")

IN_TEN_LANGUAGES = {
    "en": "a sad song about the sea, piano, female voice, no drums",
    "es": "una canción triste sobre el mar, piano, voz femenina, sin batería",
    "fr": "une chanson triste sur la mer, piano, voix féminine, sans batterie",
    "de": "ein trauriges Lied über das Meer, Klavier, weibliche Stimme, ohne Schlagzeug",
    "pt": "uma canção triste sobre o mar, piano, voz feminina, sem bateria",
    "it": "una canzone triste sul mare, pianoforte, voce femminile, senza batteria",
    "ru": "грустная песня о море, пианино, женский голос, без барабанов",
    "ja": "海についての悲しい歌、ピアノ、女性ボーカル、ドラムなし",
    "zh": "写一首关于大海的悲伤的歌，钢琴，女声，不要鼓",
    "ko": "바다에 대한 슬픈 노래, 피아노, 여성 보컬, 드럼 없이",
}
SUBJECT_SUNG = {
    "en": "the sea", "es": "sobre el mar", "fr": "sur la mer", "de": "über das Meer", "pt": "sobre o mar", "it": "sul mare",
    "ru": "о море", "ja": "海", "zh": "大海", "ko": "바다",
}  # fmt: skip


@cache
def song(prompt: str, *, instrumental: bool = False, duration: float = 60, seed: int = 7) -> SongText:
    return write_by_rules(prompt, instrumental=instrumental, duration=duration, seed=seed)


def tags(prompt: str, **options) -> list[str]:
    return song(prompt, **options).tags.split(", ")


def sections(lyrics: str) -> list[str]:
    return MARK.findall(lyrics)


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 2**32 - 1])
@pytest.mark.parametrize("duration", [5, 7.5, 10, 20, 30, 45, 60, 90, 120, 180, 240])
def test_a_sung_line_has_five_to_nine_seconds(duration, seed):
    count = len(sung_lines(song(SEA, duration=duration, seed=seed).lyrics))
    assert max(1, duration / 9 - 2) <= count <= max(1, duration / 5)


@pytest.mark.parametrize(
    "prompt", [SEA, "happy pop about summer", "folk", "slow ballad", "drum and bass about rain, sung"]
)
def test_a_minute_has_eight_to_twelve_sung_lines(prompt):
    counts = {len(sung_lines(song(prompt, seed=seed).lyrics)) for seed in range(40)}
    assert counts <= set(range(8, 13))


def test_a_minute_of_rap_has_sixteen_to_twenty_two_lines():
    counts = {len(sung_lines(song("boom bap rap about my city", seed=seed).lyrics)) for seed in range(40)}
    assert counts <= set(range(16, 23))


@pytest.mark.parametrize(("prompt", "fewest", "most"), [(SEA, 0.55, 1.25), ("hip hop about my city", 1.4, 2.7)])
def test_the_lyrics_can_be_sung_in_the_time(prompt, fewest, most):
    for duration in (60, 120, 200):
        for seed in range(10):
            lyrics = song(prompt, duration=duration, seed=seed).lyrics
            words = sum(len(line.split()) for line in sung_lines(lyrics))
            assert fewest <= words / duration <= most


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("duration", few([30, 60, 120, 240], 2))
def test_each_language_has_enough_lines_for_any_length(language, duration):
    for seed in range(5):
        count = len(sung_lines(song(IN_TEN_LANGUAGES[language], duration=duration, seed=seed).lyrics))
        assert duration / 9 - 2 <= count <= duration / 5


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_prompt_is_answered_in_its_own_language(language):
    words = song(IN_TEN_LANGUAGES[language])
    assert SUBJECT_SUNG[language] in words.lyrics
    assert read_brief(IN_TEN_LANGUAGES[language]).language.lyrics == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tags_are_english_for_a_prompt_in_any_language(language):
    words = song(IN_TEN_LANGUAGES[language])
    assert words.tags.isascii()
    assert {"sad", "piano", "female voice", "no drums"} <= set(words.tags.split(", "))
    assert not re.search(r"(?<!no )drum|snare|breakbeat", words.tags)


def test_a_named_language_wins_over_that_of_the_prompt():
    words = song("a happy pop song about summer, sung in Spanish")
    assert "verano" in words.lyrics
    assert "summer" not in words.lyrics
    assert "spanish" not in words.tags


def test_a_language_without_a_songbook_is_sung_in_english_with_a_note():
    words = song("a folk song about bees in Polish")
    assert "bees" in words.lyrics
    assert "Polish" not in words.lyrics
    assert any("Polish" in note and "text_to_audio" in note for note in words.notes)


def test_the_subject_and_the_person_are_both_sung():
    for seed in range(20):
        lyrics = song(SEA, seed=seed).lyrics
        assert "the sea" in lyrics
        assert "my grandmother" in lyrics


@pytest.mark.parametrize(
    ("prompt", "subject", "person"),
    [
        (SEA, "the sea", "my grandmother"),
        ("a song about my old bicycle in bluegrass style with banjo", "my old bicycle", ""),
        ("a song about a house by the sea, techno", "a house by the sea", ""),
        ("jazz about a girl with red hair", "a girl with red hair", ""),
        ("birthday song for Anna and Tom, funk", "", "Anna and Tom"),
        ("Make me a song where a dog steals a pizza, punk rock", "how a dog steals a pizza", ""),
        ("rainy night in Paris, jazz", "a rainy night in Paris", ""),
        ("happy dog", "the dog", ""),
        ("quantum physics", "quantum physics", ""),
        ('a ballad called "Paper Moon"', "Paper Moon", ""),
        ("a song about how I lost my keys in the snow on a Monday before Christmas", "how I lost my keys", ""),
        ("country song about trucks with steel guitar", "trucks", ""),
        ("We are closing the shop today", "how we are closing the shop today", ""),
        ("I miss my dog", "how I miss my dog", ""),
        ("wedding song", "the wedding", ""),
        ("I want a song for my wife Maria, slow soul", "", "my wife Maria"),
        ("a reggae song for the beach", "the beach", ""),
        ("techno", "", ""),
        ("make me something nice please", "", ""),
    ],
)
def test_the_subject_is_what_the_song_is_about(prompt, subject, person):
    brief = read_brief(prompt)
    assert (brief.subject.name, brief.subject.person) == (subject, person)


def test_the_prompt_itself_is_never_sung():
    for prompt in (SEA, "please make a nice upbeat song about dogs for me", "a song " + "very " * 40 + "long"):
        assert prompt.lower() not in song(prompt).lyrics.lower()
        for line in sung_lines(song(prompt).lyrics):
            assert len(line) < 90


@pytest.mark.process
def test_the_same_seed_gives_the_same_text_in_every_process():
    code = "import sys; from acestep_mcp.songwriter.writer import write_by_rules; print(ascii(write_by_rules(sys.argv[1], instrumental=False, duration=90, seed=5)))"
    rhymes_for = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        rhymes_for.add(
            subprocess.run([sys.executable, "-c", code, SEA], env=environment, capture_output=True, check=True).stdout
        )
    assert len(rhymes_for) == 1
    assert rhymes_for.pop().decode().strip() == ascii(song(SEA, duration=90, seed=5))


def test_other_seeds_give_other_text():
    assert len({song(SEA, seed=seed).lyrics for seed in range(20)}) == 20
    assert len({song(SEA, seed=seed).tags for seed in range(20)}) > 5


def test_no_verse_is_repeated_and_the_chorus_is():
    for seed in range(20):
        lyrics = song(SEA, duration=180, seed=seed).lyrics
        blocks = [block.split("\n", 1) for block in lyrics.split("\n\n")]
        verses = [text for mark, text in blocks if mark != "[chorus]"]
        choruses = [text for mark, text in blocks if mark == "[chorus]"]
        assert len(set(verses)) == len(verses)
        assert len(choruses) > 1
        assert len(set(choruses)) == 1


def test_section_marks_stand_on_their_own_lines():
    lyrics = song(SEA, duration=200).lyrics
    marks = [line for line in lyrics.splitlines() if "[" in line]
    assert all(MARK.fullmatch(line) for line in marks)
    assert {"verse", "chorus", "bridge"} <= set(sections(lyrics))


@pytest.mark.parametrize(
    "prompt",
    [
        "calm piano, instrumental",
        "jazz without vocals",
        "background music for a bakery",
        "rock, no singing",
        "lofi beats to study to",
        "música de fondo tranquila con guitarra",
        "ein ruhiges Lied ohne Gesang",
        "ピアノのインスト曲",
        "ambient drone",
    ],
)
def test_a_prompt_without_vocals_gives_an_instrumental(prompt):
    words = song(prompt)
    assert words.lyrics == "[inst]"
    assert not re.search(r"voice|vocal|\brap\b|instrumental", words.tags)


def test_the_instrumental_flag_overrides_the_prompt():
    words = song('rap about my city, female voice, "we own the night tonight"', instrumental=True)
    assert words.lyrics == "[inst]"
    assert "voice" not in words.tags


@pytest.mark.parametrize(
    "prompt",
    ["a song with an instrumental break, pop", "ambient song about the stars", "techno", "not instrumental, rock"],
)
def test_a_prompt_that_only_mentions_instrumental_is_sung(prompt):
    assert sung_lines(song(prompt).lyrics)


def test_a_presumed_instrumental_has_a_note():
    assert any("vocals" in note for note in song("dark ambient drone").notes)
    assert song("ambient, instrumental").notes == ()


@pytest.mark.parametrize(
    ("prompt", "unwanted"),
    [
        ("trip hop, no drums", r"(?<!no )drum|breakbeat|snare"),
        ("folk about trees without guitar", r"(?<!no )guitar"),
        ("pop without drums, bass or guitar", r"(?<!no )(drum|guitar|bass)"),
        ("funk, no horns or synths", r"(?<!no )(horn|synth|brass)"),
        ("rock but don't use electric guitar", r"(?<!no )electric guitar"),
        ("a love song, not sad", r"sad"),
        ("dance music, not techno", r"techno"),
    ],
)
def test_excluded_terms_are_not_in_the_tags(prompt, unwanted):
    for seed in range(15):
        assert not re.search(unwanted, song(prompt, seed=seed).tags)


def test_a_negation_ends_with_its_list():
    assert {"no drums", "piano", "soft strings"} <= set(tags("pop, no drums, piano and soft strings"))


@pytest.mark.parametrize(
    ("prompt", "kept"),
    [
        ("rock at 143 bpm in F# minor, 6/8", {"rock", "143 bpm", "F# minor", "6/8 time"}),
        ("key of Bb, tempo 96, jazz", {"Bb major", "96 bpm", "jazz"}),
        ("E-flat major waltz", {"Eb major", "waltz"}),
        ("90s boom bap with crisp snare, dusty piano and slap bass, male voice", {"90s", "boom bap", "crisp snare", "dusty piano", "slap bass", "male voice"}),
        ("broken accordion, theremin, whispered, drum & bass", {"broken accordion", "theremin", "whispered vocals", "drum & bass"}),
        ("dusty lounge, exotica, vibraphone, mellow", {"vibraphone", "mellow", "exotica", "dusty lounge"}),
        ("pop punk, duet, very fast", {"pop punk", "duet", "very fast"}),
    ],
)  # fmt: skip
def test_terms_in_the_prompt_are_in_the_tags(prompt, kept):
    for seed in range(5):
        assert kept <= set(tags(prompt, seed=seed))


def test_longer_terms_win_over_shorter_ones_inside_them():
    assert "hip hop" not in tags("trip hop about rain")
    assert "bass" not in tags("drum and bass")
    assert "male voice" not in tags("female voice pop")
    assert "house" not in tags("a folk song about my house")


@pytest.mark.parametrize("prompt", ["", "sea", "techno", SEA, "happy", "🎉"])
def test_there_are_about_ten_tags_with_a_genre_and_a_tempo(prompt):
    for seed in range(10):
        found = tags(prompt, seed=seed)
        assert 8 <= len(found) <= 12
        assert len(set(found)) == len(found)
        assert sum(bool(re.fullmatch(r"\d+ bpm", tag)) for tag in found) == 1
        assert {name for genre in lexicon.GENRES for name in genre.names} & set(found)


def test_slow_and_fast_change_the_tempo():
    def bpm(prompt: str) -> int:
        return int(re.search(r"(\d+) bpm", song(prompt).tags)[1])

    assert bpm("slow rock") < bpm("rock") < bpm("fast rock")
    assert bpm("sad house") < bpm("energetic house")


def test_a_quoted_line_is_sung_word_for_word_and_repeated():
    line = "We’re the Light — of the morning"
    lyrics = song(f"uplifting pop, “{line}”", duration=120).lyrics
    assert lyrics.count(line) >= 2
    assert "verse" in sections(lyrics)


def test_enough_quoted_lines_are_the_whole_song():
    lines = ["one for the money", "two for the show", "three to get ready", "four to go home", "five for the morning"]
    lyrics = song("rock: " + " ".join(f'"{line}"' for line in lines), duration=30).lyrics
    assert sung_lines(lyrics) == lines


def test_given_lyrics_do_not_change():
    given = "[Verse 1]\nI don’t  know, “love”\n  (ooh)\n\n[Chorus]\nLa la — la!"
    assert song(f"soft rock, 90 bpm. Lyrics:\n{given}").lyrics == given
    assert song(f"soft rock\n\n{given}").lyrics == given


def test_given_lyrics_do_not_affect_the_style():
    words = song("folk\nlyrics:\nheavy metal drums in the rain\ntechno techno all night")
    assert "folk" in words.tags
    assert not re.search("metal|techno", words.tags)


def test_given_lyrics_without_marks_get_them():
    words = song("pop, lyrics: first line / second line")
    assert words.lyrics == "[verse]\nfirst line\nsecond line"
    refrain = song("pop\nlyrics:\na b\nc d\n\nhey hey\n\ne f\n\nhey hey").lyrics
    assert sections(refrain) == ["verse", "chorus", "verse", "chorus"]


def test_given_lyrics_that_do_not_fit_have_a_note():
    words = song("pop, lyrics:\n" + "\n".join(f"line {n}" for n in range(40)), duration=30)
    assert len(sung_lines(words.lyrics)) == 40
    assert any("40 lines" in note for note in words.notes)


@pytest.mark.parametrize("given", ["[inst]", "[Instrumental]", "none", "n/a", "(no vocals)", "instrumental only"])
def test_lyrics_given_as_no_vocals_mean_no_vocals(given):
    assert song(f"pop\nlyrics: {given}").lyrics == "[inst]"


@pytest.mark.parametrize(
    "given",
    [
        "**[Chorus]**\nWalk me home\n\n**[Verse 2]**\nThe ferry leaves",
        "### Chorus\nWalk me home\n\n### Verse 2\nThe ferry leaves",
        "Chorus:\nWalk me home\n\nVerse 2:\nThe ferry leaves",
        "\ufeff[Chorus] Walk me home\n\n[Verse 2] The ferry leaves",
    ],
)
def test_given_lyrics_are_found_in_any_dress_and_noted(given):
    words = song(f"soft rock with a piano\n\n{given}")
    assert words.lyrics == "[Chorus]\nWalk me home\n\n[Verse 2]\nThe ferry leaves"
    assert any(note.startswith("lyrics: ") for note in words.notes)


def test_one_part_named_in_a_description_is_no_lyrics():
    assert "rock" in song("rock song about rain\nChorus: loud and catchy\nlong outro").tags


def test_a_style_named_like_an_artist_is_kept():
    words = song("in the style of Motown, about my car")
    assert "motown" in words.tags
    assert words.notes == ()


def test_an_artist_is_left_out_with_a_note():
    words = song("in the style of Zara Quill, synth-pop about rain")
    assert "Quill" not in words.tags + words.lyrics
    assert any("Zara Quill" in note for note in words.notes)


@pytest.mark.parametrize(
    "prompt",
    ["", " ", "\n", "?", "…", "🌊🌊🌊", "a", "0", "[", "{s}", "{0}", "[verse]", "lyrics:", '""', "%s \\1 \x00", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "a" * 5000, "no " * 1600, "(" * 5000, '"' * 4999, "about " * 800, "sad, " * 1000],
)  # fmt: skip
def test_any_prompt_gives_a_song(prompt):
    words = song(prompt)
    assert 8 <= len(words.tags.split(", ")) <= 19
    assert sung_lines(words.lyrics) or words.lyrics == "[inst]"
    assert max(map(len, words.tags.split(", "))) <= 60
    assert "{s}" not in words.lyrics or prompt == "{s}"


def test_a_pasted_page_is_read_quickly_and_not_sung():
    page = "The harbour was quiet and the boats lay still when Maria came down to the water with her brother. " * 50
    words = song(page[:5000])
    assert all(len(line) < 90 for line in sung_lines(words.lyrics))


def test_emoji_give_the_subject():
    assert "the sea" in song("🌊").lyrics


def test_the_song_text_names_its_writer():
    assert song(SEA).writer == "rules"


def test_writing_opens_no_socket(monkeypatch):
    def refuse(*_):
        raise AssertionError("the rules need no network")

    monkeypatch.setattr(socket, "socket", refuse)
    assert song(SEA).lyrics


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_songbook_has_what_the_writer_needs(language):
    book = songbook(language)
    for section, key, fewest in [
        ("frames", "subject", 12), ("frames", "thing", 8), ("frames", "person", 5), ("frames", "name", 4),
        ("frames", "place", 3), ("frames", "age", 3), ("frames", "title", 3), ("times", "any", 18), ("leads", "any", 20),
    ]:  # fmt: skip
        items = book.items(section, key)
        assert len(items) >= fewest, (section, key)
        assert len(set(items)) == len(items)
    assert all("{s}" in frame for frame in book.items("frames", "subject"))
    assert all("{n}" in frame for frame in book.items("frames", "person"))
    assert len(book.tables["tails"]) >= 4
    assert all(len(book.items("tails", rhyme)) >= 4 for rhyme in book.tables["tails"])
    assert set(book.themes) <= set(songbook("en").themes)


@pytest.mark.slow
def test_every_foreign_style_word_has_a_known_translation():
    for language in LANGUAGES[1:]:
        for word, english in songbook(language).tables["words"].items():
            assert read_brief(english).terms.by_kind or english in {"no", "without"}, (language, word)


def test_a_songbook_with_an_invalid_line_is_an_error():
    with pytest.raises(ValueError, match="one line only"):
        parse("en", "[leads]\none line only")


def test_a_theme_uses_its_own_things():
    text = song("a song about the sea", duration=120).lyrics.lower()
    assert sum(thing.lower() in text for thing in songbook("en").items("theme sea", "things")) >= 4


@pytest.mark.slow
def test_every_genre_is_found_by_each_of_its_names():
    for genre in lexicon.GENRES:
        for name in genre.names:
            assert genre in read_brief(f"{name}").genres, name


def test_every_length_of_every_pace_has_a_form():
    for duration in range(5, 241, 5):
        for bpm in (60, 100, 150):
            for rapped in (False, True):
                fewest, most = pace(bpm, rapped=rapped).lines(duration)
                assert 1 <= fewest <= most


def test_every_form_ends_on_a_chorus_or_an_outro():
    for duration in range(5, 241, 5):
        for rapped in (False, True):
            form = choose_form(pace(90, rapped=rapped), duration, Random(duration))
            assert section_name(form[-1][0]) in {"chorus", "outro"}
