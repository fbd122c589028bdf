"""Loudness by the standard, and levels that do not clip."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from acestep_mcp.audio import Sound
from acestep_mcp.audio.measure import (
    Measurement,
    facts_in,
    follow_curve,
    level,
    loudness,
    loudness_curve,
    measure,
    peak_dbfs,
)
from acestep_mcp.audio.splice import from_float, to_float


def tone(seconds: float, dbfs: float, rate: int = 48_000, hertz: float = 997.0) -> np.ndarray:
    wave = 10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.stack([wave, wave], axis=1)


def test_a_full_scale_tone_in_one_channel_is_as_loud_as_the_standard_says():
    """BS.1770-4: 997 Hz at 0 dBFS in the left, centre or right channel gives -3.01 LKFS."""
    one = tone(5, 0)
    one[:, 1] = 0
    assert loudness(one, 48_000) == pytest.approx(-3.01, abs=0.01)
    assert loudness(one[:, 0], 48_000) == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize(
    ("parts", "lufs"),
    [
        ([(20, -23)], -23),
        ([(20, -33)], -33),
        ([(10, -36), (60, -23), (10, -36)], -23),
        ([(10, -72), (10, -36), (60, -23), (10, -36), (10, -72)], -23),
        ([(20, -26), (20.1, -20), (20, -26)], -23),
    ],
)
@pytest.mark.slow
def test_the_signals_of_ebu_tech_3341_have_the_stated_loudness(parts, lufs):
    """Its stereo cases 1 to 5, to within its 0.1 LU."""
    samples = np.concatenate([tone(seconds, dbfs, hertz=1000) for seconds, dbfs in parts])
    assert loudness(samples, 48_000) == pytest.approx(lufs, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_another_meter_agrees_at_every_rate(rate, channels):
    random = np.random.default_rng(rate + channels)
    samples = random.normal(0, 0.1, (rate * 6, channels)) * np.repeat([1, 0.001, 0.1, 0.5, 1e-5, 0.3], rate)[:, None]
    import pyloudnorm  # loads scipy: a second in each worker

    other = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(samples)
    assert loudness(samples, rate) == pytest.approx(other, abs=0.02)


def test_silence_is_minus_infinity_and_can_be_written_as_json():
    for seconds in (0, 1 / 48_000, 0.1, 1):
        got = measure(Sound(np.zeros((round(seconds * 48_000), 2), np.int32), 48_000))
        assert got == Measurement(-math.inf, -math.inf, 0, silent=True)
        assert json.dumps(got.facts(), allow_nan=False) == (
            '{"lufs": null, "peak_dbfs": null, "clipped_samples": 0, "silent": true}'
        )


@pytest.mark.parametrize("frames", [1, 2, 100, 19_199, 19_200, 19_201])
def test_sounds_shorter_than_a_block_have_a_loudness(frames):
    got = loudness(tone(1, -20)[1 : frames + 1], 48_000)
    assert math.isfinite(got)
    if frames > 10_000:
        assert got == pytest.approx(-20, abs=0.3)


def test_the_peak_is_the_largest_sample_of_either_sign():
    samples = np.zeros((1000, 2), np.float32)
    samples[500, 1] = -0.5
    assert peak_dbfs(samples) == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize("bits", [16, 24])
def test_clipped_samples_are_counted_in_runs_only(bits):
    samples = np.zeros((100, 2))
    samples[10, 0] = 1.0
    samples[20:23, 1] = 1.0
    samples[40:42, 0] = -1.0
    assert measure(from_float(samples, 48_000, bits)).clipped_samples == 5


@pytest.mark.parametrize("rate", [22_050, 48_000])
@pytest.mark.parametrize("gain", [0.01, 0.3, 3.0])
def test_levelled_music_has_the_target_loudness_and_never_passes_the_ceiling(rate, gain):
    random = np.random.default_rng(1)
    beats = np.exp(-(np.arange(rate * 4) % (rate // 2)) / (rate * 0.05))[:, None]
    music = (random.normal(0, 0.2, (rate * 4, 2)) * beats * gain).astype(np.float32)
    result = level(music, rate)
    assert loudness(result, rate) == pytest.approx(-16, abs=0.2)
    assert peak_dbfs(result) <= -0.99999
    assert result.dtype == np.float32
    assert not measure(from_float(result, rate, 16)).clipped_samples


def test_music_that_needs_no_limiting_is_only_made_louder():
    music = tone(3, -30).astype(np.float32)
    result = level(music, 48_000, target_lufs=-16)
    assert np.allclose(result, music * (result[1000, 0] / music[1000, 0]), atol=1e-6)
    assert loudness(result, 48_000) == pytest.approx(-16, abs=0.05)


def test_the_limiter_changes_the_level_slowly_and_only_around_the_peak():
    music = tone(3, -20).astype(np.float32)
    music[72_000] = 1.0
    result = level(music, 48_000, target_lufs=loudness(music, 48_000), ceiling_dbfs=-6)
    assert np.abs(result).max() <= 10 ** (-6 / 20) + 1e-6
    near = slice(72_000 - 1000, 72_000 + 1000)
    factor = result / np.where(np.abs(music) < 1e-3, np.nan, music)
    assert np.nanmin(factor[near]) < 0.6
    assert np.nanmax(np.abs(np.diff(factor[near], axis=0))) < 0.01
    assert np.nanmin(factor[:70_000]) > 0.99


def test_levelling_silence_one_frame_and_mono_works():
    assert not level(np.zeros((100, 2), np.float32), 48_000).any()
    assert level(np.ones((1, 2), np.float32), 48_000).shape == (1, 2)
    mono = level(tone(1, -40)[:, 0], 48_000)
    assert mono.shape == (48_000,)
    assert loudness(mono, 48_000) == pytest.approx(-16, abs=0.1)


def test_the_loudness_curve_follows_the_music():
    music = np.concatenate([tone(2, -40), tone(2, -10), tone(2, -30)])
    curve = loudness_curve(music, 48_000, hop=0.1)
    assert len(curve) == 60
    for second, dbfs in ((1, -40), (3, -10), (5, -30)):
        assert 20 * np.log10(curve[second * 10] * 2**0.5) == pytest.approx(dbfs, abs=0.1)
    assert len(loudness_curve(np.zeros((1, 2)), 48_000)) == 1


def test_music_takes_on_the_curve_of_other_music():
    loud_then_quiet = np.concatenate([tone(3, -10), tone(3, -20)])
    quiet_then_loud = np.concatenate([tone(1.5, -20), tone(1.5, -12)])
    result = follow_curve(quiet_then_loud.astype(np.float32), 48_000, loudness_curve(loud_then_quiet, 48_000))
    got = loudness_curve(result, 48_000)
    assert 20 * np.log10(got[7] * 2**0.5) == pytest.approx(-10, abs=0.5)
    assert 20 * np.log10(got[23] * 2**0.5) == pytest.approx(-20, abs=0.5)
    assert np.abs(np.diff(to_float(from_float(result, 48_000, 16))[:, 0])).max() < 0.1


@pytest.mark.parametrize(
    "given",
    [
        None, {}, [], {"lufs": -14.0, "peak_dbfs": -1, "clipped_samples": 0},
        {"lufs": "-14", "peak_dbfs": -1, "clipped_samples": 0, "silent": False},
        {"lufs": -14.0, "peak_dbfs": -1, "clipped_samples": True, "silent": False},
        {"lufs": -14.0, "peak_dbfs": -1, "clipped_samples": 0, "silent": 0},
        {"lufs": -14.0, "peak_dbfs": -1, "clipped_samples": 0, "silent": False, "more": "text"},
    ],
)  # fmt: skip
def test_measurements_of_another_form_are_rejected(given):
    assert facts_in(given) is None


def test_measurements_of_the_same_form_are_accepted():
    for facts in (
        Measurement(-14.2, -1.0, 3, silent=False).facts(),
        Measurement(-math.inf, -math.inf, 0, silent=True).facts(),
    ):
        assert facts_in(json.loads(json.dumps(facts))) == facts
