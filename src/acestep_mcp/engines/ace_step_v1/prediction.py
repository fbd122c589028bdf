"""The transformer's predictions at each step of a run: computed plainly, or by one step function for all runs.

The step function takes weakening, lengths and the number of conditions as data, so that it is compiled once for one
condition and once for several. For each shape it has buffers that stay at their addresses, on which a CUDA graph of it
is captured: a step then copies latents and timestep into the buffers, replays the graph and copies the velocity out.
Nothing waits for the GPU.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from acestep_mcp.engines.ace_step_v1.transformer import Context, Transformer

logger = logging.getLogger(__name__)

BUCKET = 64
"""Frames and condition tokens are padded to a multiple of this."""
_KEPT = 3
"""Shapes whose buffers and graphs are kept for the next run."""
_WARM_UP = 2

Step = Callable[[Tensor, Tensor, Context], Tensor]
"""Velocity from latents, timestep and context, as `Transformer.forward`."""
Capture = Callable[[Callable[[], None]], Callable[[], None]]
"""Turns a function that works on tensors at fixed addresses into one that does the same again."""


class Prediction(Protocol):
    """What a run predicts with."""

    def __call__(self, x: Tensor, sigma: float, conditions: int | None = None) -> Tensor:
        """Velocities, one for each of the first `conditions` (all, if None); x has one item, or one for each."""


class Predictions(Protocol):
    """Prepares the predictions of each run."""

    def prepare(self, condition: Tensor, mask: Tensor, frames: int, weakened: Tensor | None = None) -> Prediction:
        """Arguments as for `Transformer.context`."""

    def free(self) -> None:
        """Free what is kept for later runs."""


class PlainPredictions:
    """Runs the transformer as it is."""

    def __init__(self, transformer: Transformer) -> None:
        self._transformer = transformer

    def prepare(self, condition: Tensor, mask: Tensor, frames: int, weakened: Tensor | None = None) -> Prediction:
        context = self._transformer.context(condition, mask, frames, weakened)

        def predict(x: Tensor, sigma: float, conditions: int | None = None) -> Tensor:
            timestep = torch.full((len(x),), sigma * 1000, device=x.device)
            return self._transformer(x, timestep, context.first(conditions or len(context.mask)))

        return predict

    def free(self) -> None:
        """Nothing is kept."""


class StaticPredictions:
    """Runs one step function on static buffers."""

    def __init__(self, transformer: Transformer, step: Step, capture: Capture, *, kept: int = _KEPT) -> None:
        self._transformer = transformer
        self._step = step
        self._capture = capture
        self._kept = kept
        self._shapes: list[StaticShape] = []

    def prepare(self, condition: Tensor, mask: Tensor, frames: int, weakened: Tensor | None = None) -> Prediction:
        batch, tokens, _ = condition.shape
        size = (batch, _bucketed(frames), _bucketed(tokens))
        shape = self._unused_shape(size) or self._new_shape(size)
        self._transformer.fill(shape.context, condition, mask, weakened)
        shape.set_frames(frames)
        run = _Run(shape, frames)
        shape.user = weakref.ref(run)
        return run

    def _unused_shape(self, size: tuple[int, int, int]) -> StaticShape | None:
        """A kept shape of this size that no run uses any more; the most recently used one is last in the list."""
        shape = next((shape for shape in self._shapes if shape.size == size and not shape.in_use), None)
        if shape:
            self._shapes.remove(shape)
            self._shapes.append(shape)
        return shape

    def _new_shape(self, size: tuple[int, int, int]) -> StaticShape:
        unused = [shape for shape in self._shapes if not shape.in_use]
        for shape in unused[: max(0, len(self._shapes) + 1 - self._kept)]:
            self._shapes.remove(shape)
        shape = StaticShape(self._transformer, self._step, self._capture, size)
        self._shapes.append(shape)
        return shape

    def free(self) -> None:
        """Free all buffers and graphs. Runs that have begun cannot go on."""
        self._shapes.clear()


class StaticShape:
    """Buffers for at most `size` conditions, frames and tokens, and a captured step for each number of conditions."""

    def __init__(self, transformer: Transformer, step: Step, capture: Capture, size: tuple[int, int, int]) -> None:
        self.size = size
        self.user: Callable[[], object] | None = None
        self._step = step
        self._capture = capture
        batch, frames, _ = size
        config, weight = transformer.config, transformer.final.weight
        self.context = transformer.empty_context(*size)._replace(frame_mask=weight.new_empty(batch, frames, 1))
        self._latents = weight.new_zeros(batch, config.in_channels, config.max_height, frames, dtype=torch.float32)
        self._timestep = weight.new_empty(batch, dtype=torch.float32)
        self._velocity = torch.empty_like(self._latents)
        self._captured: dict[int, Callable[[], None]] = {}

    @property
    def in_use(self) -> bool:
        """Whether the run that these buffers were filled for still exists."""
        return self.user is not None and self.user() is not None

    def set_frames(self, frames: int) -> None:
        """The frames after the first `frames` are padding from now on."""
        mask = self.context.frame_mask
        if mask is not None:
            mask[:, :frames], mask[:, frames:] = 1, 0

    def predict(self, x: Tensor, sigma: float, conditions: int) -> Tensor:
        self._latents[:conditions] = F.pad(x, (0, self._latents.shape[-1] - x.shape[-1]))
        self._timestep.fill_(sigma * 1000)
        if conditions not in self._captured:
            self._captured[conditions] = self._capture(self._bound_step(conditions))
        self._captured[conditions]()
        return self._velocity[:conditions, ..., : x.shape[-1]].clone()

    def _bound_step(self, conditions: int) -> Callable[[], None]:
        """The step from these buffers to these buffers."""
        given = self._latents[:conditions], self._timestep[:conditions], self.context.first(conditions)
        target = self._velocity[:conditions]
        _mark_dynamic(*given)

        def run() -> None:
            target.copy_(self._step(*given))

        return run


class _Run:
    """The predictions of one run on a shape's buffers, which are its own while it exists."""

    def __init__(self, shape: StaticShape, frames: int) -> None:
        self._shape = shape
        self._frames = frames

    def __call__(self, x: Tensor, sigma: float, conditions: int | None = None) -> Tensor:
        if x.shape[-1] != self._frames:
            raise ValueError(f"prepared for {self._frames} frames, not {x.shape[-1]}")
        return self._shape.predict(x, sigma, conditions or self._shape.size[0])


