"""What tags refuse is not heard, and what they ask for alone is heard alone."""

import pytest

from acestep_mcp.engines.draft.compose import ComposeRequest, compose
from acestep_mcp.engines.draft.genres import GENRES
from acestep_mcp.engines.draft.score import Score
from acestep_mcp.engines.draft.seeds import Seeds
from tests.support.parameters import few

LYRICS = "[verse]\nWalking through the neon light\nEvery shadow feels so right"
SYNTHS = {38, 39, 50, 51, 54, 62, 63, *range(80, 104)}
VOICES = {52, 53, 54, 85, 91}

# An instrument, a style in which it is heard, and the General MIDI programs that sound like it.
FAMILIES = [
    ("piano", "ballad", range(6)), ("electric piano", "r&b", {4, 5}), ("organ", "gospel", range(16, 21)),
    ("harpsichord", "baroque, harpsichord", {6}), ("keyboards", "rock", {*range(9), *range(16, 21), *SYNTHS}),
    ("music box", "lullaby", {10}), ("vibraphone", "jazz", {11}), ("marimba", "jingle", {12}),
    ("accordion", "chanson", {21}), ("harmonica", "blues", {22}), ("bandoneon", "tango", {23}),
    ("guitar", "rock", range(24, 32)), ("acoustic guitar", "folk", {24, 25}), ("electric guitar", "indie", range(26, 32)),
    ("distorted guitar", "metal", {29, 30}), ("bass", "funk", {*range(32, 40), 43}), ("slap bass", "funk", {36}),
    ("synth bass", "techno", {38, 39}), ("808", "trap", {39}), ("violin", "waltz", {40, 110}), ("cello", "classical", {42}),
    ("strings", "cinematic", {*range(40, 46), *range(48, 52), 110}), ("harp", "classical", {46}), ("choir", "gospel", {52, 91}),
    ("trumpet", "mariachi", {56, 59}), ("trombone", "ska", {57}), ("tuba", "march", {58}), ("french horn", "march", {60}),
    ("brass", "funk", range(56, 64)), ("horns", "ska", range(56, 68)), ("saxophone", "ska", range(64, 68)),
    ("clarinet", "swing", {71}), ("flute", "bossa nova", {72, 73, 75, 77}), ("woodwinds", "classical", range(64, 80)),
    ("synths", "synth-pop", SYNTHS), ("synth pads", "ambient", range(88, 96)), ("sitar", "bhangra", {104}),
    ("banjo", "country", {105}), ("kalimba", "afrobeat", {108}), ("bagpipes", "celtic", {109}), ("steel drums", "soca", {114}),
    ("timpani", "pop, timpani", {47}), ("taiko", "pop, taiko", {116}), ("vocals", "ambient", VOICES),
]  # fmt: skip


def song(tags: str, lyrics: str = "", seconds: float = 12, seed: int = 3) -> Score:
    return compose(ComposeRequest(tags, lyrics, seconds, Seeds(seed)))


def programs(score: Score) -> set[int]:
    return {part.program for part in score.parts if not part.drums}


@pytest.mark.parametrize(("name", "tags", "family"), few(FAMILIES, 22))
def test_a_refused_instrument_is_not_heard_and_the_song_goes_on(name: str, tags: str, family):
    heard = set().union(*(programs(song(f"{tags}, {name}", LYRICS, seed=seed)) for seed in range(2)))
    assert heard & set(family), "the style has it"
    style = tags.partition(", ")[0]
    for refusal in (f"no {name}", f"{name}: none"):
        score = song(f"{style}, {refusal}", LYRICS)
        assert not programs(score) & set(family), refusal
        assert len(score.parts) >= 2
        assert any(part.lead for part in score.parts)


@pytest.mark.parametrize("genre", [genre.name for genre in GENRES])
def test_three_refusals_hold_in_every_genre(genre: str):
    score = song(f"{genre}, no drums, no bass or guitar", seconds=8)
    assert not any(part.drums for part in score.parts)
    assert not programs(score) & {*range(24, 40), 43}
    assert programs(score)


