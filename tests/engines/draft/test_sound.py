"""Measurements of rendered songs."""

import itertools
from functools import cache

import numpy as np
import pytest

from acestep_mcp.audio.measure import loudness, measure
from acestep_mcp.audio.splice import to_float
from acestep_mcp.engines import Audio, Step
from acestep_mcp.engines.draft.job import DraftJob, run_job
from acestep_mcp.engines.draft.render import available
from acestep_mcp.engines.draft.score import RATE

LYRICS = "[verse]\nQuiet is the morning\nSlowly comes the light\n[chorus]\nNow the day is burning\nEverything is bright"


@cache
def made(tags: str, seconds: float, lyrics: str = "") -> Audio:
    *steps, audio = run_job(
        DraftJob("TextToAudio", {"tags": tags, "lyrics": lyrics, "duration": seconds, "seed": 2}, available())
    )
    assert all(isinstance(step, Step) for step in steps)
    assert isinstance(audio, Audio)
    return audio


@pytest.mark.parametrize(
    "tags",
    [
        *("lofi", "metal", "classical, piano", "techno"),
        *(pytest.param(tags, marks=pytest.mark.slow) for tags in ("ambient", "trap", "big band", "a cappella")),
    ],
)
def test_a_song_is_at_16_lufs_without_a_clipped_sample(tags: str):
    audio = made(tags, 8)
    found = measure(audio.sound)
    assert abs(found.lufs + 16) <= 1.5
    assert found.clipped_samples == 0
    assert found.peak_dbfs <= -0.9


def test_metal_is_brighter_and_denser_than_a_bossa_nova():
    metal, bossa = (to_float(made(tags, 8).sound).mean(axis=1) for tags in ("metal", "bossa nova"))

    def centroid(mono: np.ndarray) -> float:
        spectrum = np.abs(np.fft.rfft(mono[: len(mono) // 4096 * 4096].reshape(-1, 4096) * np.hanning(4096))).mean(
            axis=0
        )
        return float((spectrum * np.fft.rfftfreq(4096, 1 / RATE)).sum() / spectrum.sum())

    assert centroid(metal) > 1.1 * centroid(bossa)
    assert np.abs(metal).max() < 0.8 * np.abs(bossa).max()


def test_a_field_that_has_no_effect_changes_nothing_but_a_note():
    plain = made("folk", 5)
    request = {"tags": "folk", "lyrics": "", "duration": 5, "seed": 2, "guidance_scale": 9}
    *_, audio = run_job(DraftJob("TextToAudio", request, available()))
    assert isinstance(audio, Audio)
    assert np.array_equal(audio.sound.pcm, plain.sound.pcm)
    assert [note for note in audio.notes if note not in plain.notes] == [
        "The draft engine is not a diffusion model; these fields had no effect: guidance_scale."
    ]


@pytest.mark.parametrize("seconds", [5, 5.00001, 6.54321, 13.37])
def test_a_song_has_exactly_the_samples_asked_for(seconds: float):
    assert len(made("folk", seconds).sound.pcm) == round(seconds * RATE)


def test_a_song_starts_soon_and_ends_in_silence_without_a_cut():
    for tags in ("rock", "lofi", "waltz"):
        samples = np.abs(to_float(made(tags, 8).sound)).max(axis=1)
        assert samples[: RATE // 2].max() > 0.01, tags
        assert samples[-100:].max() < 0.002, tags
        assert samples[-4 * RATE :].max() > 0.02, tags


@pytest.mark.slow
def test_no_second_of_a_song_is_silent_or_repeated():
    for tags, lyrics in (("pop", LYRICS), ("cinematic", ""), ("reggae", LYRICS)):
        samples = to_float(made(tags, 16, lyrics).sound)
        seconds = [samples[start : start + RATE] for start in range(0, 14 * RATE, RATE)]
        assert all(np.sqrt(np.mean(second**2)) > 0.01 for second in seconds), tags
        assert all(not np.array_equal(left, right) for left, right in itertools.pairwise(seconds))


@pytest.mark.parametrize("tags", ["pop", *(pytest.param(tags, marks=pytest.mark.slow) for tags in ("rock", "edm"))])
def test_a_chorus_is_louder_than_the_verse_before_it(tags):
    audio = made(tags, 20, LYRICS)
    spans = {section.name: slice(round(section.start * RATE), round(section.end * RATE)) for section in audio.sections}
    samples = to_float(audio.sound)
    assert loudness(samples[spans["chorus"]], RATE) > loudness(samples[spans["verse"]], RATE)


def test_a_note_lists_the_diffusion_fields_that_had_no_effect():
    request = {
        "tags": "pop",
        "duration": 5,
        "seed": 1,
        "number_of_steps": 60,
        "scheduler": "heun",
        "guidance_scale": 15,
    }
    *_, audio = run_job(DraftJob("TextToAudio", request, available()))
    assert isinstance(audio, Audio)
    (note,) = audio.notes
    assert "number_of_steps, scheduler" in note
    assert "guidance_scale" not in note


def test_lyrics_without_vocals_are_inst():
    assert made("pop", 5).lyrics == "[inst]"
    assert made("pop", 5, LYRICS).lyrics == LYRICS
