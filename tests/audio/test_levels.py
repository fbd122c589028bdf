"""Levels over time, against signals whose values are known."""

import numpy as np
import pytest

from acestep_mcp.audio.levels import brightness, find_silence, loudness_range, stereo_width, true_peak
from acestep_mcp.audio.measure import hop_powers
from tests.support.parameters import few

RATE = 48_000


def tone(seconds, hertz=1000.0, level=0.5, phase=0.0):
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE + phase)[:, None]


@pytest.mark.parametrize("step", [5, 10, 20])
def test_the_loudness_range_of_two_levels_is_their_distance(step):
    """EBU Tech 3342, as in its test signals: 20 s at each level."""
    music = np.concatenate([tone(20, level=0.1), tone(20, level=0.1 * 10 ** (-step / 20))])
    assert loudness_range(hop_powers(music, RATE)) == pytest.approx(step, abs=1)


def test_a_short_or_silent_song_has_no_loudness_range():
    assert loudness_range(hop_powers(tone(2), RATE)) == 0
    assert loudness_range(hop_powers(np.zeros((RATE * 5, 2)), RATE)) == 0


def test_the_true_peak_between_two_samples_is_found():
    """A quarter of the rate at 45 degrees: every sample is 3 dB below the peak (as in ITU-R BS.2217)."""
    music = tone(1, hertz=RATE / 4, level=1.0, phase=np.pi / 4)
    assert 20 * np.log10(np.abs(music).max()) == pytest.approx(-3.01, abs=0.01)
    assert true_peak(music) == pytest.approx(0, abs=0.2)  # its abrupt start overshoots


@pytest.mark.slow
@pytest.mark.parametrize("seed", few(range(4), 1))
def test_the_true_peak_is_within_a_tenth_of_eight_times_the_rate(seed):
    from scipy import signal  # takes a second to load, in each worker

    music = np.random.default_rng(seed).normal(0, 0.2, (RATE * 3, 2))
    exact = 20 * np.log10(np.abs(signal.resample_poly(music, 8, 1, axis=0)).max())
    assert true_peak(music) == pytest.approx(exact, abs=0.1)


def test_the_true_peak_of_very_little_and_of_silence():
    assert true_peak(np.zeros((100, 1))) == -np.inf
    assert true_peak(np.zeros((0, 1))) == -np.inf
    assert true_peak(np.full((1, 1), 0.5)) == pytest.approx(-6.02, abs=0.1)


def test_silence_is_found_at_both_ends_and_inside():
    quiet = np.zeros((RATE, 1))
    found = find_silence(np.concatenate([quiet, tone(2), quiet, tone(1), quiet[: RATE // 4]]), RATE)
    assert (found.start, found.end) == pytest.approx((1, 0.25), abs=0.02)
    [(begin, end)] = found.gaps
    assert (begin, end) == pytest.approx((3, 4), abs=0.02)


def test_a_rest_is_no_gap_and_a_silent_song_is_silent_from_its_start():
    found = find_silence(np.concatenate([tone(1), np.zeros((RATE // 3, 1)), tone(1)]), RATE)
    assert found.gaps == ()
    assert find_silence(np.zeros((RATE, 2)), RATE).start == 1
    assert find_silence(np.zeros((0, 2)), RATE).start == 0


@pytest.mark.parametrize(("hertz", "word"), [(300, "dark"), (1300, "warm"), (2500, "bright"), (8000, "very bright")])
def test_brightness_is_the_centre_of_the_spectrum(hertz, word):
    centroid, found = brightness(tone(2, hertz), RATE)
    assert centroid == pytest.approx(hertz, rel=0.03)
    assert found == word
    assert brightness(tone(0.01, hertz), RATE)[0] > 0


def test_width_goes_from_mono_to_wide():
    left, right = tone(1), tone(1, phase=np.pi)
    assert stereo_width(left) == (0, "mono")
    assert stereo_width(np.hstack([left, left])) == (0, "mono")
    assert stereo_width(np.hstack([left, 0.8 * left])) == (pytest.approx(0.11), "narrow")
    assert stereo_width(np.hstack([left, np.zeros_like(left)]))[1] == "wide"
    assert stereo_width(np.hstack([left, right])) == (9.99, "wide")
