"""Inputs of the transformer of ACE-Step 1.5 for each request: text, noise, source latents and mask."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from acestep_mcp.api.errors import InvalidRequest  # noqa: E402
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio, TextToAudio  # noqa: E402
from acestep_mcp.audio import Sound  # noqa: E402
from acestep_mcp.engines import Source  # noqa: E402
from acestep_mcp.engines.ace_step_v15 import conditioning, tasks  # noqa: E402
from acestep_mcp.engines.ace_step_v15.engine import AceStepV15  # noqa: E402
from acestep_mcp.engines.model.options import EngineOptions  # noqa: E402

pytestmark = pytest.mark.xdist_group("torch-v1.5")


@pytest.fixture(autouse=True)
def _short_reference(monkeypatch):
    from diffusers import AceStepPipeline

    from tests.engines.ace_step_v15.checkpoint15 import short_reference

    monkeypatch.setattr(AceStepPipeline, "prepare_reference_audio_latents", short_reference)


RATE = 48_000
WORDS = {"tags": "lofi, piano", "lyrics": "[verse]\nhello rain"}
EDIT = WORDS | {"audio_url": "song.wav", "seed": 1, "number_of_steps": 3}
INSTRUMENTAL = ("[Instrumental]", "unknown")


@pytest.fixture(scope="module")
def models(checkpoint15, tmp_path_factory):
    """A loaded model of each kind."""
    made = {}

    def model(kind="turbo", **options):
        if (kind, *options) not in made:
            weights = checkpoint15(kind, **options)
            made[kind, *options] = AceStepV15(
                EngineOptions(data_dir=tmp_path_factory.mktemp("d"), weights=weights, device="cpu")
            ).load()
        return made[kind, *options]

    return model


@pytest.fixture
def loaded(models):
    return models()


class TransformerInputs:
    """Records the transformer's inputs during a song, and the text for the text encoder."""

    def __init__(self, loaded):
        self.calls, self.texts = [], []
        self._pipe = loaded.pipe

    def __enter__(self):
        write = self._pipe._format_prompt
        self._pipe._format_prompt = lambda *given, **named: self._note(write(*given, **named))
        self._hook = self._pipe.transformer.register_forward_pre_hook(self._call, with_kwargs=True)
        return self

    def __exit__(self, *_):
        self._hook.remove()
        del self._pipe._format_prompt

    def _note(self, texts):
        self.texts.append(texts)
        return texts

    def _call(self, _, __, given):
        self.calls.append({name: value.clone() for name, value in given.items() if isinstance(value, torch.Tensor)})

    @property
    def first(self):
        """The latents of the first step, [frames, channels]."""
        return self.calls[0]["hidden_states"][0]

    @property
    def context(self):
        """The source latents that the transformer sees, [frames, channels]."""
        return self.calls[0]["context_latents"][0].chunk(2, dim=-1)[0]

    @property
    def new(self):
        """The frames to be generated."""
        mask = self.calls[0]["context_latents"][0].chunk(2, dim=-1)[1]
        assert torch.equal(mask.amin(dim=1), mask.amax(dim=1))
        return mask[:, 0].nonzero().flatten().tolist()


def inputs_of(loaded, request, source=None):
    with TransformerInputs(loaded) as inputs, torch.inference_mode():
        return inputs, finished(tasks.run(loaded, request, source))


def finished(running):
    while True:
        try:
            next(running)
        except StopIteration as end:
            return end.value


def song(seconds, rate=RATE):
    """A 16-bit low tone with varying loudness, so that no two moments are equal."""
    time = np.arange(round(seconds * rate)) / rate
    wave = (0.4 + 0.35 * np.sin(2 * math.pi * time / 2.9)) * np.sin(2 * math.pi * 9 * time)
    return Source(Sound(np.repeat((wave * 2**15).astype(np.int32)[:, None] << 16, 2, axis=1), rate))


def latents_of(loaded, source):
    """The mode of a song's latents, [frames, channels]."""
    samples = torch.from_numpy((source.sound.pcm.T / 2**31).astype(np.float32))
    with torch.inference_mode():
        return loaded.pipe.vae.encode(samples[None]).latent_dist.mode()[0].T


def noise_of(seed, frames):
    return torch.randn(1, frames, 8, generator=torch.Generator().manual_seed(seed))[0]


