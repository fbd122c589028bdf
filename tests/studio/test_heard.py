"""What the answer says of the sound, and what is odd in it."""

import numpy as np
import pytest

from acestep_mcp.audio import Sound
from acestep_mcp.audio.hearing import hear
from acestep_mcp.audio.splice import from_float
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
