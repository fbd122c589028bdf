"""The transformer beyond the recorded cases: batches, padding, and one step function for all shapes."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the engine's packages are not installed")

from tools.parity import relative  # noqa: E402
from tools.random_parameters import parameter  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402
from torch.utils._pytree import tree_leaves  # noqa: E402

from acestep_mcp.engines.ace_step_v1 import transformer  # noqa: E402
from acestep_mcp.engines.ace_step_v1.attention import LinearAttention, rotary_table  # noqa: E402
from acestep_mcp.engines.ace_step_v1.prediction import (  # noqa: E402
    PlainPredictions,
    StaticPredictions,
    again,
    compiled,
)
from acestep_mcp.engines.ace_step_v1.transformer import Transformer, TransformerConfig  # noqa: E402

pytestmark = pytest.mark.xdist_group("torch")

FRAMES = 150
WEAKENED = torch.tensor([False, True, False])


def transformer_of(blocks):
    torch.set_num_threads(1)
    config = TransformerConfig(num_layers=blocks, inner_dim=64, attention_head_dim=16, num_attention_heads=4)
    model = Transformer(config).eval()
    with torch.no_grad():
        for name, value in model.named_parameters():
            value.copy_(parameter(name, value.shape))
    return model


@pytest.fixture(scope="module")
def model():
    return transformer_of(17)


@pytest.fixture(scope="module")
def small():
    """Two blocks, the second with weakened queries."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transformer, "WEAKENED_BLOCKS", range(1, 2))
        return transformer_of(2)


@pytest.fixture
def given():
    """Latents, timesteps, conditions (one of them shorter) and their mask."""
    draw = torch.Generator().manual_seed(5)
    mask = torch.ones(3, 37)
    mask[1, 30:] = 0
    return torch.randn(3, 8, 16, FRAMES, generator=draw), torch.full((3,), 400.0), torch.randn(3, 37, 64, generator=draw), mask  # fmt: skip


@pytest.fixture(autouse=True)
def inference():
    with torch.inference_mode():
        yield


def velocity(model, given, items=slice(None)):
    latents, timestep, condition, mask = (each[items] for each in given)
    return model(latents, timestep, model.context(condition, mask, latents.shape[-1], WEAKENED[items]))


