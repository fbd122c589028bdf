from typing import Any

import pytest

from acestep_mcp.api.edits import inpaint_window, minimum_guidance, outpaint_lengths
from acestep_mcp.api.endpoints import BY_REQUEST
from acestep_mcp.api.errors import InvalidRequest
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio


def inpaint(**fields: Any) -> AudioInpaint:
    return AudioInpaint.parse({"audio_url": "song.wav", "tags": "pop", **fields})


def outpaint(**fields: Any) -> AudioOutpaint:
    return AudioOutpaint.parse({"audio_url": "song.wav", "tags": "pop", **fields})


def refused(fields: dict[str, Any], seconds: float) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        inpaint_window(inpaint(**fields), seconds)
    return caught.value


def test_a_window_counted_from_the_start_is_unchanged():
    window = inpaint_window(inpaint(start_time=10, end_time=20.5), 60)
    assert (window.start, window.end, window.notes) == (10, 20.5, ())


def test_times_relative_to_the_end_count_back_from_it():
    fields = {"start_time": 15, "start_time_relative_to": "end", "end_time": 5, "end_time_relative_to": "end"}
    window = inpaint_window(inpaint(**fields), 60)
    assert (window.start, window.end, window.notes) == (45, 55, ())


def test_an_end_past_the_song_is_moved_to_its_end_and_noted():
    window = inpaint_window(inpaint(start_time=10, end_time=200), 60)
    assert (window.start, window.end) == (10, 60)
    assert len(window.notes) == 1
    assert "end_time" in window.notes[0]
    assert "200 s" in window.notes[0]
    assert "60 s" in window.notes[0]


def test_a_start_before_the_song_is_moved_to_its_start_and_noted():
    window = inpaint_window(inpaint(start_time=90, start_time_relative_to="end", end_time=20), 60)
    assert (window.start, window.end) == (0, 20)
    assert "start_time" in window.notes[0]


@pytest.mark.parametrize("start", [60, 61, 240])
def test_a_start_at_or_past_the_end_names_field_value_and_length(start: float):
    error = refused({"start_time": start, "end_time": 240}, 60)
    assert [(field.field, field.value) for field in error.fields] == [("start_time", start)]
    assert f"{start} s" in error.message
    assert "60 s long" in error.message


@pytest.mark.parametrize(
    "fields",
    [
        {"start_time": 30, "end_time": 30},
        {"start_time": 30, "end_time": 10},
        {"start_time": 0, "end_time": 60, "end_time_relative_to": "end"},
        {"start_time": 0, "end_time": 90, "end_time_relative_to": "end"},
        {"start_time": 5, "start_time_relative_to": "end", "end_time": 50},
    ],
)
def test_a_window_empty_after_clamping_is_rejected_with_both_times(fields: dict[str, Any]):
    error = refused(fields, 60)
    assert error.fields[0].field == "end_time"
    assert "window is empty" in error.message
    assert f"{fields['start_time']:g} s" in error.message
    assert "60 s" in error.message


def test_a_window_that_is_valid_after_clamping_is_accepted():
    assert inpaint_window(inpaint(start_time=59.9, end_time=240), 60).end == 60


def test_an_extension_of_zero_names_both_fields():
    with pytest.raises(InvalidRequest) as caught:
        outpaint_lengths(outpaint(extend_after_duration=0), 42)
    assert [field.field for field in caught.value.fields] == ["extend_before_duration", "extend_after_duration"]
    assert "42 s" in caught.value.message


def test_either_side_alone_can_be_extended():
    assert outpaint_lengths(outpaint(extend_before_duration=5, extend_after_duration=0), 42).before == 5
    assert outpaint_lengths(outpaint(), 42).after == 30


@pytest.mark.parametrize(("seconds", "fits"), [(240, True), (240.1, False)])
def test_audio_to_audio_accepts_a_source_of_up_to_240_seconds(seconds: float, fits: bool):
    request = AudioToAudio(audio_url="song.wav", original_tags="pop", tags="jazz")
    _checked(request, seconds, fits)


@pytest.mark.parametrize("request_", [inpaint(), outpaint()])
@pytest.mark.parametrize(("seconds", "fits"), [(600, True), (600.1, False), (0, False)])
def test_inpaint_and_outpaint_accept_a_source_of_up_to_600_seconds(request_: Any, seconds: float, fits: bool):
    _checked(request_, seconds, fits)


def edit_of(request: Any, seconds: float):
    return BY_REQUEST[type(request)].edit(request, seconds)


def _checked(request: Any, seconds: float, fits: bool):
    if fits:
        edit_of(request, seconds)
        return
    with pytest.raises(InvalidRequest) as caught:
        edit_of(request, seconds)
    assert caught.value.fields[0].field == "audio_url"


@pytest.mark.parametrize(
    ("decay", "scale", "floor", "expected"), [(0, 2, 3, 3), (0.5, 2, 3, 2), (0.5, 15, 3, 3), (1, 3, 3, 3)]
)
def test_the_lower_limit_of_guidance_is_lowered_only_under_decay(
    decay: float, scale: float, floor: float, expected: float
):
    request = inpaint(guidance_interval_decay=decay, guidance_scale=scale, minimum_guidance_scale=floor)
    value, notes = minimum_guidance(request)
    assert value == expected
    assert bool(notes) == (expected != floor)


def test_an_invalid_edit_is_rejected_before_it_is_submitted():
    from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint

    with pytest.raises(InvalidRequest, match="start_time"):
        edit_of(AudioInpaint(audio_url="a", tags="b", start_time=20), 10)
    with pytest.raises(InvalidRequest, match="extend_after_duration"):
        edit_of(AudioOutpaint(audio_url="a", tags="b", extend_after_duration=0), 10)


def test_an_edit_is_recorded_in_seconds_of_the_source():
    from acestep_mcp.api.requests import AudioInpaint

    edit = edit_of(AudioInpaint(audio_url="a", tags="b", start_time=8, start_time_relative_to="end"), 12)
    assert edit.span == {"start": 4, "end": 12, "variance": 0.5}
    assert len(edit.notes) == 1
