"""Resampling in blocks gives what resampling the whole gives, and holds one block of floats at a time."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import soxr

from acestep_mcp.audio import Sound
from acestep_mcp.audio.resample import blocks_of, resampled, resampled_array
from acestep_mcp.audio.splice import conform, from_float, to_float


@pytest.mark.parametrize("seconds", [0.0, 0.001, 0.5, 4.0])
@pytest.mark.parametrize(("old", "new"), [(48_000, 44_100), (22_050, 48_000), (96_000, 8000)])
def test_blocks_make_no_difference(noise, seconds, old, new):
    sound = noise(seconds, old)
    whole = soxr.resample(to_float(sound), old, new) if seconds else np.empty((0, 2), np.float32)
    parts = [np.empty((0, 2), np.float32), *resampled(blocks_of(to_float(sound)), old, new, 2)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(resampled_array(to_float(sound), old, new), whole)
    like = Sound(sound.pcm[:0], new, sound.bits)
    assert np.array_equal(conform(sound, like).pcm, from_float(whole, new, sound.bits).pcm)


def test_a_long_sound_takes_little_more_memory_than_its_result():
    sound = Sound(np.zeros((30 * 44_100, 2), np.int32), 44_100)
    like = Sound(sound.pcm[:0], 48_000)
    tracemalloc.start()
    result = conform(sound, like)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.4 * result.pcm.nbytes
