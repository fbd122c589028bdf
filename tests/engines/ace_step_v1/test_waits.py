"""Whether the host waits for the device during a run, on PyTorch's meta device: its tensors have no values to wait for."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from acestep_mcp.engines.ace_step_v1.autoencoder import Autoencoder, AutoencoderConfig  # noqa: E402
from acestep_mcp.engines.ace_step_v1.codec import WINDOW, Codec  # noqa: E402
from acestep_mcp.engines.ace_step_v1.denoiser import Conditioning, Denoiser  # noqa: E402
from acestep_mcp.engines.ace_step_v1.guidance import Guidance  # noqa: E402
from acestep_mcp.engines.ace_step_v1.sampling import (  # noqa: E402
    FlowEdit,
    Sampler,
    SamplingPlan,
    noise_source,
)
from acestep_mcp.engines.ace_step_v1.transformer import TransformerConfig  # noqa: E402
from acestep_mcp.engines.ace_step_v1.vocoder import Vocoder, VocoderConfig  # noqa: E402
from acestep_mcp.engines.model.graphs import again  # noqa: E402
from acestep_mcp.engines.model.predictions import StaticPredictions  # noqa: E402
from acestep_mcp.engines.model.rounds import ModelCall, alone  # noqa: E402
from tests.engines.ace_step_v1.test_windows import autoencoder_config  # noqa: E402

pytestmark = pytest.mark.xdist_group("torch")

FRAMES = 70
CONFIG = TransformerConfig(
    num_layers=1, inner_dim=32, attention_head_dim=16, num_attention_heads=2, lyric_hidden_size=32, text_embedding_dim=8,
    lyric_encoder_num_layers=1, lyric_encoder_num_heads=2, lyric_encoder_ff_size=16, speaker_embedding_dim=8,
)  # fmt: skip


class Waits(TorchDispatchMode):
    """Counts the operations for which the host waits for the device: copies between the two, and values read from it."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        tensors = [each for each in tree_leaves((args, kwargs, out)) if isinstance(each, torch.Tensor)]
        # Scalars in main memory are passed to a kernel by value.
        devices = {each.device.type for each in tensors if each.device.type != "cpu" or each.dim()}
        if len(devices) > 1:
            self.seen.append(str(function))
        return out


@pytest.fixture(scope="module")
def on_device():
    """A model and two conditionings in bfloat16."""
    with torch.device("meta"):
        model = Denoiser(CONFIG).eval().bfloat16()
        text, mask = torch.empty(1, 5, 8), torch.empty(1, 5)
        lyrics = [torch.empty(1, tokens, dtype=torch.long) for tokens in (9, 80)]
    model.predictions = StaticPredictions(model.transformer, model.transformer.forward, again)
    with torch.inference_mode():
        yield model, [Conditioning(text, text, mask, ids, ids) for ids in lyrics]


PLANS = {
    "two guidances": SamplingPlan(6, guidance=Guidance(tag_scale=5, lyric_scale=1.5)),
    "apg": SamplingPlan(6),
    "cfg with decay": SamplingPlan(6, guidance=Guidance("cfg", decay=0.5, interval=1)),
    "cfg_star": SamplingPlan(6, guidance=Guidance("cfg_star", interval=1)),
    "no guidance": SamplingPlan(6, guidance=Guidance(scale=1)),
    "heun": SamplingPlan(6, "heun"),
}


def waits_after_the_first_step(run):
    steps = alone(run)
    next(steps)
    with Waits() as waits:
        for _ in steps:
            pass
    return waits.seen


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_no_step_of_a_new_song_waits_for_the_device(on_device, plan):
    model, (conditioning, _) = on_device
    run = Sampler(model, conditioning, plan).from_noise(noise_source(1, model)(FRAMES))
    assert waits_after_the_first_step(run) == []


def test_no_step_of_an_edit_waits_for_the_device(on_device):
    model, (old, new) = on_device
    plan, noise = SamplingPlan(6), noise_source(1, model)
    source = noise(FRAMES)
    sampler = Sampler(model, new, plan)
    for run in (
        sampler.inpaint(source, range(10, 30), 0.8, (noise, noise)),
        sampler.outpaint(source, (10, 20), (noise, noise)),
        FlowEdit(old, new, 0.2, 0.6, average=2).run(model, plan, source, noise),
        FlowEdit(old, new, 0.2, 0.6).run(model, SamplingPlan(6, guidance=Guidance(scale=1)), source, noise),
    ):
        assert waits_after_the_first_step(run) == []


def test_no_step_of_a_batch_waits_for_the_device_also_when_songs_join_and_leave(on_device):
    model, conditionings = on_device
    runs = [
        Sampler(model, conditioning, plan).from_noise(noise_source(1, model)(FRAMES))
        for conditioning in conditionings
        for plan in (SamplingPlan(6), SamplingPlan(9, "heun"))
    ]

    def asked(run, answer=None):
        """The next call of the model; None at the run's end."""
        try:
            while not isinstance(part := run.send(answer), ModelCall):
                answer = None
        except StopIteration:
            return None
        return part

    *calls, late = ((run, asked(run)) for run in runs)
    with Waits() as waits:
        for number in range(30):
            if number == 3:
                calls = [*calls[1:], late]
            answers = model.predictions.answer([call.given for _, call in calls])
            calls = [(run, asked(run, answer)) for (run, _), answer in zip(calls, answers, strict=True)]
            calls = [(run, call) for run, call in calls if call]
            if not calls:
                break
    assert waits.seen == []
    assert number > 10


def test_the_second_window_of_a_decode_waits_for_nothing():
    """The filters of the resampling are on the device by then."""
    with torch.device("meta"):
        autoencoder = Autoencoder(AutoencoderConfig(**autoencoder_config()))
        codec = Codec(autoencoder, Vocoder(VocoderConfig(resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1,),))))
        latents = torch.empty(1, 8, 16, 3 * WINDOW)
    with torch.inference_mode():
        parts = codec.decode(latents, window=WINDOW)
        next(parts)
        with Waits() as waits:
            assert len(list(parts)) == 2
    assert waits.seen == []


def test_a_step_that_waited_would_be_noticed(on_device):
    model, _ = on_device
    device = model.transformer.final_layer.linear.weight.device
    with Waits() as waits:
        sigma = torch.ones(3).to(device)
        with pytest.raises(RuntimeError):
            sigma.mean().item()
    assert len(waits.seen) == 1
