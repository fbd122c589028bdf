"""What a request means to the pipeline of ACE-Step 1.5: the words, the noise, the song and the mask its transformer gets."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from acestep_mcp.api.errors import InvalidRequest  # noqa: E402
from acestep_mcp.api.requests import AudioInpaint, AudioOutpaint, AudioToAudio, TextToAudio  # noqa: E402
from acestep_mcp.audio import Sound  # noqa: E402
from acestep_mcp.engines import Source  # noqa: E402
from acestep_mcp.engines.ace_step_v1.published import Options  # noqa: E402
from acestep_mcp.engines.ace_step_v15 import conditioning, tasks  # noqa: E402
from acestep_mcp.engines.ace_step_v15.engine import AceStepV15  # noqa: E402

pytestmark = pytest.mark.xdist_group("torch")

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
                Options(tmp_path_factory.mktemp("d"), weights=weights, device="cpu")
            ).load()
        return made[kind, *options]

    return model


@pytest.fixture
def loaded(models):
    return models()


class Heard:
    """What the transformer was given while a song was made, and what was written down for the text encoder."""

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
        """What the first step began from, [frames, channels]."""
        return self.calls[0]["hidden_states"][0]

    @property
    def around(self):
        """The song that is heard, [frames, channels]."""
        return self.calls[0]["context_latents"][0].chunk(2, dim=-1)[0]

    @property
    def new(self):
        """The frames that are to be made."""
        mask = self.calls[0]["context_latents"][0].chunk(2, dim=-1)[1]
        assert torch.equal(mask.amin(dim=1), mask.amax(dim=1))
        return mask[:, 0].nonzero().flatten().tolist()


def heard_of(loaded, request, source=None):
    with Heard(loaded) as heard, torch.inference_mode():
        return heard, finished(tasks.play(loaded, request, source))


def finished(running):
    while True:
        try:
            next(running)
        except StopIteration as end:
            return end.value


def song(seconds, rate=RATE):
    """A low tone with 16 bits that swells and falls, so that no two moments sound the same."""
    time = np.arange(round(seconds * rate)) / rate
    wave = (0.4 + 0.35 * np.sin(2 * math.pi * time / 2.9)) * np.sin(2 * math.pi * 9 * time)
    return Source(Sound(np.repeat((wave * 2**15).astype(np.int32)[:, None] << 16, 2, axis=1), rate))


def latents_of(loaded, source):
    """A song as the autoencoder hears it, [frames, channels], with nothing drawn."""
    samples = torch.from_numpy((source.sound.pcm.T / 2**31).astype(np.float32))
    with torch.inference_mode():
        return loaded.pipe.vae.encode(samples[None]).latent_dist.mode()[0].T


def noise_of(seed, frames):
    return torch.randn(1, frames, 8, generator=torch.Generator().manual_seed(seed))[0]


def alike(ours, theirs, far=0):
    """Equal but for what the autoencoder draws; `far` frames from where the song was cut."""
    spread = theirs.std(dim=0).mean()
    assert spread > 2e-3, "every moment sounds the same"
    return (ours[far:] - theirs[far:]).abs().max() < spread / 4


def test_the_model_is_told_every_word_and_number(loaded):
    tags = "lofi, 80 bpm, C minor, 3/4"
    heard, _ = heard_of(loaded, TextToAudio(tags=tags, lyrics="[verse]\nhello rain", duration=6, seed=3))
    text, lyrics = next(texts for texts in heard.texts if "duration: 6 seconds" in texts[0])
    assert f"# Caption\n{tags}\n" in text
    assert "- bpm: 80\n- timesignature: 3\n- keyscale: C minor\n" in text
    assert lyrics == "# Languages\nen\n\n# Lyric\n[verse]\nhello rain<|endoftext|>"
    assert torch.allclose(heard.first, noise_of(3, 150), atol=1e-6)
    assert heard.new == list(range(150))
    assert len(heard.calls) == 8


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ("waltz in 3/4, f sharp Major, 124BPM", {"bpm": 124, "keyscale": "F# major", "timesignature": "3"}),
        ("sad, E♭-minor, 6/8, BPM: 70", {"bpm": 70, "keyscale": "Eb minor", "timesignature": "6"}),
        ("a major hit, 1980s, 999 bpm, 7/8", {"bpm": None, "keyscale": None, "timesignature": None}),
    ],
)
def test_tempo_key_and_metre_are_read_from_the_tags(loaded, tags, said):
    assert conditioning.words(loaded, TextToAudio(tags=tags, seed=1)).items() >= {"prompt": tags, **said}.items()


@pytest.mark.parametrize(
    ("lyrics", "asked"),
    [
        ("[verse]\nWir gehen durch die Nacht\nund niemand hat uns gesehen", (None, "de")),
        ("[chorus]\n夜の街を歩いてる", (None, "ja")),
        ("[verse] hello my dear friend, where have you been", (None, "en")),
        ("[drop]", (None, "unknown")),
        ("[inst]", INSTRUMENTAL),
        ("", INSTRUMENTAL),
    ],
)
def test_lyrics_come_with_the_language_of_most_lines(loaded, lyrics, asked):
    said = conditioning.words(loaded, TextToAudio(tags="pop", lyrics=lyrics, seed=1))
    assert (said["lyrics"], said["vocal_language"]) == (asked[0] or lyrics, asked[1])


def test_tags_lose_their_end_before_the_numbers_after_them_do(loaded):
    tags = ", ".join(f"tag {number}" for number in range(40)) + ", 90 bpm"
    heard, audio = heard_of(loaded, TextToAudio(tags=tags, lyrics="[inst]", duration=5, seed=3))
    text = next(text for text, _ in heard.texts if "duration: 5 seconds" in text)
    assert "tag 0," in text and "tag 39" not in text and "- bpm: 90\n" in text
    assert len(loaded.pipe.tokenizer(text).input_ids) <= conditioning.MOST_TEXT
    assert audio.notes == ("There are more tags than the model reads: the last ones were not heard.",)


def test_any_number_of_tags_is_cut_with_few_looks_at_them(loaded):
    with Heard(loaded) as heard:
        said = conditioning.words(loaded, TextToAudio(tags=",".join(["a"] * 4096), seed=1))
    assert 1 < said["prompt"].count("a") < 256
    assert len(heard.texts) < 20


def test_lyrics_longer_than_the_model_reads_are_told_in_a_note(loaded):
    _, audio = heard_of(loaded, TextToAudio(tags="pop", lyrics="la " * 1000, duration=5, seed=3))
    assert audio.notes == ("The lyrics are longer than the model reads: their end was not heard.",)


def test_the_schedule_is_the_published_one_and_can_begin_later(loaded):
    published = [1.0, 0.9545, 0.9, 0.8333, 0.75, 0.6429, 0.5, 0.3]
    for start, expected in ((1, published), (0.9, published[2:]), (0.65, published[5:]), (0.2, [0.2]), (0, [0.02])):
        assert conditioning.schedule(loaded, TextToAudio(**WORDS, seed=1), start) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("interval", "guided"), [(0, []), (0.25, range(3, 5)), (0.5, range(2, 6)), (1, range(8)), (None, range(8))]
)
def test_guidance_holds_for_the_share_of_the_steps_that_was_asked_for(models, interval, guided):
    request = TextToAudio(**WORDS, number_of_steps=8, duration=5, seed=3, **({} if interval is None else {"guidance_interval": interval}))  # fmt: skip
    heard, _ = heard_of(models("base"), request)
    assert [number for number, call in enumerate(heard.calls) if len(call["hidden_states"]) == 2] == list(guided)


def test_the_window_is_painted_anew_and_the_song_around_it_is_heard(loaded):
    source = song(6)
    heard, _ = heard_of(loaded, AudioInpaint(**EDIT, start_time=2.02, end_time=3.99, variance=1), source)
    assert heard.new == list(range(50, 100))
    kept = [*range(50), *range(100, 150)]
    assert alike(heard.around[kept], latents_of(loaded, source)[kept])
    assert torch.equal(heard.around[50:100], loaded.pipe.condition_encoder.silence_latent[0, 50:100])
    assert torch.allclose(heard.first, noise_of(1, 150), atol=1e-6)


@pytest.mark.parametrize(("variance", "steps", "share"), [(0.5, 8, 1.0), (0.4, 4, 0.75), (0.15, 1, 0.3), (0, 1, 0.02)])
def test_a_small_variance_begins_from_the_old_stretch_with_some_noise(loaded, variance, steps, share):
    source = song(3)
    request = AudioInpaint(**EDIT | {"number_of_steps": 8}, start_time=1, end_time=2, variance=variance)
    heard, _ = heard_of(loaded, request, source)
    assert len(heard.calls) == steps
    mixed = noise_of(1, 75) * share + latents_of(loaded, source) * (1 - share)
    assert torch.allclose(heard.first, mixed, atol=1e-4)


@pytest.mark.parametrize(("mode", "share"), [("lyrics", 0.6429), ("remix", 0.9)])
def test_without_a_tokenizer_a_song_is_remade_from_itself_and_noise(loaded, mode, share):
    source = song(3)
    request = AudioToAudio(**EDIT | {"number_of_steps": 8}, edit_mode=mode, original_tags="pop")
    heard, _ = heard_of(loaded, request, source)
    mixed = noise_of(1, 75) * share + latents_of(loaded, source) * (1 - share)
    assert torch.allclose(heard.first, mixed, atol=1e-3)


@pytest.mark.parametrize(("mode", "calls"), [("lyrics", 3), pytest.param("remix", 6, marks=pytest.mark.slow)])
def test_with_a_tokenizer_a_song_is_covered_closely_or_half_from_the_words(models, mode, calls):
    model = models(covers=True)
    request = AudioToAudio(**EDIT, edit_mode=mode, original_tags="pop")
    heard, _ = heard_of(model, request, song(3))
    assert any("audio semantic tokens" in text for text, _ in heard.texts)
    assert len(heard.calls) == calls  # a blend asks twice a step
    assert torch.allclose(heard.first, noise_of(1, 75), atol=1e-6)
    assert not torch.equal(heard.around, model.pipe.condition_encoder.silence_latent[0, :75])


@pytest.mark.parametrize("at_end", [False, True])
def test_new_music_is_painted_beside_the_song_and_the_song_is_heard(loaded, at_end):
    source = song(4)
    edge = {"extend_before_duration": 0 if at_end else 3, "extend_after_duration": 3 if at_end else 0}
    heard, _ = heard_of(loaded, AudioOutpaint(**EDIT, **edge), source)
    assert heard.new == list(range(100, 175) if at_end else range(75))
    kept = heard.around[:95] if at_end else heard.around[80:]  # the silence beside it is heard at its edge
    old = latents_of(loaded, source)
    assert alike(kept, old[:95] if at_end else old[5:])
    assert torch.allclose(heard.first, noise_of(1 + at_end, 175), atol=1e-6)


def test_of_a_long_song_only_what_is_near_is_heard(loaded, monkeypatch):
    monkeypatch.setattr(tasks, "LONGEST", 6)
    monkeypatch.setattr(tasks, "_LEAST_BESIDE", 1.0)
    source = song(13)
    heard, audio = heard_of(loaded, AudioInpaint(**EDIT, start_time=7, end_time=9, variance=1), source)
    assert (len(heard.around), heard.new) == (6 * 25, list(range(50, 100)))
    where = np.flatnonzero((audio.sound.pcm != source.sound.pcm).any(axis=1)) / RATE
    assert 6.96 <= where[0] < 7.01 and 8.98 < where[-1] < 9
    assert alike(heard.around[:50], latents_of(loaded, source)[125:175], far=5)
    heard, audio = heard_of(loaded, AudioOutpaint(**EDIT, extend_after_duration=3), source)
    assert (len(heard.around), heard.new) == (6 * 25, list(range(75, 150)))
    assert len(audio.sound.pcm) == 16 * RATE
    with pytest.raises(InvalidRequest, match="at most 6 s anew"):
        heard_of(loaded, AudioInpaint(**EDIT, start_time=1, end_time=12), source)
