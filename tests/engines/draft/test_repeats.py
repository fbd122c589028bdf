"""Notes that a part repeats often are rendered once, and added wherever they are played."""

import numpy as np
import pytest

from acestep_mcp.engines.draft.midi import kick_times
from acestep_mcp.engines.draft.render import Playback, available, render, render_parts
from acestep_mcp.engines.draft.repeats import without_repeats
from acestep_mcp.engines.draft.score import RATE, Note, Part

RIDE, CLOSED, OPEN, TOM, CONGA = 51, 42, 46, 41, 63
STANDARD, POWER = 0, 16


def kit(*notes: Note, program: int = STANDARD) -> Part:
    return Part("drums", program, notes, drums=True, volume=100, reverb=0)


def rendered(part: Part, seconds: float) -> np.ndarray:
    out = np.zeros((round(seconds * RATE), 2), np.float32)
    list(render((part,), Playback(available()), out))
    return out


@pytest.mark.parametrize(("program", "drum"), [(STANDARD, RIDE), (POWER, TOM), (STANDARD, CONGA)])
def test_a_drum_that_rings_and_is_struck_often_sounds_as_one_that_is_rendered_stroke_by_stroke(program: int, drum: int):
    strokes = [Note(0.25 * number, 0.25 * number + 0.12, drum, 60 + 10 * (number % 5)) for number in range(30)]
    drums = kit(*strokes, program=program)
    assert without_repeats((drums,))[0] == ()
    often = rendered(drums, 8)
    singly = render_parts((drums,), available())
    for number in range(30):
        beat = slice(round(0.25 * number * RATE), round(0.25 * (number + 1) * RATE))
        energy, wanted = (float(np.square(sound[beat]).sum()) for sound in (often, singly))
        assert energy == pytest.approx(wanted, rel=0.35)


def test_a_drum_that_is_struck_five_times_is_rendered_stroke_by_stroke():
    part = kit(*(Note(0.25 * number, 0.25 * number + 0.12, TOM, 90) for number in range(5)))
    assert without_repeats((part,)) == ((part,), ())


def test_hi_hats_silence_each_other_and_are_not_taken_apart():
    part = kit(
        *(Note(0.1 * number, 0.1 * number + 0.05, pitch, 90) for number in range(30) for pitch in (CLOSED, OPEN))
    )
    assert without_repeats((part,)) == ((part,), ())


def test_a_stroke_at_the_end_is_cut_with_the_song_and_one_before_the_window_is_not_played():
    strokes = [Note(0.1 * number, 0.1 * number + 0.05, RIDE, 100) for number in range(30)]
    out = np.zeros((RATE // 2, 2), np.float32)
    list(render((kit(*strokes),), Playback(available()), out, 1.75))
    assert np.abs(out[: round(0.04 * RATE)]).max() == 0
    assert np.abs(out[round(0.05 * RATE) :]).max() > 0.01


@pytest.mark.skipif(available() != "soundfont", reason="needs the SoundFont renderer")
def test_notes_that_a_synthesiser_repeats_sound_as_ones_that_are_rendered_one_by_one_bass_drum_included():
    notes = tuple(Note(0.25 * number, 0.25 * number + 0.18, 60, 70 + number % 7) for number in range(32))
    kicks = kit(*(Note(0.5 * number, 0.5 * number + 0.1, 36, 1) for number in range(16)))
    pluck = Part("pluck", 90, notes, volume=90, reverb=0, pump=85)
    assert without_repeats((pluck, kicks))[0] == (kicks,)
    out = np.zeros((8 * RATE, 2), np.float32)
    list(render((pluck, kicks), Playback("soundfont"), out))
    singly = render_parts((pluck, kicks), "soundfont")
    found, wanted = (
        np.square(sound[RATE // 2 : 8 * RATE]).reshape(-1, RATE // 20, 2).mean(axis=(1, 2)) for sound in (out, singly)
    )
    assert 10 * np.log10(found / wanted) == pytest.approx(0, abs=1.0)


def test_a_bass_drum_that_is_added_still_turns_the_others_down():
    drums = Part(
        "drums", 24, tuple(Note(0.5 * number, 0.5 * number + 0.1, 36, 100) for number in range(100)), drums=True
    )
    [left], [repeated] = without_repeats((drums,))
    assert kick_times((left,)) == kick_times((drums,))
    assert {note.velocity for note in left.notes} == {0}
    assert sorted(repeated.notes) == sorted(drums.notes)


def test_notes_of_other_lengths_and_few_notes_are_rendered_as_they_are():
    lengths = tuple(Note(0.5 * number, 0.5 * number + 0.1 + 0.05 * number, 60, 90) for number in range(20))
    parts = (Part("pluck", 90, lengths), Part("strings", 48, lengths[:3]))
    assert without_repeats(parts) == (parts, ())
