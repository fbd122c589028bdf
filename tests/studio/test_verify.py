import time
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.audio import Sound
from acestep_mcp.audio.read import read
from acestep_mcp.audio.splice import from_float, to_float
from acestep_mcp.audio.tags.file_tags import FileTags
from acestep_mcp.audio.write import write
from acestep_mcp.library.models import Job, JobOptions, Status
from acestep_mcp.studio.verify import comparison

RATE = 8000


IDENTICAL = {"unchanged_outside": True, "outside_difference": "-inf dB (identical)"}


def random_sound(seed=1):
    pcm = np.random.default_rng(seed).integers(-(2**15), 2**15, (4 * RATE, 1)).astype(np.int32) << 16
    return pcm


def outside(*arguments):
    return {name: value for name, value in comparison(*arguments).items() if "outside" in name}


@pytest.fixture
def source(tmp_path):
    pcm = random_sound()
    write(tmp_path / "source.wav", Sound(pcm, RATE), format="wav", tags=FileTags())
    return pcm


@pytest.fixture
def job(tmp_path):
    def job(endpoint, *, backend="draft", form="wav", **request):
        request = {"audio_url": "x", "tags": "y"} | request
        options = JobOptions(source=str(tmp_path / "source.wav"), format=form)
        row = BY_ID[f"fal-ai/ace-step/{endpoint}"]
        return Job("j", row.id, row.request.parse(request), Status.IN_PROGRESS, backend, time.time(), options=options)

    return job


def test_new_samples_inside_the_window_leave_the_rest_unchanged(job, source):
    edited = source.copy()
    edited[RATE : 2 * RATE] = 0
    assert outside(job("audio-inpaint", start_time=1, end_time=2), Sound(edited, RATE)) == IDENTICAL


@pytest.mark.parametrize("frame", [0, RATE - 1, 2 * RATE, 4 * RATE - 1])
def test_one_other_sample_outside_the_window_is_found(job, source, frame):
    edited = source.copy()
    edited[frame] ^= 1 << 16
    found = outside(job("audio-inpaint", start_time=1, end_time=2), Sound(edited, RATE))
    assert found["unchanged_outside"] is False
    assert -140 < float(found["outside_difference"].removesuffix(" dB")) < -100


def test_a_window_at_the_end_of_the_song_is_compared_up_to_its_start(job, source):
    edited = source.copy()
    edited[3 * RATE :] = 0
    request = {"start_time": 1, "start_time_relative_to": "end", "end_time": 30}
    assert outside(job("audio-inpaint", **request), Sound(edited, RATE)) == IDENTICAL


def test_a_song_that_was_moved_or_cut_is_found(job, source):
    request = {"extend_before_duration": 1, "extend_after_duration": 1}
    silence = np.zeros((RATE, 1), np.int32)
    whole = np.concatenate([silence, source, silence])
    assert outside(job("audio-outpaint", **request), Sound(whole, RATE)) == IDENTICAL
    moved = outside(job("audio-outpaint", **request), Sound(whole[1:], RATE))
    assert moved == {"unchanged_outside": False, "outside_difference": "3.0 dB"}, "unrelated noise of the same level"
    cut = outside(job("audio-outpaint", **request), Sound(whole[: 3 * RATE], RATE))
    assert cut == {"unchanged_outside": False, "outside_difference": "-3.0 dB"}, "half of it is missing"
    longer = outside(job("audio-inpaint", start_time=1, end_time=2), Sound(whole[RATE:], RATE))
    assert longer == {"unchanged_outside": False, "outside_difference": "-inf dB (identical)"}


def test_nothing_is_said_where_nothing_can_be_compared(job, source, tmp_path):
    inpaint = job("audio-inpaint", start_time=1, end_time=2)
    assert outside(inpaint, Sound(source, 16000)) == {}
    assert outside(job("audio-inpaint", start_time=0, end_time=4), Sound(source, RATE)) == {}
    (tmp_path / "source.wav").unlink()
    assert outside(inpaint, Sound(source, RATE)) == {}


@pytest.mark.parametrize("noise", [0.1, 0.001])
def test_the_difference_is_told_in_decibels_of_the_sources_level(job, source, noise):
    mixed = from_float(to_float(Sound(source, RATE)) * (1 - noise), RATE, 16)
    request = {"start_time": 1, "end_time": 2}
    found = outside(job("audio-inpaint", **request), mixed)
    assert found["unchanged_outside"] is False
    assert float(found["outside_difference"].removesuffix(" dB")) == pytest.approx(20 * np.log10(noise), abs=1)
    assert outside(job("audio-inpaint", form="mp3", **request), Sound(source, RATE)).keys() == {"outside_difference"}


