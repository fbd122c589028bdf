"""What a request says is read before an engine or a host gets it, and what cannot be done is noted."""

from __future__ import annotations

import sys

import pytest

from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.api.requests import AudioOutpaint, AudioToAudio, PromptToAudio, TextToAudio
from acestep_mcp.readers.request_texts import read_texts

LYRICS = "[verse]\nWalk me home"


def test_plain_texts_are_the_same_request_without_a_note() -> None:
    request = TextToAudio(tags="folk", lyrics=LYRICS)
    assert read_texts(request) == (request, ())


def test_every_lyrics_field_is_read_and_named_and_absent_fields_stay_absent() -> None:
    request = AudioToAudio(
        audio_url="x", original_tags="a", tags="b", lyrics="**[verse]**\nOne", original_lyrics="Instrumental"
    )
    read, notes = read_texts(request)
    assert read.wire() == request.wire() | {"lyrics": "[verse]\nOne", "original_lyrics": "[inst]"}
    assert [note.split(":")[0] for note in notes] == ["lyrics", "original_lyrics"]


@pytest.mark.parametrize("tags", ["", "  ", ",", "-"])
def test_tags_without_a_word_are_noted(tags: str) -> None:
    assert read_texts(TextToAudio(tags=tags))[1][0].startswith("tags: no style is named")


@pytest.mark.parametrize(
    "request_",
    [
        TextToAudio(tags="pop", lyrics="\n".join(f"line {n}" for n in range(200)), duration=5),
        AudioOutpaint(audio_url="x", tags="pop", lyrics="[verse]\n" + "a line\n" * 200, extend_after_duration=5),
    ],
    ids=["song", "outpaint"],
)
def test_more_lines_than_can_be_sung_are_noted(request_: TextToAudio) -> None:
    _, notes = read_texts(request_)
    assert "200 lines are too many for 5 s, where about 1" in notes[0]


def test_fast_rap_is_not_noted() -> None:
    assert read_texts(TextToAudio(tags="rap", lyrics="[verse]\n" + "a line\n" * 24, duration=60))[1] == ()


@pytest.mark.parametrize("prompt", ["", " \n"])
def test_an_empty_prompt_is_refused_with_an_example(prompt: str) -> None:
    with pytest.raises(InvalidRequest, match=r"prompt.*must not be empty; describe the song in a sentence"):
        PromptToAudio.parse({"prompt": prompt})


@pytest.mark.parametrize(
    "lyrics",
    [
        "[Chorus x8]\n" + "la la (x8)\n" * 1800,
        "[Chorus]\n" + "la\n" * 3000 + "[Repeat Chorus]\n" * 100,
    ],
    ids=["counts", "marks"],
)
def test_lyrics_that_repeat_too_much_are_sung_once_and_the_request_stays_valid(lyrics: str) -> None:
    read, notes = read_texts(TextToAudio(tags="pop", lyrics=lyrics))
    assert len(read.lyrics) <= len(lyrics)
    assert any("sung once, since the lyrics would be too long" in note for note in notes)
    assert TextToAudio.parse(read.wire()) == read


def test_the_work_of_finding_singers_grows_with_the_lines_and_not_with_their_square() -> None:
    """Counted in calls, which do not depend on the machine."""

    def work(lines: int) -> int:
        text = "Anna: la\n" * lines
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count)
        try:
            read_texts(TextToAudio(tags="pop", lyrics=text))
        finally:
            sys.setprofile(None)
        return calls

    assert work(400) < 2.5 * work(200)
