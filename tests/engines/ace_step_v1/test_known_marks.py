"""ACE-Step v1 is told sections by the marks that it has tokens for, and no stage directions."""

from __future__ import annotations

import pytest

from acestep_mcp.api.requests import AudioToAudio
from acestep_mcp.engines.ace_step_v1.lyrics.known_marks import KNOWN, mark_notes, told_to_model, with_known_marks
from acestep_mcp.engines.model.language import is_tag, printable


def test_lyrics_with_marks_that_the_model_knows_stay_the_same_to_the_byte() -> None:
    plain = "\n".join(f"[{mark}]\n  Walk me home (ooh)  \n\n[{mark.title()} 2]\nyeah, 3 times" for mark in KNOWN)
    assert with_known_marks(plain) == plain


@pytest.mark.parametrize(
    ("mark", "known"),
    [
        ("[Final Chorus]", "[chorus]"), ("[Guitar Solo]", "[solo]"), ("[Chorus - whispered]", "[chorus]"), ("[Refrain]", "[chorus]"),
        ("[Verse 1: Ana]", "[verse]"), ("[Interlude]", "[inst]"), ("[Instrumental Break]", "[inst]"), ("[Pre Chorus]", "[pre-chorus]"),
        ("[Estribillo]", "[chorus]"), ("**[Coro final]**", "[chorus]"), ("【副歌】", "[chorus]"), ("[Hook - soft]", "[hook]"),
        ("[Breakdown]", "[break]"), ("[Ending]", "[outro]"), ("[Drop]", "[hook]"), ("[Build]", "[pre-chorus]"),
    ],
)  # fmt: skip
def test_other_marks_become_the_nearest_one(mark: str, known: str) -> None:
    assert with_known_marks(f"{mark}\nWalk me home") == f"{known}\nWalk me home"


@pytest.mark.parametrize(
    "lyrics", ["", "[inst]", "[Instrumental]", "Instrumental only", "(no vocals)", "[intro]\n[outro]", "纯音乐"]
)
def test_lyrics_without_words_are_one_mark(lyrics: str) -> None:
    assert with_known_marks(lyrics) == "[inst]"


def test_stage_directions_are_left_out_with_a_note() -> None:
    lyrics = "[Verse]\n[applause]\nWalk me home\n[Chorus - whispered]\nHome"
    assert with_known_marks(lyrics) == "[Verse]\nWalk me home\n[chorus]\nHome"
    [note] = mark_notes(lyrics)
    assert "[applause], [whispered]" in note
    assert mark_notes("[Verse 1: Ana]\nWalk me home (ooh)") == ()


def test_both_lyrics_of_an_edit_are_told_so() -> None:
    request = AudioToAudio(audio_url="x", original_tags="a", tags="b", lyrics="[Refrain]\nOne", original_lyrics="none")
    told = told_to_model(request)
    assert (told.lyrics, told.original_lyrics) == ("[chorus]\nOne", "[inst]")


@pytest.mark.parametrize(
    "line", ["[Chorus]", "**[Chorus]**", "\ufeff[Chorus]", "### [Chorus]", "\u200b[Chorus] la", "> [Chorus]"]
)
def test_a_dressed_mark_is_a_mark(line: str) -> None:
    assert is_tag(line)
    assert not is_tag("Walk me [home]")


def test_the_time_of_a_line_is_not_part_of_it() -> None:
    assert printable("[00:12.00]The ferry leaves") == "The ferry leaves"
    assert printable("10:30 leaves the ferry") == "10:30 leaves the ferry"
