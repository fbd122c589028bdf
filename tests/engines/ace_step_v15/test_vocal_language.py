"""The language that ACE-Step 1.5 is told, for songs in each of its fifty languages and in some others."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from acestep_mcp.engines.ace_step_v15.vocal_language import LANGUAGES, vocal_language
from tests.engines.ace_step_v1.test_lyrics_language import songs

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("py3langid") is None, reason="acestep-mcp[engine] is not installed: no py3langid"
)

SONGS = dict(
    block.split("\n", 1)
    for block in (Path(__file__).parent / "more_languages.txt").read_text(encoding="utf-8").split("\n== ")[1:]
)
KNOWN = {name: song for name, song in SONGS.items() if not name.startswith("not known: ")}
OTHERS = {name: song for name, song in SONGS.items() if name not in KNOWN}


def labelled() -> list[tuple[str, str]]:
    """The songs in the seventeen languages of v1, each with the language of most lines."""
    found = []
    for file in ("songs.txt", "unseen_songs.txt"):
        for lines in songs(file).values():
            labels = [label for label, _ in lines if label]
            found.append((max(labels, key=labels.count), "\n".join(line for _, line in lines)))
    return found


def test_every_song_is_in_the_language_it_is_in() -> None:
    assert {code: vocal_language("[verse]\n" + song) for code, song in KNOWN.items()} == {code: code for code in KNOWN}


def test_the_songs_of_v1_are_told_apart_as_well() -> None:
    """All but the one that has vocal sounds only, which is in no language."""
    wrong = [(label, found) for label, song in labelled() if (found := vocal_language(song)) != label]
    assert wrong == [("en", "unknown")]


def test_every_language_of_the_model_has_a_song_here() -> None:
    assert len(LANGUAGES) == 50
    assert {*KNOWN, *(label for label, _ in labelled())} == LANGUAGES


def test_a_language_that_the_model_does_not_know_is_unknown() -> None:
    assert {code: vocal_language(song) for code, song in OTHERS.items()} == dict.fromkeys(OTHERS, "unknown")


@pytest.mark.parametrize(
    "lyrics", ["", "[verse]\n\n[drop]", "la la la\noh oh yeah", "1 2 3 4", "... !!! \U0001f600", "[verse]"]
)
def test_lyrics_without_words_are_in_no_language(lyrics: str) -> None:
    assert vocal_language(lyrics) == "unknown"


def test_most_lines_decide_and_tags_do_not_count() -> None:
    korean = "[Verse 1]\n사랑해 너만을 영원히\nI love you\n비가 내리는 밤에\n[Final Chorus]\noh oh oh\n너와 나"
    assert vocal_language(korean) == "ko"
    assert vocal_language("사랑 愛 그대여") == "ko"
    assert vocal_language("[chorus] สวัสดีครับเพื่อนรัก\nฉันรักเธอ my love") == "th"
