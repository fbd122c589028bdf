"""The engine with a small random checkpoint: the effect of each request, and what edits leave unchanged."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from acestep_mcp.api.errors import GenerationFailed, InvalidRequest  # noqa: E402
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio, TextToAudio  # noqa: E402
from acestep_mcp.audio import Sound  # noqa: E402
from acestep_mcp.engines import Audio, Source  # noqa: E402
from acestep_mcp.engines.ace_step_v1 import tasks  # noqa: E402
from acestep_mcp.engines.ace_step_v1.engine import AceStepV1  # noqa: E402
from acestep_mcp.engines.ace_step_v1.sampling import latent_frames  # noqa: E402
from acestep_mcp.engines.model.options import EngineOptions  # noqa: E402

pytestmark = pytest.mark.xdist_group("torch")

STEPS = 4
WORDS = {"tags": "lofi, piano", "lyrics": "[verse]\nhello rain", "number_of_steps": STEPS}
EDIT = {"audio_url": "song.wav", "seed": 1, **WORDS}
RATE = 44_100


@pytest.fixture(scope="module")
def engine(checkpoint, tmp_path_factory):
    engine = AceStepV1(EngineOptions(data_dir=tmp_path_factory.mktemp("data"), weights=checkpoint))
    yield engine
    engine.close()


def song(seconds, channels=2, rate=RATE):
    """A 16-bit chord with varying loudness."""
    time = np.arange(round(seconds * rate)) / rate
    wave = sum(np.sin(2 * math.pi * pitch * time) for pitch in (220, 277.2, 329.6)) * 0.1
    wave *= 1 + 0.5 * np.sin(2 * math.pi * time / 3)
    pcm = (wave * 2**15).astype(np.int32)[:, None] << 16
    return Source(Sound(np.repeat(pcm, channels, axis=1), rate))


def played(engine, request, source=None):
    *steps, audio = engine.generate(request, source)
    assert isinstance(audio, Audio)
    return audio, steps


def differing(ours, theirs):
    """The seconds between which two sounds differ."""
    assert ours.pcm.shape == theirs.pcm.shape
    where = np.flatnonzero((ours.pcm != theirs.pcm).any(axis=1))
    return where[0] / ours.sample_rate, where[-1] / ours.sample_rate


def test_one_seed_gives_one_song_and_another_seed_another(engine):
    request = TextToAudio(**WORDS, duration=5, seed=3)
    first, _ = played(engine, request)
    again, _ = played(engine, request)
    other, _ = played(engine, request.model_copy(update={"seed": 4}))
    assert np.array_equal(first.sound.pcm, again.sound.pcm)
    assert not np.array_equal(first.sound.pcm, other.sound.pcm)
    assert (first.sound.sample_rate, first.sound.channels) == (48_000, 2)
    assert abs(first.sound.seconds - 5) < 4096 / RATE
    assert first.sound.pcm.any()


def test_every_step_of_a_song_is_reported(engine):
    _, steps = played(engine, TextToAudio(**WORDS, duration=5, seed=3))
    assert [(step.number, step.total) for step in steps if step.stage == "denoising"] == [
        (number, STEPS) for number in range(1, STEPS + 1)
    ]
    assert (steps[-1].stage, steps[-1].number, steps[-1].total) == ("decoding", 1, 1)


@pytest.mark.slow
def test_each_guidance_field_changes_the_song(engine):
    plain = TextToAudio(**WORDS, duration=5, seed=3)
    songs = {}
    for change in (
        {}, {"scheduler": "heun"}, {"tag_guidance_scale": 0, "guidance_scale": 4}, {"granularity_scale": -30}, {"tag_guidance_scale": 9},
        {"lyric_guidance_scale": 3}, {"guidance_interval": 1}, {"tags": "metal"}, {"lyrics": "[verse]\nhello sun"},
        {"lyrics": "[inst]"}, {"tag_guidance_scale": 0, "guidance_type": "apg"},
        {"tag_guidance_scale": 0, "guidance_type": "cfg"}, {"tag_guidance_scale": 0, "guidance_type": "cfg_star"},
        {"tag_guidance_scale": 0, "guidance_interval": 1, "guidance_interval_decay": 0.8},
        {"tag_guidance_scale": 0, "guidance_interval": 1, "guidance_interval_decay": 0.8, "minimum_guidance_scale": 9},
    ):  # fmt: skip
        audio, _ = played(engine, plain.model_copy(update=change))
        assert songs.setdefault(audio.sound.pcm.tobytes(), change) is change


def test_an_inpainted_song_is_new_inside_the_window_and_untouched_outside(engine):
    source = song(8)
    audio, _ = played(engine, AudioInpaint(**EDIT, start_time=3, end_time=5, variance=0.7), source)
    first, last = differing(audio.sound, source.sound)
    assert 3 <= first <= 3.05
    assert 4.9 <= last < 5


def test_letters_that_are_not_sung_are_named_in_a_note(engine):
    request = TextToAudio(**WORDS | {"lyrics": "[verse]\nสวัสดี hello"}, duration=5, seed=3)
    *_, audio = engine.generate(request, None)
    assert len(audio.notes) == 1
    assert "ส ว" in audio.notes[0]


def test_a_scale_that_is_not_used_is_named_in_a_note(engine):
    request = TextToAudio(**WORDS, duration=5, seed=3, guidance_scale=9)
    *_, audio = engine.generate(request, None)
    assert audio.notes == ("This model has no use for guidance_scale where tag and lyric guidance are both above 1.",)


@pytest.mark.parametrize("lyrics", ["", "[inst]", " [Instrumental]\n"])
def test_the_model_is_told_that_nobody_sings(engine, lyrics):
    """Every task encodes its lyrics here: the recorded ids of `[inst]` are in test_lyrics."""
    loaded = engine._loaded or engine.load()
    ids = loaded.lyrics.ids("[inst]")
    with torch.inference_mode():
        conditioning = ended(tasks._encode_conditioning(loaded, "piano", lyrics))
    assert conditioning.lyric_ids.tolist() == [ids]
    assert conditioning.lyric_mask.tolist() == [[1] * len(ids)]


def ended(run):
    """The value that a generator returns."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            return end.value


