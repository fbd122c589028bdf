"""The progress of a run, how far the host runs ahead of a GPU, and work in a second stream of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import Any

import torch
from torch import Tensor

from acestep_mcp.engines import Step
from acestep_mcp.engines.model.rounds import ModelCall, Pending, SamplingRun, mapped

_QUEUED = 2
"""Steps that are queued on a GPU at most. It never waits for the next one, and progress and cancelling follow it."""


def denoising(run: SamplingRun, device: torch.device) -> Generator[Step | ModelCall, Any, Tensor]:
    """Report a run's progress as Steps. The host may be at most `_QUEUED` of them ahead of the GPU."""
    queued: deque[torch.cuda.Event] = deque()

    def step(progress: tuple[int, int]) -> Step:
        if device.type == "cuda":
            queued.append(torch.cuda.current_stream(device).record_event())
            if len(queued) > _QUEUED:
                queued.popleft().synchronize()
        return Step("denoising", *progress)

    return mapped(run, step)


class Aside:
    """Work that the runs of other songs do not wait for, if there is a stream for it; else it is done at once."""

    def __init__(self, stream: torch.cuda.Stream | None) -> None:
        self._stream = stream

    @property
    def overlaps(self) -> bool:
        return self._stream is not None

    def run(self, work: Callable[[], Tensor]) -> Generator[Pending, None, Tensor]:
        """The result of `work`, in main memory. It may use what was queued in the current stream before."""
        stream = self._stream
        if stream is None:
            return work().cpu()
        stream.wait_stream(torch.cuda.current_stream(stream.device))
        with torch.cuda.stream(stream):
            result = work()
            host = torch.empty(result.shape, dtype=result.dtype, pin_memory=True)
            host.copy_(result, non_blocking=True)
            event = stream.record_event()
        yield Pending(event)
        return host
