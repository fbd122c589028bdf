"""Music before and after a song: on its beat, at its level, and without its fade-out."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from acestep_mcp.audio import Sound
from acestep_mcp.audio.measure import loudness_curve
from acestep_mcp.audio.splice import to_float
from acestep_mcp.engines import Audio, Source
from acestep_mcp.engines.draft.job import DraftJob, run_job
from acestep_mcp.engines.draft.source_plan import read_source_plan

pytestmark = pytest.mark.slow


def made(endpoint: str, fields: dict[str, object], source: Source | None = None) -> Audio:
    *_, audio = run_job(DraftJob(endpoint, {"seed": 5, **fields}, "numpy", source))
    assert isinstance(audio, Audio)
    return audio


@cache
def song(tags: str, seconds: float = 30) -> Audio:
    return made("TextToAudio", {"tags": tags, "lyrics": "", "duration": seconds})


def decibels(sound: Sound, start: float, end: float) -> np.ndarray:
    curve = loudness_curve(to_float(sound), sound.sample_rate, 0.1)
    return 20 * np.log10(curve[round(start * 10) : round(end * 10)] + 1e-6)


def longer(source: Source, before: float = 0, after: float = 0) -> Audio:
    fields = {"audio_url": "a", "tags": "pop", "extend_before_duration": before, "extend_after_duration": after}
    return made("AudioOutpaint", fields, source)


@pytest.mark.parametrize("cut", [0.7, 1.9])
def test_music_before_a_song_that_begins_inside_a_bar_goes_on_to_it(cut: float):
    whole = song("pop, 100 bpm").sound
    source = Source(replace(whole, pcm=whole.pcm[round(cut * whole.sample_rate) :].copy()))
    old = read_source_plan(source).grid
    audio = longer(source, before=6)
    around = decibels(audio.sound, 4.0, 8.0)
    assert around.min() > np.median(around) - 12
    assert np.array_equal(audio.sound.pcm[6 * whole.sample_rate :], source.sound.pcm)
    new = audio.plan["frame"]
    bars = (6 + old.phase - new["phase"]) / old.bar_seconds
    assert abs(bars - round(bars)) < 0.01


@pytest.mark.parametrize("knows_plan", [True, False])
def test_a_song_that_goes_on_loses_its_fade_out_and_says_so(knows_plan: bool):
    faded = song("synthwave, 120 bpm", 44)
    assert decibels(faded.sound, 43, 44).mean() < decibels(faded.sound, 20, 34).mean() - 15
    comment = json.dumps({"acestep": {"plan": faded.plan}}) if knows_plan else ""
    audio = longer(Source(faded.sound, comment), after=8)
    assert len(audio.sound.pcm) == len(faded.sound.pcm) + 8 * faded.sound.sample_rate
    assert any("fade-out is gone" in note and "joins at 42.0 s" in note for note in audio.notes)
    assert decibels(audio.sound, 34, 50).min() > decibels(faded.sound, 20, 34).mean() - 12


def test_a_song_that_does_not_fade_keeps_every_sample():
    source = Source(song("pop, 100 bpm").sound, "")
    audio = longer(source, after=3)
    assert np.array_equal(audio.sound.pcm[: len(source.sound.pcm)], source.sound.pcm)
