"""New music is joined to old so that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from acestep_mcp.audio import Sound
from acestep_mcp.audio.splice import conform, from_float, inpaint, outpaint, to_float, within_full_scale

FADE = 0.030


def frames(seconds: float, sound: Sound) -> int:
    return round(seconds * sound.sample_rate)


@pytest.mark.parametrize(
    ("rate", "channels", "bits"), [(8000, 1, 16), (22_050, 1, 16), (44_100, 2, 16), (48_000, 2, 24), (96_000, 2, 24)]
)
@pytest.mark.parametrize(("start", "end"), [(1.0, 2.0), (0.0, 1.0), (2.0, 3.0), (0.0, 3.0), (1.0, 1.02), (0.4, 2.7)])
def test_everything_outside_the_window_is_identical_and_inside_is_the_new_music(
    noise, rate, channels, bits, start, end
):
    source = noise(3.0, rate, channels, bits, seed=1)
    new = noise(end - start, rate, channels, bits, seed=2)
    result = inpaint(source, new, start, end)
    first, last = frames(start, source), frames(end, source)
    seam = min(frames(FADE, source), (last - first) // 2)
    assert result.pcm.shape == source.pcm.shape
    assert (result.sample_rate, result.bits) == (rate, bits)
    assert np.array_equal(result.pcm[:first], source.pcm[:first])
    assert np.array_equal(result.pcm[last:], source.pcm[last:])
    assert not np.any(result.pcm & ((1 << (32 - bits)) - 1))
    inner = slice(first + seam if start else 0, last - seam if end < 3 else None)
    assert np.array_equal(result.pcm[inner], new.pcm[inner.start - first :][: len(result.pcm[inner])])


@pytest.mark.parametrize("rate", [8000, 11_025, 44_100, 48_000])
@pytest.mark.parametrize(("start", "end"), [(0.7, 1.90009), (1.00003, 2.00003), (1 / 3, 2 / 3), (0.123457, 2.987651)])
def test_a_window_between_two_samples_changes_none_that_lies_outside_it(noise, rate, start, end):
    source = noise(3.0, rate, seed=1)
    changed = np.flatnonzero((inpaint(source, noise(3.0, rate, seed=2), start, end).pcm != source.pcm).any(axis=1))
    assert start * rate - 1e-6 <= changed[0] < start * rate + 0.01 * rate
    assert end * rate - 0.03 * rate < changed[-1] < int(end * rate + 1e-6)


def test_a_beat_at_the_first_moment_of_a_window_keeps_its_attack():
    rate = 48_000
    click = np.zeros((rate, 1))
    click[480:960] = 0.5  # from 10 ms on
    result = inpaint(from_float(np.zeros((3 * rate, 1)), rate, 16), from_float(click, rate, 16), 1.0, 2.0)
    assert np.array_equal(to_float(result)[rate + 480 : rate + 960], np.full((480, 1), 0.5, np.float32))


def test_short_new_music_leaves_no_gap(noise):
    source, new = noise(3.0, seed=1), noise(0.5, seed=2)
    result = inpaint(source, new, 1.0, 2.0)
    assert np.array_equal(result.pcm[72_000:], source.pcm[72_000:])
    assert np.array_equal(result.pcm[:48_000], source.pcm[:48_000])


@pytest.mark.parametrize(("start", "end"), [(2.0, 2.0), (2.0, 1.0), (3.0, 9.0), (-2.0, 0.0)])
def test_an_empty_window_changes_nothing(noise, start, end):
    source = noise(3.0, seed=1)
    assert np.array_equal(inpaint(source, noise(1.0, seed=2), start, end).pcm, source.pcm)


def test_no_seam_dips_to_silence_and_none_clicks(sine):
    """A tone replaced by the same tone: at every moment it is as loud as before, or at most 3 dB louder."""
    source = sine(3.0, hertz=1000)
    result = to_float(inpaint(source, Sound(source.pcm[48_000:96_000], 48_000), 1.0, 2.0))[:, 0]
    peaks = np.abs(result).reshape(-1, 240).max(axis=1)
    assert peaks.min() > 0.49
    assert peaks.max() < 0.5 * 2**0.5 + 0.01
    assert np.abs(np.diff(result)).max() < 2**0.5 * np.abs(np.diff(to_float(source)[:, 0])).max() + 0.01


def test_seams_of_unrelated_music_keep_its_power(noise):
    source = noise(1.0, seed=1)
    powers = []
    for seed in range(2, 40):
        mixed = to_float(inpaint(source, noise(0.5, seed=seed), 0.25, 0.75))[12_000:13_440]
        powers.append(np.square(mixed).mean(axis=1))
    assert 10 * np.log10(np.mean(powers, axis=0).reshape(12, -1).mean(axis=1) / 0.01) == pytest.approx(0, abs=1.0)


def test_a_seam_between_two_full_scale_sounds_neither_wraps_nor_cuts():
    loud = from_float(np.ones((48_000, 1)), 48_000, 16)
    assert inpaint(loud, loud, 0.2, 0.8).pcm.min() == 32_767 << 16
    tone = from_float(0.98 * np.sin(np.arange(48_000) / 9), 48_000, 16)
    for result in (inpaint(tone, tone, 0.2, 0.8), outpaint(tone, tone, tone)):
        assert np.abs(to_float(result)).max() <= 0.981


def test_the_source_is_never_written_into(noise):
    source = noise(2.0, seed=1)
    before = source.pcm.copy()
    source.pcm.setflags(write=False)
    inpaint(source, noise(1.0, seed=2), 0.5, 1.5)
    outpaint(source, noise(1.0, seed=2), noise(1.0, seed=3))
    assert np.array_equal(source.pcm, before)


@pytest.mark.parametrize(("rate", "channels", "bits"), [(22_050, 1, 16), (48_000, 2, 16), (96_000, 2, 24)])
@pytest.mark.parametrize(("before", "after"), [(1.0, 2.0), (0.0, 1.5), (1.5, 0.0), (0.01, 0.01)])
def test_outpainting_keeps_every_sample_of_the_song(noise, rate, channels, bits, before, after):
    source = noise(2.0, rate, channels, bits, seed=1)
    head = noise(before, rate, channels, bits, seed=2) if before else None
    tail = noise(after, rate, channels, bits, seed=3) if after else None
    result = outpaint(source, head, tail)
    lead, seam = frames(before, source), frames(FADE, source)
    assert len(result.pcm) == lead + len(source.pcm) + frames(after, source)
    assert np.array_equal(result.pcm[lead : lead + len(source.pcm)], source.pcm)
    if before > FADE:
        assert np.array_equal(result.pcm[: lead - seam], head.pcm[: lead - seam])
    if after > FADE:
        assert np.array_equal(result.pcm[lead + len(source.pcm) + seam :], tail.pcm[seam:])


def test_the_joint_of_an_outpainting_does_not_click(sine):
    song = sine(1.0, hertz=315)
    quiet = Sound(np.zeros_like(song.pcm), 48_000)
    steps = np.abs(np.diff(to_float(outpaint(song, quiet, quiet))[:, 0]))
    assert steps.max() < 1.2 * np.abs(np.diff(to_float(song)[:, 0])).max()


def test_a_new_part_of_another_shape_is_conformed_first(noise, sine):
    source = noise(2.0, 44_100, 1, 24, seed=1)
    result = outpaint(source, None, sine(1.0, 48_000, 2))
    assert (result.sample_rate, result.channels, result.bits) == (44_100, 1, 24)
    assert abs(len(result.pcm) - 3 * 44_100) <= 1
    assert np.abs(to_float(result)[-22_050:]).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 96_000])
def test_conforming_changes_rate_channels_and_depth_and_keeps_the_length(sine, noise, rate):
    like = noise(0.1, rate, 1, 24)
    result = conform(sine(1.0, 48_000, 2, hertz=1000), like)
    assert (result.sample_rate, result.channels, result.bits) == (rate, 1, 24)
    assert abs(len(result.pcm) - rate) <= 1
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(len(result.pcm)) / rate)
    middle = slice(rate // 10, -rate // 10)
    assert np.abs(to_float(result)[middle, 0] - expected[middle]).max() < 0.001


def test_conforming_to_its_own_shape_changes_no_sample(noise):
    for bits in (16, 24):
        sound = noise(0.5, bits=bits)
        assert np.array_equal(conform(sound, sound).pcm, sound.pcm)
    wide = noise(0.5, bits=24)
    narrow = conform(wide, noise(0.1))
    assert not np.any(narrow.pcm & 0xFFFF)
    assert np.abs(narrow.pcm.astype(np.int64) - wide.pcm).max() <= 1 << 15
    assert np.array_equal(conform(narrow, wide).pcm, narrow.pcm)


def test_mono_becomes_two_equal_channels_and_back_without_a_change(noise):
    mono, stereo = noise(0.5, channels=1), noise(0.1, channels=2)
    both = conform(mono, stereo)
    assert np.array_equal(both.pcm[:, 0], both.pcm[:, 1])
    assert np.array_equal(conform(both, mono).pcm, mono.pcm)


@pytest.mark.parametrize("bits", [16, 24])
def test_floats_and_back_are_the_same_samples(noise, bits):
    sound = noise(1.0, bits=bits)
    sound.pcm[:2] = [[-(2**31)] * 2, [2**31 - 2 ** (32 - bits)] * 2]
    assert np.array_equal(from_float(to_float(sound), 48_000, bits).pcm, sound.pcm)


def test_floats_beyond_full_scale_are_clipped_and_a_flat_array_is_mono():
    sound = from_float(np.array([1.5, -1.5, np.nan, 0.25 / 2**15]), 48_000, 16)
    assert (sound.pcm[:, 0] >> 16).tolist() == [32_767, -32_768, 0, 0]


@pytest.mark.parametrize("peak", [0.0, 0.7, 1.0, 1.01, 3.0])
def test_new_music_above_full_scale_is_turned_down_and_other_music_is_not_touched(peak):
    music = np.float32(peak) * np.float32([[0.5, -1], [0.25, 0]])
    result = within_full_scale(music)
    assert (result is music) == (peak <= 1)
    assert np.abs(result).max() == pytest.approx(peak if peak <= 1 else 10 ** (-0.1 / 20))
    assert result * peak == pytest.approx(music * np.abs(result).max())


def test_one_frame_is_enough(noise):
    one = noise(1 / 48_000)
    assert len(outpaint(one, one, one).pcm) == 3
    assert np.array_equal(inpaint(one, noise(1.0, seed=4), 0.0, 1.0).pcm, noise(1.0, seed=4).pcm[:1])
    assert len(conform(one, noise(1.0, 44_100, 1)).pcm) <= 1
