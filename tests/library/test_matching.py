"""Which names look alike, and which are near."""

import unicodedata

import pytest

from acestep_mcp.library.matching import alike, near


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        (unicodedata.normalize("NFD", "Café Müsli.wav"), unicodedata.normalize("NFC", "Café Müsli.wav")),
        (unicodedata.normalize("NFC", "naïve.wav"), unicodedata.normalize("NFD", "naïve.wav")),
        (unicodedata.normalize("NFD", "がくせい.wav"), "がくせい.wav"),
        ("Screen Recording 2026-11-28 at 9.41.07\u202fAM.wav", "Screen Recording 2026-11-28 at 9.41.07 AM.wav"),
        ("my\u00a0song.wav", "my song.wav"),
        ("my  song.wav", "my song.wav"),
        ("It\u2019s \u201cgood\u201d.wav", 'It\'s "good".wav'),
        ("It's.wav", "It\u2018s.wav"),
        ("rock \u2013 roll.wav", "rock - roll.wav"),
        ("rock-roll.wav", "rock\u2011roll.wav"),
        ("wait\u2026.wav", "wait....wav"),
        ("\u200bsong.wav", "song.wav"),
        ("love \u2764\ufe0f.wav", "love \u2764.wav"),
        ("\uff53ong.wav", "song.wav"),
        ("Song.WAV", "song.wav"),
    ],
)
def test_a_name_that_looks_the_same_is_the_same(there, asked):
    assert alike(asked, ["other.wav", there]) == [there]


@pytest.mark.parametrize(
    ("asked", "there"), [("cafe.wav", "café.wav"), ("song1.wav", "song 1.wav"), ("a.wav", "a.mp3"), ("o.wav", "0.wav")]
)
def test_a_name_that_looks_different_is_another(asked, there):
    assert alike(asked, [there]) == []


def test_two_that_look_the_same_are_both_found_and_the_same_case_comes_first():
    assert alike("It's.wav", ["It\u2019s.wav", "It\u2018s.wav", "IT\u2019S.wav"]) == ["It\u2019s.wav", "It\u2018s.wav"]
    assert alike("IT'S.wav", ["It\u2019s.wav", "It\u2018s.wav"]) == ["It\u2019s.wav", "It\u2018s.wav"]


def found(asked, *names):
    return near(asked, {name: (name,) for name in names})


def test_near_names_differ_in_a_few_letters_and_the_nearest_comes_first():
    names = ("2026-11-22 lofi chill (42).wav", "2026-11-22 lofi (42).wav", "2026-11-22 metal anthem (42).wav")
    assert found("lofi chil (42).wav", *names) == [names[0], names[1]]
    assert found("song t10.wav", "song t01.wav", "zebra.wav") == ["song t01.wav"]


def test_names_that_begin_with_what_was_asked_are_near():
    assert found("7kq2", "7kq2m9x1a0b3c4d5", "7kr2m9x1a0b3c4d5") == ["7kq2m9x1a0b3c4d5"]
    assert found("lofi", "2026-11-22 lofi chill, slow and warm (42).wav", "2026-11-22 metal.wav")[0].endswith(
        "(42).wav"
    )
    assert found("7k", "7kq2m9x1a0b3c4d5") == [], "two letters say little"


@pytest.mark.parametrize("asked", ["2026-11-22 polka.wav", "polka.wav", "polka", "", ".wav", "zzzzzzzzzzzzzzzz"])
def test_names_with_only_the_date_or_the_ending_in_common_are_not_near(asked):
    assert found(asked, "2026-11-22 lofi chill (42).wav", "2026-11-22 metal anthem (1).wav") == []