@pytest.mark.slow
def test_variance_changes_the_result(engine):
    source = song(8)
    songs = [
        played(engine, AudioInpaint(**EDIT, start_time=0, end_time=8, variance=variance), source)[0].sound.pcm
        for variance in (0.2, 0.9)
    ]
    assert not np.array_equal(*songs)


def test_a_mono_song_comes_back_mono_at_its_own_rate_and_as_long(engine):
    source = song(6, channels=1, rate=22_050)
    audio, _ = played(engine, AudioInpaint(**EDIT, start_time=2, end_time=3), source)
    assert (audio.sound.sample_rate, audio.sound.channels, len(audio.sound.pcm)) == (22_050, 1, len(source.sound.pcm))


@pytest.mark.parametrize(
    ("before", "after"), [(1.7, 2.5), *(pytest.param(*one, marks=pytest.mark.slow) for one in ((0, 2.5), (1.7, 0)))]
)
def test_an_outpainted_song_has_both_lengths_asked_for_and_the_song_between_them(engine, before, after):
    source = song(3.03)
    request = AudioOutpaint(**EDIT, extend_before_duration=before, extend_after_duration=after)
    audio, _ = played(engine, request, source)
    old, begin = len(source.sound.pcm), round(before * RATE)
    assert abs(len(audio.sound.pcm) - old - begin - round(after * RATE)) <= 1
    assert np.array_equal(audio.sound.pcm[begin : begin + old], source.sound.pcm)
    for new in (audio.sound.pcm[:begin], audio.sound.pcm[begin + old :]):
        assert not len(new) or np.abs(new).max() > 2**16


@pytest.mark.parametrize("mode", ["lyrics", pytest.param("remix", marks=pytest.mark.slow)])
def test_audio_to_audio_keeps_the_length_and_notes_unused_fields(engine, mode):
    source = song(5.5)
    request = AudioToAudio(**EDIT, original_tags="lofi", edit_mode=mode, scheduler="heun")
    audio, _ = played(engine, request, source)
    assert abs(audio.sound.seconds - 5.5) < 1e-4
    assert audio.notes == ("This model has no use for scheduler in audio-to-audio.",)


def test_a_song_is_stopped_between_two_steps_and_the_next_one_is_whole(engine):
    request = TextToAudio(**WORDS, duration=5, seed=3)
    running = engine.generate(request, None)
    while next(running).stage != "denoising":
        pass
    running.close()
    assert not torch.is_inference_mode_enabled()
    audio, _ = played(engine, request)
    assert audio.sound.pcm.any()


def test_a_step_leaves_the_caller_outside_inference_mode(engine):
    for _ in engine.generate(TextToAudio(**WORDS, duration=5, seed=3), None):
        assert not torch.is_inference_mode_enabled()


def test_non_finite_values_are_an_error(engine):
    with pytest.raises(GenerationFailed, match="lower guidance_scale"):
        played(engine, TextToAudio(**WORDS, duration=5, seed=3).model_copy(update={"guidance_scale": 1e38, "tag_guidance_scale": 0}))  # fmt: skip


def test_running_out_of_memory_is_a_clear_error_and_the_next_job_works(engine):
    """The noise of a song of many days needs more memory than any machine has."""
    with pytest.raises(GenerationFailed, match=r"ran out of memory.*shorter song"):
        played(engine, TextToAudio(**WORDS, duration=5, seed=3).model_copy(update={"duration": 1e13}))
    audio, _ = played(engine, TextToAudio(**WORDS, duration=5, seed=3))
    assert audio.sound.pcm.any()


