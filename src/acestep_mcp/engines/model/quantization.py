"""Weight quantisation of a transformer, by torchao."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

from acestep_mcp.api.errors import ConfigurationError

_FP8_CAPABILITY = (8, 9)
"""The compute capability of the first GPUs that multiply FP8 matrices: Ada; Hopper has 9.0."""
_KINDS = ("int8", "fp8")


def check_quantization(kind: str, device: torch.device, dtype: torch.dtype) -> None:
    """Raises ConfigurationError if the device, the dtype or a missing package rules it out."""
    if kind not in _KINDS:
        raise ConfigurationError(f"There is no quantisation {kind!r}: only {' and '.join(_KINDS)}.")
    if kind == "fp8":
        check_fp8(torch.cuda.get_device_capability(device) if device.type == "cuda" else None, dtype)
    _config(kind)


def check_fp8(capability: tuple[int, int] | None, dtype: torch.dtype) -> None:
    """Raises ConfigurationError unless a CUDA GPU of this compute capability, or None for another device, has FP8."""
    if capability is None or capability < _FP8_CAPABILITY:
        found = "the device is no CUDA GPU" if capability is None else f"this one has {capability[0]}.{capability[1]}"
        raise ConfigurationError(
            f"--quantize fp8 needs a CUDA GPU of compute capability 8.9 or higher (Ada, Hopper or newer), and {found}: "
            "use int8, or leave it out."
        )
    if dtype != torch.bfloat16:
        raise ConfigurationError(f"--quantize fp8 needs the dtype bfloat16, not {dtype}: leave --dtype out.")


def quantize(model: nn.Module, kind: str, layers: str) -> None:
    """Store matrices as int8, or as FP8 with FP8 activations; one scale per row. They cannot be changed afterwards.

    `layers` is a pattern of the names of the linear layers. Raises ConfigurationError without torchao.
    """
    config, pattern = _config(kind), re.compile(layers)
    from torchao.quantization import quantize_

    quantize_(model, config, filter_fn=lambda module, name: isinstance(module, nn.Linear) and bool(pattern.match(name)))


def _config(kind: str) -> Any:
    try:
        from torchao import quantization

        if kind == "int8":
            return quantization.Int8WeightOnlyConfig()
        return quantization.Float8DynamicActivationFloat8WeightConfig(granularity=quantization.PerRow())
    except (ImportError, AttributeError) as exc:
        raise ConfigurationError(
            f"--quantize {kind} needs the package torchao ({exc}): pip install torchao, or leave it out."
        ) from exc
