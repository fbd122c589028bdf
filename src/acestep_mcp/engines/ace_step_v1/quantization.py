"""Weight quantisation of the transformer, by torchao."""

from __future__ import annotations

from torch import nn

from acestep_mcp.api.errors import ConfigurationError


def quantize(denoiser: nn.Module, kind: str) -> None:
    """Store the transformer's large matrices as int8 with one scale per row. Weights cannot be changed afterwards."""
    if kind != "int8":
        raise ConfigurationError(f"There is no quantisation {kind!r}: only int8.")
    try:
        from torchao.quantization import Int8WeightOnlyConfig, quantize_
    except ImportError as exc:
        raise ConfigurationError(
            f"--quantize int8 needs the package torchao ({exc}): pip install torchao, or leave it out."
        ) from exc
    quantize_(
        denoiser,
        Int8WeightOnlyConfig(),
        filter_fn=lambda module, name: isinstance(module, nn.Linear) and name.startswith("transformer.blocks"),
    )
