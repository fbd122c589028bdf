import pytest

from acestep_mcp.engines.draft.form import make_form, sung_lines, window_form, with_lyrics
from acestep_mcp.engines.draft.form_section import form_from_plan, form_to_plan

LYRICS = """[intro]
[Verse 1]
one
two
[Pre-Chorus]
three
[Chorus]
four
five
[Bridge: soft]
six
[outro]
"""


def names(lyrics: str, bars: int) -> list[str]:
    return [section.name for section in make_form(lyrics, bars, 2.0) if section.kind != "solo"]


def test_sections_follow_the_marks():
    assert names(LYRICS, 30) == ["intro", "verse 1", "pre-chorus", "chorus", "bridge", "outro"]


@pytest.mark.parametrize("bars", [*range(1, 20), 37, 64, 150])
@pytest.mark.parametrize(
    "lyrics", ["", LYRICS, "just\nthree\nlines", "[verse]\n" + "a line\n" * 40, "[intro]\n[outro]"]
)
def test_a_form_fills_its_bars_and_loses_no_line(bars: int, lyrics: str):
    sections = make_form(lyrics, bars, 2.0)
    assert sum(section.bars for section in sections) == bars
    assert all(section.bars >= 1 for section in sections)
    assert [line for section in sections for line in section.own_lines] == sung_lines(lyrics)
    assert {line for section in sections for line in section.lines} == set(sung_lines(lyrics))


def test_stanzas_without_marks_are_verses_and_a_repeated_one_is_the_chorus():
    lyrics = "a\nb\n\nc\nd\n\ne\nf\n\nc\nd"
    assert [section.kind for section in make_form(lyrics, 40, 2.0) if section.lines] == [
        "verse",
        "chorus",
        "verse",
        "chorus",
    ]


def test_an_instrumental_has_no_sung_lines():
    for lyrics in ("", "[inst]", "[instrumental]", "Instrumental only", "(no vocals)", "纯音乐"):
        assert not any(section.lines for section in make_form(lyrics, 30, 2.0))


def test_the_form_follows_marks_in_any_dress_and_language():
    lyrics = "**[Estribillo]**\none\n### Guitar Solo\n[Final Chorus] two\n[whispered]\nthree (softly)\n[End]"
    sections = [section for section in make_form(lyrics, 40, 2.0) if section.name not in {"intro", "solo"}]
    assert [(section.name, section.kind) for section in sections] == [
        ("chorus", "chorus"), ("guitar solo", "solo"), ("final chorus", "chorus"), ("end", "outro"),
    ]  # fmt: skip
    assert sung_lines(lyrics) == ["one", "two", "three"]


def test_other_lyrics_keep_the_sections():
    sections = make_form(LYRICS, 30, 2.0)
    same = with_lyrics(sections, LYRICS.replace("four", "vier"))
    other = with_lyrics(sections, "[verse]\nnew\nwords\nhere")
    for changed in (same, other):
        assert [(section.name, section.bars) for section in changed] == [
            (section.name, section.bars) for section in sections
        ]
    assert "vier" in same[3].lines
    assert [line for section in other for line in section.lines] == ["new", "words", "here"]


def test_lyrics_for_a_window_are_sung_in_the_window():
    sections = make_form(LYRICS, 30, 2.0)
    for lyrics in ("new line\nanother", "[chorus]\nnew line\nanother"):
        changed = window_form(sections, (6, 14), lyrics, 2.0)
        assert sum(section.bars for section in changed) == 30
        bar = 0
        for section in changed:
            assert not section.lines or (bar >= 6 and bar + section.bars <= 14)
            bar += section.bars
        assert [line for section in changed for line in section.lines] == ["new line", "another"]


def test_a_form_survives_its_plan():
    sections = make_form(LYRICS, 30, 2.0)
    assert form_from_plan(form_to_plan(sections), 30) == sections


