"""Tempo, key and metre of a description in the tags that are written for it."""

# ruff: noqa: RUF001 - letters of other alphabets are intended

import pytest

from acestep_mcp.songwriter.writer import write_by_rules


def tags(prompt: str) -> set[str]:
    return set(write_by_rules(prompt, instrumental=False, duration=30, seed=1).tags.split(", "))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a folk song about the sea at 97 beats per minute in D minor", {"97 bpm", "D minor"}),
        ("techno between 124 and 128 bpm about robots", {"126 bpm"}),
        ("rock in 5/4, 120.5 bpm, about trains", {"120.5 bpm", "5/4 time"}),
        ("a ballad in 6/8, dotted quarter = 60, in E flat", {"90 bpm", "6/8 time", "Eb major"}),
        ("pop, Am, 120", {"120 bpm", "A minor"}),
        ("progressive rock in 7 about clocks", {"7/8 time"}),
        ("folk song in G dorian about rain", {"G dorian"}),
        ("ein Lied in a-Moll über das Meer, Tempo 100", {"100 bpm", "A minor"}),
        ("une chanson en la mineur sur la mer", {"A minor"}),
        ("песня о море, ля минор, темп 90", {"90 bpm", "A minor"}),
        ("海の歌、イ短調、BPMは90", {"90 bpm", "A minor"}),
    ],
)
def test_a_tempo_a_key_and_a_metre_become_tags(prompt: str, expected: set[str]):
    assert expected <= tags(prompt)


@pytest.mark.parametrize(
    "prompt", ["a ballad about vitamin C", "pop with a major lift about plan B", "our day was 3/4/2024, a love song"]
)
def test_other_letters_and_numbers_become_no_key_and_no_metre(prompt: str):
    found = tags(prompt)
    assert not [tag for tag in found if tag.endswith((" major", " minor", " time"))]


def test_an_italian_term_is_a_tag_and_sets_the_tempo():
    found = tags("an adagio for strings about snow")
    assert "adagio" in found
    assert [tag for tag in found if tag.endswith(" bpm") and 64 <= int(tag[:2]) <= 76]


def test_what_was_read_is_not_a_tag_a_second_time():
    found = tags("pop, E dorian, ninety bpm, time signature 5/4, shiny")
    assert {"E dorian", "90 bpm", "5/4 time", "shiny"} <= found
    assert not {"e dorian", "ninety bpm", "time signature 5/4", "time signature"} & found
