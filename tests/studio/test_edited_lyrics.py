"""The lyrics of an edited song are the whole song's."""

import pytest

from acestep_mcp.studio.edited_lyrics import extended, replaced

SONG = "[verse]\na\nb\nc\nd\n\n[chorus]\ne\nf"
SECTIONS = [
    {"name": name, "start": start, "end": end}
    for name, start, end in (("intro", 0, 4), ("verse", 4, 12), ("chorus", 12, 20), ("outro", 20, 24))
]
TWICE = "[Verse]\na\nb\n[Chorus]\nc\n[Verse]\nd\n[Chorus - loud]\nc"
TWICE_SECTIONS = [
    {"name": name, "start": 4 * number, "end": 4 * number + 4}
    for number, name in enumerate(("verse 1", "chorus 1", "solo", "verse 2", "chorus 2"))
]


@pytest.mark.parametrize(
    ("window", "new", "whole"),
    [
        ((8, 12), "x\ny", "[verse]\na\nb\nx\ny\n\n[chorus]\ne\nf"),
        ((8, 12), "[verse]\nx\ny", "[verse]\na\nb\nx\ny\n\n[chorus]\ne\nf"),
        ((8, 12), "[bridge]\nx", "[verse]\na\nb\n\n[bridge]\nx\n\n[chorus]\ne\nf"),
        ((4, 12), "x\ny", "[verse]\nx\ny\n\n[chorus]\ne\nf"),
        ((4, 12), "[Verse 2]\nx", "[Verse 2]\nx\n\n[chorus]\ne\nf"),
        ((6, 8), "x", "[verse]\na\nx\nc\nd\n\n[chorus]\ne\nf"),
        ((6, 8), "[chorus]\nx", "[verse]\na\n\n[chorus]\nx\n\n[verse]\nc\nd\n\n[chorus]\ne\nf"),
        ((10, 16), "x", "[verse]\na\nb\nc\nx\n\n[chorus]\nf"),
        ((12, 20), "x", "[verse]\na\nb\nc\nd\n\n[chorus]\nx"),
        ((0, 3), "[intro]\nx", "[intro]\nx\n[verse]\na\nb\nc\nd\n\n[chorus]\ne\nf"),
        ((21, 24), "[chorus]\nx", "[verse]\na\nb\nc\nd\n\n[chorus]\ne\nf\n\n[chorus]\nx"),
        ((0, 24), "x", "[verse]\nx"),
        ((12, 20), "[solo]", "[verse]\na\nb\nc\nd\n\n[solo]"),
        ((8, 12), "", "[verse]\na\nb\n\n[chorus]\ne\nf"),
        ((4, 12), "[inst]", "[chorus]\ne\nf"),
        ((0, 24), "", "[inst]"),
        ((20, 24), "", SONG),
    ],
)
def test_new_words_stand_where_they_are_sung_and_all_others_stay(window, new, whole):
    assert replaced(SONG, new, window, SECTIONS, 24).text == whole


@pytest.mark.parametrize(
    ("window", "new", "whole"),
    [
        ((16, 20), "[Chorus]\nx", "[Verse]\na\nb\n[Chorus]\nc\n[Verse]\nd\n[Chorus]\nx"),
        ((8, 12), "[Bridge]\nx", "[Verse]\na\nb\n[Chorus]\nc\n[Bridge]\nx\n[Verse]\nd\n[Chorus - loud]\nc"),
        ((2, 18), "", "[Verse]\na\n[Chorus - loud]\nc"),
    ],
)
def test_sections_that_occur_twice_are_told_apart(window, new, whole):
    assert replaced(TWICE, new, window, TWICE_SECTIONS, 20).text == whole


@pytest.mark.parametrize(
    ("new", "whole"),
    [
        (SONG.replace("\nc", "\nnew"), SONG.replace("\nc", "\nnew")),
        (SONG.replace("\nc", "\nnew").replace("\ne", "\nnot in the window"), SONG.replace("\nc", "\nnew")),
        ("[verse]\na\nb\nnew\n[chorus]\ne\nf", "[verse]\na\nb\nnew\n[chorus]\ne\nf"),
    ],
)
def test_lyrics_of_the_whole_song_are_not_put_into_the_window(new, whole):
    assert replaced(SONG, new, (8, 12), SECTIONS, 24).text == whole


