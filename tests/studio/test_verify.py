import time

import numpy as np
import pytest

from acestep_mcp.api.endpoints import BY_ID
from acestep_mcp.audio import Sound
from acestep_mcp.audio.tags.file_tags import FileTags
from acestep_mcp.audio.write import write
from acestep_mcp.library.models import Job, JobOptions, Status
from acestep_mcp.studio.verify import unchanged_outside

RATE = 8000


@pytest.fixture
def source(tmp_path):
    pcm = np.random.default_rng(1).integers(-(2**15), 2**15, (4 * RATE, 1)).astype(np.int32) << 16
    write(tmp_path / "source.wav", Sound(pcm, RATE), format="wav", tags=FileTags())
    return pcm


@pytest.fixture
def job(tmp_path):
    def job(endpoint, **request):
        request = {"audio_url": "x", "tags": "y"} | request
        options = JobOptions(source=str(tmp_path / "source.wav"))
        row = BY_ID[f"fal-ai/ace-step/{endpoint}"]
        return Job("j", row.id, row.request.parse(request), Status.IN_PROGRESS, "draft", time.time(), options=options)

    return job


def test_new_samples_inside_the_window_leave_the_rest_unchanged(job, source):
    edited = source.copy()
    edited[RATE : 2 * RATE] = 0
    assert unchanged_outside(job("audio-inpaint", start_time=1, end_time=2), Sound(edited, RATE)) is True


@pytest.mark.parametrize("frame", [0, RATE - RATE // 10, 2 * RATE + RATE // 10, 4 * RATE - 1])
def test_one_other_sample_outside_the_window_is_found(job, source, frame):
    edited = source.copy()
    edited[frame] ^= 1 << 16
    assert unchanged_outside(job("audio-inpaint", start_time=1, end_time=2), Sound(edited, RATE)) is False


def test_a_window_at_the_end_of_the_song_is_compared_up_to_its_start(job, source):
    edited = source.copy()
    edited[3 * RATE :] = 0
    request = {"start_time": 1, "start_time_relative_to": "end", "end_time": 30}
    assert unchanged_outside(job("audio-inpaint", **request), Sound(edited, RATE)) is True


def test_a_song_that_was_moved_or_cut_is_found(job, source):
    request = {"extend_before_duration": 1, "extend_after_duration": 1}
    silence = np.zeros((RATE, 1), np.int32)
    whole = np.concatenate([silence, source, silence])
    assert unchanged_outside(job("audio-outpaint", **request), Sound(whole, RATE)) is True
    assert unchanged_outside(job("audio-outpaint", **request), Sound(whole[1:], RATE)) is False
    assert unchanged_outside(job("audio-outpaint", **request), Sound(source, RATE)) is False


def test_the_result_is_none_where_nothing_can_be_compared(job, source, tmp_path):
    inpaint = job("audio-inpaint", start_time=1, end_time=2)
    assert unchanged_outside(inpaint, Sound(source, 16000)) is None
    (tmp_path / "source.wav").unlink()
    assert unchanged_outside(inpaint, Sound(source, RATE)) is None
