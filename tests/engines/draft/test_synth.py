import numpy as np

from acestep_mcp.audio import Sound
from acestep_mcp.audio.measure import measure
from acestep_mcp.engines import Audio
from acestep_mcp.engines.draft import DraftEngine
from acestep_mcp.engines.draft.job import DraftJob, run_job
from acestep_mcp.engines.draft.render import available, render_parts
from acestep_mcp.engines.draft.score import RATE, Note, Part

A4, MIDDLE_C = 69, 60


def strongest(samples: np.ndarray, around: float) -> float:
    """The loudest frequency within a third of an octave of `around`, in Hz."""
    spectrum = np.abs(np.fft.rfft(samples.mean(axis=1) * np.hanning(len(samples))))
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE)
    near = (frequencies > around / 1.25) & (frequencies < around * 1.25)
    return float(frequencies[near][np.argmax(spectrum[near])])


def test_both_renderers_play_the_same_pitches_at_the_same_times():
    notes = (Note(0.5, 1.4, A4, 90), Note(2.0, 2.9, MIDDLE_C, 90))
    for renderer in {"numpy", available()}:
        sound = render_parts((Part("organ", 16, notes, reverb=0),), renderer)
        assert np.abs(sound[: int(0.45 * RATE)]).max() < 1e-3
        for note, frequency in ((notes[0], 440.0), (notes[1], 261.63)):
            heard = sound[round((note.start + 0.2) * RATE) : round(note.end * RATE)]
            assert abs(strongest(heard, frequency) / frequency - 1) < 0.01, renderer


def test_the_fallback_pans_and_ends_its_notes():
    sound = render_parts((Part("flute", 73, (Note(0, 0.5, A4, 100),), pan=0, reverb=0),), "numpy")
    assert np.abs(sound[:, 0]).max() > 10 * np.abs(sound[:, 1]).max()
    assert np.abs(sound[int(0.8 * RATE) :]).max() < 1e-4


def test_a_song_from_the_fallback_says_so_and_has_the_usual_level():
    request = {"tags": "rock, drums, flute", "duration": 8, "seed": 3}
    *_, audio = run_job(DraftJob("TextToAudio", request, "numpy"))
    assert isinstance(audio, Audio)
    assert any("plain synthesiser" in note for note in audio.notes)
    measured = measure(audio.sound)
    assert abs(measured.lufs + 16) < 1.5
    assert measured.clipped_samples == 0
    assert len(audio.sound.pcm) == 8 * RATE


def test_the_engine_can_use_the_fallback_by_choice():
    assert DraftEngine("numpy").model == "midi+numpy"


def test_the_fallback_is_deterministic():
    part = Part("strings", 48, (Note(0, 1, A4, 100),))
    first, again = (render_parts((part, Part("kit", 0, (Note(0, 1, 38, 100),), drums=True)), "numpy") for _ in range(2))
    assert np.array_equal(first, again)
    assert isinstance(Sound(first.astype(np.int32), RATE).seconds, float)
