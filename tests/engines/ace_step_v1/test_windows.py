"""A long song through autoencoder and vocoder in windows."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from tools.random_parameters import parameter  # noqa: E402

from acestep_mcp.engines.ace_step_v1.autoencoder import Autoencoder, AutoencoderConfig  # noqa: E402
from acestep_mcp.engines.ace_step_v1.codec import WINDOW, Codec  # noqa: E402
from acestep_mcp.engines.ace_step_v1.vocoder import Vocoder, VocoderConfig  # noqa: E402
from acestep_mcp.engines.ace_step_v1.weights import load_parameters  # noqa: E402
from acestep_mcp.engines.model.checkpoint import config_of  # noqa: E402
from acestep_mcp.engines.model.resampling import resample  # noqa: E402

# In the group of the tests of 1.5: both import diffusers, which takes seconds.
pytestmark = pytest.mark.xdist_group("torch-v1.5")

NUMBERS = Path(__file__).parent / "numbers"


def autoencoder_config():
    configs = json.loads((NUMBERS / "configs.json").read_text(encoding="utf-8"))
    return {name: value for name, value in configs["music_dcae_f8c8"].items() if not name.startswith("_")}


@pytest.fixture(scope="module")
def codec():
    configs = json.loads((NUMBERS / "configs.json").read_text(encoding="utf-8"))
    autoencoder = Autoencoder(AutoencoderConfig(**autoencoder_config()))
    # The widest of the vocoder's parallel kernels alone: it reaches as far as all four.
    widest = {"resblock_kernel_sizes": [13], "resblock_dilation_sizes": [[1, 3, 5]]}
    vocoder = Vocoder(config_of(VocoderConfig, configs["music_vocoder"] | widest))
    for module in (autoencoder, vocoder):
        load_parameters(module, parameter)
        module.eval()
    return Codec(autoencoder, vocoder)


def decibels(ours, theirs):
    return 20 * torch.log10((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.slow  # the fast suite tests windows with the encoder, and decoding with a single window
def test_decoding_in_windows_equals_decoding_at_once(codec):
    """The first window, one between two others, and a last one that is short."""
    latents = torch.randn(1, 8, 16, 2 * WINDOW + 30, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        whole = torch.cat(list(codec.decode(latents, window=10 * WINDOW)), dim=-1)
        parts = list(codec.decode(latents))
    assert len(parts) == 3
    joined = torch.cat(parts, dim=-1)
    assert joined.shape == whole.shape
    assert decibels(joined, whole) < -80


@pytest.fixture(scope="module")
def library():
    """The autoencoder of diffusers, with the same parameters by the same names."""
    from diffusers import AutoencoderDC

    model = AutoencoderDC(**autoencoder_config())
    load_parameters(model, parameter)
    return model.eval()


def test_decoding_equals_the_library_s_own_decoder(codec, library):
    latents = torch.randn(1, 8, 16, 40, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        mel = library.decode(latents / 0.1786 - 1.9091).sample
        theirs = codec.vocoder((mel[0] * 0.5 + 0.5) * 14 - 11)[:, 0]
        (ours,) = codec.decode(latents)
    assert decibels(ours, resample(theirs, 44_100, 48_000)) < -80


@pytest.mark.parametrize("frames", [3, 40])
def test_decoded_log_mel_equals_the_library_s(codec, library, frames):
    """The small vocoder's waveform hardly depends on its log-mel."""
    latents = torch.randn(2, 8, 16, frames, generator=torch.Generator().manual_seed(2))
    decoder = codec.autoencoder.decoder
    with torch.inference_mode():
        theirs = library.decode(latents).sample
        ours = decoder.fine(decoder.coarse(latents, WINDOW))
    assert decibels(ours, theirs) < -80


@pytest.mark.parametrize("frames", [3, 40])
def test_encoding_equals_the_library_s_own_encoder(codec, library, frames):
    mel = torch.randn(2, 2, 128, 8 * frames, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        theirs = library.encode(mel).latent
        ours = codec.autoencoder.encoder(mel, WINDOW, per_frame=8)
    assert decibels(ours, theirs) < -80


def test_parameters_have_the_names_and_shapes_of_the_library_s(codec, library):
    ours, theirs = (
        {name: value.shape for name, value in model.named_parameters()} for model in (codec.autoencoder, library)
    )
    assert ours == theirs


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"upsample_block_type": "pixel_shuffle"}, "upsample_block_type is 'pixel_shuffle'"),
        ({"decoder_block_types": ["EfficientViTBlock"] * 4}, "stages"),
        ({"no_such_field": 1}, "no_such_field"),
    ],
)
def test_another_kind_of_autoencoder_is_refused(change, problem):
    with pytest.raises((ValueError, TypeError), match=problem):
        AutoencoderConfig(**autoencoder_config() | change)


def test_filters_with_their_channels_last_give_the_same_song(codec):
    latents = torch.randn(1, 8, 16, 20, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        (plain,) = codec.decode(latents)
        codec.channels_last()
        assert codec.autoencoder.decoder.conv_out.weight.is_contiguous(memory_format=torch.channels_last)
        (ours,) = codec.decode(latents)
    assert decibels(ours, plain) < -80


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # raised inside torch's compiler
def test_a_compiled_decoder_gives_the_same_samples_and_is_compiled_once_for_all_lengths(codec):
    ours = Codec(codec.autoencoder, codec.vocoder)
    ours.compile(backend="eager")
    counters = torch._dynamo.utils.counters["stats"]
    before = counters["unique_graphs"]
    for frames in (20, 31):
        latents = torch.randn(1, 8, 16, frames, generator=torch.Generator().manual_seed(frames))
        with torch.inference_mode():
            (plain,), (compiled,) = codec.decode(latents), ours.decode(latents)
        assert (compiled - plain).abs().max() < 1e-5
    assert counters["unique_graphs"] - before == 2


def test_encoding_in_windows_equals_encoding_at_once(codec):
    noise = torch.randn(1, 2, 44_100 * 9, generator=torch.Generator().manual_seed(3)) * 0.1
    with torch.inference_mode():
        whole = codec.encode(noise, 44_100, window=1000)
        parts = codec.encode(noise, 44_100, window=40)
    assert whole.shape[-1] == 97
    assert decibels(parts, whole) < -80
