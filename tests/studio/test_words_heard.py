"""What of the lyrics a transcript contains."""

import pytest

from acestep_mcp.studio.words_heard import words_heard

LYRICS = "[verse]\nSalt on the window\nDon't go, my love\n\n[chorus]\nThe ocean comes in\nOver the old stone wall"
HEARD = "salt on the window dont go my love the ocean comes in over the old stone wall"


@pytest.mark.parametrize(
    ("transcript", "share", "missing"),
    [
        (HEARD, 1.0, []),
        ("SALT on the window! Don\u2019t go - my love… The ocean comes in, over the old stone wall.", 1.0, []),
        ("The ocean comes in over the old stone wall. Salt on the window, don't go my love", 1.0, []),
        ("Thank you for watching", 0.0, LYRICS.splitlines()[1:3] + LYRICS.splitlines()[5:]),
        ("", 0.0, LYRICS.splitlines()[1:3] + LYRICS.splitlines()[5:]),
        ("salt on a window, the ocean came in, over the old stone wall", 0.65, ["Don't go, my love"]),
    ],
    ids=["exact", "punctuation", "other order", "other words", "nothing", "partly"],
)
def test_the_share_of_the_words_and_the_lines_that_were_not_heard(transcript, share, missing):
    assert words_heard(transcript, LYRICS) == {"share": share, "missing": missing}


def test_half_of_a_line_is_enough_and_marks_are_no_words():
    assert words_heard("one two", "[verse]\none two three four\n[chorus]") == {"share": 0.5, "missing": []}


def test_at_most_ten_lines_are_named_each_once():
    lyrics = "\n".join(["[verse]", *(f"line number{n}" for n in range(20)), "line number0"])
    assert words_heard("", lyrics)["missing"] == [f"line number{n}" for n in range(10)]


def test_languages_without_spaces_are_compared_by_character():
    assert words_heard("海の歌", "[verse]\n海の声\nさよなら") == {"share": 0.29, "missing": ["さよなら"]}


@pytest.mark.parametrize("lyrics", ["", "[inst]", "[verse]\n[chorus]"])
def test_lyrics_without_words_have_no_share(lyrics):
    assert words_heard("la la", lyrics) is None


def test_many_equal_words_are_compared_in_time():
    assert words_heard("la " * 5000, "[chorus]\n" + "la la la lo\n" * 500)["share"] == pytest.approx(0.75, abs=0.01)
