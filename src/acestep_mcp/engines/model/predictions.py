"""A diffusion model's predictions at each step of a run: computed plainly, or by one step function for all runs.

The step function takes lengths and the number of conditions as data, so that it is compiled once for one condition and
once for several. For each shape it has buffers that stay at their addresses, on which a CUDA graph of it is captured: a
step then copies latents and timesteps into the buffers, replays the graph and copies the velocities out. The items of a
batch have timesteps and conditions of their own, so it may hold several runs, each at another step. Nothing waits for
the GPU.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import torch
from torch import Tensor
from torch.nn import functional as F

from acestep_mcp.engines.model.compilation import can_compile, compiled, mark_dynamic
from acestep_mcp.engines.model.graphs import Capture, CudaGraphs, again
from acestep_mcp.engines.model.rounds import BatchModel, ModelCall

BUCKET = 64
"""Frames and condition tokens are padded to a multiple of this."""
_KEPT = 3
"""Shapes whose buffers and graphs are kept for the next run."""

Step = Callable[[Tensor, Tensor, Any], Tensor]
"""Velocity from latents, timestep [B] and context, as `StepModel.forward`."""


class StepContext(Protocol):
    """What stays the same at every step of a run: tensors with a row for each of its conditions, and memory for steps."""

    @property
    def conditions(self) -> int: ...

    @property
    def tokens(self) -> int:
        """The tokens of the longest condition."""

    def first(self, conditions: int) -> Self:
        """The context of the first conditions."""

    def without_memory(self) -> Self:
        """The context of which only rows are copied."""

    def copy_row(self, row: int, given: Self, condition: int, frames: int) -> None:
        """Copy a condition of another context, for so many frames, into a row; what is left of the row is padding."""

    def rows(self) -> Iterable[Tensor]:
        """The tensors that have rows."""

    def lengths(self) -> Iterable[tuple[Tensor, int]]:
        """The tensors whose sizes depend on frames or tokens, and the dimension of each."""


class StepModel(Protocol):
    """A model that computes velocities from latents whose last dimension is frames."""

    def context(self, condition: Tensor, mask: Tensor, frames: int, weakened: Tensor | None = None) -> StepContext:
        """For a run of `frames` latent frames and `condition` [B, N, D] with `mask` [B, N], 1 for the valid tokens.

        `weakened` [B] is true for the items whose queries are weakened.
        """

    def static_context(self, conditions: int, frames: int, tokens: int) -> StepContext:
        """Of these sizes. What depends on a condition is not initialised: `copy_row` fills the rows."""

    def empty_latents(self, conditions: int, frames: int) -> Tensor:
        """Zeros, float32."""

    def forward(self, latents: Tensor, timestep: Tensor, context: Any) -> Tensor:
        """Velocities of the latents' shape; `timestep` [B] is in 0..1000."""


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
    context: StepContext
    frames: int
    key: Hashable

    def __call__(self, x: Tensor, sigma: float, conditions: int | None = None) -> ModelCall:
        """Velocities, one for each of the first `conditions` (all, if None); x has one item, or one for each."""
        if x.shape[-1] != self.frames:
            raise ValueError(f"prepared for {self.frames} frames, not {x.shape[-1]}")
        return ModelCall(self.model, self.key, Wanted(self, x, sigma, conditions or self.context.conditions))


class PlainPredictions:
    """Prepares the predictions of each run and computes them: the model as it is, for each run by itself."""

    def __init__(self, model: StepModel) -> None:
        self._model = model

    def prepare(self, condition: Tensor, mask: Tensor, frames: int, weakened: Tensor | None = None) -> Prediction:
        """Arguments as for `StepModel.context`."""
        context = self._model.context(condition, mask, frames, weakened)
        return Prediction(self, context, frames, key=object())

    def answer(self, given: Sequence[Wanted]) -> list[Tensor]:
        return [self._velocity(*each) for each in given]

    def _velocity(self, prediction: Prediction, x: Tensor, sigma: float, conditions: int) -> Tensor:
        timestep = torch.full((len(x),), sigma * 1000, device=x.device)
        return self._model.forward(x, timestep, prediction.context.first(conditions))

    def free(self) -> None:
        """Nothing is kept."""


class StaticPredictions:
    """Runs one step function on static buffers, for at most `batch` runs at once.

    Runs with as many padded frames share the buffers: the conditions of each are copied into rows of its own, and stay
    there as long as the same runs ask.
    """

    def __init__(self, model: StepModel, step: Step, capture: Capture, *, batch: int = 1, kept: int = _KEPT) -> None:
        self._model = model
        self._step = step
        self._capture = capture
        self._batch = batch
        self._kept = kept
        self._shapes: list[StaticShape] = []

    def prepare(self, condition: Tensor, mask: Tensor, frames: int, weakened: Tensor | None = None) -> Prediction:
        context = self._model.context(condition, mask, frames, weakened).without_memory()
        return Prediction(self, context, frames, key=_bucketed(frames))

    def answer(self, given: Sequence[Wanted]) -> list[Tensor]:
        # First conditions first: in steps without guidance, the rows that are computed stay the first ones.
        most = max(each.conditions for each in given)
        rows = [(each, number) for number in range(most) for each in given if number < each.conditions]
        contexts = [each.prediction.context for each in given]
        tokens = max(context.tokens for context in contexts)
        capacity = max(self._batch, len(given)) * max(context.conditions for context in contexts)
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
            shape = StaticShape(self._model, self._step, self._capture, size)
        self._shapes.append(shape)
        return shape

    def free(self) -> None:
        """Free all buffers and graphs."""
        self._shapes.clear()


class StaticShape:
    """Buffers for at most `size` conditions, frames and tokens, and a captured step for each number of conditions."""

    def __init__(self, model: StepModel, step: Step, capture: Capture, size: tuple[int, int, int]) -> None:
        self.size = size
        self._step = step
        self._capture = capture
        rows, frames, _ = size
        self._context = model.static_context(*size)
        self._latents = model.empty_latents(rows, frames)
        self._timestep = self._latents.new_empty(rows)
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
        self._context.copy_row(row, prediction.context, condition, prediction.frames)

    def _bound_step(self, conditions: int) -> Callable[[], None]:
        """The step from these buffers to these buffers."""
        given = self._latents[:conditions], self._timestep[:conditions], self._context.first(conditions)
        target = self._velocity[:conditions]
        _mark_dynamic(*given)

        def run() -> None:
            target.copy_(self._step(*given))

        return run


def _mark_dynamic(latents: Tensor, timestep: Tensor, context: StepContext) -> None:
    """What differs between calls: the batch (1 is always a case of its own), frames and tokens."""
    varying = [(latents, latents.dim() - 1), *context.lengths()]
    if len(latents) > 1:
        varying += [(each, 0) for each in (latents, timestep, *context.rows())]
    for tensor, dimension in varying:
        mark_dynamic(tensor, dimension)


def _bucketed(length: int) -> int:
    return length + -length % BUCKET


def fast_predictions(
    model: StepModel, device: torch.device, *, compiling: bool, offload: bool, batch: int
) -> StaticPredictions:
    """One step function, compiled if `compiling` and if the device's compiler is there, and captured as graphs on CUDA.

    Graphs need parameters that stay at their addresses: with `offload` there are none.
    """
    step: Step = model.forward
    if compiling and can_compile(device):
        step = compiled(step)
    capture = CudaGraphs(device) if compiling and device.type == "cuda" and not offload else again
    return StaticPredictions(model, step, capture, batch=batch, kept=1 if offload else _KEPT)
