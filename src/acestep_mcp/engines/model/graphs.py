"""CUDA graphs of functions that work on tensors at fixed addresses."""

from __future__ import annotations

from collections.abc import Callable

import torch

Capture = Callable[[Callable[[], None]], Callable[[], None]]
"""Turns a function that works on tensors at fixed addresses into one that does the same again."""
_WARM_UP = 2


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
