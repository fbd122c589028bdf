"""The SoundFont that drafts are played with."""

import numpy as np
import pytest

from acestep_mcp.engines.draft.render import available, render_parts
from acestep_mcp.engines.draft.score import RATE, Note, Part

pytestmark = pytest.mark.skipif(available() != "soundfont", reason="no SoundFont renderer on this machine")


def level(sound: np.ndarray, second: float) -> float:
    return float(np.abs(sound[round(second * RATE) : round((second + 0.1) * RATE)]).max())


@pytest.mark.parametrize("program", [48, 90, 98])
def test_the_end_of_a_note_is_silent_before_its_piece_of_music_ends(program):
    sound = render_parts((Part("held", program, (Note(0, 0.5, 60, 100),), reverb=0),), "soundfont")
    assert level(sound, 0.6) > 0.001
    assert level(sound, 1.9) < 0.002 * np.abs(sound).max()


def test_a_crash_rings_on_after_its_note():
    sound = render_parts((Part("kit", 0, (Note(0, 0.05, 49, 100),), drums=True, reverb=0),), "soundfont", 3)
    assert level(sound, 1.5) > 0.02 * np.abs(sound).max()