def test_a_source_above_full_scale_is_compared_after_the_same_gain(job, tmp_path):
    hot = (1.6 * np.sin(np.arange(4 * RATE) / 5)).astype(np.float32)
    soundfile.write(tmp_path / "source.wav", hot, RATE, subtype="FLOAT")
    request = {"start_time": 1, "end_time": 2}
    turned_down = read(tmp_path / "source.wav")
    assert outside(job("audio-inpaint", **request), replace(turned_down, gain=1.0)) == IDENTICAL
    cut = from_float(hot, RATE, 24)
    for backend in ("draft", "fal"):
        found = outside(job("audio-inpaint", backend=backend, **request), cut)
        assert found["unchanged_outside"] is False
        assert -20 < float(found["outside_difference"].removesuffix(" dB")) < -3
    sent_back = outside(job("audio-inpaint", backend="fal", **request), turned_down)
    assert sent_back == IDENTICAL, "another host's file keeps its floats and is turned down when it is read"


def test_the_change_inside_the_window_and_the_jumps_of_level_at_its_ends_are_told(job, source):
    request = {"start_time": 1, "end_time": 2}
    found = comparison(job("audio-inpaint", **request), Sound(source, RATE))
    assert found["inside_difference"] == "-inf dB (identical)"
    assert [float(seam.split()[2]) for seam in found["seams"]] == pytest.approx([0, 0], abs=0.3)
    edited = source.copy()
    edited[RATE : 2 * RATE] //= 4
    found = comparison(job("audio-inpaint", **request), Sound(edited, RATE))
    assert float(found["inside_difference"].removesuffix(" dB")) == pytest.approx(20 * np.log10(0.75), abs=0.1)
    assert [seam.split(" s: ")[0] for seam in found["seams"]] == ["1.0", "2.0"]
    assert [float(seam.split()[2]) for seam in found["seams"]] == pytest.approx([-12, 12], abs=0.3)
    edited[RATE : 2 * RATE] = 0
    found = comparison(job("audio-inpaint", **request), Sound(edited, RATE))
    assert found["seams"] == ["1.0 s: to silence", "2.0 s: from silence"]


def test_the_seam_of_an_outpaint_lies_where_the_song_ends(job, source):
    quieter = np.concatenate([source, source[: 2 * RATE] // 2])
    found = comparison(job("audio-outpaint", extend_after_duration=2), Sound(quieter, RATE))
    assert "inside_difference" not in found
    assert [seam.split(" s: ")[0] for seam in found["seams"]] == ["4.0"]
    assert float(found["seams"][0].split()[2]) == pytest.approx(-6, abs=0.3)


def test_a_jump_is_odd_where_the_source_has_none(job, source):
    request = job("audio-inpaint", start_time=1, end_time=2)
    edited = source.copy()
    edited[RATE : 2 * RATE] //= 4
    assert "odd_seams" not in comparison(request, Sound(edited, RATE)), "12 dB are heard often"
    edited[RATE : 2 * RATE] //= 4
    assert comparison(request, Sound(edited, RATE))["odd_seams"] == [1.0, 2.0]
    edited[RATE : 2 * RATE] = 0
    assert comparison(request, Sound(edited, RATE))["odd_seams"] == [1.0, 2.0]


def test_a_jump_that_the_source_has_too_is_not_odd(job, tmp_path):
    music = from_float(np.random.default_rng(1).normal(0, 0.1, 4 * RATE).astype(np.float32), RATE, 16).pcm
    for before in (0, 100):
        song = music.copy()
        song[:RATE] = song[:RATE] // before if before else 0
        soundfile.write(tmp_path / "source.wav", song, RATE, subtype="PCM_16")
        edited = song.copy()
        edited[RATE : 2 * RATE] //= 2
        assert "odd_seams" not in comparison(job("audio-inpaint", start_time=1, end_time=2), Sound(edited, RATE))


def test_new_music_after_an_ending_is_told(job, source, tmp_path):
    faded = (source * np.linspace(1, 0, len(source))[:, None] ** 4).astype(source.dtype)
    soundfile.write(tmp_path / "source.wav", faded, RATE, subtype="PCM_16")
    longer = np.concatenate([faded, source[: 2 * RATE]])
    assert comparison(job("audio-outpaint", extend_after_duration=2), Sound(longer, RATE))["odd_seams"] == [4.0]
