import pytest

from acestep_mcp.api.endpoints import BY_REQUEST, UNKNOWN_LENGTH
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, PromptToAudio, TextToAudio
from acestep_mcp.library.models import Progress
from acestep_mcp.studio.estimate import seconds_left, with_estimate

HISTORY = [(6.0, 60.0), (12.0, 60.0), (8.0, 80.0)]


def test_the_time_left_follows_the_median_pace_of_earlier_songs_and_this_song_s_length():
    assert seconds_left(Progress(0.05), 1, 100, HISTORY) == pytest.approx(9)
    assert seconds_left(Progress(0.05), 1, 200, HISTORY) == pytest.approx(19)


def test_a_song_slower_than_history_corrects_its_estimate():
    assert seconds_left(Progress(0.5), 10, 100, HISTORY) == pytest.approx(5)


def test_time_left_is_never_negative():
    assert seconds_left(Progress(0.05), 50, 100, HISTORY) == 0


@pytest.mark.parametrize("history", [[], HISTORY[:1]])
def test_without_history_there_is_no_estimate(history):
    assert seconds_left(Progress(0.5), 1, 100, history) is None


def test_there_is_no_estimate_for_a_queued_job():
    assert seconds_left(Progress(queue_position=0), 1, 100, HISTORY) is None


@pytest.mark.parametrize(
    ("request_", "source", "seconds"),
    [
        (TextToAudio(tags="x", duration=30), None, 30),
        (PromptToAudio(prompt="x"), None, 60),
        (AudioInpaint(audio_url="x", tags="y"), 100, 100),
        (AudioInpaint(audio_url="x", tags="y"), None, UNKNOWN_LENGTH),
        (AudioOutpaint(audio_url="x", tags="y", extend_before_duration=10), 100, 140),
    ],
)
def test_an_edit_counts_with_the_length_of_its_whole_result(request_, source, seconds):
    assert BY_REQUEST[type(request_)].seconds(request_, source) == seconds


def test_without_counted_steps_the_fraction_follows_the_time():
    fractions = [with_estimate(Progress(0.1, "starting"), running, 100, HISTORY).fraction for running in (1, 5, 9, 99)]
    assert fractions == pytest.approx([0.18, 0.5, 0.82, 0.86])


def test_counted_steps_are_not_overtaken_by_the_time():
    assert with_estimate(Progress(0.2, "denoising", 3, 27), 9, 100, HISTORY).fraction == 0.2
