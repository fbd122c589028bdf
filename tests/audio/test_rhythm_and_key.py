"""Tempo, beat and key of synthesised music are found."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from acestep_mcp.audio import Sound
from acestep_mcp.audio.rhythm import find_downbeat, hear_rhythm
from acestep_mcp.audio.spectrum import NOTES, mono, note_weights
from acestep_mcp.audio.splice import from_float
from acestep_mcp.audio.tonality import hear_key
from tests.support.parameters import few

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}


def drums(bpm: float, first: float = 0.0, seconds: float = 15.0, rate: int = 22_050) -> Sound:
    """Bass drum on one and three, snare on two and four, a soft hi-hat on every eighth."""
    random = np.random.default_rng(1)
    sound = np.zeros(round(seconds * rate))
    time = np.arange(round(0.12 * rate)) / rate
    kick = np.sin(2 * np.pi * 60 * time) * np.exp(-time * 25)
    snare = random.normal(0, 0.5, len(time)) * np.exp(-time * 35)
    hat = random.normal(0, 0.08, len(time)) * np.exp(-time * 90)
    step = 0
    while (at := round((first + step * 30 / bpm) * rate)) + len(time) < len(sound):
        hits = [hat] if step % 2 else [hat, kick if step % 4 == 0 else snare]
        sound[at : at + len(time)] += sum(hits)
        step += 1
    return from_float(sound * 0.5, rate, 16)


def chords(tonic: int, mode: str, rate: int = 22_050) -> Sound:
    """Tonic, fourth, fifth and tonic again as triads, a scale above them; plucked tones with a strong fifth in them."""
    scale = SCALES[mode]
    sound = np.zeros(rate * 13)
    for beat in range(24):
        root = (0, 3, 4, 0)[beat // 2 % 4]
        degrees = [root, root + 2, root + 4, 14 + beat % 7]
        for degree in degrees:
            note = 48 + tonic + scale[degree % 7] + 12 * (degree // 7)
            sound[beat * rate // 2 :][: rate // 2] += plucked(note, rate)
    return from_float(sound * 0.08, rate, 16)


@cache
def plucked(note: int, rate: int) -> np.ndarray:
    time = np.arange(rate // 2) / rate
    hertz = 440 * 2 ** ((note - 69) / 12)
    partials = enumerate((1.0, 0.6, 0.9, 0.4, 0.5), start=1)
    return sum(p * np.sin(2 * np.pi * hertz * h * time) for h, p in partials) * np.exp(-time * 4)


def tempo(sound: Sound) -> float:
    return hear_rhythm(mono(sound)[0]).tempo


@pytest.mark.parametrize("bpm", [62, 72.5, 80, 92, 100, 113.3, 120, 128, 140])
def test_the_tempo_of_a_drum_beat_is_found_to_a_tenth(bpm):
    assert tempo(drums(bpm)) == pytest.approx(bpm, abs=0.1)


@pytest.mark.parametrize("bpm", [150, 165, 174, 190])
def test_a_fast_tempo_is_found_itself_or_at_half_speed(bpm):
    got = tempo(drums(bpm))
    assert min(abs(got - bpm), abs(got - bpm / 2)) < 0.2


@pytest.mark.parametrize(("bpm", "first"), [(120, 0.0), (120, 0.1), (90, 0.3), (140, 0.4), (75, 0.7)])
def test_the_first_downbeat_is_found_to_fifteen_milliseconds(bpm, first):
    samples = mono(drums(bpm, first, rate=44_100))[0]
    bar = 2 * 60 / bpm  # a kick and a snare are the whole pattern
    for got in (hear_rhythm(samples).downbeat, find_downbeat(samples, bpm, 4)):
        assert 0 <= got < 2 * bar
        assert abs((got - first + bar / 2) % bar - bar / 2) < 0.015


@pytest.mark.parametrize("mode", ["major", "minor"])
@pytest.mark.parametrize("tonic", few(range(12), 3))
def test_the_key_of_a_cadence_is_found(tonic, mode):
    assert hear_key(mono(chords(tonic, mode))[0]).name == f"{NOTES[tonic]} {mode}"


def test_rate_and_channels_do_not_matter():
    mono = drums(100, rate=96_000)
    stereo = Sound(np.repeat(mono.pcm, 2, axis=1), 96_000)
    assert tempo(stereo) == pytest.approx(100, abs=0.1)
    for rate, tolerance in ((44_100, 0.1), (8000, 0.2)):
        assert tempo(drums(100, rate=rate)) == pytest.approx(100, abs=tolerance)


@pytest.mark.parametrize("frames", [1, 500, 5000, 40_000])
@pytest.mark.parametrize("loud", [0, 1])
def test_sound_without_pulse_or_tone_gets_an_estimate(noise, frames, loud):
    pcm = noise(1.0).pcm[:frames] * loud
    sound = Sound(pcm, 48_000)
    samples = mono(sound)[0]
    rhythm = hear_rhythm(samples)
    assert 60 <= rhythm.tempo <= 300
    assert 0 <= rhythm.downbeat < 4
    assert 0 <= find_downbeat(samples, 120, 4) < 2
    assert hear_key(samples).name.split()[0] in NOTES


@pytest.mark.parametrize("frames", [0, 1, 2, 7])
def test_the_notes_held_over_five_frames_are_their_median(frames):
    rows = np.random.default_rng(frames).random((frames, 1025), np.float32)
    held = ndimage.median_filter(rows, size=(5, 1)) if frames else rows
    assert np.array_equal(note_weights(rows, 2048, 55, 1300, held=True), note_weights(held, 2048, 55, 1300))