def _mark_dynamic(latents: Tensor, timestep: Tensor, context: Context) -> None:
    """Tell the compiler which sizes differ between calls: the batch (1 is always a case of its own), frames and tokens."""
    frames, tokens = (latents, 3), (context.keys_values, 4)
    varying: list[tuple[Any, int]] = [frames, tokens, (context.mask, 3), (context.frame_mask, 1), (context.rotary, 1)]
    if len(latents) > 1:
        varying += [(each, 0) for each in (latents, timestep, *context[1:5])]
    for tensor, dimension in varying:
        torch._dynamo.maybe_mark_dynamic(tensor, dimension)  # noqa: SLF001 - documented, and has no other name


def _bucketed(length: int) -> int:
    return length + -length % BUCKET


def compiled(step: Step, **options: Any) -> Step:
    """The step, compiled at the first use; `options` go to `torch.compile`. Compiled code is cached on disk.

    Where the machine cannot compile, the log says so and the step runs as it is.
    """
    run: Step = torch.compile(step, fullgraph=True, **options)

    def try_compiled(latents: Tensor, timestep: Tensor, context: Context) -> Tensor:
        nonlocal run
        try:
            return run(latents, timestep, context)
        except torch._dynamo.exc.TorchDynamoException as error:  # noqa: SLF001 - the only name of the compiler's errors
            if run is step:
                raise
            why = " ".join(str(error).split())[:300]
            logger.warning("the model cannot be compiled here and runs as it is: %s", why)
            run = step
        return step(latents, timestep, context)

    return try_compiled


def fast_predictions(transformer: Transformer, device: torch.device, *, offload: bool) -> StaticPredictions:
    """One step function, compiled where the device's compiler is installed, and captured as CUDA graphs on CUDA.

    Graphs need parameters that stay at their addresses: with `offload` there are none.
    """
    step: Step = transformer.forward
    if device.type != "cuda" or find_spec("triton"):
        step = compiled(step)
    else:
        logger.warning("the model runs without being compiled: the package triton is not installed")
    capture = CudaGraphs(device) if device.type == "cuda" and not offload else again
    return StaticPredictions(transformer, step, capture, kept=1 if offload else _KEPT)


def again(run: Callable[[], None]) -> Callable[[], None]:
    """The `Capture` for devices without graphs: the function itself."""
    return run


class CudaGraphs:
    """The `Capture` for CUDA. Its graphs share one pool of memory, since only one of them runs at a time."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream(device)

    def __call__(self, run: Callable[[], None]) -> Callable[[], None]:
        with torch.cuda.device(self._device):
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                for _ in range(_WARM_UP):  # compiles, and lets libraries allocate their workspaces
                    run()
            torch.cuda.current_stream().wait_stream(self._stream)
            graph = torch.cuda.CUDAGraph()
            # Other threads may use the device meanwhile.
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                run()
        return graph.replay
