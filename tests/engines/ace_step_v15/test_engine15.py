"""ACE-Step 1.5 with a small random model: the effect of each request, and what edits leave unchanged."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from safetensors.torch import load_file, save_file  # noqa: E402

from acestep_mcp.api.errors import ConfigurationError, GenerationFailed, InvalidRequest  # noqa: E402
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio, TextToAudio  # noqa: E402
from acestep_mcp.audio import Sound  # noqa: E402
from acestep_mcp.engines import Audio, Source  # noqa: E402
from acestep_mcp.engines.ace_step_v15 import conditioning, tasks  # noqa: E402
from acestep_mcp.engines.ace_step_v15.engine import AceStepV15  # noqa: E402
from acestep_mcp.engines.model.options import EngineOptions  # noqa: E402

pytestmark = pytest.mark.xdist_group("torch-v1.5")


@pytest.fixture(autouse=True)
def _short_reference(monkeypatch):
    from diffusers import AceStepPipeline

    from tests.engines.ace_step_v15.checkpoint15 import short_reference

    monkeypatch.setattr(AceStepPipeline, "prepare_reference_audio_latents", short_reference)


SLOW = pytest.mark.slow
RATE = 48_000
WORDS = {"tags": "lofi, piano", "lyrics": "[verse]\nhello rain"}
FEW = WORDS | {"number_of_steps": 3}
EDIT = FEW | {"audio_url": "song.wav", "seed": 1}


@pytest.fixture(scope="module")
def engines(checkpoint15, tmp_path_factory):
    """One engine per kind of model."""
    built = {}

    def engine(kind="turbo", **options):
        if (kind, *options) not in built:
            weights = checkpoint15(kind, **options)
            built[kind, *options] = AceStepV15(
                EngineOptions(data_dir=tmp_path_factory.mktemp("data"), weights=weights, device="cpu")
            )
        return built[kind, *options]

    yield engine
    for engine in built.values():
        engine.close()


@pytest.fixture
def turbo(engines):
    return engines()


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


def totals(steps):
    return [step.total for step in steps if step.stage == "denoising"]


def test_one_seed_gives_one_song_and_another_seed_another(turbo):
    request = TextToAudio(**FEW, duration=5, seed=3)
    first, _ = played(turbo, request)
    again, _ = played(turbo, request)
    other, _ = played(turbo, request.model_copy(update={"seed": 4}))
    assert np.array_equal(first.sound.pcm, again.sound.pcm)
    assert not np.array_equal(first.sound.pcm, other.sound.pcm)
    assert (first.sound.sample_rate, first.sound.channels) == (RATE, 2)
    assert len(first.sound.pcm) == 5 * RATE


def test_a_new_song_peaks_at_minus_one_decibel(turbo):
    audio, _ = played(turbo, TextToAudio(**FEW, duration=5, seed=3))
    assert np.abs(audio.sound.pcm).max() / 2**31 == pytest.approx(10 ** (-1 / 20), abs=1e-4)


def test_turbo_takes_eight_steps_by_default_and_at_most_twenty(turbo):
    assert totals(played(turbo, TextToAudio(**WORDS, duration=5, seed=3))[1]) == [8] * 8
    assert totals(played(turbo, TextToAudio(**FEW, duration=5, seed=3))[1]) == [3] * 3
    audio, steps = played(turbo, TextToAudio(**WORDS, number_of_steps=27, duration=5, seed=3))
    assert totals(steps) == [20] * 20
    assert audio.notes == ("This model takes at most 20 steps, and 8 are enough.",)


def test_base_uses_its_own_guidance_scale_or_the_request_s_and_turbo_notes_that_it_uses_none(engines):
    request = {**FEW, "duration": 5, "seed": 3}
    plain, scaled, narrow = (
        played(engines("base"), TextToAudio(**request, **more))[0]
        for more in ({}, {"guidance_scale": 2}, {"guidance_interval": 0.1})
    )
    assert not np.array_equal(plain.sound.pcm, scaled.sound.pcm)
    assert not np.array_equal(plain.sound.pcm, narrow.sound.pcm)
    own, _ = played(
        engines("base"), TextToAudio(**request, guidance_scale=conditioning.DEFAULT_GUIDANCE, guidance_interval=1)
    )
    assert np.array_equal(plain.sound.pcm, own.sound.pcm)
    audio, _ = played(engines(), TextToAudio(**request, guidance_scale=2, scheduler="heun"))
    assert audio.notes == ("This model has no use for guidance_scale, scheduler.",)


def test_the_engine_names_its_model(engines):
    for kind in ("turbo", "base"):
        played(engines(kind), TextToAudio(**FEW, duration=5, seed=3))
        assert engines(kind).model == f"ACE-Step-v1.5 {kind}"


def test_an_inpainted_song_is_new_inside_the_window_and_untouched_outside(turbo):
    source = song(6)
    audio, steps = played(turbo, AudioInpaint(**EDIT, start_time=2, end_time=4, variance=1), source)
    assert audio.sound.pcm.shape == source.sound.pcm.shape
    where = np.flatnonzero((audio.sound.pcm != source.sound.pcm).any(axis=1)) / RATE
    assert 2 <= where[0] < 2.01
    assert 3.98 < where[-1] < 4
    assert len(where) > 1.9 * RATE
    assert totals(steps) == [3] * 3


@pytest.mark.parametrize(
    ("before", "after"), [(2, 3), pytest.param(0, 3, marks=SLOW), pytest.param(2.5, 0, marks=SLOW)]
)
def test_an_outpainted_song_has_the_lengths_asked_for_and_the_song_between_them(turbo, before, after):
    source = song(4)
    request = AudioOutpaint(**EDIT, extend_before_duration=before, extend_after_duration=after)
    audio, _ = played(turbo, request, source)
    assert len(audio.sound.pcm) == (4 + before + after) * RATE
    first = round(before * RATE)
    assert np.array_equal(audio.sound.pcm[first : first + 4 * RATE], source.sound.pcm)
    for new in (audio.sound.pcm[:first], audio.sound.pcm[first + 4 * RATE :]):
        assert not len(new) or np.abs(new).max() > 2**16


@pytest.mark.slow  # the short form is in test_tasks15.py
@pytest.mark.parametrize("covers", [False, True])
@pytest.mark.parametrize("mode", ["lyrics", "remix"])
def test_audio_to_audio_keeps_the_length(engines, mode, covers):
    source = song(5.3)
    request = AudioToAudio(**EDIT | {"number_of_steps": 8}, edit_mode=mode, original_tags="pop", original_seed=4)
    audio, steps = played(engines(covers=True) if covers else engines(), request, source)
    assert len(audio.sound.pcm) == len(source.sound.pcm)
    assert audio.notes[0] == "This model has no use for original_seed."
    assert len(audio.notes) == (1 if covers else 2)
    # Without the audio tokenizer the run starts from the noised source, later in the schedule.
    assert len(totals(steps)) == (8 if covers else {"lyrics": 3, "remix": 6}[mode])
    again, _ = played(engines(covers=True) if covers else engines(), request, source)
    assert np.array_equal(audio.sound.pcm, again.sound.pcm)


@pytest.mark.parametrize(
    ("channels", "rate"), [(1, 44_100), *(pytest.param(*other, marks=SLOW) for other in ((2, 22_050), (1, RATE)))]
)
def test_an_edit_keeps_sample_rate_and_channels(turbo, channels, rate):
    source = song(4, channels, rate)
    audio, _ = played(turbo, AudioInpaint(**EDIT, start_time=1, end_time=2, variance=1), source)
    assert audio.sound.pcm.shape == source.sound.pcm.shape
    assert audio.sound.sample_rate == rate


@SLOW
def test_decoding_in_windows_equals_decoding_at_once(turbo):
    played(turbo, TextToAudio(**FEW, duration=5, seed=3))
    loaded = turbo._loaded
    latents = torch.randn(1, 500, 8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        parts = tasks._decode(loaded, latents)
        steps = []
        while True:
            try:
                steps.append(next(parts))
            except StopIteration as end:
                music = end.value
                break
        loaded.pipe.vae.disable_tiling()
        whole = loaded.pipe.vae.decode(latents.transpose(1, 2)).sample[0].T.numpy()
        loaded.pipe.vae.enable_tiling()
    assert [step.number for step in steps] == [1, 2]
    assert music.shape == whole.shape == (500 * 1920, 2)
    assert np.abs(music - whole).max() < 1e-5 * np.abs(whole).max()


def test_a_song_is_stopped_within_a_step_and_the_next_one_is_whole(turbo):
    running = turbo.generate(TextToAudio(**WORDS, number_of_steps=20, duration=120, seed=3), None)
    for step in running:
        if step.stage == "denoising":
            break
    counted = []
    hook = turbo._loaded.pipe.transformer.register_forward_hook(lambda *_: counted.append(1))
    running.close()
    hook.remove()
    assert len(counted) <= 2
    audio, _ = played(turbo, TextToAudio(**FEW, duration=5, seed=3))
    assert audio.sound.pcm.any()


@SLOW
def test_running_out_of_memory_is_a_clear_error_and_the_next_job_works(turbo):
    with pytest.raises(GenerationFailed, match=r"ran out of memory.*shorter song.*--offload"):
        played(turbo, TextToAudio(**FEW, duration=5, seed=3).model_copy(update={"duration": 1e13}))
    audio, steps = played(turbo, TextToAudio(**FEW, duration=5, seed=3))
    assert audio.sound.pcm.any()
    assert steps[0].stage == "loading the model"


def test_a_window_past_the_song_is_refused_before_any_work(turbo):
    with pytest.raises(InvalidRequest, match="start_time"):
        played(turbo, AudioInpaint(**EDIT, start_time=9, end_time=10), song(6))


@pytest.mark.parametrize("seconds", [8.7, 5.01])
def test_a_length_with_rounding_errors_works(turbo, seconds):
    audio, _ = played(turbo, TextToAudio(**FEW, duration=seconds, seed=3))
    assert len(audio.sound.pcm) == round(seconds * RATE)


@pytest.mark.parametrize(
    ("samples", "rate", "extend"),
    [
        (1, 192_000, 1),
        *(pytest.param(*other, marks=SLOW) for other in ((48, RATE, 1), (4 * RATE, RATE, 1e-5), (2400, RATE, 0.01))),
    ],
)
def test_very_short_sources_and_extensions_work(turbo, samples, rate, extend):
    source = Source(Sound(song(5).sound.pcm[:samples], rate))
    request = AudioOutpaint(**EDIT, extend_before_duration=extend, extend_after_duration=extend)
    audio, _ = played(turbo, request, source)
    assert abs(len(audio.sound.pcm) - samples - 2 * round(extend * rate)) <= 2


@pytest.mark.parametrize("part", ["transformer", pytest.param("vae", marks=SLOW)])
def test_non_finite_values_are_an_error(checkpoint15, tmp_path, part):
    engine = AceStepV15(EngineOptions(data_dir=tmp_path, weights=checkpoint15(), device="cpu"))
    engine._loaded = engine.load()
    pipe = engine._loaded.pipe
    weight = pipe.transformer.norm_out.weight if part == "transformer" else pipe.vae.decoder.conv1.bias
    with torch.no_grad():
        weight[0] = torch.nan
    with pytest.raises(GenerationFailed, match="another seed"):
        played(engine, TextToAudio(**FEW, duration=5, seed=3))
    engine.close()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_the_dtype_option_is_used(checkpoint15, tmp_path, dtype):
    engine = AceStepV15(EngineOptions(data_dir=tmp_path, weights=checkpoint15(), device="cpu", dtype=dtype))
    audio, _ = played(engine, TextToAudio(**FEW, duration=5, seed=3))
    assert engine._loaded.pipe.transformer.dtype is getattr(torch, dtype)
    assert audio.sound.pcm.any()
    engine.close()


def test_freeing_releases_memory_although_the_modules_are_referenced(checkpoint15, tmp_path):
    loaded = AceStepV15(EngineOptions(data_dir=tmp_path, weights=checkpoint15(), device="cpu")).load()
    loaded.free()
    parts = [part for part in loaded.pipe.components.values() if isinstance(part, torch.nn.Module)]
    assert all(parameter.is_meta for part in parts for parameter in part.parameters())
    assert len(parts) == 4


@pytest.fixture
def own(checkpoint15, tmp_path):
    """A copy of the model that a test may damage."""
    return Path(shutil.copytree(checkpoint15(), tmp_path / "model"))


@pytest.mark.parametrize("name", ["silence_latent", "lyric_encoder.norm.weight"])
def test_a_tensor_that_is_missing_is_named_and_never_random(own, name):
    file = own / "condition_encoder" / "diffusion_pytorch_model.safetensors"
    save_file({key: value for key, value in load_file(file).items() if key != name}, file, metadata={"format": "pt"})
    with pytest.raises(ConfigurationError, match=f"condition_encoder: the tensor {name} is missing"):
        AceStepV15(EngineOptions(data_dir=own, weights=own, device="cpu")).load()


def test_a_text_encoder_of_another_model_is_rejected(own):
    save_file({"other": torch.zeros(1)}, own / "text_encoder" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigurationError, match=r"text_encoder: the tensor \S+ is missing"):
        AceStepV15(EngineOptions(data_dir=own, weights=own, device="cpu")).load()


def test_an_invalid_model_is_named_by_its_folder(own):
    (own / "transformer" / "config.json").write_text('{"hidden_size": "wide"}', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"cannot be loaded: .*leave out --weights"):
        AceStepV15(EngineOptions(data_dir=own, weights=own, device="cpu")).load()