def alike(ours, theirs, far=0):
    """Equal up to the autoencoder's variance, `far` frames from where the song was cut."""
    spread = theirs.std(dim=0).mean()
    assert spread > 2e-3, "the frames do not differ"
    return (ours[far:] - theirs[far:]).abs().max() < spread / 4


def test_the_pipeline_gets_tags_lyrics_and_musical_attributes(loaded):
    tags = "lofi, 80 bpm, C minor, 3/4"
    inputs, _ = inputs_of(loaded, TextToAudio(tags=tags, lyrics="[verse]\nhello rain", duration=6, seed=3))
    text, lyrics = next(texts for texts in inputs.texts if "duration: 6 seconds" in texts[0])
    assert f"# Caption\n{tags}\n" in text
    assert "- bpm: 80\n- timesignature: 3\n- keyscale: C minor\n" in text
    assert lyrics == "# Languages\nen\n\n# Lyric\n[verse]\nhello rain<|endoftext|>"
    assert torch.allclose(inputs.first, noise_of(3, 150), atol=1e-6)
    assert inputs.new == list(range(150))
    assert len(inputs.calls) == 8


@pytest.mark.parametrize(
    ("tags", "attributes"),
    [
        ("waltz in 3/4, f sharp Major, 124BPM", {"bpm": 124, "keyscale": "F# major", "timesignature": "3"}),
        ("sad, E♭-minor, 6/8, BPM: 70", {"bpm": 70, "keyscale": "Eb minor", "timesignature": "6"}),
        ("a major hit, 1980s, 999 bpm, 7/8", {"bpm": None, "keyscale": None, "timesignature": None}),
        ("pop, Am, 97 beats per minute", {"bpm": 97, "keyscale": "A minor", "timesignature": None}),
        ("folk, 90-100 bpm, Key: Dm, waltz", {"bpm": 95, "keyscale": "D minor", "timesignature": "3"}),
        ("jazz, tempo 120, D dorian, cut time", {"bpm": 120, "keyscale": "D minor", "timesignature": "2"}),
        ("blues, 12/8 shuffle, h-moll", {"bpm": None, "keyscale": "B minor", "timesignature": "6"}),
    ],
)
def test_tempo_key_and_time_signature_are_read_from_the_tags(loaded, tags, attributes):
    assert (
        conditioning.text_arguments(loaded, TextToAudio(tags=tags, seed=1)).items()
        >= {"prompt": tags, **attributes}.items()
    )


def test_a_metre_without_a_field_is_noted(loaded):
    notes = [
        conditioning.notes(loaded, TextToAudio(tags=f"rock, {metre}", seed=1)) for metre in ("7/8", "3/4", "no 7/8")
    ]
    assert notes == [("The model has no time signature 7/8: only the tags tell it.",), (), ()]


@pytest.mark.parametrize(
    ("lyrics", "expected"),
    [
        ("[verse]\nWir gehen durch die Nacht\nund niemand hat uns gesehen", (None, "de")),
        ("[chorus]\n夜の街を歩いてる", (None, "ja")),
        ("[verse] hello my dear friend, where have you been", (None, "en")),
        ("[verse]\nสวัสดีครับเพื่อนรัก\nฉันรักเธอ", (None, "th")),
        ("[drop]", (None, "unknown")),
        ("[inst]", INSTRUMENTAL),
        ("", INSTRUMENTAL),
    ],
)
def test_lyrics_come_with_the_language_of_most_lines(loaded, lyrics, expected):
    arguments = conditioning.text_arguments(loaded, TextToAudio(tags="pop", lyrics=lyrics, seed=1))
    assert (arguments["lyrics"], arguments["vocal_language"]) == (expected[0] or lyrics, expected[1])


def test_tags_are_cut_before_the_musical_attributes(loaded):
    tags = ", ".join(f"tag {number}" for number in range(40)) + ", 90 bpm"
    inputs, audio = inputs_of(loaded, TextToAudio(tags=tags, lyrics="[inst]", duration=5, seed=3))
    text = next(text for text, _ in inputs.texts if "duration: 5 seconds" in text)
    assert "tag 0," in text and "tag 39" not in text and "- bpm: 90\n" in text
    assert len(loaded.pipe.tokenizer(text).input_ids) <= conditioning.MAX_TEXT_TOKENS
    assert audio.notes == ("There are more tags than the model reads: the last tags were ignored.",)


def test_any_number_of_tags_is_cut_with_few_tokenizations(loaded):
    with TransformerInputs(loaded) as inputs:
        arguments = conditioning.text_arguments(loaded, TextToAudio(tags=",".join(["a"] * 4096), seed=1))
    assert 1 < arguments["prompt"].count("a") < 256
    assert len(inputs.texts) < 20


