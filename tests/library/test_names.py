import itertools

import pytest

from acestep_mcp.library.names import file_stems, safe_name, title_of


def test_a_name_has_date_title_and_seed_and_is_numbered_when_taken():
    assert list(itertools.islice(file_stems("2026-11-22", "lofi hiphop chill", 42), 3)) == [
        "2026-11-22 lofi hiphop chill (42)",
        "2026-11-22 lofi hiphop chill (42) 2",
        "2026-11-22 lofi hiphop chill (42) 3",
    ]


@pytest.mark.parametrize("text", ['a/b\\c:d*e?f"g<h>i|j', "..", "", "\x00\x1f", "CON", "trailing. ", "🎵🎵", "a\n\tb"])
def test_any_text_becomes_a_valid_windows_name(text):
    name = safe_name(text)
    assert name
    assert not set(name) & set('/\\:*?"<>|\x00\n\t.')
    assert name == name.strip()
    assert name.lower() not in {"con", "nul", "aux", "prn"}


def test_letters_of_every_script_are_kept():
    assert safe_name("桜の歌 самба أغنية") == "桜の歌 самба أغنية"


def test_a_long_name_is_cut_at_a_word_and_fits_every_file_system():
    assert len(safe_name("длинное слово " * 50).encode()) <= 120
    assert len(safe_name("x" * 500).encode()) <= 120


def test_a_title_is_the_prompt_or_else_the_first_tags():
    assert title_of("lofi, hiphop, chill, warm, vinyl") == "lofi hiphop chill warm"
    assert title_of("lofi", "a song  about\nrain") == "a song about rain"
    assert title_of("") == "song"
    assert len(title_of("", "word " * 60)) <= 60
