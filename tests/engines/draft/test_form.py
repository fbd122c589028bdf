import pytest

from acestep_mcp.engines.draft.form import form, form_plan, planned_form, sung_lines, window_form, with_words

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
    return [part.name for part in form(lyrics, bars, 2.0) if part.kind != "solo"]


def test_sections_follow_the_marks():
    assert names(LYRICS, 30) == ["intro", "verse 1", "pre-chorus", "chorus", "bridge", "outro"]


@pytest.mark.parametrize("bars", [*range(1, 20), 37, 64, 150])
@pytest.mark.parametrize(
    "lyrics", ["", LYRICS, "just\nthree\nlines", "[verse]\n" + "a line\n" * 40, "[intro]\n[outro]"]
)
def test_a_form_fills_its_bars_and_loses_no_line(bars: int, lyrics: str):
    parts = form(lyrics, bars, 2.0)
    assert sum(part.bars for part in parts) == bars
    assert all(part.bars >= 1 for part in parts)
    assert [line for part in parts for line in part.lines] == sung_lines(lyrics)


def test_stanzas_without_marks_are_verses_and_what_comes_again_is_the_chorus():
    lyrics = "a\nb\n\nc\nd\n\ne\nf\n\nc\nd"
    assert [part.kind for part in form(lyrics, 40, 2.0) if part.lines] == ["verse", "chorus", "verse", "chorus"]


def test_nobody_sings_in_an_instrumental():
    for lyrics in ("", "[inst]", "[instrumental]"):
        assert not any(part.lines for part in form(lyrics, 30, 2.0))


def test_other_words_keep_the_sections():
    parts = form(LYRICS, 30, 2.0)
    same = with_words(parts, LYRICS.replace("four", "vier"))
    other = with_words(parts, "[verse]\nnew\nwords\nhere")
    for changed in (same, other):
        assert [(part.name, part.bars) for part in changed] == [(part.name, part.bars) for part in parts]
    assert "vier" in same[3].lines
    assert [line for part in other for line in part.lines] == ["new", "words", "here"]


def test_words_for_a_window_are_sung_in_the_window():
    parts = form(LYRICS, 30, 2.0)
    for lyrics in ("new line\nanother", "[chorus]\nnew line\nanother"):
        changed = window_form(parts, (6, 14), lyrics, 2.0)
        assert sum(part.bars for part in changed) == 30
        bar = 0
        for part in changed:
            assert not part.lines or (bar >= 6 and bar + part.bars <= 14)
            bar += part.bars
        assert [line for part in changed for line in part.lines] == ["new line", "another"]


def test_a_form_comes_back_from_its_plan():
    parts = form(LYRICS, 30, 2.0)
    assert planned_form(form_plan(parts), 30) == parts


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
def test_rubbish_is_no_form(plan: object):
    assert planned_form(plan, 30) is None