def test_truncated_lyrics_are_named_in_a_note(loaded):
    _, audio = inputs_of(loaded, TextToAudio(tags="pop", lyrics="la " * 1000, duration=5, seed=3))
    assert audio.notes == ("The lyrics are longer than the model reads: their end was ignored.",)


def test_the_timesteps_are_the_published_ones_and_can_start_later(loaded):
    published = [1.0, 0.9545, 0.9, 0.8333, 0.75, 0.6429, 0.5, 0.3]
    for start, expected in ((1, published), (0.9, published[2:]), (0.65, published[5:]), (0.2, [0.2]), (0, [0.02])):
        assert conditioning.timesteps(loaded, TextToAudio(**WORDS, seed=1), start) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("kind", "steps", "most"), [("turbo", 8, 20), ("base", 50, 60), ("sft", 50, 60)])
def test_each_model_takes_its_makers_steps_unless_some_are_given(models, kind, steps, most):
    loaded = models(kind)
    assert conditioning.step_count(loaded, TextToAudio(tags="pop")) == steps
    assert conditioning.step_count(loaded, TextToAudio(tags="pop", number_of_steps=11)) == 11
    assert conditioning.step_count(loaded, TextToAudio(tags="pop", number_of_steps=60)) == most


def test_the_shift_is_the_model_s_or_the_one_in_the_options(models, checkpoint15, tmp_path):
    request = TextToAudio(tags="pop", number_of_steps=4)
    assert conditioning.timesteps(models("base"), request) == pytest.approx([1, 0.75, 0.5, 0.25])
    assert conditioning.timesteps(models("turbo"), request) == pytest.approx([1, 0.9, 0.75, 0.5])
    options = EngineOptions(data_dir=tmp_path, weights=checkpoint15("base"), device="cpu", shift=2)
    assert conditioning.timesteps(AceStepV15(options).load(), request) == pytest.approx([1, 6 / 7, 2 / 3, 0.4])


def test_a_language_that_is_not_recognised_is_named_in_a_note(loaded):
    request = TextToAudio(tags="pop", lyrics="[verse]\nმე მარტო დავდივარ ღამით", duration=5, seed=3)
    [note] = conditioning.notes(loaded, request)
    assert "unknown" in note
    assert conditioning.notes(loaded, request.model_copy(update={"lyrics": "[inst]"})) == ()


@pytest.mark.parametrize(
    ("interval", "guided"), [(0, []), (0.25, range(3, 5)), (0.5, range(2, 6)), (1, range(8)), (None, range(8))]
)
def test_guidance_applies_to_the_requested_share_of_the_steps(models, interval, guided):
    request = TextToAudio(**WORDS, number_of_steps=8, duration=5, seed=3, **({} if interval is None else {"guidance_interval": interval}))  # fmt: skip
    inputs, _ = inputs_of(models("base"), request)
    assert [number for number, call in enumerate(inputs.calls) if len(call["hidden_states"]) == 2] == list(guided)


def test_the_window_is_regenerated_with_the_song_around_it_as_context(loaded):
    source = song(6)
    inputs, _ = inputs_of(loaded, AudioInpaint(**EDIT, start_time=2.02, end_time=3.99, variance=1), source)
    assert inputs.new == list(range(50, 100))
    kept = [*range(50), *range(100, 150)]
    assert alike(inputs.context[kept], latents_of(loaded, source)[kept])
    assert torch.equal(inputs.context[50:100], loaded.pipe.condition_encoder.silence_latent[0, 50:100])
    assert torch.allclose(inputs.first, noise_of(1, 150), atol=1e-6)


@pytest.mark.parametrize(("variance", "steps", "share"), [(0.5, 8, 1.0), (0.4, 4, 0.75), (0.15, 1, 0.3), (0, 1, 0.02)])
def test_a_small_variance_starts_from_the_noised_source(loaded, variance, steps, share):
    source = song(3)
    request = AudioInpaint(**EDIT | {"number_of_steps": 8}, start_time=1, end_time=2, variance=variance)
    inputs, _ = inputs_of(loaded, request, source)
    assert len(inputs.calls) == steps
    mixed = noise_of(1, 75) * share + latents_of(loaded, source) * (1 - share)
    assert torch.allclose(inputs.first, mixed, atol=1e-4)