@pytest.mark.parametrize(
    ("tags", "pieces"),
    [("rock, no snare", {37, 38, 40}), ("house, no hi-hats", {42, 44, 46}), ("phonk, no cowbell", {56}), ("rock, no kick", {35, 36}), ("house, no claps", {39}), ("rock, no cymbals", {49, 51, 53})],
)  # fmt: skip
def test_a_refused_drum_is_left_out_of_the_kit(tags: str, pieces: set[int]):
    def heard(tags: str) -> set[int]:
        return {note.pitch for part in song(tags, LYRICS, 20).parts if part.drums for note in part.notes}

    assert heard(tags.partition(",")[0]) & pieces
    assert heard(tags)
    assert not heard(tags) & pieces


@pytest.mark.parametrize("genre", ["techno", "pop", "synthwave", "edm", "chiptune"])
def test_music_that_is_not_electronic_has_no_synths_and_no_drum_machine(genre: str):
    score = song(f"{genre}, non-electronic", LYRICS)
    assert not programs(score) & SYNTHS
    assert not any(part.drums and part.program in {24, 25} for part in score.parts)


@pytest.mark.parametrize(
    ("tags", "heard", "drums"),
    [
        ("solo piano", {0}, False),
        ("techno, solo piano", {0}, False),
        ("lofi, no instruments except piano", {0}, False),
        ("drums only", set(), True),
        ("classical, drums only", set(), True),
        ("congas only", set(), True),
        ("just guitar and voice", {25, 53}, False),
        ("unaccompanied cello", {42}, False),
        ("just violin and cello", {40, 42}, False),
        ("ambient, only drums and bass", {39}, True),
        ("a cappella", {52, 53}, False),
        ("rock, a cappella", {52, 53}, False),
        ("no drums, no guitar, just piano and strings, sad", {0, 42, 48}, False),
    ],
)
def test_only_what_is_asked_for_alone_is_heard(tags: str, heard: set[int], drums: bool):
    score = song(tags, seconds=20)
    assert programs(score) <= heard
    assert any(part.drums for part in score.parts) == drums
    assert score.parts


def test_a_solo_in_a_band_keeps_the_band():
    assert len(programs(song("rock with a piano solo"))) > 2
    assert len(programs(song("cinematic, solo cello, strings, drums"))) > 2


def test_a_refused_melody_or_solo_is_not_played():
    assert not any(part.lead for part in song("pop, no melody").parts)


def test_no_instrument_leads_where_solos_are_refused():
    def led(tags: str) -> bool:
        score = song(tags, "[verse]\nOne line here\n[solo]", 30)
        part = next((part for part in score.parts if part.name == "lead"), None)
        solo = next(section for section in score.sections if section.kind == "solo")
        return part is not None and any(solo.start <= note.start < solo.end for note in part.notes)

    assert led("pop")
    assert not led("pop, no solos")


def test_some_percussion_alone_is_without_the_kit():
    score = song("congas only", seconds=20)
    assert {note.pitch for part in score.parts for note in part.notes} <= {62, 63, 64}
    assert {note.pitch for part in song("bass drum only").parts for note in part.notes} <= {35, 36}


def test_refused_vocals_leave_the_melody_to_an_instrument_and_a_note():
    score = song("pop, no vocals", LYRICS)
    assert not programs(score) & VOICES
    assert score.notes == ("The tags refuse vocals: an instrument plays the melody of the lyrics.",)
    assert 53 in programs(song("pop, no vocals but humming", LYRICS))


def test_lyrics_beside_an_instrument_alone_are_sung_with_a_note():
    score = song("solo piano", LYRICS)
    assert programs(score) == {0, 53}
    assert "sung as well" in score.notes[0]
    assert song("solo piano, female voice", LYRICS).notes == ()


def test_an_instrument_named_beside_its_refused_family_is_heard():
    assert 25 in programs(song("rock, no guitars but acoustic guitar"))
    assert 40 in programs(song("pop, no strings, violin"))


@pytest.mark.parametrize("name", ["timpani", "taiko"])
def test_percussion_plays_no_chords(name: str):
    part = next(part for part in song(f"pop, {name}", seconds=30).parts if name in part.name)
    starts = sorted(round(note.start, 1) for note in part.notes)
    assert len(starts) == len(set(starts)) > 4


def test_named_percussion_is_heard():
    def pitches(tags: str) -> set[int]:
        return {note.pitch for part in song(tags, seconds=30).parts if part.drums for note in part.notes}

    assert pitches("pop, congas, tambourine, cowbell") >= {63, 54, 56}
    assert pitches("classical, drums")
