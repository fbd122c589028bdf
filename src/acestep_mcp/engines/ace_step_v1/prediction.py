"""The transformer's predictions at each step of a run: computed plainly, or by one step function for all runs.

The step function takes weakening, lengths and the number of conditions as data, so that it is compiled once for one
condition and once for several. For each shape it has buffers that stay at their addresses, on which a CUDA graph of it
is captured: a step then copies latents and timesteps into the buffers, replays the graph and copies the velocities out.
The items of a batch have timesteps and conditions of their own, so it may hold several runs, each at another step. Nothing
waits for the GPU.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from acestep_mcp.engines.ace_step_v1.transformer import Context, Transformer
from acestep_mcp.engines.model.compilation import can_compile, compiled, mark_dynamic
from acestep_mcp.engines.model.graphs import Capture, CudaGraphs, again
from acestep_mcp.engines.model.rounds import BatchModel, ModelCall

BUCKET = 64
"""Frames and condition tokens are padded to a multiple of this."""
_KEPT = 3
"""Shapes whose buffers and graphs are kept for the next run."""

Step = Callable[[Tensor, Tensor, Context], Tensor]
"""Velocity from latents, timestep and context, as `Transformer.forward`."""


class Wanted(NamedTuple):
    """Velocities of the first `conditions` of a run; `x` has one item, or one for each."""

    prediction: Prediction
    x: Tensor
    sigma: float
    conditions: int

    def latents(self, condition: int) -> Tensor:
        return self.x[condition if len(self.x) > 1 else 0]


@dataclass(eq=False)
class Prediction:
    """What a run predicts with: calling it gives what the run asks of the model. `key` is equal for equal shapes."""

    model: BatchModel
    context: Context
    frames: int
    key: Hashable

    def __call__(self, x: Tensor, sigma: float, conditions: int | None = None) -> ModelCall:
        """Velocities, one for each of the first `conditions` (all, if None); x has one item, or one for each."""
        if x.shape[-1] != self.frames:
            raise ValueError(f"prepared for {self.frames} frames, not {x.shape[-1]}")
        return ModelCall(self.model, self.key, Wanted(self, x, sigma, conditions or len(self.context.mask)))


class PlainPredictions:
    """Prepares the predictions of each run and computes them: the transformer as it is, for each run by itself."""

    def __init__(self, transformer: Transformer) -> None:
        self._transformer = transformer

    def prepare(self, condition: Tensor, mask: Tensor, frames: int, weakened: Tensor | None = None) -> Prediction:
        """Arguments as for `Transformer.context`."""
        context = self._transformer.context(condition, mask, frames, weakened)
        return Prediction(self, context, frames, key=object())

    def answer(self, given: Sequence[Wanted]) -> list[Tensor]:
        return [self._velocity(*each) for each in given]

    def _velocity(self, prediction: Prediction, x: Tensor, sigma: float, conditions: int) -> Tensor:
        timestep = torch.full((len(x),), sigma * 1000, device=x.device)
        return self._transformer(x, timestep, prediction.context.first(conditions))

    def free(self) -> None:
        """Nothing is kept."""


class StaticPredictions:
    """Runs one step function on static buffers, for at most `batch` runs at once.

    Runs with as many padded frames share the buffers: the conditions of each are copied into rows of its own, and stay
    there as long as the same runs ask.
    """

    def __init__(
        self, transformer: Transformer, step: Step, capture: Capture, *, batch: int = 1, kept: int = _KEPT
    ) -> None:
        self._transformer = transformer
        self._step = step
        self._capture = capture
        self._batch = batch
        self._kept = kept
        self._shapes: list[StaticShape] = []

    def prepare(self, condition: Tensor, mask: Tensor, frames: int, weakened: Tensor | None = None) -> Prediction:
        context = self._transformer.context(condition, mask, frames, weakened)._replace(buffer=None)
        return Prediction(self, context, frames, key=_bucketed(frames))

    def answer(self, given: Sequence[Wanted]) -> list[Tensor]:
        # First conditions first: in steps without guidance, the rows that are computed stay the first ones.
        most = max(each.conditions for each in given)
        rows = [(each, number) for number in range(most) for each in given if number < each.conditions]
        contexts = [each.prediction.context for each in given]
        tokens = max(context.mask.shape[-1] for context in contexts)
        capacity = max(self._batch, len(given)) * max(len(context.mask) for context in contexts)
        velocity = self._shape((capacity, _bucketed(given[0].prediction.frames), _bucketed(tokens))).predict(rows)
        return [
            torch.stack(
                [velocity[row, ..., : each.prediction.frames] for row, (of, _) in enumerate(rows) if of is each]
            )
            for each in given
        ]

    def _shape(self, size: tuple[int, int, int]) -> StaticShape:
        """The shape of this size, which then is the last of those that are kept."""
        shape = next((shape for shape in self._shapes if shape.size == size), None)
        if shape:
            self._shapes.remove(shape)
        else:
            del self._shapes[: max(0, len(self._shapes) + 1 - self._kept)]
            shape = StaticShape(self._transformer, self._step, self._capture, size)
        self._shapes.append(shape)
        return shape

    def free(self) -> None:
        """Free all buffers and graphs."""
        self._shapes.clear()


class StaticShape:
    """Buffers for at most `size` conditions, frames and tokens, and a captured step for each number of conditions."""

    def __init__(self, transformer: Transformer, step: Step, capture: Capture, size: tuple[int, int, int]) -> None:
        self.size = size
        self._step = step
        self._capture = capture
        rows, frames, _ = size
        config, weight = transformer.config, transformer.final_layer.linear.weight
        self._frame_mask = weight.new_empty(rows, frames, 1)
        self.context = transformer.empty_context(*size)._replace(frame_mask=self._frame_mask)
        self._latents = weight.new_zeros(rows, config.in_channels, config.max_height, frames, dtype=torch.float32)
        self._timestep = weight.new_empty(rows, dtype=torch.float32)
        self._velocity = torch.empty_like(self._latents)
        self._captured: dict[int, Callable[[], None]] = {}
        self._filled: dict[int, tuple[Callable[[], object], int]] = {}

    def predict(self, rows: Sequence[tuple[Wanted, int]]) -> Tensor:
        """Velocities for conditions of runs, in the buffer, which the next call overwrites."""
        for row, (wanted, condition) in enumerate(rows):
            x = wanted.latents(condition)
            self._latents[row] = F.pad(x, (0, self._latents.shape[-1] - x.shape[-1]))
            self._timestep[row] = wanted.sigma * 1000
            self._fill(row, wanted.prediction, condition)
        if len(rows) not in self._captured:
            self._captured[len(rows)] = self._capture(self._bound_step(len(rows)))
        self._captured[len(rows)]()
        return self._velocity

    def _fill(self, row: int, prediction: Prediction, condition: int) -> None:
        """Copy a condition into a row, unless it is there."""
        held, number = self._filled.get(row, (lambda: None, 0))
        if held() is prediction and number == condition:
            return
        self._filled[row] = (weakref.ref(prediction), condition)
        ours, theirs, frames = self.context, prediction.context, prediction.frames
        tokens = theirs.mask.shape[-1]
        ours.keys_values[row, ..., :tokens, :] = theirs.keys_values[condition]
        ours.keys_values[row, ..., tokens:, :] = 0
        ours.mask[row, ..., :tokens], ours.mask[row, ..., tokens:] = theirs.mask[condition], -torch.inf
        ours.query_scale[row] = theirs.query_scale[condition]
        self._frame_mask[row, :frames], self._frame_mask[row, frames:] = 1, 0

    def _bound_step(self, conditions: int) -> Callable[[], None]:
        """The step from these buffers to these buffers."""
        given = self._latents[:conditions], self._timestep[:conditions], self.context.first(conditions)
        target = self._velocity[:conditions]
        _mark_dynamic(*given)

        def run() -> None:
            target.copy_(self._step(*given))

        return run


def _mark_dynamic(latents: Tensor, timestep: Tensor, context: Context) -> None:
    """What differs between calls: the batch (1 is always a case of its own), frames and tokens."""
    varying: list[tuple[Tensor | None, int]] = [
        (latents, 3), (context.keys_values, 4), (context.mask, 3), (context.frame_mask, 1), (context.rotary, 1),
    ]  # fmt: skip
    if len(latents) > 1:
        varying += [(each, 0) for each in (latents, timestep, *context[1:5])]
    for tensor, dimension in varying:
        mark_dynamic(tensor, dimension)


def _bucketed(length: int) -> int:
    return length + -length % BUCKET


def fast_predictions(
    transformer: Transformer, device: torch.device, *, compiling: bool, offload: bool, batch: int
) -> StaticPredictions:
    """One step function, compiled if `compiling` and if the device's compiler is there, and captured as graphs on CUDA.

    Graphs need parameters that stay at their addresses: with `offload` there are none.
    """
    step: Step = transformer.forward
    if compiling and can_compile(device):
        step = compiled(step)
    capture = CudaGraphs(device) if compiling and device.type == "cuda" and not offload else again
    return StaticPredictions(transformer, step, capture, batch=batch, kept=1 if offload else _KEPT)
