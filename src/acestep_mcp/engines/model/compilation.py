"""Compiling a function by torch, where that works."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, ParamSpec

import torch
from torch import Tensor

logger = logging.getLogger(__name__)
Given = ParamSpec("Given")


def can_compile(device: torch.device) -> bool:
    """Whether the compiler for this device is installed; the log says so if it is not."""
    if device.type == "cuda" and find_spec("triton") is None:
        logger.warning("the model runs without being compiled: the package triton is not installed")
        return False
    return True


def compiled(function: Callable[Given, Tensor], **options: Any) -> Callable[Given, Tensor]:
    """The function, compiled at the first use; `options` go to `torch.compile`. Compiled code is cached on disk.

    Where the machine cannot compile, the log says so and the function runs as it is.
    """
    run: Callable[Given, Tensor] = torch.compile(function, fullgraph=True, **options)

    def try_compiled(*given: Given.args, **named: Given.kwargs) -> Tensor:
        nonlocal run
        try:
            return run(*given, **named)
        except torch._dynamo.exc.TorchDynamoException as error:  # noqa: SLF001 - the only name of the compiler's errors
            if run is function:
                raise
            why = " ".join(str(error).split())[:300]
            logger.warning("the model cannot be compiled here and runs as it is: %s", why)
            run = function
        return function(*given, **named)

    return try_compiled


def mark_dynamic(tensor: Tensor, dimension: int) -> None:
    """Tell the compiler that this size differs between calls."""
    torch._dynamo.maybe_mark_dynamic(tensor, dimension)  # noqa: SLF001 - documented, and has no other name