def test_a_window_past_the_song_is_refused_before_any_work(engine):
    with pytest.raises(InvalidRequest, match="start_time"):
        played(engine, AudioInpaint(**EDIT, start_time=9, end_time=10), song(6))


@pytest.mark.slow
def test_unloading_frees_the_model_and_the_next_song_loads_it_again(engine):
    played(engine, TextToAudio(**WORDS, duration=5, seed=3))
    engine.unload()
    _, steps = played(engine, TextToAudio(**WORDS, duration=5, seed=3))
    assert steps[0].stage == "loading the model"


@pytest.fixture
def small_stretches(monkeypatch):
    """Runs of at most 20 s, with at least 3 s of finished music beside each stretch."""
    monkeypatch.setattr(tasks, "_LONGEST", latent_frames(20))
    monkeypatch.setattr(tasks, "_LEAST_CONTEXT", latent_frames(3))


@pytest.mark.slow
@pytest.mark.usefixtures("small_stretches")
def test_a_window_longer_than_a_run_is_inpainted_in_stretches(engine):
    source = song(40)
    request = AudioInpaint(**EDIT, start_time=6, end_time=4, end_time_relative_to="end", variance=1)
    audio, steps = played(engine, request, source)
    first, last = differing(audio.sound, source.sound)
    assert 5.9 < first < 6.1
    assert 35.9 < last < 36
    assert max(step.total for step in steps if step.stage == "denoising") == 3 * STEPS


@pytest.mark.slow
@pytest.mark.usefixtures("small_stretches")
def test_a_song_is_extended_beyond_the_length_of_a_run(engine):
    source = song(10)
    request = AudioOutpaint(**EDIT, extend_before_duration=20, extend_after_duration=23)
    audio, steps = played(engine, request, source)
    assert abs(audio.sound.seconds - 53) < 1e-3
    begin, old = 20 * RATE, len(source.sound.pcm)
    assert np.array_equal(audio.sound.pcm[begin : begin + old], source.sound.pcm)
    loud = np.abs(audio.sound.pcm).max(axis=1)
    seconds = loud[: len(loud) // RATE * RATE].reshape(-1, RATE).max(axis=1)
    assert (seconds > 2**16).all()
    assert max(step.total for step in steps if step.stage == "denoising") == 4 * STEPS


@pytest.mark.parametrize("variance", [0, *(pytest.param(other, marks=pytest.mark.slow) for other in (0.2, 1))])
def test_the_fewest_steps_work_with_any_variance(engine, variance):
    source = song(4)
    request = AudioInpaint(**EDIT | {"number_of_steps": 3}, start_time=1, end_time=2, variance=variance)
    audio, _ = played(engine, request, source)
    first, last = differing(audio.sound, source.sound)
    assert 0.96 <= first < last < 2


@pytest.mark.parametrize("samples", [1, pytest.param(4097, marks=pytest.mark.slow)])
def test_a_very_short_source_can_be_edited(engine, samples):
    source = Source(Sound(song(1).sound.pcm[:samples], RATE))
    new = AudioInpaint(**EDIT, start_time=0, end_time=30)
    assert len(played(engine, new, source)[0].sound.pcm) == samples
    longer = AudioOutpaint(**EDIT, extend_before_duration=0.001, extend_after_duration=0.001)
    assert abs(len(played(engine, longer, source)[0].sound.pcm) - samples - 2 * 44) <= 1


@pytest.mark.parametrize("rate", [44_101, pytest.param(8_000, marks=pytest.mark.slow)])
def test_a_source_of_any_rate_keeps_its_rate(engine, rate):
    source = song(3, rate=rate)
    audio, _ = played(engine, AudioInpaint(**EDIT | {"seed": 2**32 - 1}, start_time=1, end_time=2), source)
    first, last = differing(audio.sound, source.sound)
    assert 0.96 <= first < last < 2


@pytest.mark.slow
def test_truncated_tags_are_named_in_a_note(engine):
    audio, _ = played(engine, TextToAudio(**WORDS | {"tags": "piano, drums, " * 40}, duration=5, seed=3))
    assert "256 tokens" in audio.notes[0]


@pytest.mark.slow
def test_long_lyrics_are_sung_and_too_long_ones_rejected(engine):
    def words(count):
        return TextToAudio(**WORDS | {"lyrics": "[verse]\n" + "la la rain and sun\n" * count}, duration=5, seed=3)

    assert played(engine, words(20))[0].sound.pcm.any()
    with pytest.raises(InvalidRequest, match="lyrics"):
        played(engine, words(5000))
