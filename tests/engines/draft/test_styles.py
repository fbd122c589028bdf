"""The styles that have music of their own differ in what is heard."""

from itertools import combinations

import pytest

from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.genres import GENRES
from acestep_mcp.engines.draft.seeds import Seeds
from acestep_mcp.engines.draft.style import parse_style

OWN = (
    "trip hop", "phonk", "drill", "grime", "uk garage", "hardstyle", "post-rock", "corrido", "mariachi", "bachata", "soca",
    "ska", "shanty", "march", "chanson", "anthem", "jingle", "lullaby", "gospel", "bhangra", "qawwali",
)  # fmt: skip


def test_each_has_its_own_genre_named_like_it():
    assert [parse_style(name).genre.name for name in OWN] == list(OWN)
    assert [parse_style(f"dark {name}, 100 bpm, piano").genre.name for name in OWN] == list(OWN)


@pytest.mark.parametrize("name", OWN)
def test_its_groove_bass_and_layers_are_no_other_genres(name: str):
    genre = parse_style(name).genre
    for other in GENRES:
        if other is not genre:
            alike = (
                other.grooves == genre.grooves,
                other.bass == genre.bass,
                other.layers == genre.layers,
                other.leads == genre.leads,
                other.scales == genre.scales and other.tempo == genre.tempo,
            )
            assert sum(alike) <= 2, other.name


@pytest.mark.parametrize("name", OWN)
def test_it_is_heard_in_its_tempo_with_its_drums(name: str):
    genre = parse_style(name).genre
    score = compose(ComposeRequest(name, "", 30, Seeds(2)))
    low, high = genre.tempo
    assert low * 0.94 <= score.plan["tempo"] <= high * 1.06
    assert score.plan["scale"] in genre.scales.split("|")
    assert any(part.drums and part.notes for part in score.parts) or "none" in genre.grooves


def test_no_two_of_them_sound_the_same():
    heard = {}
    for name in OWN:
        score = compose(ComposeRequest(name, "", 20, Seeds(2)))
        beat = 60 / score.plan["tempo"]
        hits = {
            (note.pitch, round(note.start / beat * 4) % 16) for part in score.parts if part.drums for note in part.notes
        }
        heard[name] = ({part.program for part in score.parts if not part.drums}, hits)
    for (one, (programs, hits)), (other, (programs2, hits2)) in combinations(heard.items(), 2):
        assert programs != programs2, (one, other)
        assert not hits or len(hits & hits2) < 0.8 * len(hits | hits2), (one, other)


@pytest.mark.parametrize(
    ("word", "genre"),
    [
        ("UK drill", "drill"), ("memphis rap", "phonk"), ("2-step", "uk garage"), ("UKG", "uk garage"), ("hard dance", "hardstyle"),
        ("post rock", "post-rock"), ("corridos tumbados", "corrido"), ("ranchera", "mariachi"), ("sea shanty", "shanty"),
        ("marching band", "march"), ("French chanson", "chanson"), ("national anthem", "anthem"), ("advertising jingle", "jingle"),
        ("cradle song", "lullaby"), ("hymn", "gospel"), ("sufi music", "qawwali"), ("trip-hop", "trip hop"), ("Drift Phonk", "phonk"),
    ],
)  # fmt: skip
def test_other_names_of_a_style_mean_it_too(word: str, genre: str):
    assert parse_style(word).genre.name == genre