@pytest.mark.parametrize("changed", ["\nb", "\nf"])
def test_lyrics_of_the_whole_song_change_no_line_where_nothing_is_sung_in_the_window(changed):
    assert replaced(SONG, SONG.replace(changed, "\nnew"), (0, 3), SECTIONS, 24).text == SONG
    assert extended(SONG, SONG.replace(changed, "\nnew"), before=False).text == SONG
    longer = SONG.replace(changed, "\nnew") + "\n\n[outro]\nx"
    assert extended(SONG, longer, before=False).text == SONG + "\n\n[outro]\nx"
    earlier = "[intro]\nx\n\n" + SONG.replace("\na", "\nnew")
    assert extended(SONG, earlier, before=True).text == "[intro]\nx\n\n" + SONG


def test_a_chorus_that_is_sung_again_is_not_the_whole_song():
    assert extended("[chorus]\na\nb", "[chorus]\na\nx", before=False).text == "[chorus]\na\nb\n\n[chorus]\na\nx"


def test_without_times_of_sections_the_lines_are_spread_over_the_song_and_that_is_said():
    found = replaced("a\nb\n\nc\nd", "x", (5, 10), [], 20)
    assert (found.text, found.is_estimated) == ("a\nx\n\nc\nd", True)
    assert not replaced(SONG, "x", (8, 12), SECTIONS, 24).is_estimated
    assert not replaced("a\nb", "x\ny", (0, 20), [], 20).is_estimated


def test_words_whose_section_is_unknown_stand_between_those_that_are_known():
    lyrics = "[verse]\na\nb\n[hook]\nh\nk\n[chorus]\nc\n[outro]\no"
    sections = [{"name": "verse", "start": 2, "end": 6}, {"name": "chorus", "start": 10, "end": 14}]
    assert replaced(lyrics, "", (6, 8), sections, 18).text == "[verse]\na\nb\n[hook]\nk\n[chorus]\nc\n[outro]\no"
    assert replaced(lyrics, "", (14, 18), sections, 18).text == "[verse]\na\nb\n[hook]\nh\nk\n[chorus]\nc"
    assert replaced(lyrics, "x", (6, 8), sections, 18).is_estimated
    assert not replaced(lyrics, "x", (2, 6), sections, 18).is_estimated


def test_lines_that_are_no_longer_sung_are_counted():
    assert replaced(SONG, "", (8, 16), SECTIONS, 24).removed == 3
    assert replaced("[inst]", "", (8, 16), [], 24).text == "[inst]"
    assert replaced("[inst]", "[verse]\nx", (8, 16), [], 24).text == "[verse]\nx"


@pytest.mark.parametrize(
    ("old", "new", "before", "whole"),
    [
        ("[verse]\na", "[outro]\nx", False, "[verse]\na\n\n[outro]\nx"),
        ("[verse]\na", "[intro]\nx", True, "[intro]\nx\n\n[verse]\na"),
        ("[verse]\na", "", False, "[verse]\na"),
        ("[verse]\na", "[inst]", True, "[verse]\na"),
        ("[inst]", "x", False, "x"),
        ("[verse]\na\nb", "[verse]\nA\nb\n[outro]\nx", False, "[verse]\nA\nb\n[outro]\nx"),
    ],
)
def test_an_added_part_leaves_the_old_words_and_adds_its_own(old, new, before, whole):
    assert extended(old, new, before=before).text == whole


@pytest.mark.parametrize(
    "new", ["**[Refrão]**\nx", "### Chorus\nx", "【副歌】\nx", "[Chorus - whispered]\n[softly]\nx"]
)
def test_dressed_and_foreign_marks_and_stage_directions_are_no_words(new):
    found = replaced(SONG, new, (12, 20), SECTIONS, 24)
    assert found.text.startswith("[verse]\na\nb\nc\nd\n\n[")
    assert found.text.endswith("\nx")
    assert extended("[Strophe]\na\nb", new, before=False).text.startswith("[verse]\na\nb\n\n[")


def test_marks_in_other_languages_find_their_sections():
    lyrics = "[Estrofa]\na\nb\n[Estribillo]\nc"
    sections = [{"name": "verse", "start": 0, "end": 8}, {"name": "chorus", "start": 8, "end": 16}]
    found = replaced(lyrics, "x", (8, 16), sections, 20)
    assert (found.text, found.is_estimated) == ("[verse]\na\nb\n[chorus]\nx", False)