def drawn(conditions, frames, tokens, seed=1):
    """Latents, and the arguments of `prepare`."""
    draw = torch.Generator().manual_seed(seed)
    mask = torch.ones(conditions, tokens)
    mask[-1, tokens // 2 :] = 0
    condition = torch.randn(conditions, tokens, 64, generator=draw)
    return torch.randn(1, 8, 16, frames, generator=draw), (condition, mask, frames, WEAKENED[:conditions])


def test_a_batch_equals_its_items_one_by_one(model, given):
    together = velocity(model, given)
    for item in range(3):
        assert relative(together[item : item + 1], velocity(model, given, slice(item, item + 1))) < 1e-5


def test_the_first_items_of_a_context_equal_their_own_context(model, given):
    latents, timestep, condition, mask = given
    context = model.context(condition, mask, FRAMES, WEAKENED)
    alone = model(latents[:1], timestep[:1], context.first(1))
    assert relative(alone, velocity(model, given)[:1]) < 1e-5


def test_weakened_queries_change_the_prediction(model, given):
    latents, timestep, condition, mask = given
    plain = model(latents, timestep, model.context(condition, mask, FRAMES))
    weak = velocity(model, given)
    assert relative(weak[:1], plain[:1]) < 1e-5
    assert relative(weak[1:2], plain[1:2]) > 1e-3


def test_a_long_song_s_self_attention_in_bfloat16_is_close_to_float32():
    """240 s: the sums over all frames are in float32."""
    frames = 2585
    module = LinearAttention(64, 4)
    for name, value in module.named_parameters():
        value.copy_(parameter(name, value.shape))
    x = torch.randn(1, frames, 64, generator=torch.Generator().manual_seed(1))
    rotary = rotary_table(frames, 16, 1e6)
    exact = module(x, rotary, None)
    rounded = module.bfloat16()(x.bfloat16(), rotary, None)
    assert relative(rounded, exact) < 1e-2


class Recording(TorchDispatchMode):
    """Records operations with the tensors that they read and wrote, as a CUDA graph does."""

    def __init__(self):
        super().__init__()
        self.operations = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        self.operations.append((function, args, kwargs or {}, out))
        return out


class FakeGraphs:
    """A `Capture` that runs again what was recorded, on the same tensors: no line of Python decides anything then."""

    def __init__(self):
        self.events = []

    def __call__(self, run):
        number = sum(event[0] == "captured" for event in self.events)
        run()
        with Recording() as recording:
            run()
        self.events.append(("captured", number))

        def replay():
            self.events.append(("replayed", number))
            for function, args, kwargs, before in recording.operations:
                after = function(*args, **kwargs)
                for old, new in zip(tree_leaves(before), tree_leaves(after), strict=True):
                    if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                        old.copy_(new)

        return replay


LENGTHS = (100, 70)
"""Two lengths of one bucket, the shorter one last: what the longer one left in the buffers is padding then."""


def test_a_captured_step_equals_a_plain_one_for_two_lengths_and_three_numbers_of_conditions(small):
    graphs = FakeGraphs()
    captured = StaticPredictions(small, small.forward, graphs)
    plain = PlainPredictions(small)
    for conditions in (3, 2, 1):
        for frames in LENGTHS:
            latents, given = drawn(conditions, frames, 37 if frames == LENGTHS[0] else 20, seed=frames)
            assert_equal(captured, plain, latents, given)
    # Per shape one graph for all conditions and one for the first; the second song of a shape captures nothing.
    assert [number for event, number in graphs.events if event == "captured"] == list(range(5))
    first = [("captured", 0), ("replayed", 0), ("replayed", 0), ("captured", 1), ("replayed", 1)]
    second = [("replayed", 0), ("replayed", 0), ("replayed", 1)]
    assert graphs.events[:8] == first + second


def assert_equal(ours, theirs, latents, given):
    """A whole run of each: two steps with all conditions, and one with the first alone."""
    ours, theirs = ours.prepare(*given), theirs.prepare(*given)
    for step in ((0.9,), (0.4,), (0.2, 1)):
        assert relative(ours(latents, *step), theirs(latents, *step)) < 1e-5


def test_velocities_of_earlier_steps_stay_as_they_were(small):
    latents, given = drawn(2, 70, 20)
    predict = StaticPredictions(small, small.forward, FakeGraphs()).prepare(*given)
    first = predict(latents, 0.9)
    kept = first.clone()
    predict(latents, 0.1)
    assert torch.equal(first, kept)


def test_two_runs_at_once_do_not_share_buffers_and_a_later_one_takes_over_those_of_a_finished_one(small):
    graphs = FakeGraphs()
    captured = StaticPredictions(small, small.forward, graphs)
    latents, given = drawn(2, 70, 20, seed=1)
    others, other = drawn(2, 70, 20, seed=2)
    alone = PlainPredictions(small).prepare(*given)(latents, 0.5)
    first, second = captured.prepare(*given), captured.prepare(*other)
    second(others, 0.5)
    assert relative(first(latents, 0.5), alone) < 1e-5
    captures = [event for event in graphs.events if event[0] == "captured"]
    assert len(captures) == 2
    del first, second
    third = captured.prepare(*given)
    assert relative(third(latents, 0.5), alone) < 1e-5
    assert [event for event in graphs.events if event[0] == "captured"] == captures


def test_only_a_few_shapes_are_kept_and_those_in_use_always_are(small):
    captured = StaticPredictions(small, small.forward, again, kept=2)
    running = captured.prepare(*drawn(1, 70, 20)[1])
    for frames in (150, 300, 450):
        captured.prepare(*drawn(1, frames, 20)[1])
    assert [shape.size[1] for shape in captured._shapes] == [128, 512]
    del running
    captured.prepare(*drawn(1, 600, 20)[1])
    assert [shape.size[1] for shape in captured._shapes] == [512, 640]
    captured.free()
    assert captured._shapes == []


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # raised inside torch's compiler
def test_a_step_is_compiled_once_for_one_condition_and_once_for_several(small):
    step = compiled(small.forward, backend="eager")
    static, plain = StaticPredictions(small, step, again), PlainPredictions(small)
    counters = torch._dynamo.utils.counters["stats"]
    before = counters["unique_graphs"]
    for conditions, frames, tokens in ((3, 70, 70), (2, 70, 150), (4, 300, 20), (1, 150, 37)):
        latents, (*given, _) = drawn(conditions, frames, tokens)
        assert_equal(static, plain, latents, given)
    assert counters["unique_graphs"] - before == 2


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_compiled_model_gives_the_same_velocity(small):
    static = StaticPredictions(small, compiled(small.forward), again)
    latents, given = drawn(3, 70, 70)
    assert relative(static.prepare(*given)(latents, 0.5), PlainPredictions(small).prepare(*given)(latents, 0.5)) < 1e-5


def test_a_step_that_cannot_be_compiled_runs_as_it_is_and_the_log_says_so(small, caplog):
    def refuses(_graph, _inputs):
        raise ValueError("no compiler here")

    static = StaticPredictions(small, compiled(lambda x, t, _c: x * t[:, None, None, None], backend=refuses), again)
    latents, given = drawn(1, 70, 20)
    predict = static.prepare(*given)
    for _ in range(2):
        assert torch.equal(predict(latents, 0.5), latents * 500)
    assert [record.levelname for record in caplog.records if "no compiler here" in record.message] == ["WARNING"]
