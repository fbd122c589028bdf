"""The transformer beyond the recorded cases: padding, batches, compiling."""

import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from tools.parity import relative  # noqa: E402
from tools.random_parameters import parameter  # noqa: E402

from acestep_mcp.engines.ace_step_v1.transformer import Transformer, TransformerConfig  # noqa: E402

pytestmark = pytest.mark.xdist_group("torch")

FRAMES = 150
WEAKENED = torch.tensor([False, True, False])


@pytest.fixture
def model():
    torch.set_num_threads(1)
    config = TransformerConfig(num_layers=17, inner_dim=64, attention_head_dim=16, num_attention_heads=4)
    model = Transformer(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(parameter(name, value.shape))
    return model


@pytest.fixture
def given():
    """Latents, timesteps, conditions (one of them shorter) and their mask."""
    draw = torch.Generator().manual_seed(5)
    mask = torch.ones(3, 37)
    mask[1, 30:] = 0
    return torch.randn(3, 8, 16, FRAMES, generator=draw), torch.full((3,), 400.0), torch.randn(3, 37, 64, generator=draw), mask  # fmt: skip


def velocity(model, given, items=slice(None)):
    latents, timestep, condition, mask = (each[items] for each in given)
    with torch.inference_mode():
        return model(latents, timestep, model.context(condition, mask, latents.shape[-1], WEAKENED[items]))


def test_a_batch_equals_its_items_one_by_one(model, given):
    together = velocity(model, given)
    for item in range(3):
        assert relative(together[item : item + 1], velocity(model, given, slice(item, item + 1))) < 1e-5


def test_the_first_items_of_a_context_equal_their_own_context(model, given):
    latents, timestep, condition, mask = given
    with torch.inference_mode():
        context = model.context(condition, mask, FRAMES, WEAKENED)
        alone = model(latents[:1], timestep[:1], context.first(1))
    assert relative(alone, velocity(model, given)[:1]) < 1e-5


def test_weakened_queries_change_the_prediction(model, given):
    latents, timestep, condition, mask = given
    with torch.inference_mode():
        plain = model(latents, timestep, model.context(condition, mask, FRAMES))
    weak = velocity(model, given)
    assert relative(weak[:1], plain[:1]) < 1e-5
    assert relative(weak[1:2], plain[1:2]) > 1e-3


def test_padding_changes_nothing(model, given):
    plain = velocity(model, given)
    model.bucket = 64
    assert relative(velocity(model, given), plain) < 1e-5


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # raised inside torch's compiler
def test_a_compiled_model_gives_the_same_velocity(model, given):
    plain = velocity(model, given)
    model.compile_blocks()
    assert relative(velocity(model, given), plain) < 1e-5
