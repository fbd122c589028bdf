"""What a wish refuses or limits is in no tag, and the draft plays the written tags that way."""

import re

import pytest

from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.songwriter.writer import write_by_rules


def tags(wish: str, seed: int = 7) -> list[str]:
    return write_by_rules(wish, instrumental=False, duration=20, seed=seed).tags.split(", ")


@pytest.mark.parametrize(
    ("wish", "unwanted", "wanted"),
    [
        ("don't make it sad. upbeat ska about traffic jams", r"\bsad|melanchol", {"ska", "upbeat"}),
        ("a pop song about rain that must not be sad or dark", r"\b(sad|melanchol\w+|dark|moody)\b", {"pop"}),
        ("no sad piano, pop about rain", r"(?<!no )piano|\bsad\b", {"pop", "no piano"}),
        ("without any guitar or bass but with sax, about night", r"(?<!no )(guitar|bass)", {"sax", "no guitar", "no bass"}),
        ("drumless lofi about night", r"(?<!no )drum|snare", {"lofi", "no drums"}),
        ("non-electronic pop about rain", r"electronic", {"pop"}),
        ("nothing too heavy, techno about rain", r"heavy|aggressive", {"techno"}),
        ("avoid drums, guitar and bass. folk about trees", r"(?<!no )(drum|guitar|bass)", {"no drums", "no guitar", "no bass"}),
        ("rock, no piano, no organ, no strings, no synth, no brass", r"(?<!no )(organ|strings|synth|brass)", {"no brass"}),
    ],
)  # fmt: skip
def test_only_what_is_refused_is_kept_from_the_tags(wish: str, unwanted: str, wanted: set[str]):
    for seed in range(12):
        written = tags(wish, seed)
        assert not re.search(unwanted, ", ".join(written))
        assert wanted <= set(written)


@pytest.mark.parametrize(
    ("wish", "heard"),
    [
        ("solo piano about rain", {"piano"}),
        ("just guitar and voice, a song about my dog", {"guitar"}),
        ("a cappella pop about the sea", set()),
        ("unaccompanied cello about snow", {"cello"}),
        ("drums only, rock", {"drums"}),
    ],
)
def test_a_song_limited_to_some_players_has_no_other_instrument_in_its_tags(wish: str, heard: set[str]):
    for seed in range(12):
        written = ", ".join(tag for tag in tags(wish, seed) if not tag.startswith("only "))
        others = {"piano", "guitar", "drums", "bass", "strings", "synth", "organ", "brass", "cello"} - heard
        assert not re.search(rf"\b(?:{'|'.join(others)})\b", written), written


@pytest.mark.parametrize(
    ("wish", "programs", "drums"),
    [
        ("solo piano about rain", {0}, False),
        ("just guitar and voice, about my dog", {25, 53}, False),
        ("unaccompanied cello about snow", {42}, False),
        ("drums only, rock", set(), True),
    ],
)
def test_the_draft_hears_the_limit_in_the_written_tags(wish: str, programs: set[int], drums: bool):
    score = compose(ComposeRequest(", ".join(tags(wish)), "", 12, Seeds(1)))
    assert {part.program for part in score.parts if not part.drums} <= programs | {53}
    assert any(part.drums for part in score.parts) == drums


def test_what_only_describes_an_instrument_is_not_refused_elsewhere():
    assert {"dark", "techno"} <= set(tags("dark techno, no dark piano"))


def test_a_style_without_tags_of_its_own_has_those_of_the_nearest():
    written = tags("a zydeco song about dogs")
    assert "zydeco" in written
    assert {"americana", "storytelling"} & set(written)


@pytest.mark.parametrize(
    "style",
    ["phonk", "grime", "UK garage", "hardstyle", "post-rock", "soca", "bachata", "mariachi", "corrido", "anthem", "jingle",
     "bhangra", "qawwali", "sea shanty", "march", "drill", "trip hop", "gqom", "fado"],
)  # fmt: skip
def test_a_wish_in_any_style_is_written(style: str):
    assert style.lower() in tags(f"{style} about coding bugs")