@pytest.mark.parametrize(("mode", "share"), [("lyrics", 0.6429), ("remix", 0.9)])
def test_without_a_tokenizer_audio_to_audio_starts_from_the_noised_source(loaded, mode, share):
    source = song(3)
    request = AudioToAudio(**EDIT | {"number_of_steps": 8}, edit_mode=mode, original_tags="pop")
    inputs, _ = inputs_of(loaded, request, source)
    mixed = noise_of(1, 75) * share + latents_of(loaded, source) * (1 - share)
    assert torch.allclose(inputs.first, mixed, atol=1e-3)


@pytest.mark.parametrize(("mode", "calls"), [("lyrics", 3), pytest.param("remix", 6, marks=pytest.mark.slow)])
def test_with_a_tokenizer_audio_to_audio_is_a_cover_of_the_mode_s_strength(models, mode, calls):
    model = models(covers=True)
    request = AudioToAudio(**EDIT, edit_mode=mode, original_tags="pop")
    inputs, audio = inputs_of(model, request, song(3))
    assert any("audio semantic tokens" in text for text, _ in inputs.texts)
    assert audio.notes == ()
    assert len(inputs.calls) == calls  # a partial cover runs the transformer twice per step
    assert torch.allclose(inputs.first, noise_of(1, 75), atol=1e-6)
    assert not torch.equal(inputs.context, model.pipe.condition_encoder.silence_latent[0, :75])


@pytest.mark.parametrize("mode", ["lyrics", "remix"])
def test_new_words_are_sung_in_the_voice_of_the_source_and_a_remix_is_not(loaded, mode):
    heard = []
    encode = loaded.pipe.condition_encoder.register_forward_pre_hook(
        lambda _, __, given: heard.append(given["refer_audio_acoustic_hidden_states_packed"].clone()), with_kwargs=True
    )
    source = song(3)
    _, audio = inputs_of(loaded, AudioToAudio(**EDIT, edit_mode=mode, original_tags="pop"), source)
    encode.remove()
    silence = loaded.pipe.condition_encoder.silence_latent[:, :750]
    assert torch.equal(heard[0], silence) is (mode == "remix")
    assert heard[0].shape == silence.shape
    assert [note for note in audio.notes if "no audio tokenizer" in note]


def test_up_to_ten_minutes_of_the_source_are_context():
    assert tasks._context_seconds(240) == 180
    assert tasks._context_seconds(20) == 290
    assert tasks._context_seconds(600) == 15


@pytest.mark.parametrize("at_end", [False, True])
def test_new_music_is_generated_with_the_song_as_context(loaded, at_end):
    source = song(4)
    edge = {"extend_before_duration": 0 if at_end else 3, "extend_after_duration": 3 if at_end else 0}
    inputs, _ = inputs_of(loaded, AudioOutpaint(**EDIT, **edge), source)
    assert inputs.new == list(range(100, 175) if at_end else range(75))
    kept = (
        inputs.context[:95] if at_end else inputs.context[80:]
    )  # the autoencoder mixes the edge with the silence beside it
    old = latents_of(loaded, source)
    assert alike(kept, old[:95] if at_end else old[5:])
    assert torch.allclose(inputs.first, noise_of(1 + at_end, 175), atol=1e-6)


def test_only_the_nearby_part_of_a_long_song_is_context(loaded, monkeypatch):
    monkeypatch.setattr(tasks, "LONGEST", 6)
    monkeypatch.setattr(tasks, "_MIN_CONTEXT", 1.0)
    source = song(13)
    inputs, audio = inputs_of(loaded, AudioInpaint(**EDIT, start_time=7, end_time=9, variance=1), source)
    assert (len(inputs.context), inputs.new) == (6 * 25, list(range(50, 100)))
    where = np.flatnonzero((audio.sound.pcm != source.sound.pcm).any(axis=1)) / RATE
    assert 6.96 <= where[0] < 7.01 and 8.98 < where[-1] < 9
    assert alike(inputs.context[:50], latents_of(loaded, source)[125:175], far=5)
    inputs, audio = inputs_of(loaded, AudioOutpaint(**EDIT, extend_after_duration=3), source)
    assert (len(inputs.context), inputs.new) == (6 * 25, list(range(75, 150)))
    assert len(audio.sound.pcm) == 16 * RATE
    with pytest.raises(InvalidRequest, match="at most 6 s at once"):
        inputs_of(loaded, AudioInpaint(**EDIT, start_time=1, end_time=12), source)
