"""What the answer says of the sound, and what is odd in it."""

import json

import numpy as np
import pytest

from acestep_mcp.api.responses import HeardFacts
from acestep_mcp.audio import Sound
from acestep_mcp.audio.hearing import hear
from acestep_mcp.audio.splice import from_float, to_float
from acestep_mcp.studio.heard import remarks, summary

RATE = 22_050


def song(*parts):
    """A sound of (seconds, level) parts: a chord, or silence at level 0."""
    pieces = []
    for seconds, level in parts:
        at = np.arange(round(seconds * RATE)) / RATE
        pieces.append(level * sum(np.sin(2 * np.pi * hertz * at) for hertz in (220, 277.18, 329.63)) / 3)
    return from_float(np.concatenate(pieces), RATE, 16)


def told(sound, *, asked=None, **checks):
    return remarks(hear(sound).facts(), checks, seconds=sound.seconds, asked=asked)


def test_an_ordinary_song_gets_no_remark():
    assert told(song((8, 0.5)), asked=8, clipped_samples=0, silent=False) == ()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda both: both * [0, 1], "Only the right channel sounds: "),
        (lambda both: both * [1, 0.001], "Only the left channel sounds: "),
        (lambda both: both * [1, -1], "One channel is the inverse of the other, "),
        (lambda both: both * 0.5 + 0.2, "The samples are off centre by 0.20 of full scale (DC offset): "),
        (lambda both: both * 0.01, "The song is very quiet (-52 LUFS): "),
        (lambda both: both * 0.0015, "Hardly anything can be heard, "),
    ],
)
def test_odd_channels_and_levels_are_told_in_one_sentence(change, sentence):
    one = to_float(song((8, 0.5)))
    sound = from_float(change(np.repeat(one, 2, axis=1)).astype(np.float32), RATE, 24)
    hearing = hear(sound)
    [remark] = remarks(hearing.facts(), hearing.levels.facts(), seconds=sound.seconds, asked=None)
    assert remark.startswith(sentence)
    assert remark.endswith("ask again with another seed.")


def test_several_gaps_are_one_sentence():
    [remark] = told(song((3, 0.5), (2.5, 0), (3, 0.5), (2.5, 0), (3, 0.5)))
    assert remark == "Nothing sounds from 3.0 to 5.5 s and 8.5 to 11.0 s: make these parts again with audio_inpaint."


def test_a_jump_that_the_source_has_not_is_told_with_the_place_to_make_again():
    remark = told(song((8, 0.5)), seams=["4.0 s: +34.0 dB"], odd_seams=[4.0])[0]
    assert remark == "The level jumps at 4.0 s, where old and new music meet: make 2 to 6 s again with audio_inpaint."


def test_what_an_edit_may_have_from_its_source_is_not_blamed_on_the_seed():
    edit = {"outside_difference": "-inf dB (identical)", "inside_difference": "2.0 dB"}
    remark = told(song((2.5, 0), (6, 0.5), (4, 0)), clipped_samples=500, odd_seams=[2.5, 8.5], **edit)
    assert remark == (
        "The song begins with 2.5 s of silence: make 0.0 to 2.5 s again with audio_inpaint.",
        "The song ends with 4.0 s of silence: make 8.5 to 12.5 s again with audio_inpaint.",
        "500 samples are clipped: listen to the source, and ask again with another seed if it is not so there.",
        "The level jumps at 2.5 and 8.5 s, where old and new music meet: ask again with another seed.",
    )


@pytest.mark.parametrize("kind", ["noise", "note", "offset", "click", "row of twelve notes"])
def test_what_has_no_key_is_said_to_have_none(kind):
    """Each of these had a key with a confidence of 0.4 to 1."""
    seconds, random = 12, np.random.default_rng(3)
    at = np.arange(seconds * RATE) / RATE
    if kind == "noise":
        music = random.normal(0, 0.1, (len(at), 2))
    elif kind == "row of twelve notes":
        row = np.repeat(np.resize(random.permutation(12), 2 * seconds), RATE // 2)
        music = 0.3 * np.sin(2 * np.pi * 261.63 * 2 ** (row / 12) * at)
    else:
        music = {
            "note": 0.3 * np.sin(2 * np.pi * 440 * at),
            "offset": np.full(len(at), 0.3),
            "click": np.eye(1, len(at))[0],
        }[kind]
    facts = hear(from_float(music.astype(np.float32), RATE, 16)).facts()
    assert facts["key_confidence"] < 0.1
    assert "major" not in summary(facts)
    assert "minor" not in summary(facts)


def test_silence_has_neither_tempo_nor_metre_nor_key():
    for level in (0, 0.0005):
        facts = hear(song((8, level))).facts()
        names = ("tempo", "tempo_alternative", "metre", "downbeat", "key", "key_alternative")
        assert {facts[name] for name in names} == {None}
        assert json.loads(json.dumps(facts, allow_nan=False)) == facts
        assert HeardFacts.model_validate(facts)


def test_a_song_whose_channels_are_inverse_is_heard_as_the_same_song():
    one = to_float(song((8, 0.5)))
    facts, inverse = (
        hear(from_float(np.hstack([one, sign * one]).astype(np.float32), RATE, 16)).facts() for sign in (1, -1)
    )
    same = ("tempo", "key", "key_confidence", "brightness", "silence_at_start")
    assert [inverse[name] for name in same] == [facts[name] for name in same]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([(2.1, 0), (6, 0.5)], "The song begins with 2.1 s of silence: ask again with another seed."),
        ([(6, 0.5), (4, 0)], "The song ends with 4.0 s of silence"),
        ([(3, 0.5), (2.5, 0), (3, 0.5)], "Nothing sounds from 3.0 to 5.5 s: make that part again with audio_inpaint."),
    ],
)
def test_silence_is_told_with_one_next_step(parts, words):
    [remark] = told(song(*parts))
    assert words in remark


def test_a_wrong_length_clipping_and_a_silent_song_are_told():
    assert told(song((8, 0.5)), asked=12) == (
        "The song is 8.0 s long; 12.0 s were asked for: ask again with another seed.",
    )
    assert "clipped" in told(song((8, 0.5)), clipped_samples=5000)[0]
    assert told(song((8, 0)), asked=12, silent=True) == ("The song is silent: ask again with another seed.",)


def test_the_summary_says_perhaps_where_it_is_not_sure_and_leaves_out_what_is_not_there():
    facts = hear(song((8, 0.5))).facts()
    assert summary(facts | {"tempo_confidence": 0.0, "metre_confidence": 0.0}).startswith("no steady pulse, ")
    sure = facts | {"tempo": 120.0, "tempo_alternative": 60.0, "tempo_confidence": 0.9, "key_confidence": 0.2}
    text = summary(sure | {"key": "A major", "key_alternative": "F# minor", "metre": "4/4", "metre_confidence": 0.5})
    assert text.startswith("120 bpm (or 60), 4/4, perhaps A major (or F# minor), ")
    assert ", mono, " in text
    silent = hear(Sound(np.zeros((RATE * 2, 1), np.int32), RATE)).facts()
    assert "dBTP" not in summary(silent)