@pytest.mark.parametrize(
    "plan",
    [
        None,
        [],
        {},
        [["a"]],
        [["a", "verse", 0, 0.5, [], 0]],
        [["a", "b", 30, 0.5, [], 0]],
        [["a", "verse", 30, 9, [], 0]],
        [["a", "verse", 30, 0.5, [1], 0]],
    ],
)
def test_an_invalid_plan_gives_no_form(plan: object):
    assert form_from_plan(plan, 30) is None


_WORDS = "[verse]\n" + "a line\n" * 4 + "[chorus]\n" + "a bell\n" * 4
_FEW, _MANY = _WORDS * 2, _WORDS * 3


@pytest.mark.parametrize(("lyrics", "seconds"), [(_FEW, 120), (_FEW, 240), (_MANY, 120), (_MANY, 200), (_WORDS, 180)])
@pytest.mark.parametrize("bar", [1.4, 2.0, 2.6, 3.4])
def test_most_of_a_song_with_words_is_sung_without_long_holes(lyrics: str, seconds: float, bar: float):
    bars = round(seconds / bar)
    sections = make_form(lyrics, bars, bar)
    assert 0.6 * bars <= sum(section.bars for section in sections if section.lines) <= 0.85 * bars
    assert all(section.bars <= (8 if section.kind in {"intro", "outro"} else 16) for section in sections)
    assert max(section.bars for section in sections if not section.lines) * bar <= 28


@pytest.mark.parametrize("lyrics", ["", _WORDS, _FEW, "[intro]\n" + _WORDS + "[outro]"])
@pytest.mark.parametrize("bar", [1.4, 2.0, 2.9])
def test_a_short_song_spends_little_time_on_intro_and_outro(lyrics: str, bar: float):
    bars = round(30 / bar)
    edges = [section.bars for section in make_form(lyrics, bars, bar) if section.kind in {"intro", "outro"}]
    assert sum(edges) <= 0.2 * bars


def test_choruses_are_sung_again_where_the_words_are_few():
    sections = make_form(_WORDS, 90, 2.0)
    assert sum(section.repeated for section in sections if section.kind == "chorus") >= 4
    new = with_lyrics(sections, _WORDS.replace("a bell", "another bell"))
    assert [len(section.lines) for section in new] == [len(section.lines) for section in sections]
    assert {line for section in new for line in section.lines} == {"a line", "another bell"}


def test_long_lines_get_more_bars_than_short_ones_where_a_song_has_few():
    long = "the river runs the mill is still and morning comes\n"
    lyrics = f"[verse]\n{4 * long}[chorus]\nstay with me\nunder the light\nstay with me\nunder the sky\n"
    sung = {one.kind: one.bars / len(one.lines) for one in make_form(lyrics, 15, 1.8) if one.lines}
    assert sung["verse"] == 2
    assert sung["chorus"] < 1.5
    even = lyrics.replace("stay with me", long.strip()).replace("under the", "the river runs the mill is still and")
    same = {one.kind: one.bars / len(one.lines) for one in make_form(even, 20, 1.8) if one.lines}
    assert same["chorus"] >= same["verse"]


@pytest.mark.parametrize(("bars", "verse", "whole"), [(20, 1, 1), (24, 1.5, 1), (30, 2, 2)])
def test_long_lines_of_verses_get_a_bar_and_a_half_where_two_are_too_many(bars: int, verse: float, whole: float):
    long, short = 4 * "the river runs the mill is still and morning comes\n", 4 * "under the light\n"
    lyrics = 2 * f"[verse]\n{long}[chorus]\n{short}"
    for halves, expected in ((True, verse), (False, whole)):
        sections = make_form(lyrics, bars, 60 / bars, halves=halves)
        assert {one.bars / len(one.lines) for one in sections if one.kind == "verse"} == {expected}
        assert sum(one.bars for one in sections if one.lines) <= 0.85 * bars
