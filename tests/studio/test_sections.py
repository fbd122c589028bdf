"""Sections by name, and the marks that callers give."""

from pathlib import Path

import pytest

from acestep_mcp.api.errors import InvalidRequest, NotFound
from acestep_mcp.library.models import Track
from acestep_mcp.studio.sections import checked_marks, section_named, sections_of


def song(*names):
    rows = [{"name": name, "start": 4.0 * at, "end": 4.0 * (at + 1)} for at, name in enumerate(names)]
    return Track("song", Path("song.wav"), {"sections": rows, "audio": {"duration": 4.0 * max(4, len(names))}})


def begins(track, name):
    return section_named(track, name)[1][0]


@pytest.mark.parametrize("missing", ["chorus 2", "chorus 4", "Chorus (2)"])
def test_a_number_that_no_section_has_is_not_counted_among_numbered_ones(missing):
    with pytest.raises(NotFound, match=r"is not one of the song's sections; they are: chorus 1 \(0-4 s\), chorus 3"):
        section_named(song("chorus 1", "chorus 3"), missing)


def test_sections_without_a_number_are_counted_and_one_with_it_is_meant():
    track = song("Chorus", "verse", "chorus", "chorus 3")
    assert [begins(track, name) for name in ("chorus 1", "chorus 2", "chorus 3", "verse 1")] == [0, 8, 12, 4]


def test_each_section_has_a_name_of_its_own_in_whatever_case_and_with_whatever_number():
    names = ("Chorus", "chorus", "chorus 2", "CHORUS", "chorus 2")
    assert len({name.casefold() for name in sections_of(song(*names))}) == len(names)
    assert [begins(song(*names), name) for name in sections_of(song(*names))] == [0, 4, 8, 12, 16]


def test_a_wrong_mark_is_named_by_its_place_in_the_call():
    rows = [{"name": "b", "start": 8, "end": 12}, {"name": "", "start": 2, "end": 3}, {"name": "a", "start": 0}]
    with pytest.raises(InvalidRequest) as caught:
        checked_marks(song(), rows)
    assert [error.field for error in caught.value.fields] == ["sections.1"]


@pytest.mark.parametrize("name", ["", " \t", "\u200b", "\u202e", "\u200d", "\x00", "x" * 61])
def test_a_name_that_cannot_be_seen_or_is_too_long_is_refused(name):
    with pytest.raises(InvalidRequest, match=r"sections\.0: .* is no usable name"):
        checked_marks(song(), [{"name": name, "start": 0}])


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a\nb\x00c", "a bc"),
        ("\u202echorus\u200b", "chorus"),
        ("👩\u200d🎤 solo", "👩\u200d🎤 solo"),
        ("サビ\u3000二", "サビ 二"),
    ],
)
def test_a_name_is_kept_in_one_line_without_control_characters(name, kept):
    assert checked_marks(song(), [{"name": name, "start": 0}]) == [{"name": kept, "start": 0, "end": 16}]


def test_no_mark_is_too_short_to_be_made_again_and_there_are_not_too_many():
    for end in (1.0001, 1.09):
        with pytest.raises(InvalidRequest, match=r"a section lasts at least 0\.1 s"):
            checked_marks(song(), [{"name": "hit", "start": 1, "end": end}])
    assert checked_marks(song(), [{"name": "hit", "start": 1, "end": 1.1}])
    with pytest.raises(InvalidRequest, match=r"at most 200 sections \(got 201\)"):
        checked_marks(song(), [{"name": "s", "start": 0.01 * at} for at in range(201)])


@pytest.mark.parametrize(
    "times", [{"start": float("nan")}, {"start": 0, "end": float("nan")}, {"start": 0, "end": float("inf")}]
)
def test_a_mark_lies_at_seconds(times):
    with pytest.raises(InvalidRequest, match=r"sections\.0"):
        checked_marks(song(), [{"name": "verse", **times}])
