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
from acestep_mcp.engines.ace_step_v1.denoiser import Denoiser  # noqa: E402
from acestep_mcp.engines.ace_step_v1.sampling import noise_source, noise_sources  # noqa: E402
from acestep_mcp.engines.ace_step_v1.transformer import Transformer, TransformerConfig  # noqa: E402
from acestep_mcp.engines.model.compilation import compiled  # noqa: E402
from acestep_mcp.engines.model.graphs import again  # noqa: E402
from acestep_mcp.engines.model.predictions import (  # noqa: E402
    PlainPredictions,
    StaticPredictions,
)

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


@pytest.fixture(scope="module")
def single():
    """One block with weakened queries: a C++ compiler takes seconds for each block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transformer, "WEAKENED_BLOCKS", range(1))
        return transformer_of(1)


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


def answers(*asks):
    """What a model answers to asks of one batch."""
    return asks[0].model.answer([ask.given for ask in asks])


def answer(ask):
    return answers(ask)[0]


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
        assert relative(answer(ours(latents, *step)), answer(theirs(latents, *step))) < 1e-5


def test_velocities_of_earlier_steps_stay_as_they_were(small):
    latents, given = drawn(2, 70, 20)
    predict = StaticPredictions(small, small.forward, FakeGraphs()).prepare(*given)
    first = answer(predict(latents, 0.9))
    kept = first.clone()
    answer(predict(latents, 0.1))
    assert torch.equal(first, kept)


def captures(graphs):
    return sum(event[0] == "captured" for event in graphs.events)


def test_two_runs_take_turns_on_the_same_buffers(small):
    graphs = FakeGraphs()
    captured, plain = StaticPredictions(small, small.forward, graphs), PlainPredictions(small)
    runs = [drawn(2, 70, 20, seed=1), drawn(2, 90, 37, seed=2)]
    ours, theirs = ([model.prepare(*given) for _, given in runs] for model in (captured, plain))
    for step in ((0.9,), (0.4,), (0.2, 1), (0.1, 1)):
        for (latents, _), our, their in zip(runs, ours, theirs, strict=True):
            assert relative(answer(our(latents, *step)), answer(their(latents, *step))) < 1e-5
    assert captures(graphs) == 2


def test_runs_of_other_lengths_conditions_and_steps_are_one_batch_and_each_gets_its_own_velocities(small):
    graphs = FakeGraphs()
    captured, plain = StaticPredictions(small, small.forward, graphs, batch=3), PlainPredictions(small)
    runs = [drawn(3, 70, 20, seed=1), drawn(2, 128, 70, seed=2), drawn(1, 100, 37, seed=3)]
    ours, theirs = ([model.prepare(*given) for _, given in runs] for model in (captured, plain))
    assert len({ask(latents, 0.5).key for (latents, _), ask in zip(runs, ours, strict=True)}) == 1
    # All guided; the second no more; the first has left; the third alone with the second again; and all once more.
    for together, conditions in (((0, 1, 2), (3, 2, 1)), ((0, 1, 2), (3, 1, 1)), ((1, 2), (2, 1)), ((2, 1), (1, 1)), ((0, 1, 2), (3, 2, 1))):  # fmt: skip
        steps = [(runs[run][0], 0.9 - 0.2 * run, count) for run, count in zip(together, conditions, strict=True)]
        velocities = answers(*(ours[run](*step) for run, step in zip(together, steps, strict=True)))
        for run, step, velocity in zip(together, steps, velocities, strict=True):
            assert relative(velocity, answer(theirs[run](*step))) < 1e-5
    # 6, 5, 3 and 2 rows of 70 tokens, and none again.
    assert captures(graphs) == 4


def test_latents_of_their_own_for_each_condition_stay_in_order_in_a_batch(small):
    captured, plain = StaticPredictions(small, small.forward, again, batch=2), PlainPredictions(small)
    runs = [drawn(2, 70, 20, seed=1), drawn(2, 70, 20, seed=2)]
    ours, theirs = ([model.prepare(*given) for _, given in runs] for model in (captured, plain))
    x = [torch.cat((latents, -latents)) for latents, _ in runs]
    for velocity, their, each in zip(answers(*(ask(one, 0.5) for ask, one in zip(ours, x, strict=True))), theirs, x, strict=True):  # fmt: skip
        assert relative(velocity, answer(their(each, 0.5))) < 1e-5


def test_a_condition_is_copied_only_when_another_run_was_in_its_row(small):
    captured = StaticPredictions(small, small.forward, again, batch=2)
    first, second = (captured.prepare(*drawn(2, 70, 20, seed=seed)[1]) for seed in (1, 2))
    latents = drawn(2, 70, 20)[0]

    def copies(*asks):
        with Recording() as recording:
            answers(*asks)
        return sum(
            function.overloadpacket is torch.ops.aten.copy_ and args[0].dim() == 5
            for function, args, *_ in recording.operations
        )

    def both(*conditions):
        return first(latents, 0.5, *conditions), second(latents, 0.4, *conditions)

    answers(*both())
    assert [copies(*both()), copies(*both(1)), copies(*both())] == [0, 0, 0]
    assert copies(second(latents, 0.4)) > 0


def test_only_a_few_shapes_are_kept(small):
    captured = StaticPredictions(small, small.forward, again, kept=2)
    for frames in (70, 150, 300, 100):
        latents, given = drawn(1, frames, 20)
        answer(captured.prepare(*given)(latents, 0.5))
    assert [shape.size[1] for shape in captured._shapes] == [320, 128]
    captured.free()
    assert captured._shapes == []


def test_what_only_plain_predictions_need_is_not_kept_beside_the_buffers(small):
    _, given = drawn(1, 70, 20)
    assert PlainPredictions(small).prepare(*given).context.buffer is not None
    assert StaticPredictions(small, small.forward, again).prepare(*given).context.buffer is None


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


@pytest.mark.process  # the C++ compiler
@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_compiled_model_gives_the_same_velocity(single):
    static = StaticPredictions(single, compiled(single.forward), again)
    latents, given = drawn(3, 70, 70)
    plain = PlainPredictions(single).prepare(*given)
    # Processes for compiling would each import torch, and what the processor can do would be tried by more compiling.
    with torch._inductor.config.patch({"compile_threads": 1, "cpp.vec_isa_ok": True}):
        ours = answer(static.prepare(*given)(latents, 0.5))
    assert relative(ours, answer(plain(latents, 0.5))) < 1e-5


def test_a_step_that_cannot_be_compiled_runs_as_it_is_and_the_log_says_so(small, caplog):
    def refuses(_graph, _inputs):
        raise ValueError("no compiler here")

    static = StaticPredictions(small, compiled(lambda x, t, _c: x * t[:, None, None, None], backend=refuses), again)
    latents, given = drawn(1, 70, 20)
    predict = static.prepare(*given)
    for _ in range(2):
        assert torch.equal(answer(predict(latents, 0.5)), latents * 500)
    assert [record.levelname for record in caplog.records if "no compiler here" in record.message] == ["WARNING"]


@pytest.mark.parametrize(("seed", "following"), [(None, 1), (5, 6), (2**32 - 1, 0)])
def test_the_two_noises_of_a_request_are_those_of_its_seed_and_of_the_next(single, seed, following):
    model = Denoiser.__new__(Denoiser)
    torch.nn.Module.__init__(model)
    model.transformer = single
    both = [noise(7) for noise in noise_sources(seed, model)]
    assert [each.dtype for each in both] == [torch.float32, torch.float32]
    for ours, right in zip(both, (seed or 0, following), strict=True):
        assert torch.equal(ours, noise_source(right, model)(7))
